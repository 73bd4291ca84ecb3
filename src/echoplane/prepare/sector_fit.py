"""Fit a fan (two edges, two arcs, cut off by a box) to the outline of what is live.

Candidates are made from the outline's straight sides, two at a time, and judged by how little live area they leave
outside, how little dark area they take in, and how much of their boundary the outline touches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from echoplane.prepare.sector_arcs import Rings, mirrored_by_arc
from echoplane.prepare.sector_evidence import Evidence
from echoplane.prepare.sector_fan import Box, Fan
from echoplane.prepare.sector_judge import Judge
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
#: A fan that opens less than this, degrees, and is touched along less than this fraction of its boundary, has lost its
#: sides in the dark; then it opens as most sectors do.
NARROW, LOOSE, USUAL = 49, 0.65, (72, 78, 84)
#: Where nothing else fits, such a fan is taken from this score on, if a box scores so much less.
FAIR, BETTER = 0.85, 0.1


def fit(evidence: Evidence) -> Fan:
    """Find the fan or box that explains the outline best."""
    scene = _Scene(evidence)
    points, on_frame = evidence.outline, evidence.on_frame
    lefts, rights = straight_sides(points, on_frame, [(180 - CROSSED, 180 + WIDEST), (-WIDEST, CROSSED)], EDGES)
    pairs = [(left, right) for left in lefts for right in rights]
    pairs.sort(key=lambda pair: -pair[0].weight - pair[1].weight)
    best = max(scene.judged([scene.flat(), *scene.complete(pairs[:PAIRS])]), key=_score)
    if best.score >= GREAT:
        return best
    others = scene.judge.weigh(scene.complete(_mirrored(evidence, lefts[:2], rights[:2])))
    # Whose area alone is worth less need not be looked at closely.
    return max([best, *scene.judge.judge([fan for fan in others if fan.score >= best.score])], key=_score)


def _mirrored(evidence: Evidence, lefts: list[Line], rights: list[Line]) -> Iterator[tuple[Line, Line]]:
    """Where one edge is lost in the dark, the fan is taken to be level: the other edge, mirrored."""
    # A slit is no fan, and looking for the other edge of one costs as much.
    lefts = [left for left in lefts if -2 * math.degrees(_left_angle(left)) >= NARROWEST]
    rights = [right for right in rights if 2 * math.degrees(_right_angle(right)) >= NARROWEST]
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
    halves = [math.radians(opening / 2) for opening in USUAL]
    angles = [*(math.pi + half for half in halves), *(-half for half in halves)]
    sides = supports(evidence.outline, evidence.on_frame, angles)
    pairs = zip(sides[: len(halves)], sides[len(halves) :], strict=True)
    return max(scene.judged(scene.complete(pairs)), key=_score, default=None)


def usual_beats_box(evidence: Evidence) -> Fan | None:
    """Return a fan as of :func:`usual` where it fits fairly, and much better than a box does; else None."""
    scene = _Scene(evidence)
    fan = _usual(scene, evidence)
    if fan is None or fan.score < max(FAIR, scene.judged([scene.flat()])[0].score + BETTER):
        return None
    return fan


def _score(fan: Fan) -> float:
    return fan.score


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
        self.judge = Judge(evidence)
        self.shape, self.frame = self.judge.shape, self.judge.frame
        self.size = float(max(np.ptp(self.x), np.ptp(self.y)))
        quarters = [quarter * math.pi / 2 for quarter in range(4)]
        self.cuts = [self._cut(side) for side in supports(evidence.outline, evidence.on_frame, quarters)]
        self.on_cut = np.logical_or.reduce([self._touching(cut) for cut in self.cuts])
        sharply_on = [self._touching(cut, SHARP) & ~self.on_frame for cut in self.cuts]
        self.sharply_on = np.array(sharply_on, np.float32)

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

    def judged(self, fans: list[Fan]) -> list[Fan]:
        """Return candidates with what they are worth."""
        return self.judge.judge(self.judge.weigh(fans))

    def complete(self, pairs: Iterable[tuple[Line, Line]]) -> list[Fan]:
        """Add the arcs and the cuts to pairs of edges; where the bottom arc is in doubt, more than once.

        Letters: Q pairs, P outline points, A fans.
        """
        pairs = [(left, right) for left, right in pairs if _opening(left, right) >= NARROWEST]
        if not pairs:
            return []
        beyond_left, beyond_right = (self._distances(list(edges)) for edges in zip(*pairs, strict=True))
        inside_QP = np.maximum(beyond_left, beyond_right) <= TOUCH
        on_edge_QP = np.minimum(np.abs(beyond_left), np.abs(beyond_right)) <= TOUCH
        held = np.count_nonzero(inside_QP, axis=1) >= WITHIN * len(self.x)
        pairs, inside_QP, on_edge_QP = (
            [p for p, h in zip(pairs, held, strict=True) if h],
            inside_QP[held],
            on_edge_QP[held],
        )
        if not pairs:
            return []
        edges = [(*crossing(left, right), _left_angle(left), _right_angle(right)) for left, right in pairs]
        x, y, a, b = np.array(edges).T[:, :, None]
        dx, dy = self.x - x.astype(np.float32), self.y - y.astype(np.float32)
        radius_QP = np.sqrt(dx * dx + dy * dy)  # several times faster than np.hypot
        curved_QP = inside_QP & ~on_edge_QP & ~self.on_frame
        rings = Rings(radius_QP, inside_QP, (b - a)[:, 0])
        bottoms = rings.bottom_arcs((curved_QP & ~self.on_cut, curved_QP))
        of = np.repeat(np.arange(len(pairs)), [len(radii) for radii in bottoms])
        r1_A = np.array([radius for radii in bottoms for radius in radii])
        r0_A = rings.top_arcs(curved_QP[of], of, r1_A)
        r1_A = np.maximum(r1_A, r0_A + 1)
        bare = [
            Fan(*edges[i][:2], r0, r1, *edges[i][2:], self.frame)
            for i, r0, r1 in zip(of.tolist(), r0_A.tolist(), r1_A.tolist(), strict=True)
        ]
        if not any(self.cuts):
            return bare
        radius_AP = radius_QP[of]
        on_arc_AP = np.minimum(np.abs(radius_AP - r1_A[:, None]), np.abs(radius_AP - r0_A[:, None])) <= TOUCH
        explained_AP = on_edge_QP[of] | on_arc_AP
        touched_A4 = (~explained_AP).astype(np.float32) @ self.sharply_on.T
        return [self._cut_off(fan, touched) for fan, touched in zip(bare, touched_A4.tolist(), strict=True)]

    def _distances(self, lines: list[Line]) -> FloatArray:
        """Signed distances of the outline from some lines, (lines, P), positive outside."""
        normals = np.array([line.normal for line in lines], np.float32)
        offsets = np.array([[line.offset] for line in lines], np.float32)
        distances: FloatArray = normals[:, :1] * self.x + normals[:, 1:] * self.y - offsets
        return distances

    def _cut_off(self, fan: Fan, touched: list[float]) -> Fan:
        """Cut a fan off where the outline touches a cut as far as it runs through it, and neither edge nor arc."""
        cuts = [self._kept(cut, fan, count) for cut, count in zip(self.cuts, touched, strict=True)]
        return replace(fan, box=self._cut_box(cuts, self.frame))

    def _kept(self, cut: Line | None, fan: Fan, touched: float) -> Line | None:
        if cut is None or touched < CUT * self.size:
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
