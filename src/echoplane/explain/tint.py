"""Colours of maps: how a number becomes a tint over a grey picture."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from echoplane.records import FloatArray, UInt8Array

FOR = (230, 159, 0)  # orange
AGAINST = (86, 180, 233)  # sky blue
INK, PAPER, QUIET, LINE = (232, 238, 242), (16, 21, 26), (152, 164, 174), (60, 70, 80)

#: Where the contour runs, and in which colours.
HALF = 0.5
#: Shades of either colour.
_STEPS = 255
_RIM_FOR, _RIM_AGAINST = (255, 226, 140), (190, 226, 250)


def blend(grey: UInt8Array, heat: FloatArray, strength: float = 0.8) -> UInt8Array:
    """Lay a map over a grey picture.

    Parameters
    ----------
    grey : uint8 array, (H, W)
    heat : float array, (H, W)
        In [-1, 1]; positive in orange, negative in blue, opacity ``strength * |heat| ** 0.8``.
    strength : float
        In [0, 1].

    Returns
    -------
    uint8 array, (H, W, 3)
        R, G, B.
    """
    rows = np.rint(np.clip(heat, -1, 1) * _STEPS).astype(np.int16) + _STEPS
    mixed: UInt8Array = _blends(strength)[rows, grey]
    return mixed


@cache
def _blends(strength: float) -> UInt8Array:
    """Every blend there is, uint8 (heat, grey, 3): looking it up takes a fifth of the time of working it out."""
    heat = np.linspace(-1, 1, 2 * _STEPS + 1, dtype=np.float32)[:, None, None]
    grey = np.arange(256, dtype=np.float32)[None, :, None]
    alpha = strength * np.abs(heat) ** 0.8
    colour = np.where(heat >= 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    # The colour keeps the light and dark of the tissue under it: half of it is its own, half the picture's.
    shade = 0.55 + 0.45 * grey / 255
    return np.rint(grey * (1 - alpha) + colour * shade * alpha).astype(np.uint8)


def contour(picture: UInt8Array, heat: FloatArray) -> UInt8Array:
    """Draw a thin line where a map reaches half of what speaks for, and against, the view; (H, W, 3), in place.

    Returns
    -------
    uint8 array, (H, W, 3)
        The same picture.
    """
    for sign, colour in ((1, _RIM_FOR), (-1, _RIM_AGAINST)):
        above = (sign * heat >= HALF).astype(np.uint8)
        if above.any():
            lines, _ = cv2.findContours(above, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, lines, -1, colour, 1, cv2.LINE_AA)
    return picture
