"""Straight sides of an outline: lines that many outline points touch and hardly any cross.

The sides of a fan, and the straight cuts where a screen ends, are such lines. A line is given by the direction of its
outward normal, ``(cos a, sin a)`` in picture axes (x right, y down), and its offset: ``x cos a + y sin a = offset``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoplane.records import BoolArray, FloatArray

#: Angle step of the search, degrees; refined afterwards.
STEP = 2.0
#: A point beyond a line or an arc costs as much as this many points on it are worth.
BEYOND = 1.5
#: What a point one pixel off a line or an arc counts.
NEIGHBOUR = 0.8
#: A line gains at least so many points, and this fraction of what the best one gains.
LEAST_GAIN, FAINTEST = 4.0, 0.1
#: Two lines closer than this in angle (degrees) and offset (fraction of the outline's size) are one.
SAME_ANGLE, SAME_OFFSET = 5.0, 0.05
#: A line is fitted again to no fewer points.
LEAST_POINTS = 6
#: Half-width of the band of points that touch a line, pixels.
TOUCH = 1.6


@dataclass(frozen=True)
class Line:
    """A side: outward normal angle (radians), offset (pixels), and the outline points it gains (its weight)."""

    angle: float
    offset: float
    weight: float

    @property
    def normal(self) -> tuple[float, float]:
        """Unit vector pointing outside."""
        return math.cos(self.angle), math.sin(self.angle)

    def distance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Signed distance of points, positive outside."""
        a, b = self.normal
        return x * np.float32(a) + y * np.float32(b) - np.float32(self.offset)


def straight_sides(
    points_P2: FloatArray, on_frame: BoolArray, ranges: Sequence[tuple[float, float]], most: int
) -> list[list[Line]]:
    """Find the strongest sides whose outward normals lie between two angles, strongest first.

    Parameters
    ----------
    points_P2 : float32 array, (P, 2)
        Outline, about one point a pixel.
    on_frame : bool array, (P,)
        Points that end at the frame: they may not lie beyond a side, but they say nothing for one.
    ranges : sequence of pairs of float
        First and last angle, degrees.
    most : int
        At most so many in each range.

    Returns
    -------
    list of list of Line
        Of each range.
    """
    angles = [np.deg2rad(np.arange(first, last + STEP / 2, STEP)) for first, last in ranges]
    table, lowest = _gains(points_P2, on_frame, np.concatenate(angles))
    apart = max(SAME_OFFSET * float(np.ptp(points_P2, axis=0).max()), 3)
    parts = np.split(table, np.cumsum([len(some) for some in angles])[:-1])
    found = [_strongest(part, some, lowest, apart, most) for part, some in zip(parts, angles, strict=True)]
    refined = iter(_refined(points_P2[~on_frame], [line for lines in found for line in lines]))
    return [_distinct([next(refined) for _ in lines]) for lines in found]


def _strongest(table: FloatArray, angles: FloatArray, lowest: int, apart: float, most: int) -> list[Line]:
    """Return the lines that gain most, no two of them (nearly) the same."""
    gains = table.ravel()
    best = np.flatnonzero(gains > max(LEAST_GAIN, FAINTEST * float(gains.max())))
    found: list[Line] = []
    for flat in best[np.argsort(gains[best])[::-1]]:
        row, column = divmod(int(flat), table.shape[1])
        if len(found) >= most:
            break
        weight, angle, offset = float(gains[flat]), float(angles[row]), float(column + lowest)
        if all(turn(angle, line.angle) > SAME_ANGLE or abs(offset - line.offset) > apart for line in found):
            found.append(Line(angle, offset, weight))
    return found


def _distinct(lines: list[Line]) -> list[Line]:
    distinct: list[Line] = []
    for line in lines:
        if all(turn(line.angle, other.angle) > 1.5 or abs(line.offset - other.offset) > 4 for other in distinct):
            distinct.append(line)
    return distinct


