"""Arcs of an outline about an apex: circles that many outline points touch and hardly any cross."""

from __future__ import annotations

import math

import numpy as np

from echoplane.prepare.sector_evidence import Evidence
from echoplane.prepare.sector_lines import TOUCH, Line, peak_gain
from echoplane.records import BoolArray, FloatArray

#: An arc counts when its outline points make at least this fraction of its length, and at least so many.
ARC, LEAST_ARC = 0.12, 4
#: Outline points used to find the centre of the bottom arc.
SAMPLE = 200
#: A top arc larger than this fraction of the bottom one is taken for a piece of it.
TOP_OF_BOTTOM = 0.85


class Rings:
    """The outline by its distance from an apex.

    Parameters
    ----------
    radius : float32 array, (P,)
        Distance of every outline point from the apex, pixels.
    inside : bool array, (P,)
        Points between the edges.
    opening : float
        Angle between the edges, radians.
    """

    def __init__(self, radius: FloatArray, inside: BoolArray, opening: float) -> None:
        self.radius, self.opening = radius, opening
        within = radius[inside]
        self.nearest, self.furthest = float(within.min()), float(within.max())
        self._lowest = math.floor(self.nearest) - 1
        self._cells = np.rint(radius - np.float32(self._lowest)).astype(np.intp)
        self._size = math.ceil(self.furthest) - self._lowest + 3
        self._every = self._counted(inside)

    def _counted(self, which: BoolArray) -> FloatArray:
        return np.bincount(self._cells[which], minlength=self._size).astype(np.float32)

    def bottom_arcs(self, tries: tuple[BoolArray, ...]) -> tuple[float, ...]:
        """Radius of the bottom arc; two of them, a safe one and a close one, where none is clear.

        Parameters
        ----------
        tries : tuple of bool arrays, (P,)
            Points between the edges that may lie on the arc: first without those on straight cuts, then with them.
        """
        for touching in tries:
            r1, gain = self._arc(touching)
            if gain >= max(ARC * self.opening * r1, LEAST_ARC):
                return (r1,)
        # Cut off, lost in the dark, or crossed by something that hangs on to it, as the trace of an ECG.
        furthest = max(self.furthest, 1.0)
        outer = self.radius[tries[-1] & (self.radius > 0.5 * furthest)]
        if len(outer) < LEAST_ARC:
            return (furthest,)
        counts = np.convolve(np.bincount(np.rint(outer).astype(np.intp)), (1, 1, 1), "same")
        return furthest, float(counts.argmax())

    def top_arc(self, curved: BoolArray, r1: float) -> float:
        """Radius of the top arc; 0 where the apex itself is in the picture, or might be.

        Parameters
        ----------
        curved : bool array, (P,)
            Points between the edges that may lie on the arc.
        r1 : float
            Radius of the bottom arc.
        """
        r0, gain = self._arc(curved & (self.radius < TOP_OF_BOTTOM * r1), inwards=True)
        if gain < max(2 * ARC * self.opening * r0, LEAST_ARC):
            r0 = min(self.nearest, r1) - 1
        return r0 if r0 > max(0.05 * r1, 3) else 0.0

    def _arc(self, touching: BoolArray, inwards: bool = False) -> tuple[float, float]:
        """Best arc: its radius, and the outline points it gains, less those beyond it (`inwards`: nearer the apex)."""
        near = self.radius[touching]
        if len(near) < LEAST_ARC:
            return 0.0, 0.0
        counts, every = self._counted(touching), self._every
        if inwards:
            counts, every = counts[::-1], every[::-1]
        gain = peak_gain(counts, every)
        best = int(gain.argmax())
        radius = (self._size - 1 - best if inwards else best) + self._lowest
        near = near[np.abs(near - radius) <= TOUCH]
        return float(near.sum()) / len(near) if len(near) else float(radius), float(gain[best])


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
