"""A small store with three easy views, and a recipe that learns them in seconds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echoplane import config
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.store import StoreRow, StoreWriter
from echoplane.training.recipe import TrainRecipe

VIEWS = ("A4C", "PSAX-MV", "PSAX-PM")
SIDE = 32

MakeStore = Callable[..., Path]
MakeRecipe = Callable[..., TrainRecipe]


def blob(view: int, rng: np.random.Generator, frames: int = 24) -> np.ndarray:
    """A bright bar whose direction is the view, drifting, in noise."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    angle = np.pi * view / len(VIEWS)
    shift = rng.uniform(-3, 3) + 2 * np.sin(np.arange(frames)[:, None, None] / 3 + rng.uniform(0, 6))
    across = x * np.cos(angle) + y * np.sin(angle) - shift
    picture = 150 * np.exp(-((across / 3) ** 2)) + rng.normal(40, 15, (frames, SIDE, SIDE))
    return picture.clip(0, 255).astype(np.uint8)


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    def make(
        name: str = "store",
        patients: int = 8,
        labels: Sequence[str] = VIEWS,
        seed: int = 0,
        prefix: str = "p",
        **options: Any,
    ) -> Path:
        rng = np.random.default_rng(seed)
        recipe = PrepareRecipe(name="small", size=(SIDE, SIDE))
        folder = tmp_path / name
        options = {"recipe": config.to_mapping(recipe), "views": labels, "height": SIDE, "width": SIDE, **options}
        with StoreWriter(folder, **options) as writer:
            for patient in range(patients):
                for number, label in enumerate(labels):
                    row = StoreRow(f"{prefix}{patient}/{label}", label=label, group=f"{prefix}{patient}", fps=30.0)
                    writer.append(blob(number % len(VIEWS), rng), row)
        return folder

    return make


@pytest.fixture
def make_recipe() -> MakeRecipe:
    def make(*stores: Path, **changes: object) -> TrainRecipe:
        data = {
            "name": "small",
            "seed": 1,
            "data": {
                "stores": [{"path": str(store)} for store in stores],
                "validation": 0.25,
                "sampling": {"kind": "every_kth", "frames": 4, "step": 2},
            },
            "network": {"name": "cnn3d", "options": {"spec": [4, "M", 8, "M"], "classifier": [16, 0.1, 8, 0.1]}},
            "optimizer": {"lr": 0.003},
            "augment": "light",
            "fit": {"epochs": 3, "batch": 8, "precision": "f32", "ema": 0.9},
        }
        for key, value in changes.items():
            config.apply_override(data, f"{key.replace('__', '.')}={value}")
        return config.from_mapping(TrainRecipe, data, "test")

    return make
