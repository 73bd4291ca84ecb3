"""Scan conversion: polar pictures to pictures of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom.arrays import f32, u8
from echoplane.phantom.fan import FINE, Framing, Maps, PolarGrid
from echoplane.records import FloatArray, UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class ScanConverter:
    """Lookup from the fine polar grid to a part of the picture; made once a clip.

    Attributes
    ----------
    maps : tuple of arrays
        For ``cv2.remap``.
    average : int
        Samples along a beam that fall on one pixel: averaged first, so that shrinking calms the speckle as it should.
    """

    maps: Maps
    average: int

    @classmethod
    def of(
        cls, framing: Framing, grid: PolarGrid, crop: tuple[float, float, float, float], size: tuple[int, int]
    ) -> ScanConverter:
        """Prepare for a crop (x0, y0, x1, y1) of the picture shown at size (rows, columns).

        `grid` is the one that anatomy is asked on; the pictures have FINE times its samples.
        """
        fine = grid.refined(FINE)
        pixel_cm = (crop[2] - crop[0]) / size[1] / framing.pixels_per_cm
        return cls(framing.maps(fine, crop, size), max(1, round(pixel_cm / fine.sample_step)))

    def grey(self, polar: UInt8Array) -> UInt8Array:
        """Convert a grey polar picture, (B, FINE * D), to (rows, columns)."""
        if self.average > 1:
            polar = u8(cv2.blur(polar, (self.average, 1), borderType=cv2.BORDER_REPLICATE))
        return u8(cv2.remap(polar, *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    def velocity(self, polar: FloatArray) -> FloatArray:
        """Convert velocities, (B, D), without mixing neighbours; 0 outside the fan."""
        beams, samples = polar.shape
        fine = cv2.resize(polar, (FINE * samples, beams), interpolation=cv2.INTER_NEAREST)
        return f32(cv2.remap(fine, *self.maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT))


def multiply(grey: UInt8Array, share: UInt8Array) -> UInt8Array:
    """Weigh a picture with shares of 255."""
    return u8(cv2.multiply(grey, share, scale=1 / 255, dtype=cv2.CV_8U))


def soften(grey: UInt8Array, sigma: float) -> UInt8Array:
    """Blur a picture as soft displays and rescaling do; `sigma` in pixels, too little is left alone."""
    return u8(cv2.GaussianBlur(grey, (0, 0), sigma)) if sigma >= 0.3 else np.ascontiguousarray(grey)
