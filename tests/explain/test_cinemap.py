import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.explain.cinemap import CineMap, cine_map, to_cine
from echoplane.prepare.frames import prepare
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import SamplingPlan, Sector, SectorKind
from echoplane.sources.array import cine_from_array

FAN = Sector(SectorKind.PHASED, (20, 10, 180, 150), (100.0, 5.0), 8.0, 140.0, -0.6, 0.6, 1.0, "given")


def test_shared_frames_are_averaged_and_gaps_interpolated() -> None:
    plan = SamplingPlan(np.array([[0, 4], [4, 8]]))
    maps = np.array([[1.0, 2.0], [4.0, 7.0]], np.float32)[:, :, None, None] * np.ones((2, 2, 3, 3), np.float32)
    values, seen = to_cine(maps, plan, 10)
    np.testing.assert_allclose(values[:, 1, 1], [1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 7])
    np.testing.assert_array_equal(np.flatnonzero(seen), [0, 4, 8])


@given(st.integers(1, 30), st.integers(0, 1000))
def test_a_constant_stays_constant(n: int, seed: int) -> None:
    indices = np.random.default_rng(seed).integers(n, size=(3, 4))
    values, seen = to_cine(np.full((3, 4, 2, 2), 0.7, np.float32), SamplingPlan(indices), n)
    np.testing.assert_allclose(values, 0.7, rtol=1e-6)
    assert set(np.flatnonzero(seen)) == set(indices.ravel().tolist())


def test_nothing_lies_outside_the_sector() -> None:
    crop = (15.0, -5.0, 185.0, 165.0)
    found = cine_map(np.ones((1, 2, 56, 56), np.float32), SamplingPlan(np.array([[0, 1]])), 2, FAN, crop,
                     method="gradcam", target="A4C")  # fmt: skip
    frame = found.on_frame(0, 160, 200)
    assert frame[~FAN.mask(160, 200)].max() == 0
    assert frame[FAN.mask(160, 200)].mean() > 0.9
    assert found.values.max() == 1


def test_a_structure_comes_back_to_where_it_was_in_the_frame() -> None:
    """The way down is the package's own prepare, the way up the map's: together they must be the identity."""
    frames = np.zeros((1, 160, 200), np.uint8)
    frames[0, 90:102, 110:126] = 255
    cine = cine_from_array(frames, 20.0)
    prepared = prepare(cine, PrepareRecipe(size=(64, 64)), (0,), sector=FAN)
    small = prepared.frames[0].astype(np.float32)
    frame = CineMap(small[None] / 255, prepared.crop, FAN, np.array([True]), "", "").on_frame(0, 160, 200)
    y, x = np.mgrid[:160, :200]
    assert (frame * y).sum() / frame.sum() == pytest.approx(95.5, abs=0.75)
    assert (frame * x).sum() / frame.sum() == pytest.approx(117.5, abs=0.75)
    assert frame.sum() == pytest.approx(12 * 16, rel=0.05)


def test_moments_follow_what_speaks_for_the_view() -> None:
    values = np.zeros((3, 4, 4), np.float32)
    values[0, 0, 0], values[1, 0, 0], values[2, 0, 0] = 0.5, -1.0, 1.0
    np.testing.assert_allclose(CineMap(values, (0, 0, 4, 4), FAN, np.ones(3, bool), "", "").moments(), [0.5, 0, 1])
    flat = CineMap(np.zeros((2, 4, 4), np.float32), (0, 0, 4, 4), FAN, np.ones(2, bool), "", "")
    np.testing.assert_array_equal(flat.moments(), [0, 0])
