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


def bottom_arcs(
    radius: FloatArray, inside: BoolArray, tries: tuple[BoolArray, ...], opening: float
) -> tuple[float, ...]:
    """Radius of the bottom arc; two of them, a safe one and a close one, where none is clear.

    Parameters
    ----------
    radius : float32 array, (P,)
        Distance of every outline point from the apex.
    inside : bool array, (P,)
        Points between the edges.
    tries : tuple of bool arrays, (P,)
        Points that may lie on the arc: first without those on straight cuts, then with them.
    opening : float
        Angle between the edges, radians.
    """
    for touching in tries:
        r1, gain = _arc(radius[touching], radius[inside])
        if gain >= max(ARC * opening * r1, LEAST_ARC):
            return (r1,)
    # Cut off, lost in the dark, or crossed by something that hangs on to it, as the trace of an ECG.
    furthest = float(radius[inside].max(initial=1.0))
    outer = radius[tries[-1] & (radius > 0.5 * furthest)]
    if len(outer) < LEAST_ARC:
        return (furthest,)
    counts = np.convolve(np.bincount(np.rint(outer).astype(int)), (1, 1, 1), "same")
    return furthest, float(counts.argmax())


def top_arc(radius: FloatArray, inside: BoolArray, curved: BoolArray, opening: float, r1: float) -> float:
    """Radius of the top arc; 0 where the apex itself is in the picture, or might be.

    Parameters as for :func:`bottom_arcs`, and the radius of the bottom arc.
    """
    r0, gain = _arc(-radius[curved & (radius < TOP_OF_BOTTOM * r1)], -radius[inside])
    r0 = -r0
    if gain < max(2 * ARC * opening * r0, LEAST_ARC):
        r0 = float(radius[inside].min(initial=r1)) - 1
    return r0 if r0 > max(0.05 * r1, 3) else 0.0


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
    radius_SP = np.hypot(x - apex_x[:, None], y - apex_y[:, None])
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
    return float(near.sum()) / len(near) if len(near) else float(best), float(gain[best - lowest])
