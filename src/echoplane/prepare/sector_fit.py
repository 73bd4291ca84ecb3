"""Fit a fan (two edges, two arcs, cut off by a box) to the outline of what is live.

Candidates are made from the outline's straight sides, two at a time, and judged by how little live area they leave
outside, how little dark area they take in, and how much of their boundary the outline touches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from echoplane.prepare.sector_arcs import LEAST_ARC, Rings, mirrored_by_arc
from echoplane.prepare.sector_evidence import Evidence
from echoplane.prepare.sector_fan import Box, Fan, boundary_points
from echoplane.prepare.sector_lines import TOUCH, Line, crossing, straight_sides, supports
from echoplane.records import BoolArray, FloatArray

#: Edges lie within this of straight down on their own side, and on the other side, degrees.
WIDEST, CROSSED = 80, 25
#: Angle between the edges, degrees; narrower is a box.
NARROWEST = 8
#: Edges considered on each side, and pairs of them judged.
EDGES, PAIRS = 4, 6
#: A pair of edges with less than this fraction of the outline between them is not looked at further.
WITHIN = 0.5
#: From this score on no mirrored edge is tried.
GREAT = 1.12
#: A cut counts when at least this fraction of the outline's size touches it and nothing else explains the touch.
CUT = 0.11
#: And at least this fraction of its way through the fan touches: a shadow's side or a wall touches less.
CHORD = 0.5
#: Half-width of the band of points that touch a cut, pixels: cuts are sharper than the ragged sides of a shadow.
SHARP = 0.75
#: What a candidate loses: live area left outside, dark area inside beyond the hull; what it gains: touched sides, and
#: being level.
OUTSIDE, EMPTY, TOUCHED, LEVEL = 2.0, 0.7, 0.35, 0.03
#: What a fan loses that is not level and whose weaker edge is touched along less than this fraction of it; and what a
#: box loses that is touched along less than this fraction of its sides.
DOUBT, FIRM = 0.4, 0.75
#: Edges that differ by less than this, degrees, make a fan that is almost level.
ALMOST_LEVEL = 12
#: A torn-off piece counts so many times its area, for it is small and telling; but all of them no more than that.
STRAY, MOST_STRAY = 5.0, 0.06
#: A fan that opens less than this, degrees, and is touched along less than this fraction of its boundary, has lost its
#: sides in the dark; then it opens as most sectors do.
NARROW, LOOSE, USUAL = 49, 0.65, (72, 78, 84)
#: Where nothing else fits, such a fan is taken from this score on, if a box scores so much less.
FAIR, BETTER = 0.85, 0.1
#: Areas are compared on every so many pixels.
GRID = 3


def fit(evidence: Evidence) -> Fan:
    """Find the fan or box that explains the outline best."""
    scene = _Scene(evidence)
    points, on_frame = evidence.outline, evidence.on_frame
    lefts = straight_sides(points, on_frame, 180 - CROSSED, 180 + WIDEST, EDGES)
    rights = straight_sides(points, on_frame, -WIDEST, CROSSED, EDGES)
    pairs = [(left, right) for left in lefts for right in rights]
    pairs.sort(key=lambda pair: -pair[0].weight - pair[1].weight)
    best = scene.best([scene.judge(scene.weigh(scene.flat()))], pairs[:PAIRS])
    if best.score >= GREAT:
        return best
    return scene.best([best], _mirrored(evidence, lefts[:2], rights[:2]))


def _mirrored(evidence: Evidence, lefts: list[Line], rights: list[Line]) -> Iterator[tuple[Line, Line]]:
    """Where one edge is lost in the dark, the fan is taken to be level: the other edge, mirrored."""
    edges, count = lefts + rights, len(lefts)
    if not edges:
        return
    # Mirrored and pushed against the outline; or mirrored about the centre of the bottom arc.
    touching = supports(evidence.outline, evidence.on_frame, [math.pi - edge.angle for edge in edges])
    for mirrored in (touching, [mirrored_by_arc(evidence, edge) for edge in edges]):
        yield from zip(lefts, mirrored[:count], strict=True)
        yield from zip(mirrored[count:], rights, strict=True)


def lost_in_the_dark(fan: Fan) -> bool:
    """Say whether a fan is narrower than sectors are, without a boundary that bears it out."""
    return fan.r1 > 0 and fan.right - fan.left < math.radians(NARROW) and fan.touched < LOOSE


def usual(evidence: Evidence) -> Fan | None:
    """Find the level fan of a usual opening that holds what is live most tightly; None where there is none."""
    return _usual(_Scene(evidence), evidence)


def _usual(scene: _Scene, evidence: Evidence) -> Fan | None:
    fans: list[Fan] = []
    for opening in USUAL:
        half = math.radians(opening / 2)
        left, right = supports(evidence.outline, evidence.on_frame, [math.pi + half, -half])
        fans += map(scene.judge, map(scene.weigh, scene.complete(left, right)))
    return max(fans, key=_score, default=None)


def usual_beats_box(evidence: Evidence) -> Fan | None:
    """Return a fan as of :func:`usual` where it fits fairly, and much better than a box does; else None."""
    scene = _Scene(evidence)
    fan = _usual(scene, evidence)
    if fan is None or fan.score < max(FAIR, scene.judge(scene.weigh(scene.flat())).score + BETTER):
        return None
    return fan


def _score(fan: Fan) -> float:
    return fan.score


def _level(fan: Fan) -> float:
    """1 where the edges lean alike, 0 where they differ by ALMOST_LEVEL or more; 1 for a box, too."""
    return 1 - min(abs(fan.left + fan.right) / math.radians(ALMOST_LEVEL), 1)


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
        quarters = [quarter * math.pi / 2 for quarter in range(4)]
        self.cuts = [self._cut(side) for side in supports(evidence.outline, evidence.on_frame, quarters)]
        self.on_cut = np.logical_or.reduce([self._touching(cut) for cut in self.cuts])
        self.sharply_on = [self._touching(cut, SHARP) & ~self.on_frame for cut in self.cuts]

    def _cut(self, cut: Line) -> Line | None:
        if cut.weight < CUT * self.size:
            return None
        distance = cut.distance(self.x, self.y)
        return replace(cut, offset=cut.offset + float(np.median(distance[np.abs(distance) <= TOUCH])))

    def _touching(self, line: Line | None, width: float = TOUCH) -> BoolArray:
        if line is None:
            return np.zeros(len(self.x), bool)
        touching: BoolArray = np.abs(line.distance(self.x, self.y)) <= width
        return touching

    def best(self, fans: list[Fan], pairs: Iterable[tuple[Line, Line]]) -> Fan:
        """Return the best of some judged fans and of those that pairs of edges make."""
        best = max(fans, key=_score)
        made = [
            fan for left, right in pairs if _opening(left, right) >= NARROWEST for fan in self.complete(left, right)
        ]
        # The most promising first: most of the others then need not be looked at closely.
        for fan in sorted(map(self.weigh, made), key=_score, reverse=True):
            if fan.score < best.score:
                break
            best = max(best, self.judge(fan), key=_score)
        return best

    def complete(self, left: Line, right: Line) -> Iterator[Fan]:
        """Add the arcs and the cuts to two edges; where the bottom arc is in doubt, more than once."""
        a, b = _left_angle(left), _right_angle(right)
        x, y = crossing(left, right)
        beyond_left, beyond_right = left.distance(self.x, self.y), right.distance(self.x, self.y)
        inside = np.maximum(beyond_left, beyond_right) <= TOUCH
        if np.count_nonzero(inside) < WITHIN * len(inside):
            return
        on_edge = (np.abs(beyond_left) <= TOUCH) | (np.abs(beyond_right) <= TOUCH)
        dx, dy = self.x - np.float32(x), self.y - np.float32(y)
        radius = np.sqrt(dx * dx + dy * dy)  # several times faster than np.hypot
        curved = inside & ~on_edge & ~self.on_frame
        rings = Rings(radius, inside, b - a)
        for r1 in rings.bottom_arcs((curved & ~self.on_cut, curved)):
            r0 = rings.top_arc(curved, r1)
            fan = Fan(x, y, r0, max(r1, r0 + 1), a, b, self.frame)
            cuts: list[Line | None] = [None] * 4
            if any(self.cuts):
                explained = on_edge | (np.abs(radius - fan.r1) <= TOUCH) | (np.abs(radius - fan.r0) <= TOUCH)
                cuts = [self._kept(i, fan, explained) for i in range(4)]
            yield Fan(x, y, r0, fan.r1, a, b, self._cut_box(cuts, self.frame))

    def _kept(self, i: int, fan: Fan, explained: BoolArray) -> Line | None:
        """Keep a cut that touches the outline along its way through the fan, where neither edge nor arc does."""
        cut = self.cuts[i]
        if cut is None:
            return None
        touched = np.count_nonzero(self.sharply_on[i] & ~explained)
        if touched < CUT * self.size:
            return None
        a, b = (round(part) for part in cut.normal)
        along = np.arange(max(self.shape), dtype=np.float32)
        x = np.full_like(along, a * cut.offset) if a else along
        y = np.full_like(along, b * cut.offset) if b else along
        return cut if touched >= CHORD * np.count_nonzero(fan.inside(x, y)) else None

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

    def weigh(self, fan: Fan) -> Fan:
        """Score a candidate by its area and by how level it is: the most that it could be worth."""
        mask = fan.inside(self.grid_x, self.grid_y)
        area = max(int(np.count_nonzero(mask)), 1)
        both = int(np.count_nonzero(mask & self.hull))
        outside = 1 - int(np.count_nonzero(mask & self.live)) / self.live_area
        stray = int(np.count_nonzero(self.stray & ~mask)) / self.live_area
        outside += min(STRAY * stray, MOST_STRAY)
        most = 1 - OUTSIDE * outside - EMPTY * (1 - both / area) + TOUCHED + LEVEL * _level(fan)
        return fan.judged(most, overlap=both / (area + self.hull_area - both))

    def judge(self, fan: Fan) -> Fan:
        """Score a candidate that was weighed: it loses what the outline does not touch."""
        touched, free = self._touched(*boundary_points(fan))
        score = fan.score - TOUCHED * (1 - touched) - DOUBT * self._doubt(fan, touched * free + 1 - free)
        return fan.judged(score, touched, fan.overlap)

    def _doubt(self, fan: Fan, touched: float) -> float:
        """In [0, 1]: a box must be touched all around, and a fan that is not level along both edges."""
        if fan.r1 == 0:
            return max(0.0, 1 - touched / FIRM)
        level = _level(fan)
        if level == 1:
            return 0.0
        radii = np.arange(fan.r0, fan.r1, 2.0, dtype=np.float32)
        x0, y0, x1, y1 = fan.box
        weaker = 1.0
        for angle in (fan.left, fan.right):
            x = np.float32(fan.x) + radii * np.float32(math.sin(angle))
            y = np.float32(fan.y) + radii * np.float32(math.cos(angle))
            kept = (x > x0) & (x < x1 - 1) & (y > y0) & (y < y1 - 1)
            weaker = min(weaker, self._touched(x[kept], y[kept])[0])
        return (1 - level) * max(0.0, 1 - weaker / FIRM)

    def _touched(self, x: FloatArray, y: FloatArray) -> tuple[float, float]:
        """Fraction of boundary points that the outline touches, of those not on the frame's border; and their share."""
        height, width = self.shape
        free = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        count = int(np.count_nonzero(free))
        if count < LEAST_ARC:
            return 0.0, 0.0
        touched = self.near_outline[np.rint(y[free]).astype(int), np.rint(x[free]).astype(int)]
        return int(np.count_nonzero(touched)) / count, count / len(x)
