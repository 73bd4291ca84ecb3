"""The fan of a stored frame: which pixels are ultrasound, at which depth and angle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from echoplane.records import FloatArray, Sector, SectorKind, UInt8Array
from echoplane.store import StoreRow


@dataclass(frozen=True, slots=True)
class Fan:
    """A sector seen through the crop that a stored frame shows.

    Attributes
    ----------
    sector : Sector
        In pixels of the original frame.
    crop : tuple of float
        (x0, y0, x1, y1): what the stored frame shows, in pixels of the original frame.
    guessed : bool
        True when the sector is only the usual one, not that of this cine.
    """

    sector: Sector
    crop: tuple[float, float, float, float]
    guessed: bool = False

    @staticmethod
    def of(row: StoreRow, height: int, width: int) -> Fan:
        """Return the fan of a stored cine, or the usual one where its sector is not known."""
        known = row.sector is not None and row.sector.kind in (SectorKind.PHASED, SectorKind.CURVED)
        if row.sector is None or not known or row.crop is None:
            return Fan.usual(height, width)
        return Fan(row.sector, row.crop)

    @staticmethod
    def usual(height: int, width: int) -> Fan:
        """Return a 90 degree fan that fills a frame of this size, its apex in the middle of the top edge."""
        apex = ((width - 1) / 2, 0.0)
        sector = Sector(
            SectorKind.PHASED, (0, 0, width, height), apex, 0.0, float(height), -math.pi / 4, math.pi / 4, 0.0, "none"
        )
        return Fan(sector, (0.0, 0.0, float(width), float(height)), guessed=True)

    def apex(self, height: int, width: int) -> tuple[float, float]:
        """Return (x, y) of the apex in pixels of a stored frame of this size; it may lie outside."""
        x0, y0, x1, y1 = self.crop
        x, y = self.sector.apex
        return (x + 0.5 - x0) / (x1 - x0) * width - 0.5, (y + 0.5 - y0) / (y1 - y0) * height - 0.5

    def grid(self, height: int, width: int) -> tuple[FloatArray, FloatArray]:
        """Return depth and angle of every pixel.

        Returns
        -------
        depth, angle : float32 arrays, (H, W)
            0 at the top arc and the left edge, 1 at the bottom arc and the right edge; outside of [0, 1] the pixel is
            outside of the fan.
        """
        return _grid(self, height, width)

    def inside(self, height: int, width: int) -> UInt8Array:
        """Return 255 inside the fan and 0 outside, uint8 (H, W); all 255 when the fan is only guessed."""
        return _inside(self, height, width)


def _places(fan: Fan, height: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Columns and rows of the original frame at which the stored pixels' centres lie."""
    x0, y0, x1, y1 = fan.crop
    x = x0 - 0.5 + (np.arange(width, dtype=np.float32) + 0.5) * np.float32((x1 - x0) / width)
    y = y0 - 0.5 + (np.arange(height, dtype=np.float32) + 0.5) * np.float32((y1 - y0) / height)
    return x, y


@lru_cache(maxsize=128)
def _grid(fan: Fan, height: int, width: int) -> tuple[FloatArray, FloatArray]:
    sector = fan.sector
    x, y = _places(fan, height, width)
    x, y = x - np.float32(sector.apex[0]), y - np.float32(sector.apex[1])
    radius, angle = np.hypot(x[None, :], y[:, None]), np.arctan2(x[None, :], y[:, None])
    depth = (radius - sector.r0) / max(sector.r1 - sector.r0, 1e-6)
    across = (angle - sector.left) / max(sector.right - sector.left, 1e-6)
    return depth.astype(np.float32), across.astype(np.float32)


@lru_cache(maxsize=128)
def _inside(fan: Fan, height: int, width: int) -> UInt8Array:
    if fan.guessed:
        return np.full((height, width), 255, np.uint8)
    depth, across = _grid(fan, height, width)
    x, y = _places(fan, height, width)
    left, top, right, bottom = fan.sector.box
    box = ((y >= top - 0.5) & (y < bottom - 0.5))[:, None] & ((x >= left - 0.5) & (x < right - 0.5))[None, :]
    fits = (depth >= 0) & (depth <= 1) & (across >= 0) & (across <= 1)
    return np.where(fits & box, 255, 0).astype(np.uint8)
