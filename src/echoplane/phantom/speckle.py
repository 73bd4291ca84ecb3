"""Scatterers that move with the tissue: one periodic block of complex noise, looked up at material coordinates.

The block is laid out in the probe's own polar coordinates of the reference instant (beam angle, range, elevation), in
cells about as large as the resolution cell. A sample point finds its scatterers at the place where its piece of
tissue was at the reference instant, so the speckle goes with the tissue, and a motion of a fraction of a cell
changes the value by a fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.phantom.arrays import ComplexArray, c64, f32
from echoplane.records import FloatArray

#: Lookup points a cell, so that linear interpolation neither smooths nor aliases the noise.
FINENESS = 2
#: Cells of the block before it repeats: elevation planes, beams, samples.
PERIOD = (10, 96, 192)


@lru_cache(maxsize=1)
def _block() -> npt.NDArray[np.float32]:
    """Planes stacked as one tall two-channel picture, each with one row and one column repeated for wrapping."""
    planes, rows, columns = (n * FINENESS for n in PERIOD)
    noise = f32(np.random.Generator(np.random.PCG64(20191)).standard_normal((planes, rows, columns, 2), np.float32))
    # Smooth to one cell along each axis; periodic, so that the seams cannot be seen.
    taps = np.exp(-0.5 * (np.arange(-3, 4) / (0.5 * FINENESS)) ** 2)
    taps = (taps / np.sqrt((taps**2).sum())).astype(np.float32)
    for axis in range(3):
        noise = f32(sum(w * np.roll(noise, k, axis) for k, w in zip(range(-3, 4), taps, strict=True)))
    noise /= np.sqrt((noise**2).sum(-1).mean())
    noise = np.concatenate([noise, noise[:, :1]], 1)
    noise = np.concatenate([noise, noise[:, :, :1]], 2)
    return np.ascontiguousarray(noise.reshape(planes * (rows + 1), columns + 1, 2))


@dataclass(frozen=True, slots=True)
class Scatterers:
    """A view into the noise block.

    Attributes
    ----------
    cell : tuple of float
        Size of a cell: radians across, centimetres along, centimetres of elevation.
    offset : tuple of float
        Where in the block (cells) the origin lies; draws another piece of the same block.
    """

    cell: tuple[float, float, float]
    offset: tuple[float, float, float]

    def at(self, angle: FloatArray, radius: FloatArray, elevation: FloatArray) -> ComplexArray:
        """Scatter amplitude at probe coordinates of the reference instant.

        Parameters
        ----------
        angle, radius, elevation : float32 array, (B, D)
            Radians from the axis, centimetres from the apex, centimetres out of the plane.

        Returns
        -------
        complex64 array, (B, D)
            Circular Gaussian, mean power 1.
        """
        planes, rows, columns = (n * FINENESS for n in PERIOD)
        row = _wrap(angle, self.cell[0], self.offset[0], rows)
        column = _wrap(radius, self.cell[1], self.offset[1], columns)
        plane = np.floor(_wrap(elevation, self.cell[2], self.offset[2], planes))
        np.clip(plane, 0, planes - 1, out=plane)
        row += plane * np.float32(rows + 1)
        sampled = cv2.remap(_block(), column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return c64(sampled.view(np.complex64)[..., 0])


def _wrap(value: FloatArray, cell: float, offset: float, period: int) -> FloatArray:
    scaled = value * np.float32(FINENESS / cell / period) + np.float32(offset * FINENESS / period)
    scaled -= np.floor(scaled)
    scaled *= np.float32(period)
    return scaled
