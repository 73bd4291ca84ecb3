"""Our speckle beside that of an independent physics simulator, PyMUST's SIMUS (Garcia, Ultrasound Med Biol 2022)."""

from __future__ import annotations

import numpy as np
import pytest

from echoplane.phantom.beam import PointSpread
from echoplane.phantom.fan import Fan, PolarGrid
from echoplane.phantom.looks import Acoustics
from echoplane.phantom.speckle import Scatterers
from echoplane.records import SectorKind

SHARES = (5, 10, 25, 50, 75, 90, 95)


def _simulated() -> np.ndarray:
    """Envelope of a uniform medium seen by a cardiac array: one plane wave, beamformed by delay and sum."""
    pymust = pytest.importorskip("pymust")
    rng = np.random.default_rng(0)
    probe = pymust.getparam("P4-2v")
    probe.fs = 4 * probe.fc
    depth, half, number = 0.05, 0.007, 4000
    x, z = rng.uniform(-half, half, number), rng.uniform(depth - half, depth + half, number)
    delays = np.zeros((1, probe.Nelements))
    signals, _ = pymust.simus(x, z, rng.standard_normal(number), delays, probe)
    demodulated = pymust.rf2iq(signals, probe.fs, probe.fc)
    grid = np.meshgrid(np.linspace(-0.004, 0.004, 81), np.linspace(depth - 0.004, depth + 0.004, 161))
    matrix = pymust.dasmtx(demodulated, *grid, delays, probe)
    return np.abs(matrix @ demodulated.flatten(order="F"))


def _ours() -> np.ndarray:
    grid = PolarGrid.of(Fan(SectorKind.PHASED, 0.0, 16.0, -0.7, 0.7), 128, 400)
    spread = PointSpread.of(grid, Acoustics())
    angle = np.broadcast_to(grid.angles[:, None], grid.shape)
    radius = np.broadcast_to(grid.radii, grid.shape)
    cells = Scatterers((1.2 * grid.beam_step, 1.2 * grid.sample_step, 0.3), (3.0, 5.0, 7.0))
    field = spread.apply(cells.at(angle, radius, np.zeros(grid.shape, np.float32)))
    return np.abs(field[8:-8, 190:215]).ravel()


@pytest.mark.filterwarnings("ignore")
def test_envelopes_are_distributed_alike() -> None:
    theirs, ours = _simulated(), _ours()
    a, b = (np.percentile(v / v.mean(), SHARES) for v in (theirs, ours))
    np.testing.assert_allclose(a, b, atol=0.15)
    ratios = [v.mean() / v.std() for v in (theirs, ours)]
    assert ratios[0] == pytest.approx(ratios[1], abs=0.2)
