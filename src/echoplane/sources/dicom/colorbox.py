"""Is colour Doppler on? Told from the pixels, for files whose header does not say.

A tinted grey scale gives every brightness one colour; a colour box shows several colours at one brightness, in patches,
and they change from frame to frame. ECG traces, coloured text and tick marks are thin; logos and colour bars stand
still. So: take away the usual colour of each brightness, then what is thin, then what stands still, and look at what
is left. In small films, where colour is stored coarsely, a running trace or a player's bar is not thin any more:
patches that are narrow count only if they are of more than one hue.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.errors import UsageError
from echoplane.records import UInt8Array
from echoplane.sources.luma import brightest, luma, spread

#: Distance in (B - Y, R - Y) from which a pixel counts as coloured; JPEG and video chroma stay well below.
COLOURED = 40.0
#: Change of colour over time, same unit, from which a coloured pixel counts as moving.
MOVING = 24.0
#: Share of the frame that moving colour has to cover.
AREA = 0.002
#: Patches no wider than this many pixels are narrow; and how alike hues are that count as one: length of their mean
#: direction, 1 when all are the same (0.97 is a spread of about 14 degrees).
NARROW, ONE_HUE = 11, 0.97
_DARK = 24
_BINS = 16
_STEP = 256 // _BINS
#: A median needs no more than every n-th pixel.
_EVERY = 7
#: Frames are brought to about this width first; lines and letters are then up to 3 pixels thick.
_WIDTH = 400

_Planes = npt.NDArray[np.float32]


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
    spreads = [spread(frame) for frame in small]
    if max(np.count_nonzero(s > COLOURED / 2) / s.size for s in spreads) < AREA:
        return False  # grey, as most cines are
    brightness = np.stack([luma(frame) for frame in small])
    red, _, blue = (np.stack(planes) for planes in zip(*map(cv2.split, small), strict=True))
    changing = _may_change((blue, red), brightness)
    if not _covers(changing[None]):
        return False  # a tinted scale, letters that stand still
    lit = np.stack([brightest(frame) >= _DARK for frame in small])
    tints = _tints((blue, red), brightness, lit)
    if not _covers(_may_be_patches(spreads, brightness, tints) & changing):
        return False  # letters and traces, as in many more; what follows takes some times as long
    colors = [plane.astype(np.float32) - brightness for plane in (blue, red)]
    levels = brightness // _STEP
    residual = np.hypot(*(color - tint[levels] for color, tint in zip(colors, tints, strict=True)))
    patches = np.stack([_opened((r > COLOURED) & on) for r, on in zip(residual, lit, strict=True)])
    if len(frames_rgb) > 1:
        change = np.maximum(*(np.ptp(color, axis=0) for color in colors))
        patches &= change > MOVING
    if not _covers(patches):
        return False
    return not _of_one_hue(colors, patches) or _covers(np.stack([_opened(patch, NARROW) for patch in patches]))


def _shrunk(frame: UInt8Array) -> UInt8Array:
    height, width = frame.shape[:2]
    if width <= _WIDTH:
        return np.ascontiguousarray(frame)
    size = (_WIDTH, max(1, round(height * _WIDTH / width)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _tints(
    blue_red: tuple[UInt8Array, UInt8Array], brightness: UInt8Array, lit: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Return the median (B - Y) and (R - Y) of the lit pixels of each brightness, (2, _BINS); 0 without any."""
    some = np.flatnonzero(lit)[::_EVERY]
    values = brightness.ravel()[some]
    levels = values // _STEP
    order = np.argsort(levels, kind="stable")
    ends = np.bincount(levels, minlength=_BINS)[:-1].cumsum()
    found = []
    for plane in blue_red:
        color = plane.ravel()[some].astype(np.float32) - values
        found.append([_middle(part) for part in np.split(color[order], ends)])
    return np.asarray(found, np.float32)


def _middle(values: npt.NDArray[np.float32]) -> float:
    """Return the median, 0 of nothing; `np.median` takes ten times as long for a few values."""
    half = len(values) // 2
    return float(np.partition(values, half)[half]) if len(values) else 0.0


def _may_be_patches(
    spreads: list[UInt8Array], brightness: UInt8Array, tints: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Return every pixel that can be one of a patch, in bytes: neither B - Y nor R - Y is more than the spread."""
    least = np.repeat(np.clip((COLOURED - np.hypot(*tints)) / np.sqrt(2), 0, 255).astype(np.uint8), _STEP)
    return np.stack([_opened(s >= cv2.LUT(y, least)) for s, y in zip(spreads, brightness, strict=True)])


def _may_change(blue_red: tuple[UInt8Array, UInt8Array], brightness: UInt8Array) -> npt.NDArray[np.bool_]:
    """Return every pixel whose colour may change, in bytes: in halves, rounded. Of a single frame all of them."""
    moving = np.full(brightness.shape[1:], len(brightness) == 1)
    for plane in blue_red:
        halves = np.stack([cv2.addWeighted(p, 0.5, y, -0.5, 128) for p, y in zip(plane, brightness, strict=True)])
        moving |= halves.max(axis=0) - halves.min(axis=0) > MOVING / 2 - 1
    return moving


def _covers(patches: npt.NDArray[np.bool_]) -> bool:
    return bool(max(np.count_nonzero(patch) / patch.size for patch in patches) >= AREA)


def _of_one_hue(colors: list[_Planes], patches: npt.NDArray[np.bool_]) -> bool:
    blue, red = (color[patches] for color in colors)
    length = np.maximum(np.hypot(blue, red), 1e-6)
    return bool(np.hypot((blue / length).mean(), (red / length).mean()) >= ONE_HUE)


def _opened(mask: npt.NDArray[np.bool_], size: int = 5) -> npt.NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel), np.bool_)
