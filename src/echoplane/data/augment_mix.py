"""Against shortcuts: other borders, other fan shapes, printed marks, and cut-outs.

Classifiers of echo views are known to read what is not the heart: the scanner's frame, burned-in text, the shape of
the fan. Here these are taken from other cines or drawn at random, so that they say nothing about the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from echoplane.data.augment_base import Between, between, chance, unit
from echoplane.data.augment_fan import Fan
from echoplane.records import UInt8Array

_LETTERS = "ABCDEFGHIKLMNOPRSTUVXYZ0123456789.:/-+"

#: Two fans that share less than this of the first are not mixed: too little of the heart would be left.
LEAST_COMMON = 0.6


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, as shares of the frame."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Something printed on the frame: a text, a row of depth ticks, or an ECG-like line; places as shares."""

    kind: Literal["text", "ticks", "trace"]
    x: float
    y: float
    grey: int
    seed: int


@dataclass(frozen=True, slots=True)
class MixDraw:
    """Borders, marks and cut-outs.

    Attributes
    ----------
    partner : float or None
        Which other cine, as a share of all cines in [0, 1); None for no mixing.
    what : {"outside", "shape"}
        ``outside``: what lies outside of the fan comes from the partner. ``shape``: only what lies inside the
        partner's fan too is kept, unless that is too little.
    marks : tuple of Mark
    holes : tuple of Box
    """

    partner: float | None = None
    what: Literal["outside", "shape"] = "outside"
    marks: tuple[Mark, ...] = ()
    holes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Mix:
    """Mixing, printed marks, cut-outs.

    Attributes
    ----------
    outside_p, shape_p : float
        Probability of borders, and of the fan shape, from another cine. Stores made with a masking recipe have
        black borders, so that only the shape can differ there.
    mark_p, marks : float, int
        Probability of printed marks, and their largest number.
    hole_p, holes, hole : float, int, (float, float)
        Probability, largest number, and side (share of the frame) of cut-outs.
    """

    outside_p: float = 0.1
    shape_p: float = 0.15
    mark_p: float = 0.1
    marks: int = 3
    hole_p: float = 0.1
    holes: int = 2
    hole: Between = (0.05, 0.25)

    def __post_init__(self) -> None:
        unit("mix", outside_p=self.outside_p, shape_p=self.shape_p, mark_p=self.mark_p, hole_p=self.hole_p)
        unit("mix", both=self.outside_p + self.shape_p)

    def draw(self, rng: np.random.Generator) -> MixDraw | None:
        """Draw, or None for no change."""
        dice = rng.random()
        mixed = dice < self.outside_p + self.shape_p
        marks: tuple[Mark, ...] = ()
        holes: tuple[Box, ...] = ()
        partner = rng.random() if mixed else None
        if chance(rng, self.mark_p):
            marks = tuple(_draw_mark(rng) for _ in range(int(rng.integers(1, self.marks + 1))))
        if chance(rng, self.hole_p):
            holes = tuple(
                Box(rng.random(), rng.random(), between(rng, self.hole), between(rng, self.hole))
                for _ in range(int(rng.integers(1, self.holes + 1)))
            )
        drawn = MixDraw(partner, "shape" if dice >= self.outside_p and mixed else "outside", marks, holes)
        return None if drawn == MixDraw() else drawn


def _draw_mark(rng: np.random.Generator) -> Mark:
    kind: Literal["text", "ticks", "trace"] = ("text", "ticks", "trace")[int(rng.choice(3, p=(0.6, 0.2, 0.2)))]
    # Near the edges of the frame three times out of four, where scanners print.
    x, y = rng.random(), rng.random()
    if rng.random() < 0.75:
        side = int(rng.integers(4))
        x, y = ((0.15 * x, y), (1 - 0.15 * x, y), (x, 0.12 * y), (x, 1 - 0.12 * y))[side]
    return Mark(kind, float(x), float(y), int(rng.integers(100, 256)), int(rng.integers(2**31)))


def borrow(clip: UInt8Array, drawn: MixDraw, fan: Fan, partner: UInt8Array, partner_fan: Fan) -> UInt8Array:
    """Take borders or fan shape from one frame (H, W) of another cine."""
    _, height, width = clip.shape
    own = fan.inside(height, width)
    if drawn.what == "shape":
        common = own & partner_fan.inside(height, width)
        enough = np.count_nonzero(common) >= LEAST_COMMON * np.count_nonzero(own)
        return clip & common if enough else clip
    outside = cv2.bitwise_not(own)
    # What lies inside the partner's own fan is its heart, not its border.
    border = partner & ~partner_fan.inside(height, width)
    out = clip.copy()
    for target in out:
        cv2.copyTo(border, outside, target)
    return out


def mark_picture(marks: tuple[Mark, ...], height: int, width: int) -> UInt8Array:
    """Draw the marks on black, uint8 (H, W)."""
    picture = np.zeros((height, width), np.uint8)
    for mark in marks:
        rng = np.random.Generator(np.random.PCG64(mark.seed))
        x, y = int(mark.x * width), int(mark.y * height)
        if mark.kind == "text":
            text = "".join(_LETTERS[i] for i in rng.integers(0, len(_LETTERS), int(rng.integers(1, 9))))
            size = float(rng.uniform(0.2, 0.45)) * height / 112
            cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, mark.grey, 1)
        elif mark.kind == "ticks":
            pitch, length = int(rng.integers(4, 14)), int(rng.integers(1, 5))
            for row in range(y % pitch, height, pitch):
                cv2.line(picture, (x, row), (x + length, row), mark.grey, 1)
        else:
            steps = np.arange(0, width, 3)
            height_of = y + rng.standard_normal(len(steps)) * 1.5 - 8.0 * (steps % 48 == 0)
            line = np.stack([steps, height_of], axis=1).astype(np.int32)
            cv2.polylines(picture, [line], False, mark.grey, 1)
    return picture


def deface(clip: UInt8Array, drawn: MixDraw) -> UInt8Array:
    """Print the marks and cut the holes."""
    _, height, width = clip.shape
    out = clip.copy()
    if drawn.marks:
        printed = mark_picture(drawn.marks, height, width)
        for target in out:
            cv2.copyTo(printed, printed, target)
    for hole in drawn.holes:
        top, left = int(hole.y * height), int(hole.x * width)
        out[:, top : top + int(hole.height * height) + 1, left : left + int(hole.width * width) + 1] = 0
    return out
