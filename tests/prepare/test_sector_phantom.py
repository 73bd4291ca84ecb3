"""Sectors found on phantom cines, whose geometry is exact, under every look, overlay and compression drawn."""

import numpy as np
import pytest

from echoplane.phantom.clip import render_clip
from echoplane.prepare import find_sector
from echoplane.records import Sector

VIEWS = ("A2C", "A3C", "A4C", "PSAX-MV", "PSAX-PM", "PSAX-AP", "PLAX")


def iou(found: Sector, truth: Sector, height: int, width: int) -> float:
    a, b = found.mask(height, width), truth.mask(height, width)
    return float((a & b).sum() / (a | b).sum())


def scores(seeds: range) -> np.ndarray:
    got = []
    for seed in seeds:
        clip = render_clip(VIEWS[seed % len(VIEWS)], seed=seed, frames=8)
        cine = clip.to_cine()
        got.append(iou(find_sector(cine), clip.sector, cine.height, cine.width))
    return np.sort(got)


def test_a_few_of_each_view() -> None:
    got = scores(range(3000, 3014))
    assert np.median(got) >= 0.97


def test_sides_all_but_lost_in_the_dark() -> None:
    # Without the faintest level of light the overlap is 0.73.
    assert scores(range(710_111, 710_112)) >= 0.95


@pytest.mark.long
def test_mean_iou() -> None:
    got = scores(range(3000, 3120))
    assert got.mean() >= 0.97, f"mean {got.mean():.4f}, median {np.median(got):.4f}, worst {got[:12].round(3)}"
    assert got[:12].mean() >= 0.75
