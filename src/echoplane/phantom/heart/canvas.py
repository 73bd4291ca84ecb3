"""Paint tissues onto the points of a slice.

Smooth fields (signed distances of large structures, the motion) are computed on a coarse grid and interpolated;
thin structures are computed on the fine grid inside small windows. That is what makes a slice cheap.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.phantom.labels import Tissue
from echoplane.records import BoolArray, FloatArray, UInt8Array

Window = tuple[slice, slice]

_FAR = np.float32(9.0)


def as_float(value: npt.ArrayLike) -> FloatArray:
    """Single precision view or copy."""
    return np.asarray(value, dtype=np.float32)


class Canvas:
    """Label and distance of every point, painted from back to front.

    Parameters
    ----------
    points : float32 array, (B, D, 3)
    step : int
        Every how many points the coarse grid has one; 1 computes everything on the fine grid.
    """

    def __init__(self, points: FloatArray, step: tuple[int, int]) -> None:
        self.shape: tuple[int, int] = (points.shape[0], points.shape[1])
        rows, columns = (max(1, -(-n // s)) for n, s in zip(self.shape, step, strict=True))
        self._exact = (rows, columns) == self.shape
        coarse = points if self._exact else cv2.resize(points, (columns, rows), interpolation=cv2.INTER_LINEAR)
        self.coarse_shape = (rows, columns)
        x, y, z = (as_float(np.ascontiguousarray(coarse[..., i])) for i in range(3))
        self.coarse: tuple[FloatArray, FloatArray, FloatArray] = (x, y, z)
        self.label: UInt8Array = np.zeros(self.shape, np.uint8)
        self.distance: FloatArray = np.full(self.shape, _FAR, np.float32)

    def fine(self, field: FloatArray) -> FloatArray:
        """Interpolate a coarse field to all points."""
        if self._exact:
            return field
        rows, columns = self.shape
        return as_float(cv2.resize(field, (columns, rows), interpolation=cv2.INTER_LINEAR))

    def paint(self, sdf: FloatArray, tissue: Tissue, window: Window | None = None) -> None:
        """Paint where the signed distance (fine grid, negative inside) is negative."""
        label = self.label if window is None else self.label[window]
        distance = self.distance if window is None else self.distance[window]
        np.minimum(distance, sdf, out=distance)
        inside = sdf < 0
        np.copyto(label, np.uint8(tissue), where=inside)
        # What lies inside is measured from its own surface only: whatever was painted there before is hidden.
        np.negative(sdf, out=distance, where=inside)

    def window(self, near: BoolArray, margin: int = 1) -> Window | None:
        """Return the smallest window of the fine grid around the coarse points that are `near`, or None."""
        left, top, width, height = cv2.boundingRect(near.view(np.uint8))
        if width == 0:
            return None
        ranges = []
        for first, count, fine, coarse in zip((top, left), (height, width), self.shape, self.coarse_shape, strict=True):
            scale = fine / coarse
            start = max(0, math.floor((first - margin) * scale))
            stop = min(fine, math.ceil((first + count + margin) * scale))
            ranges.append(slice(start, stop))
        return ranges[0], ranges[1]
