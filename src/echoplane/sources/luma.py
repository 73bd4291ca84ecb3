"""Grey from colour: ITU-R BT.601 luma, full range."""

from __future__ import annotations

import cv2
import numpy as np

from echoplane.records import UInt8Array


def luma(rgb: UInt8Array) -> UInt8Array:
    """Return ``0.299 R + 0.587 G + 0.114 B``, rounded (ITU-R BT.601, full range).

    Parameters
    ----------
    rgb : uint8 array, (..., H, W, 3)
        R, G, B along the last axis.

    Returns
    -------
    uint8 array, (..., H, W)
    """
    shape = rgb.shape[:-1]
    if rgb.size == 0:
        return np.zeros(shape, np.uint8)
    flat = np.ascontiguousarray(rgb).reshape(-1, shape[-1], 3)
    return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY), np.uint8).reshape(shape)


def repeated_grey(grey: UInt8Array) -> UInt8Array:
    """Return grey frames (..., H, W) as R = G = B frames (..., H, W, 3)."""
    return np.repeat(grey[..., None], 3, axis=-1)


def brightest(frame_rgb: UInt8Array) -> UInt8Array:
    """Largest of R, G, B: uint8 (H, W, 3) to uint8 (H, W)."""
    red, green, blue = cv2.split(frame_rgb)  # NumPy is slow along a last axis of three
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def spread(frame_rgb: UInt8Array) -> UInt8Array:
    """Largest minus smallest of R, G, B, 0 where there is no colour: uint8 (H, W, 3) to uint8 (H, W)."""
    red, green, blue = cv2.split(frame_rgb)
    most, least = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return np.asarray(cv2.subtract(most, least), np.uint8)