def supports(points_P2: FloatArray, on_frame: BoolArray, angles: Sequence[float]) -> list[Line]:
    """Return the best side for each of some outward directions, however few points touch it.

    Parameters
    ----------
    points_P2, on_frame
        As for :func:`straight_sides`.
    angles : sequence of float
        Outward normals, radians; at least one.
    """
    table, lowest = _gains(points_P2, on_frame, np.array(angles))
    columns = table.argmax(axis=1)
    return [
        Line(angle, float(column + lowest), float(gains[column]))
        for angle, column, gains in zip(angles, columns, table, strict=True)
    ]


def crossing(one: Line, other: Line) -> tuple[float, float]:
    """Return where two lines that are not parallel cross: x, y."""
    (a, b), (c, d) = one.normal, other.normal
    across = a * d - b * c
    return (one.offset * d - b * other.offset) / across, (a * other.offset - one.offset * c) / across


def turn(a: float, b: float) -> float:
    """Angle between two directions given in radians, in degrees, 0..180."""
    return abs((math.degrees(a - b) + 180) % 360 - 180)


def peak_gain(counts: FloatArray, every: FloatArray) -> FloatArray:
    """Gain of a side at each offset: points within a pixel of it, less BEYOND for each point further out.

    Parameters
    ----------
    counts, every : float array, (..., B)
        Points that speak for a side, and all points, by offset; outside is towards the end.
    """
    within = every.cumsum(axis=-1)
    gain = counts.copy()
    # A little less than the middle, or a sharp side would win at three offsets alike.
    near = NEIGHBOUR * counts
    gain[..., 1:] += near[..., :-1]
    gain[..., :-1] += near[..., 1:]
    within -= within[..., -1:]
    within *= BEYOND
    gain[..., :-2] += within[..., 1:-1]
    return gain


def _gains(points_P2: FloatArray, on_frame: BoolArray, angles: FloatArray) -> tuple[FloatArray, int]:
    """Gain of every line, (angles, offsets), and the offset of the first column."""
    along_PA = points_P2 @ np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    lowest = math.floor(float(along_PA.min())) - 1
    width = math.ceil(float(along_PA.max())) - lowest + 3
    cells = np.rint(along_PA - np.float32(lowest)).astype(np.intp)
    size = len(angles) * width
    # Points that end at the frame are counted beside the others, in a second table.
    cells += np.arange(len(angles)) * width + size * on_frame[:, None]
    free, held = np.bincount(cells.ravel(), minlength=2 * size).astype(np.float32).reshape(2, len(angles), width)
    held += free
    return peak_gain(free, held), lowest


def _refined(points_P2: FloatArray, lines: list[Line]) -> list[Line]:
    """Fit lines again, by least squares, to the points that touch each; L lines."""
    if not lines or not len(points_P2):
        return lines
    centre = points_P2.mean(axis=0, dtype=np.float64)
    x, y = (points_P2 - centre).T
    moments_P6 = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    fitted, going = list(lines), list(range(len(lines)))
    for width in (2 * TOUCH, TOUCH):
        normals = np.array([line.normal for line in fitted])
        offsets = np.array([line.offset for line in fitted]) - normals @ centre
        touching_LP = np.abs(normals @ np.stack([x, y]) - offsets[:, None]) <= width
        sums_L6 = (touching_LP.astype(np.float64) @ moments_P6).tolist()
        better = {i: _least_squares(fitted[i], sums_L6[i], centre) for i in going if sums_L6[i][0] >= LEAST_POINTS}
        refitted = {i: line for i, line in better.items() if line is not None}
        going, fitted = list(refitted), [refitted.get(i, line) for i, line in enumerate(fitted)]
    return fitted


def _least_squares(line: Line, sums: list[float], centre: FloatArray) -> Line | None:
    """Return the line through points of given moments about a centre; None where it turned too far."""
    n, x, y, xx, xy, yy = sums
    x, y = x / n, y / n
    along = 0.5 * math.atan2(2 * (xy - n * x * y), (xx - n * x * x) - (yy - n * y * y))
    angle = along + math.pi / 2
    if math.cos(angle - line.angle) < 0:
        angle += math.pi
    if turn(angle, line.angle) > 2 * STEP:
        return None
    angle %= 2 * math.pi
    offset = (x + centre[0]) * math.cos(angle) + (y + centre[1]) * math.sin(angle)
    return Line(angle, float(offset), line.weight)
