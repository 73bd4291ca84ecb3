"""Grey values: gain, contrast, reject and an uneven curve, as one table of 256 values."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.data.augment_base import Between, between, chance, unit
from echoplane.records import UInt8Array


@dataclass(frozen=True, slots=True)
class GreyDraw:
    """One grey curve.

    Attributes
    ----------
    gain : float
        Factor on the grey value.
    gamma : float
        Exponent on the grey value in [0, 1].
    reject : float
        Grey values below this share become black; the rest is stretched.
    bends : tuple of float
        What is added to the curve at 1/4, 1/2 and 3/4 of the range.
    """

    gain: float = 1.0
    gamma: float = 1.0
    reject: float = 0.0
    bends: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Grey:
    """The scanner's knobs: gain, dynamic range, reject, grey map.

    Attributes
    ----------
    p : float
    gain, gamma : (float, float)
    reject : float
        Largest share of the range that becomes black.
    bend : float
        Largest change of the curve at its inner knots.
    """

    p: float = 0.8
    gain: Between = (0.75, 1.3)
    gamma: Between = (0.7, 1.4)
    reject: float = 0.1
    bend: float = 0.06

    def __post_init__(self) -> None:
        unit("grey", p=self.p, reject=self.reject, bend=self.bend)

    def draw(self, rng: np.random.Generator) -> GreyDraw | None:
        """Draw, or None for no change."""
        if not chance(rng, self.p):
            return None
        bends = tuple(between(rng, (-self.bend, self.bend)) for _ in range(3))
        return GreyDraw(between(rng, self.gain), between(rng, self.gamma), between(rng, (0.0, self.reject)), bends)


def table(drawn: GreyDraw) -> UInt8Array:
    """Return the 256 new grey values; black stays black and the curve never falls."""
    x = np.arange(256) / 255
    y = np.clip((x - drawn.reject) / (1 - min(drawn.reject, 0.99)), 0, 1) ** drawn.gamma * drawn.gain
    if drawn.bends:
        knots = np.linspace(0, 1, len(drawn.bends) + 2)
        y = y + np.interp(x, knots, [0.0, *drawn.bends, 0.0]) * (y > 0)
    y = np.maximum.accumulate(np.clip(y, 0, 1))
    y[0] = 0
    return np.floor(y * 255 + 0.5).astype(np.uint8)


def regrade(clip: UInt8Array, drawn: GreyDraw) -> UInt8Array:
    """Apply the curve to every pixel."""
    n, height, width = clip.shape
    out = np.empty_like(clip)
    cv2.LUT(clip.reshape(n * height, width), table(drawn), dst=out.reshape(n * height, width))
    return out
