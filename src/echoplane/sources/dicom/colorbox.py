"""Is colour Doppler on? Told from the pixels, for files whose header does not say.

A tinted grey scale gives every brightness one colour; a colour box shows several colours at one brightness, in patches,
and they change from frame to frame. ECG traces, coloured text and tick marks are thin; logos and colour bars stand
still. So: take away the usual colour of each brightness, then what is thin, then what stands still, and look at what
is left.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.errors import UsageError
from echoplane.records import UInt8Array
from echoplane.sources.luma import luma

#: Distance in (B - Y, R - Y) from which a pixel counts as coloured; JPEG and video chroma stay well below.
COLOURED = 40.0
#: Change of colour over time, same unit, from which a coloured pixel counts as moving.
MOVING = 24.0
#: Share of the frame that moving colour has to cover.
AREA = 0.002
_DARK = 24
_BINS = 16
#: A median needs no more than every n-th pixel.
_EVERY = 7
#: Frames are brought to about this width first; lines and letters are then up to 3 pixels thick.
_WIDTH = 400


def has_color_box(frames_rgb: UInt8Array) -> bool:
    """Tell whether frames show colour Doppler.

    Parameters
    ----------
    frames_rgb : uint8 array, (T, H, W, 3)
        R, G, B. Three to five frames spread over a heart beat are plenty. With a single frame nothing can be told about
        movement, and a large coloured logo counts as colour.

    Returns
    -------
    bool

    Raises
    ------
    UsageError
        For an array of another shape or dtype.
    """
    if frames_rgb.ndim != 4 or frames_rgb.shape[-1] != 3 or frames_rgb.dtype != np.uint8:
        raise UsageError(f"Expected uint8 frames (T, H, W, 3), got {frames_rgb.dtype} {frames_rgb.shape}.")
    if not frames_rgb.size:
        return False
    small = [_shrunk(frame) for frame in frames_rgb]
    if max((_spread(frame) > COLOURED / 2).mean() for frame in small) < AREA:
        return False  # grey, as most cines are
    colors = np.stack([_chroma(frame) for frame in small])
    lit = np.stack([frame.max(axis=-1) >= _DARK for frame in small])
    brightness = np.stack([luma(frame) for frame in small])
    residual = np.hypot(*np.moveaxis(colors - _tint(colors, brightness, lit), -1, 0))
    patches = np.stack([_opened((r > COLOURED) & on) for r, on in zip(residual, lit, strict=True)])
    if len(frames_rgb) > 1:
        change = np.ptp(colors, axis=0).max(axis=-1)
        patches &= change > MOVING
    return bool(patches.mean(axis=(1, 2)).max() >= AREA)


def _shrunk(frame: UInt8Array) -> UInt8Array:
    height, width = frame.shape[:2]
    if width <= _WIDTH:
        return np.ascontiguousarray(frame)
    size = (_WIDTH, max(1, round(height * _WIDTH / width)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _spread(frame: UInt8Array) -> UInt8Array:
    """Largest minus smallest of R, G, B."""
    red, green, blue = cv2.split(frame)
    return np.asarray(cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue), np.uint8)


def _chroma(frame: UInt8Array) -> npt.NDArray[np.float32]:
    """(B - Y, R - Y) of each pixel."""
    grey = luma(frame).astype(np.float32)
    return np.stack([frame[..., 2] - grey, frame[..., 0] - grey], axis=-1)


def _tint(
    colors: npt.NDArray[np.float32], brightness: UInt8Array, lit: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Return, for each pixel, the median colour of all lit pixels of its brightness."""
    table = np.zeros((_BINS, 2), np.float32)
    level = brightness // (256 // _BINS)
    for i in range(_BINS):
        same = colors[lit & (level == i)][::_EVERY]
        if len(same):
            table[i] = np.median(same, axis=0)
    return np.asarray(table[level], np.float32)


def _opened(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel), np.bool_)
