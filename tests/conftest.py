"""Fixtures for every room."""

import os
from pathlib import Path

import pytest

# Small arrays everywhere: more threads only get in each other's way, and pytest-xdist runs a process a core.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real development clips, where it lies beside the checkout."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("ECHOPLANE_CLIPS", root.parent / "shared" / "clips"))
    if not (folder / "INDEX.csv").is_file():
        pytest.skip("the development clips are not beside this checkout (set ECHOPLANE_CLIPS)")
    return folder
