"""Fit a fan (two edges, two arcs, cut off by a box) to the outline of what is live.

Works in pixels of the small frame, pixel centres at whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from echoplane.prepare.sector_evidence import Evidence
from echoplane.prepare.sector_lines import TOUCH, Line, peak_gain, straight_sides, support
from echoplane.records import BoolArray, FloatArray

#: Edges lie within this of straight down on their own side, and on the other side, degrees.
WIDEST, CROSSED = 80, 25
#: Angle between the edges, degrees; narrower is a box.
NARROWEST = 8
#: Edges considered on each side, and pairs of them judged.
EDGES, PAIRS = 5, 12
#: A cut counts when at least this fraction of the outline's size touches it and nothing else explains the touch.
CUT = 0.11
#: Half-width of the band of points that touch a cut, pixels: cuts are sharper than the ragged sides of a shadow.
SHARP = 0.75
#: An arc counts when its outline points make at least this fraction of its length, and at least so many.
ARC, LEAST_ARC = 0.12, 4
#: What a candidate loses: live area left outside, dark area inside beyond the hull; what it gains: touched sides.
OUTSIDE, EMPTY, TOUCHED, LEVEL = 2.0, 1.0, 0.35, 0.03
#: A torn-off piece counts so many times its area, for it is small and telling; but all of them no more than that.
STRAY, MOST_STRAY = 5.0, 0.06
#: Areas are compared on every so many pixels.
GRID = 3

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

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Say which points lie inside, up to the boundary. Edges less than half a turn apart."""
        x0, y0, x1, y1 = self.box
        inside = (x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)
        if self.r1 > 0:
            dx, dy = x - np.float32(self.x), y - np.float32(self.y)
            square = dx * dx + dy * dy
            inside = inside & (square >= self.r0**2) & (square <= self.r1**2)
            inside &= dx * np.float32(math.cos(self.left)) >= dy * np.float32(math.sin(self.left))
            inside &= dx * np.float32(math.cos(self.right)) <= dy * np.float32(math.sin(self.right))
        return inside


def fit(evidence: Evidence) -> Fan:
    """Find the fan or box that explains the outline best."""
    scene = _Scene(evidence)
    candidates = [scene.complete(left, right) for left, right in _edge_pairs(evidence)]
    return max((scene.judge(fan) for fan in (scene.flat(), *candidates)), key=lambda fan: fan.score)


def _edge_pairs(evidence: Evidence) -> Iterator[tuple[Line, Line]]:
    points, on_frame = evidence.outline, evidence.on_frame
    lefts = straight_sides(points, on_frame, 180 - CROSSED, 180 + WIDEST, EDGES)
    rights = straight_sides(points, on_frame, -WIDEST, CROSSED, EDGES)
    pairs = [(left, right) for left in lefts for right in rights if _opening(left, right) >= NARROWEST]
    pairs.sort(key=lambda pair: -pair[0].weight - pair[1].weight)
    yield from pairs[:PAIRS]
    # Where one edge is lost in the dark, the fan is taken to be level: the other edge, mirrored.
    for left in lefts[:2]:
        mirrored = support(points, on_frame, math.pi - left.angle)
        if _opening(left, mirrored) >= NARROWEST:
            yield left, mirrored
    for right in rights[:2]:
        mirrored = support(points, on_frame, math.pi - right.angle)
        if _opening(mirrored, right) >= NARROWEST:
            yield mirrored, right


def _left_angle(line: Line) -> float:
    """Angle from straight down of an edge whose outward normal points left."""
    return (-line.angle) % (2 * math.pi) - math.pi


def _right_angle(line: Line) -> float:
    return (math.pi - line.angle) % (2 * math.pi) - math.pi


def _opening(left: Line, right: Line) -> float:
    return math.degrees(_right_angle(right) - _left_angle(left))


