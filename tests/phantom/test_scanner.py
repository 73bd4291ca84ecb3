"""The machine: grey maps, gain, persistence, sharpening."""

from __future__ import annotations

import numpy as np
import pytest

from echoplane.phantom.looks import Scanner, draw_scanner
from echoplane.phantom.scanner import STEPS, Processor, grey_map


def _field(level_db: float, shape: tuple[int, int] = (40, 60), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((*shape, 2)).astype(np.float32).view(np.complex64)[..., 0]
    return noise * np.float32(10 ** (level_db / 20))


PLAIN = Scanner(gamma=1.0, contrast=0.0, persistence=0.0, sharpen=0.0, smooth=0.0)


@pytest.mark.parametrize("seed", range(20))
def test_grey_maps_rise_from_black_to_white(seed: int) -> None:
    curve = grey_map(draw_scanner(np.random.default_rng(seed))).astype(int)
    assert curve[0] == 0
    assert curve[-1] == 255
    assert (np.diff(curve) >= 0).all()
    assert len(curve) == STEPS


@pytest.mark.parametrize("level_db", [-60.0, 0.0, 35.0])
@pytest.mark.parametrize("wanted", [0.3, 0.6, 0.9])
def test_gain_brings_the_brightest_tenth_to_its_level(level_db: float, wanted: float) -> None:
    for settings in (
        Scanner(level=wanted, persistence=0, sharpen=0),
        Scanner(level=wanted, gamma=1.6, contrast=0.8, persistence=0, sharpen=0),
    ):
        processor = Processor.of(settings)
        field = _field(level_db)
        processor.set_gain(field, np.ones(60, np.float32))
        assert np.percentile(processor.frame(field), 90) == pytest.approx(255 * wanted, abs=4)


def test_equal_steps_in_decibels_are_equal_steps_in_grey() -> None:
    processor = Processor.of(Scanner(range_db=60, gamma=1.0, contrast=0.0, persistence=0, sharpen=0))
    processor.offset = 0.5
    greys = [int(processor.frame(np.full((9, 9), 10 ** (d / 20), np.complex64))[4, 4]) for d in (-20, -10, 0, 10, 20)]
    np.testing.assert_allclose(np.diff(greys), 255 * 10 / 60, atol=1.5)


def test_persistence_is_a_running_mean() -> None:
    processor = Processor.of(Scanner(gamma=1.0, contrast=0.0, persistence=0.5, sharpen=0, range_db=50))
    processor.offset = 0.5
    dark, bright = np.full((5, 5), 0.1, np.complex64), np.full((5, 5), 10, np.complex64)
    greys = [int(processor.frame(f)[2, 2]) for f in (dark, bright, bright, bright)]
    first, steady = greys[0], 255 * (0.5 + 20 / 50)
    np.testing.assert_allclose(greys[1:], [steady - (steady - first) * 0.5**n for n in (1, 2, 3)], atol=2)


def test_smoothing_calms_speckle_and_keeps_edges() -> None:
    field = np.concatenate([_field(-20), _field(10, seed=1)], axis=1)
    plain, calm = (Processor.of(Scanner(gamma=1, contrast=0, persistence=0, sharpen=0, smooth=s)) for s in (0.0, 1.0))
    for processor in (plain, calm):
        processor.offset = 0.4
    a, b = plain.frame(field).astype(float), calm.frame(field).astype(float)
    assert b[:, 70:110].std() < 0.8 * a[:, 70:110].std()
    assert b[:, 64:].mean() - b[:, :56].mean() > 0.9 * (a[:, 64:].mean() - a[:, :56].mean())


def test_no_echo_at_all_is_black() -> None:
    processor = Processor.of(PLAIN)
    assert (processor.frame(np.zeros((8, 8), np.complex64)) == 0).all()
