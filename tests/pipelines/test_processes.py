from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from echoplane.pipelines import predict as pipeline
from echoplane.pipelines._processes import in_processes
from echoplane.pipelines.predict import PredictSettings, predict
from echoplane.records import ViewResult

# Spawned processes import what they run, so it stands in a module of its own.
WORK = """
import os

def make():
    return work

def work(item):
    if item == "crash":
        os._exit(3)  # as a decoder does that runs into foreign memory
    if item == "raise":
        raise LookupError(item)
    return item * 2

def crashed(item):
    return f"{item} crashed"
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "work_of_processes.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("work_of_processes")
    del sys.modules["work_of_processes"]


def test_results_come_in_order(work: ModuleType) -> None:
    assert list(in_processes([f"{i}," for i in range(30)], work.make, work.crashed, 2)) == [
        f"{i},{i}," for i in range(30)
    ]


def test_a_crash_costs_its_own_row_alone(work: ModuleType) -> None:
    items = ["a", "b", "crash", "c", *"defghijklm", "crash"]
    found = list(in_processes(items, work.make, work.crashed, 2))
    assert found == ["crash crashed" if item == "crash" else item * 2 for item in items]


def test_an_error_of_the_work_is_raised(work: ModuleType) -> None:
    with pytest.raises(LookupError, match="raise"):
        list(in_processes(["a", "raise", "b"], work.make, work.crashed, 2))


def test_left_early_nothing_goes_on(work: ModuleType) -> None:
    found = in_processes(["a"] * 50, work.make, work.crashed, 2)
    assert next(found) == "aa"
    found.close()


def test_processes_give_the_rows_that_threads_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom import examples

    good = Path(examples.get_path("ybr_color")).read_bytes()
    for i in range(3):
        (tmp_path / f"{i}.dcm").write_bytes(good)
    (tmp_path / "torn.dcm").write_bytes(good[:4000])
    monkeypatch.setattr(pipeline, "MANY", 2)

    def rows(processes: bool) -> list[tuple[object, ...]]:
        found: list[ViewResult] = []
        predict([tmp_path], PredictSettings(jobs=2), processes=processes, on_result=found.append)
        return [(r.file, r.status, r.view, r.probabilities, r.reasons) for r in found]

    assert rows(True) == rows(False)
    assert len(rows(True)) == 4


UNGUARDED = """
import sys

from echoplane.pipelines import predict as pipeline
from echoplane.pipelines.prepare import PrepareSettings, prepare_dataset
from echoplane.pipelines.predict import PredictSettings, predict

pipeline.MANY = 2
if sys.argv[1] == "predict":
    predict(["A4C"], PredictSettings(jobs=2), output="views.csv", overwrite=True, processes=True)
else:
    prepare_dataset(".", "store", PrepareSettings(jobs=2))
"""


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["predict", "prepare"])
def test_a_script_without_its_guard_is_told_so(tmp_path: Path, verb: str) -> None:
    (tmp_path / "A4C").mkdir()
    for i in range(3):
        np.save(tmp_path / f"A4C/{i}.npy", np.zeros((30, 40, 50), np.uint8))
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = subprocess.run([sys.executable, "script.py", verb], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "UsageError: worker processes cannot start" in last
    assert '`if __name__ == "__main__":`' in last
    if verb == "predict":
        assert len((tmp_path / "views.csv").read_text().splitlines()) == 1  # no file is blamed