class _Scene:
    """One outline, and what is needed to judge many candidates against it."""

    def __init__(self, evidence: Evidence) -> None:
        self.on_frame = evidence.on_frame
        self.x, self.y = np.ascontiguousarray(evidence.outline.T)
        height, width = evidence.live.shape
        self.shape = height, width
        self.frame: Box = (0, 0, width, height)
        self.size = float(max(np.ptp(self.x), np.ptp(self.y)))
        self.grid_y = np.arange(0, height, GRID, dtype=np.float32)[:, None]
        self.grid_x = np.arange(0, width, GRID, dtype=np.float32)[None, :]
        self.live, self.stray = evidence.live[::GRID, ::GRID], evidence.stray[::GRID, ::GRID]
        self.hull = evidence.hull[::GRID, ::GRID]
        self.live_area = max(int(np.count_nonzero(self.live)), 1)
        self.hull_area = max(int(np.count_nonzero(self.hull)), 1)
        canvas = np.zeros(self.shape, np.uint8)
        canvas[self.y.astype(int), self.x.astype(int)] = 1
        self.near_outline = cv2.dilate(canvas, np.ones((3, 3), np.uint8)).view(np.bool_)
        self.cuts = [self._cut(evidence, quarter * math.pi / 2) for quarter in range(4)]

    def _cut(self, evidence: Evidence, angle: float) -> Line | None:
        cut = support(evidence.outline, evidence.on_frame, angle)
        if cut.weight < CUT * self.size:
            return None
        distance = cut.distance(self.x, self.y)
        return replace(cut, offset=cut.offset + float(np.median(distance[np.abs(distance) <= TOUCH])))

    def _touching(self, line: Line | None, width: float = TOUCH) -> BoolArray:
        if line is None:
            return np.zeros(len(self.x), bool)
        touching: BoolArray = np.abs(line.distance(self.x, self.y)) <= width
        return touching

    def complete(self, left: Line, right: Line) -> Fan:
        """Add the arcs and the cuts to two edges."""
        a, b = _left_angle(left), _right_angle(right)
        x, y = np.linalg.solve([left.normal, right.normal], [left.offset, right.offset]).tolist()
        radius = np.hypot(self.x - np.float32(x), self.y - np.float32(y))
        on_edge = self._touching(left) | self._touching(right)
        inside = (left.distance(self.x, self.y) <= TOUCH) & (right.distance(self.x, self.y) <= TOUCH)
        on_cut = np.logical_or.reduce([self._touching(cut) for cut in self.cuts])
        curved = inside & ~on_edge & ~self.on_frame
        r1 = self._bottom_arc(radius, inside, (curved & ~on_cut, curved), b - a)
        r0 = self._top_arc(radius, inside, curved, b - a, r1)
        fan = Fan(x, y, r0, max(r1, r0 + 1), a, b, self.frame)
        explained = on_edge | (np.abs(radius - fan.r1) <= TOUCH) | (np.abs(radius - fan.r0) <= TOUCH)
        return replace(fan, box=self._box(explained))

    def _bottom_arc(self, radius: FloatArray, inside: BoolArray, tries: tuple[BoolArray, ...], opening: float) -> float:
        for touching in tries:
            r1, gain = _arc(radius[touching], radius[inside])
            if gain >= max(ARC * opening * r1, LEAST_ARC):
                return r1
        # No arc to be seen: cut off, or lost in the dark.
        return float(radius[inside].max(initial=1.0))

    def _top_arc(self, radius: FloatArray, inside: BoolArray, curved: BoolArray, opening: float, r1: float) -> float:
        # The top arc must not be taken for a piece of the bottom one.
        r0, gain = _arc(-radius[curved & (radius < 0.85 * r1)], -radius[inside])
        r0 = -r0
        if gain < max(2 * ARC * opening * r0, LEAST_ARC):
            r0 = float(radius[inside].min(initial=r1)) - 1
        return r0 if r0 > max(0.05 * r1, 3) else 0.0

    def _box(self, explained: BoolArray) -> Box:
        """Keep the cuts that touch the outline where neither edge nor arc does."""
        cuts = [
            cut
            if cut is not None
            and np.count_nonzero(self._touching(cut, SHARP) & ~explained & ~self.on_frame) >= CUT * self.size
            else None
            for cut in self.cuts
        ]
        return self._cut_box(cuts, self.frame)

    def _cut_box(self, cuts: list[Line | None], otherwise: Box) -> Box:
        right, bottom, left, top = cuts
        x0 = -left.offset if left else otherwise[0]
        y0 = -top.offset if top else otherwise[1]
        x1 = right.offset + 1 if right else otherwise[2]
        y1 = bottom.offset + 1 if bottom else otherwise[3]
        return max(x0, 0), max(y0, 0), min(x1, self.frame[2]), min(y1, self.frame[3])

    def flat(self) -> Fan:
        """Return the box candidate: straight up and down, as a linear probe or a zoomed picture."""
        around = float(self.x.min()), float(self.y.min()), float(self.x.max()) + 1, float(self.y.max()) + 1
        return Fan(0, 0, 0, 0, 0, 0, self._cut_box(self.cuts, around))

    def judge(self, fan: Fan) -> Fan:
        """Score a candidate."""
        mask = fan.inside(self.grid_x, self.grid_y)
        area = max(int(np.count_nonzero(mask)), 1)
        both = int(np.count_nonzero(mask & self.hull))
        outside = 1 - int(np.count_nonzero(mask & self.live)) / self.live_area
        stray = int(np.count_nonzero(self.stray & ~mask)) / self.live_area
        outside += min(STRAY * stray, MOST_STRAY)
        empty = 1 - both / area
        touched = self._touched(fan)
        level = 1 - min(abs(fan.left + fan.right) / math.radians(12), 1)
        score = 1 - OUTSIDE * outside - EMPTY * empty + TOUCHED * touched + LEVEL * level
        return replace(fan, score=score, touched=touched, overlap=both / (area + self.hull_area - both))

    def _touched(self, fan: Fan) -> float:
        """Fraction of the candidate's boundary, where the frame does not end it, that the outline touches."""
        x, y = boundary_points(fan)
        height, width = self.shape
        free = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        if np.count_nonzero(free) < 8:
            return 0.0
        return float(self.near_outline[np.rint(y[free]).astype(int), np.rint(x[free]).astype(int)].mean())


