from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from types import ModuleType

import pytest

from echoplane import _processes
from echoplane.pipelines._workers import spread

# Spawned processes import what they run, so it stands in a module of its own.
WORK = """
import os, threading

def work(item):
    if item == "crash":
        os._exit(3)  # as a decoder does that runs into foreign memory
    if item == "raise":
        raise LookupError(item)
    if item == "dead":
        threading.Event().wait()  # as a disk that does not answer
    return item * 2

def crashed(item):
    return f"{item} crashed"
"""

LINGER = """
import os, time
from echoplane.pipelines._workers import spread

def linger(x):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    list(spread(linger, range(20), 2, linger))
"""


@pytest.fixture
def work(importable: Callable[[str, str], ModuleType]) -> ModuleType:
    return importable("work_of_processes", WORK)


def test_in_this_process() -> None:
    assert list(spread(abs, [-1, -2], 1, abs)) == [1, 2]


def test_results_come_in_order(work: ModuleType) -> None:
    found = list(spread(work.work, [f"{i}," for i in range(30)], 2, work.crashed, in_order=True))
    assert found == [f"{i},{i}," for i in range(30)]


def test_who_takes_no_more_results_does_not_wait_for_an_item_that_never_ends(
    work: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_processes, "PATIENCE", 0.1)
    before = set(multiprocessing.active_children())
    results = spread(work.work, ["a", "dead", "b", *"cdefghijkl"], 2, work.crashed, in_order=True)
    assert next(results) == "aa"
    mine = set(multiprocessing.active_children()) - before
    assert mine
    results.close()
    for process in mine:
        # Not its exit code: the pool's own thread waits for it as well, and only one of both is told.
        assert connection.wait([process.sentinel], 30)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_crash_costs_its_own_item_alone(work: ModuleType, in_order: bool) -> None:
    items = ["a", "b", "crash", "c", *"defghijklm", "crash"]
    found = list(spread(work.work, items, 2, work.crashed, in_order=in_order))
    expected = ["crash crashed" if item == "crash" else item * 2 for item in items]
    assert (found if in_order else sorted(found)) == (expected if in_order else sorted(expected))


def test_an_error_of_the_work_is_raised(work: ModuleType) -> None:
    with pytest.raises(LookupError, match="raise"):
        list(spread(work.work, ["a", "raise", "b"], 2, work.crashed))


def test_left_early_nothing_goes_on(work: ModuleType) -> None:
    found = spread(work.work, ["a"] * 50, 2, work.crashed)
    assert next(found) == "aa"
    found.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for processes")
def test_workers_leave_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(LINGER)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        os.sched_yield()
    parent.stdout.close()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
