"""Speckle theory as the yardstick: circular Gaussian fields, Rayleigh envelopes, widths that kernels predict."""

from __future__ import annotations

import numpy as np
import pytest

from echoplane.phantom.beam import PointSpread, beam_sigma
from echoplane.phantom.fan import Fan, PolarGrid
from echoplane.phantom.looks import Acoustics
from echoplane.phantom.speckle import Scatterers
from echoplane.records import SectorKind

FAN = Fan(SectorKind.PHASED, 0.0, 16.0, -0.7, 0.7)
#: Mean over standard deviation of a Rayleigh variable.
RAYLEIGH_SNR = 1.0 / np.sqrt(4 / np.pi - 1)


@pytest.fixture(scope="module")
def grid() -> PolarGrid:
    return PolarGrid.of(FAN, 128, 400)


@pytest.fixture(scope="module")
def field(grid: PolarGrid) -> np.ndarray:
    fields = []
    for piece in range(6):
        cells = Scatterers(
            (1.2 * grid.beam_step, 1.2 * grid.sample_step, 0.3), (piece * 17.3, piece * 31.1, piece * 2.7)
        )
        angle = np.broadcast_to(grid.angles[:, None], grid.shape)
        radius = np.broadcast_to(grid.radii, grid.shape)
        fields.append(cells.at(angle, radius, np.zeros(grid.shape, np.float32)))
    return np.stack(fields)


def test_scatterers_are_circular_gaussian_of_unit_power(field: np.ndarray) -> None:
    assert np.mean(np.abs(field) ** 2) == pytest.approx(1, abs=0.25)  # linear lookup takes a little off
    assert abs(np.mean(field)) < 0.05
    assert abs(np.mean(field**2)) < 0.05
    ratio = np.mean(np.abs(field) ** 4) / np.mean(np.abs(field) ** 2) ** 2
    assert ratio == pytest.approx(2, abs=0.12)  # 2 for a circular Gaussian, 3 for a real one


def test_envelope_of_developed_speckle_has_the_rayleigh_ratio(grid: PolarGrid, field: np.ndarray) -> None:
    spread = PointSpread.of(grid, Acoustics())
    envelope = np.abs(np.stack([spread.apply(f) for f in field]))[:, 8:-8, 100:-20]
    # The mean power changes with depth; the ratio is taken where it does not.
    strips = [envelope[:, :, i : i + 25] for i in range(0, envelope.shape[2] - 25, 25)]
    ratios = [s.mean() / s.std() for s in strips]
    assert np.mean(ratios) == pytest.approx(RAYLEIGH_SNR, abs=0.06)
    assert pytest.approx(1.91, abs=0.01) == RAYLEIGH_SNR


def _width(field: np.ndarray, axis: int) -> float:
    """Standard deviation, in samples, of the Gaussian that the field's autocorrelation is."""
    field = np.moveaxis(field, axis, -1)
    lags = np.arange(1, 7)
    power = np.mean(np.abs(field) ** 2)
    values = np.array([np.mean(field[..., k:] * field[..., :-k].conj()).real for k in lags]) / power
    kept = values > 0.15
    assert kept.any()
    return float(np.sqrt(np.mean(-(lags[kept] ** 2) / (2 * np.log(np.minimum(values[kept], 0.999))))))


def test_correlation_lengths_are_those_of_the_point_spread(grid: PolarGrid) -> None:
    acoustics = Acoustics(axial_cm=0.11, beam_rad=0.024, focus_cm=8.0)
    spread = PointSpread.of(grid, acoustics)
    rng = np.random.default_rng(3)
    white = rng.standard_normal((24, *grid.shape, 2)).astype(np.float32).view(np.complex64)[..., 0]
    smeared = np.stack([spread.apply(f) for f in white])
    # The autocorrelation of a smeared white field is wider than the kernel by the square root of two.
    assert _width(smeared[:, :, 50:-50], 2) == pytest.approx(np.sqrt(2) * 0.11 / grid.sample_step, rel=0.05)
    at_focus = int(np.argmin(np.abs(grid.depths - 8.0)))
    sigma = float(beam_sigma(acoustics, grid.depths, 0.0)[at_focus]) / grid.beam_step
    strip = smeared[:, 12:-12, at_focus - 10 : at_focus + 10]
    assert _width(strip, 1) == pytest.approx(np.sqrt(2) * sigma, rel=0.07)


def test_beam_is_narrowest_at_its_focus_in_centimetres() -> None:
    depths = np.linspace(1, 16, 151).astype(np.float32)
    width_cm = beam_sigma(Acoustics(focus_cm=7.0), depths, 0.0) * depths
    assert abs(float(depths[np.argmin(width_cm)]) - 7.0) < 0.2


def test_kernels_sum_to_one(grid: PolarGrid) -> None:
    spread = PointSpread.of(grid, Acoustics())
    assert spread.axial.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(spread.lateral[0] + 2 * spread.lateral[1:].sum(0), 1, atol=1e-5)
    flat = np.full(grid.shape, 2 + 1j, np.complex64)
    np.testing.assert_allclose(spread.apply(flat), flat, atol=1e-4)


def test_lookup_is_smooth_and_repeats() -> None:
    cells = Scatterers((0.01, 0.05, 0.3), (3.0, 4.0, 5.0))
    angle = np.linspace(-0.5, 0.5, 64, dtype=np.float32)[:, None].repeat(64, 1)
    radius = np.linspace(1, 12, 64, dtype=np.float32)[None, :].repeat(64, 0)
    zero = np.zeros((64, 64), np.float32)
    here, near = cells.at(angle, radius, zero), cells.at(angle + np.float32(0.0005), radius, zero)
    assert np.abs(here - near).mean() < 0.12 * np.abs(here).mean()
    far = cells.at(angle, radius + np.float32(192 * 0.05), zero)
    np.testing.assert_allclose(here, far, atol=0.02)
