"""The workers run functions of a script, because a test module cannot be imported by a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echoplane.pipelines._workers import spread

_SCRIPT = """
import json, os, sys, time
from echoplane.pipelines._workers import spread

def square(x):
    return x * x

def square_or_die(x):
    if x in (3, 11):
        os._exit(9)
    return x * x

def linger(x):
    print(os.getpid(), flush=True)
    time.sleep(600)

def died(x):
    return -x

if __name__ == "__main__":
    print(json.dumps(sorted(spread(globals()[sys.argv[1]], range(20), 2, died))))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(_SCRIPT)
    return [sys.executable, str(path)]


def test_in_this_process():
    assert list(spread(abs, [-1, -2], 1, abs)) == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(("work", "lost"), [("square", []), ("square_or_die", [3, 11])])
def test_every_item_once_even_when_workers_die(script, work, lost):
    out = subprocess.run([*script, work], check=True, capture_output=True, text=True).stdout
    assert json.loads(out) == sorted([*(x * x for x in range(20) if x not in lost), *(-x for x in lost)])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for processes")
def test_workers_leave_with_a_killed_parent(script):
    parent = subprocess.Popen([*script, "linger"], stdout=subprocess.PIPE, text=True)
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
