from __future__ import annotations

import concurrent.futures.process
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from echoplane._processes import Workers
from echoplane.errors import EchoplaneError
from echoplane.store import StoreReader

STARTERS = {
    "prepare": """
from echoplane.pipelines.prepare import PrepareSettings, prepare_dataset
run = prepare_dataset("clips", "store", PrepareSettings(jobs=2, patients="none"))
""",
    "predict": """
from echoplane.pipelines import predict
predict.MANY = 1
predict.predict(["clips"], predict.PredictSettings(jobs=2), output="views.csv", overwrite=True, processes=True)
""",
    "phantom": """
from echoplane.phantom.dataset import DatasetPlan
from echoplane.pipelines.phantom import write_dataset
write_dataset("store", DatasetPlan(9, frames=2), jobs=2)
""",
}

WORK = """
import os
import time

def end():
    os._exit(3)

def nothing():
    pass

def train():
    time.sleep(60)
"""


@pytest.fixture
def work(importable: Callable[[str, str], ModuleType]) -> ModuleType:
    return importable("work_of_pools", WORK)


@pytest.mark.parametrize("name", STARTERS)
def test_a_script_without_a_guard_is_told_so(tmp_path: Path, name: str) -> None:
    for view in ("A2C", "A4C"):
        (tmp_path / "clips" / view).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "clips" / view / "a.png"), np.full((64, 64), 90, np.uint8))
    (tmp_path / "script.py").write_text(STARTERS[name])
    run = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("echoplane.errors.UsageError: ")
    assert "script.py" in last
    assert 'if __name__ == "__main__":' in last
    assert run.stderr.count("would do its work again") >= 1  # a worker leaves what its parent writes alone
    if name == "predict":
        assert len((tmp_path / "views.csv").read_text().splitlines()) == 1
    if name == "prepare":  # no file is blamed
        assert (tmp_path / "store/failures.csv").read_text() == "file,status,reason\n"
        assert not len(StoreReader(tmp_path / "store"))


def test_a_process_that_ends_in_the_middle_of_its_work(work: ModuleType) -> None:
    with (
        pytest.raises(EchoplaneError, match=r"ended in the middle of its work.*fewer jobs"),
        Workers(1, work.nothing) as pool,
    ):
        pool.check_started()
        pool.submit(work.end).result()


def test_an_interrupt_of_this_process_alone_ends_the_others(work: ModuleType) -> None:
    with pytest.raises(KeyboardInterrupt), Workers(1, work.nothing) as pool:
        pool.check_started()
        pool.submit(work.train)
        processes = list(pool._processes.values())
        raise KeyboardInterrupt
    for process in processes:
        process.join()
    assert [process.exitcode == 0 for process in processes] == [False]


def test_a_process_that_does_not_start(work: ModuleType) -> None:
    with pytest.raises(EchoplaneError, match="ended before they did anything"), Workers(1, work.end) as pool:
        pool.submit(work.nothing).result()


def test_windows_has_no_more_than_61(work: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert concurrent.futures.process.sys.platform == "win32"
    monkeypatch.setattr(Workers, "submit", lambda *_: None)
    with Workers(64, work.nothing) as pool:
        assert pool._max_workers == 61
