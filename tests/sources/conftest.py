"""Fixtures for reading."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_TOOL = Path(__file__).parents[2] / "tools" / "fuzz.py"


@pytest.fixture
def fuzz() -> Callable[[Path, int, int], None]:
    """Damage the files of a folder so many times and open each mutant; the last number draws the damage."""

    def run(folder: Path, mutants: int, seed: int) -> None:
        command = [sys.executable, str(_TOOL), "--seeds", str(folder), "--mutants", str(mutants), "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr[-2000:]
        assert f"{mutants} of {mutants} mutants answered" in done.stdout

    return run
