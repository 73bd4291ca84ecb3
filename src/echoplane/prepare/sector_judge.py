"""Judge many fans against one outline at once: what they leave out and take in, and how much of them is touched.

Letters: F fans, R rows of the grid, P points along boundaries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.prepare.sector_arcs import LEAST_ARC
from echoplane.prepare.sector_evidence import Evidence
from echoplane.prepare.sector_fan import Box, Fan, boundary_points
from echoplane.records import BoolArray, FloatArray, IntArray

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
#: Areas are compared on every so many pixels.
GRID = 3
#: Points along a boundary, pixels apart.
STEP = 2.0


def level(fan: Fan) -> float:
    """1 where the edges lean alike, 0 where they differ by ALMOST_LEVEL or more; 1 for a box, too."""
    return 1 - min(abs(fan.left + fan.right) / math.radians(ALMOST_LEVEL), 1)


class Judge:
    """One outline and what is lit and live about it, to hold fans against.

    Attributes
    ----------
    shape : tuple of int
        (h, w) of the picture, pixels.
    frame : tuple of float
        (x0, y0, x1, y1) of all of it.
    """

    def __init__(self, evidence: Evidence) -> None:
        height, width = evidence.live.shape
        self.shape = height, width
        self.frame: Box = (0, 0, width, height)
        parts = [part[::GRID, ::GRID] for part in (evidence.live, evidence.stray, evidence.hull)]
        rows, self._columns = parts[0].shape
        # Along each row, how many lit pixels lie to the left of each column: a row of a fan is then two look-ups.
        before = np.zeros((3, rows, self._columns + 1), np.int32)
        np.cumsum(parts, axis=2, dtype=np.int32, out=before[:, :, 1:])
        live, self._stray, hull = (int(n) for n in before[:, :, -1].sum(axis=1))
        self._live, self._hull = max(live, 1), max(hull, 1)
        self._before = before.reshape(3, -1)
        self._row = np.arange(rows) * (self._columns + 1)
        self._y = np.arange(0, height, GRID, dtype=np.float64)
        canvas = np.zeros(self.shape, np.uint8)
        x, y = evidence.outline.T.astype(int)
        canvas[y, x] = 1
        self._near_outline = cv2.dilate(canvas, np.ones((3, 3), np.uint8)).view(np.bool_)

    def weigh(self, fans: Sequence[Fan]) -> list[Fan]:
        """Score candidates by their area and by how level they are: the most that each could be worth."""
        if not fans:
            return []
        area, live, stray, hull = self._areas(fans)
        area = np.maximum(area, 1)
        outside = 1 - live / self._live + np.minimum(STRAY * (self._stray - stray) / self._live, MOST_STRAY)
        most = 1 - OUTSIDE * outside - EMPTY * (1 - hull / area) + TOUCHED
        overlap = hull / (area + self._hull - hull)
        return [
            fan.judged(worth + LEVEL * level(fan), overlap=both)
            for fan, worth, both in zip(fans, most.tolist(), overlap.tolist(), strict=True)
        ]

    def judge(self, fans: Sequence[Fan]) -> list[Fan]:
        """Score candidates that were weighed: they lose what the outline does not touch."""
        curved = [fan for fan in fans if fan.r1 > 0]
        touched = iter(self._fans_touched(curved))
        judged = []
        for fan in fans:
            if fan.r1 > 0:
                all_around, weaker = next(touched)
                doubt = (1 - level(fan)) * max(0.0, 1 - weaker / FIRM)
            else:
                # A box must be touched all around.
                all_around, free = self._touched(*boundary_points(fan))
                doubt = max(0.0, 1 - (all_around * free + 1 - free) / FIRM)
            score = fan.score - TOUCHED * (1 - all_around) - DOUBT * doubt
            judged.append(fan.judged(score, all_around, fan.overlap))
        return judged

    def _areas(self, fans: Sequence[Fan]) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Count the pixels of the grid in each fan, and those that are live, stray and in the hull, (F,) each."""
        x, y, r0, r1, left, right = np.array(
            [(f.x, f.y, f.r0, f.r1 if f.r1 > 0 else np.inf, f.left, f.right) for f in fans]
        ).T[:, :, None]
        x0, y0, x1, y1 = np.array([fan.box for fan in fans]).T[:, :, None] - 0.5
        dy = self._y - y
        square = dy * dy
        with np.errstate(invalid="ignore"):  # beyond an arc, and about no centre
            reach, hole = np.sqrt(r1 * r1 - square), np.sqrt(r0 * r0 - square)
        # A box has no edges.
        lean_left = np.where(r1 < np.inf, x + dy * np.tan(left), -np.inf)
        lean_right = np.where(r1 < np.inf, x + dy * np.tan(right), np.inf)
        first = np.fmax(np.fmax(lean_left, x - reach), x0)
        last = np.fmin(np.fmin(lean_right, x + reach), x1)
        outside = ~(square <= r1 * r1) | (self._y < y0) | (self._y >= y1)
        start, stop = self._cells(np.ceil(first / GRID)), self._cells(np.floor(last / GRID) + 1)
        stop = np.where(outside, start, np.maximum(stop, start))
        no_hole = ~(square < r0 * r0)
        hole = np.where(no_hole, 0, hole)
        gap = np.clip(self._cells(np.floor((x - hole) / GRID) + 1), start, stop)
        gap_end = np.where(no_hole, gap, np.clip(self._cells(np.ceil((x + hole) / GRID)), gap, stop))
        area = (stop - start - (gap_end - gap)).sum(axis=1)
        at = [self._before.take(self._row + cell, axis=1) for cell in (stop, start, gap_end, gap)]
        live, stray, hull = (at[0] - at[1] - (at[2] - at[3])).sum(axis=2)
        return area, live, stray, hull

    def _cells(self, columns: FloatArray) -> IntArray:
        return np.clip(columns, 0, self._columns).astype(np.int64)

    def _fans_touched(self, fans: Sequence[Fan]) -> list[tuple[float, float]]:
        """Return how much of each fan's boundary is touched, and how much of the edge that is touched less."""
        if not fans:
            return []
        x, y, r0, r1, left, right = np.array([(f.x, f.y, f.r0, f.r1, f.left, f.right) for f in fans]).T
        # Four pieces of every fan: its edges, its bottom and its top.
        along_edge = np.ceil((r1 - r0) / STEP)
        turns = STEP / np.maximum(np.stack([r1, r0]), STEP)
        lengths = np.stack([along_edge, along_edge, *np.ceil((right - left) / turns)]).astype(int)
        edges, arcs = lengths[:2].ravel(), lengths[2:].ravel()
        n = _counted(edges) * STEP
        angles = np.stack([left, right])
        down_x, down_y = np.sin(angles), np.cos(angles)
        edge_x = np.repeat((x + r0 * down_x).ravel(), edges) + n * np.repeat(down_x.ravel(), edges)
        edge_y = np.repeat((y + r0 * down_y).ravel(), edges) + n * np.repeat(down_y.ravel(), edges)
        angle = np.repeat(np.tile(left, 2), arcs) + _counted(arcs) * np.repeat(turns.ravel(), arcs)
        radius = np.repeat(np.concatenate([r1, r0]), arcs)
        arc_x = np.repeat(np.tile(x, 2), arcs) + radius * np.sin(angle)
        arc_y = np.repeat(np.tile(y, 2), arcs) + radius * np.cos(angle)
        point_x, point_y = np.concatenate([edge_x, arc_x]), np.concatenate([edge_y, arc_y])
        free, touched = self._free_and_touched(point_x, point_y)
        ends = np.concatenate([[0], lengths.ravel().cumsum()])
        cut = [i for i, fan in enumerate(fans) if fan.box != self.frame]
        kept = free
        if cut:
            which = np.repeat(np.tile(np.arange(len(fans)), 4), lengths.ravel())
            x0, y0, x1, y1 = np.array([fan.box for fan in fans]).T[:, which]
            kept = free & (point_x > x0) & (point_x < x1 - 1) & (point_y > y0) & (point_y < y1 - 1)
            free = free & (point_x >= x0 - 1) & (point_x <= x1) & (point_y >= y0 - 1) & (point_y <= y1)
        counts, hits = (_sums(which, ends).reshape(4, -1) for which in (free, free & touched))
        edge_counts, edge_hits = counts[:2], hits[:2]
        if cut:
            edge_counts, edge_hits = (_sums(which, ends).reshape(4, -1)[:2] for which in (kept, kept & touched))
        counts, hits = counts.sum(axis=0), hits.sum(axis=0)
        for i in cut:
            more = self._sides(fans[i])
            counts[i] += more[0]
            hits[i] += more[1]
        all_around = np.where(counts < LEAST_ARC, 0.0, hits / np.maximum(counts, 1))
        by_edge = np.where(edge_counts < LEAST_ARC, 0.0, edge_hits / np.maximum(edge_counts, 1))
        return list(zip(all_around.tolist(), by_edge.min(axis=0).tolist(), strict=True))

    def _sides(self, fan: Fan) -> tuple[int, int]:
        """Count the points of the box that cuts a fan off, inside of the fan, that are free, and that are touched."""
        x, y = boundary_points(Fan(0, 0, 0, 0, 0, 0, fan.box), STEP)
        free, touched = self._free_and_touched(x, y)
        free &= fan.between(x, y)
        return int(np.count_nonzero(free)), int(np.count_nonzero(free & touched))

    def _free_and_touched(self, x: FloatArray, y: FloatArray) -> tuple[BoolArray, BoolArray]:
        """Say which points do not lie on the frame's border, and which lie near the outline (where they are free)."""
        height, width = self.shape
        free = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        at = np.where(free, np.rint(y) * width + np.rint(x), 0).astype(np.int64)
        return free, self._near_outline.take(at)

    def _touched(self, x: FloatArray, y: FloatArray) -> tuple[float, float]:
        """Fraction of boundary points that the outline touches, of those not on the frame's border; and their share."""
        free, touched = self._free_and_touched(x, y)
        count = int(np.count_nonzero(free))
        if count < LEAST_ARC:
            return 0.0, 0.0
        return int(np.count_nonzero(touched & free)) / count, count / len(x)


def _counted(lengths: IntArray) -> npt.NDArray[np.float64]:
    """Return 0, 1, 2, ... for each of some lengths, one after the other."""
    starts = lengths.cumsum() - lengths
    return np.arange(int(lengths.sum()), dtype=np.float64) - np.repeat(starts, lengths)


def _sums(which: BoolArray, ends: IntArray) -> IntArray:
    """Count what is true in each of some stretches, which begin and end at `ends`."""
    before = np.concatenate([[0], which.cumsum()])
    return np.diff(before[ends])
