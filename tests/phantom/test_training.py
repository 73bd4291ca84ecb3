"""The short cut to prepared frames gives what the long way gives."""

from __future__ import annotations

import numpy as np
import pytest

from echoplane.errors import UsageError
from echoplane.phantom.clip import detail_for, render_clip
from echoplane.phantom.training import render_training_clip
from echoplane.prepare import RECIPES, prepare
from echoplane.prepare.recipe import PrepareRecipe

STORE = RECIPES["store"]
#: Mean absolute difference, in grey steps, that the short cut may make: it averages before the lookup, not after.
TOLERANCE = 3.0


@pytest.mark.parametrize("seed", range(6))
def test_same_as_preparing_the_full_picture(seed: int) -> None:
    view = ("A4C", "PSAX-MV", "A2C", "PLAX", "A3C", "PSAX-AP")[seed]
    groups = ("acoustics", "pose")
    full = render_clip(view, seed, frames=4, fps=20, size=(480, 640), nuisances=groups)
    long = prepare(full.to_cine(), STORE, sector=full.sector).frames.astype(float)
    detail = detail_for(full.recording.fan, full.recording.framing)
    short = render_training_clip(view, seed, frames=4, fps=20, recipe=STORE, nuisances=groups, detail=detail)
    assert short.frames.shape == long.shape
    assert short.sector == full.sector
    difference = np.abs(short.frames - long)
    assert difference.mean() < TOLERANCE
    assert np.corrcoef(short.frames.ravel(), long.ravel())[0, 1] > 0.99


def test_less_detail_leaves_the_statistics_alone() -> None:
    differences = []
    for seed in range(12):
        fine, quick = (
            render_training_clip("A4C", seed, frames=2, nuisances=("acoustics", "pose"), detail=detail).frames
            for detail in (1.0, None)
        )
        lit = fine.max(0) > 8
        quantiles = [np.percentile(f[:, lit], (25, 50, 75, 90, 99)) for f in (fine, quick)]
        differences.append(quantiles[1] - quantiles[0])
    assert np.abs(np.median(differences, axis=0)).max() < 8


@pytest.mark.parametrize("view", ["A4C", "DOPPLER", "M-MODE", "NOISE"])
def test_shapes_and_shares(view: str) -> None:
    for seed in range(4):
        clip = render_training_clip(view, seed, frames=3)
        assert clip.frames.shape == (3, *STORE.size)
        assert clip.frames.dtype == np.uint8
        assert sum(clip.shares.values()) == pytest.approx(1)
        assert clip.facts["seed"] == seed


def test_same_seed_same_bytes() -> None:
    one, two = (render_training_clip("PSAX-MV", 77, frames=3) for _ in range(2))
    np.testing.assert_array_equal(one.frames, two.frames)


def test_recipes_of_other_crops_are_refused() -> None:
    recipe = PrepareRecipe(name="odd", crop="center", crop_size=(100, 100))
    with pytest.raises(UsageError, match="sector"):
        render_training_clip("A4C", 0, frames=1, recipe=recipe)
