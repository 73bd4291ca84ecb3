"""Arcs of an outline about an apex: circles that many outline points touch and hardly any cross."""

from __future__ import annotations

import math

import numpy as np

from echoplane.prepare.sector_evidence import Evidence
from echoplane.prepare.sector_lines import TOUCH, Line, peak_gain
from echoplane.records import BoolArray, FloatArray, IntArray

#: An arc counts when its outline points make at least this fraction of its length, and at least so many.
ARC, LEAST_ARC = 0.12, 4
#: Outline points used to find the centre of the bottom arc.
SAMPLE = 200
#: A top arc larger than this fraction of the bottom one is taken for a piece of it.
TOP_OF_BOTTOM = 0.85


class Rings:
    """The outline by its distance from several apexes.

    Letters: Q apexes, P outline points, A arcs looked for, each about one of the apexes.

    Parameters
    ----------
    radius_QP : float32 array, (Q, P)
        Distance of every outline point from every apex, pixels.
    inside_QP : bool array, (Q, P)
        Points between the edges that meet in an apex; some about each.
    opening_Q : float array, (Q,)
        Angle between these edges, radians.
    """

    def __init__(self, radius_QP: FloatArray, inside_QP: BoolArray, opening_Q: FloatArray) -> None:
        self._radius, self._opening = radius_QP, opening_Q
        self._nearest = radius_QP.min(axis=1, where=inside_QP, initial=np.inf)
        self._furthest = radius_QP.max(axis=1, where=inside_QP, initial=0)
        self._lowest = np.floor(self._nearest) - 1
        self._size = int(np.ceil(self._furthest - self._lowest).max()) + 3
        self._cells = np.rint(radius_QP - self._lowest[:, None]).astype(np.intp)
        self._every = self._counted(inside_QP, np.arange(len(radius_QP)))

    def _counted(self, which_AP: BoolArray, apex_A: IntArray) -> FloatArray:
        cells = self._cells[apex_A] + self._size * np.arange(len(apex_A))[:, None]
        counts = np.bincount(cells[which_AP], minlength=self._size * len(apex_A))
        return counts.reshape(len(apex_A), self._size).astype(np.float32)

    def bottom_arcs(self, tries_QP: tuple[BoolArray, ...]) -> list[tuple[float, ...]]:
        """Radius of the bottom arc about each apex; two of them, a safe one and a close one, where none is clear.

        Parameters
        ----------
        tries_QP : tuple of bool arrays, (Q, P)
            Points between the edges that may lie on the arc: first without those on straight cuts, then with them.
        """
        found: list[tuple[float, ...]] = [()] * len(self._radius)
        unclear = np.arange(len(found))
        for touching_QP in tries_QP:
            r1, gain = self._arcs(touching_QP[unclear], unclear)
            clear = gain >= np.maximum(ARC * self._opening[unclear] * r1, LEAST_ARC)
            for apex, radius in zip(unclear[clear], r1[clear], strict=True):
                found[apex] = (float(radius),)
            unclear = unclear[~clear]
            if not len(unclear):
                break
        for apex in unclear.tolist():
            found[apex] = self._in_doubt(tries_QP[-1][apex], apex)
        return found

    def _in_doubt(self, touching_P: BoolArray, apex: int) -> tuple[float, ...]:
        """Cut off, lost in the dark, or crossed by something that hangs on to it, as the trace of an ECG."""
        furthest, radius = max(float(self._furthest[apex]), 1.0), self._radius[apex]
        outer = radius[touching_P & (radius > 0.5 * furthest)]
        if len(outer) < LEAST_ARC:
            return (furthest,)
        counts = np.convolve(np.bincount(np.rint(outer).astype(np.intp)), (1, 1, 1), "same")
        return furthest, float(counts.argmax())

    def top_arcs(self, curved_AP: BoolArray, apex_A: IntArray, r1_A: FloatArray) -> FloatArray:
        """Radius of each top arc, (A,); 0 where the apex itself is in the picture, or might be.

        Parameters
        ----------
        curved_AP : bool array, (A, P)
            Points between the edges that may lie on the arc.
        apex_A : int array, (A,)
            About which apex.
        r1_A : float array, (A,)
            Radius of the bottom arc.
        """
        below = self._radius[apex_A] < TOP_OF_BOTTOM * r1_A[:, None]
        r0, gain = self._arcs(curved_AP & below, apex_A, inwards=True)
        seen = gain >= np.maximum(2 * ARC * self._opening[apex_A] * r0, LEAST_ARC)
        r0 = np.where(seen, r0, np.minimum(self._nearest[apex_A], r1_A) - 1)
        return np.where(r0 > np.maximum(0.05 * r1_A, 3), r0, 0.0)

    def _arcs(self, touching_AP: BoolArray, apex_A: IntArray, inwards: bool = False) -> tuple[FloatArray, FloatArray]:
        """Best arcs: radius, and the outline points each gains, less those beyond it (`inwards`: nearer the apex)."""
        counts, every = self._counted(touching_AP, apex_A), self._every[apex_A]
        if inwards:
            counts, every = counts[:, ::-1], every[:, ::-1]
        gain = peak_gain(counts, every)
        best = gain.argmax(axis=1)
        rough = self._lowest[apex_A] + (self._size - 1 - best if inwards else best)
        radius = self._radius[apex_A]
        near = touching_AP & (np.abs(radius - rough[:, None].astype(np.float32)) <= TOUCH)
        number = np.count_nonzero(near, axis=1)
        mean = radius.sum(axis=1, where=near) / np.maximum(number, 1)
        enough = np.count_nonzero(touching_AP, axis=1) >= LEAST_ARC
        gains = gain[np.arange(len(best)), best]
        return np.where(enough, np.where(number > 0, mean, rough), 0.0), np.where(enough, gains, 0.0)


