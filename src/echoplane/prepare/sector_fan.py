"""A fan: two edges that meet in an apex, two arcs about it, and a box that cuts it off.

In pixels of the small frame, pixel centres at whole numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from echoplane.records import BoolArray, FloatArray

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Fan:
    """A candidate: apex, radii, edge angles from straight down; or, with ``r1 == 0``, just the box.

    `box` is (x0, y0, x1, y1), half open, of pixel centres; `score` at most about 1.4; `touched` the fraction of the
    boundary that the outline touches; `overlap` the IoU with the hull.
    """

    x: float
    y: float
    r0: float
    r1: float
    left: float
    right: float
    box: Box
    score: float = 0.0
    touched: float = 0.0
    overlap: float = 0.0

    def judged(self, score: float, touched: float = 0.0, overlap: float = 0.0) -> Fan:
        """Return the same fan with what it is worth."""
        return Fan(self.x, self.y, self.r0, self.r1, self.left, self.right, self.box, score, touched, overlap)

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Say which points lie inside, up to the boundary. Edges less than half a turn apart."""
        x0, y0, x1, y1 = self.box
        inside = (x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)
        return inside & self.between(x, y) if self.r1 > 0 else inside

    def between(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Say which points lie between the edges and between the arcs, whatever the box."""
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        square = dx * dx + dy * dy
        inside: BoolArray = (square >= self.r0**2) & (square <= self.r1**2)
        inside &= dx * np.float32(math.cos(self.left)) >= dy * np.float32(math.sin(self.left))
        inside &= dx * np.float32(math.cos(self.right)) <= dy * np.float32(math.sin(self.right))
        return inside


def boundary_points(fan: Fan, step: float = 2.0) -> tuple[FloatArray, FloatArray]:
    """Points along a candidate's boundary, about `step` pixels apart: x and y."""
    x0, y0, x1, y1 = fan.box[0], fan.box[1], fan.box[2] - 1, fan.box[3] - 1
    x, y = _around(fan.box, step)
    if fan.r1 == 0:
        return x, y
    in_fan = fan.between(x, y)
    radii = np.arange(fan.r0, fan.r1, step)
    bottom = np.arange(fan.left, fan.right, step / max(fan.r1, step))
    top = np.arange(fan.left, fan.right, step / max(fan.r0, step))
    angle = np.concatenate([np.repeat((fan.left, fan.right), len(radii)), bottom, top])
    radius = np.concatenate([radii, radii, np.repeat((fan.r1, fan.r0), (len(bottom), len(top)))])
    fan_x, fan_y = fan.x + radius * np.sin(angle), fan.y + radius * np.cos(angle)
    in_box = (fan_x >= x0 - 1) & (fan_x <= x1 + 1) & (fan_y >= y0 - 1) & (fan_y <= y1 + 1)
    return np.concatenate([x[in_fan], fan_x[in_box]]), np.concatenate([y[in_fan], fan_y[in_box]])


@lru_cache(maxsize=8)
def _around(box: Box, step: float) -> tuple[FloatArray, FloatArray]:
    """Points around a box; most candidates have the same one, the whole frame."""
    x0, y0, x1, y1 = box[0], box[1], box[2] - 1, box[3] - 1
    across, down = np.arange(x0, x1 + 1e-3, step), np.arange(y0, y1 + 1e-3, step)
    x = np.concatenate([across, across, np.repeat((x0, x1), len(down))])
    y = np.concatenate([np.repeat((y0, y1), len(across)), down, down])
    x.flags.writeable = y.flags.writeable = False
    return x, y
