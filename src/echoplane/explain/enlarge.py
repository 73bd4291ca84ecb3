"""Enlarge small maps to the size of the clip, without torch."""

from __future__ import annotations

import cv2
import numpy as np

from echoplane.records import FloatArray


def enlarge(maps_Cnhw: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Interpolate linearly in time, rows and columns; pixel centres are kept in place (as ``align_corners=False``).

    Parameters
    ----------
    maps_Cnhw : float32 array, (C, n, h, w)
    shape : tuple of int
        (N, H, W).

    Returns
    -------
    float32 array, (C, N, H, W)
    """
    frames, height, width = shape
    n = maps_Cnhw.shape[1]
    place = np.clip((np.arange(frames) + 0.5) * n / frames - 0.5, 0, n - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, n - 1)
    share = (place - low).astype(np.float32)[:, None, None]
    out = np.empty((len(maps_Cnhw), frames, height, width), np.float32)
    for clip, maps in enumerate(maps_Cnhw):
        grown = np.stack([cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in maps])
        out[clip] = (1 - share) * grown[low] + share * grown[high]
    return out