def mirrored_by_arc(evidence: Evidence, edge: Line) -> Line:
    """Mirror an edge about the point on it from which the bottom of the outline is most nearly an arc."""
    thin = max(len(evidence.outline) // SAMPLE, 1)
    x, y = evidence.outline[::thin].T
    a, b = edge.normal
    # Along the edge, upwards; the foot is level with the outline's top.
    up_x, up_y = (b, -a) if a > 0 else (-b, a)
    if up_y > -1e-3:
        return edge
    size = float(max(np.ptp(x), np.ptp(y)))
    along = (float(y.min()) - edge.offset * b) / up_y + np.arange(-0.1, 0.5, 0.015) * size
    apex_x = (edge.offset * a + along * up_x).astype(np.float32)
    apex_y = (edge.offset * b + along * up_y).astype(np.float32)
    dx_SP, dy_SP = x - apex_x[:, None], y - apex_y[:, None]
    radius_SP = np.sqrt(dx_SP * dx_SP + dy_SP * dy_SP)  # several times faster than np.hypot
    best = int(np.argmax(_arc_gains(radius_SP, evidence.on_frame[::thin]).max(axis=1)))
    return Line(math.pi - edge.angle, float(-a * apex_x[best] + b * apex_y[best]), 0.0)


def _arc_gains(radius_SP: FloatArray, on_frame: BoolArray) -> FloatArray:
    """Gain of every bottom arc about several centres, (centres, radii)."""
    centres = len(radius_SP)
    width = int(radius_SP.max()) + 4
    cells = np.rint(radius_SP).astype(np.int32) + np.arange(centres, dtype=np.int32)[:, None] * width
    every = np.bincount(cells.ravel(), minlength=centres * width).reshape(centres, width).astype(np.float32)
    free = np.bincount(cells[:, ~on_frame].ravel(), minlength=centres * width).reshape(centres, width)
    return peak_gain(free.astype(np.float32), every)