def boundary_points(fan: Fan, step: float = 2.0) -> tuple[FloatArray, FloatArray]:
    """Points along a candidate's boundary, about `step` pixels apart: x and y."""
    x0, y0, x1, y1 = fan.box[0], fan.box[1], fan.box[2] - 1, fan.box[3] - 1
    across, down = np.arange(x0, x1 + 1e-3, step), np.arange(y0, y1 + 1e-3, step)
    x = np.concatenate([across, across, np.full_like(down, x0), np.full_like(down, x1)])
    y = np.concatenate([np.full_like(across, y0), np.full_like(across, y1), down, down])
    if fan.r1 == 0:
        return x, y
    in_fan = replace(fan, box=(-np.inf, -np.inf, np.inf, np.inf)).inside(x, y)
    radii = np.arange(fan.r0, fan.r1, step)
    bottom = np.arange(fan.left, fan.right, step / max(fan.r1, step))
    top = np.arange(fan.left, fan.right, step / max(fan.r0, step))
    angle = np.concatenate([np.full_like(radii, fan.left), np.full_like(radii, fan.right), bottom, top])
    radius = np.concatenate([radii, radii, np.full_like(bottom, fan.r1), np.full_like(top, fan.r0)])
    fan_x, fan_y = fan.x + radius * np.sin(angle), fan.y + radius * np.cos(angle)
    in_box = (fan_x >= x0 - 1) & (fan_x <= x1 + 1) & (fan_y >= y0 - 1) & (fan_y <= y1 + 1)
    return np.concatenate([x[in_fan], fan_x[in_box]]), np.concatenate([y[in_fan], fan_y[in_box]])


def _arc(touching: FloatArray, every: FloatArray) -> tuple[float, float]:
    """Best arc: its radius, and the outline points it gains; for a top arc give radii with a minus sign."""
    if len(touching) < 4:
        return 0.0, 0.0
    lowest = math.floor(float(every.min())) - 1
    size = math.ceil(float(every.max())) - lowest + 3
    counts = np.bincount(np.rint(touching - lowest).astype(int), minlength=size).astype(np.float32)
    gain = peak_gain(counts, np.bincount(np.rint(every - lowest).astype(int), minlength=size).astype(np.float32))
    best = int(gain.argmax()) + lowest
    near = touching[np.abs(touching - best) <= TOUCH]
    return float(near.mean()) if len(near) else float(best), float(gain[best - lowest])
