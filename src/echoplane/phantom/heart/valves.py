"""Leaflets and cusps: thin sheets that open on their own clock, seen in end-diastolic coordinates.

A mitral or tricuspid leaflet is a sheet hinged on the ring that swings towards the apex. In the plane of each section
across the valve it is a bowed line from the hinge; hinge distance and length change along the line of closure, which
gives the curved closing line, the domed leaflets of the long axes and the fish mouth of the short axis.
A semilunar cusp is a sheet from the ring to a free edge that runs from commissure to commissure: through the centre
when shut (three lines of a star), along the wall when open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import Vector, unit
from echoplane.phantom.heart.shapes import Points, bounded, dot
from echoplane.records import FloatArray

_OPEN_ANTERIOR = math.radians(78.0)
_OPEN_POSTERIOR = math.radians(96.0)
_EXCESS = 1.24  # length of a leaflet over the way to the closing line
_SHUT = math.radians(17.0)  # a shut leaflet's angle to the ring


@dataclass(frozen=True, slots=True, eq=False)
class Leaflets:
    """An atrioventricular valve with two visible leaflets.

    Attributes
    ----------
    centre : array, (3,)
        Middle of the ring.
    front, side : array, (3,)
        Unit vectors from the smaller to the larger leaflet, and along the line of closure.
    depth, width : float
        Half axes of the ring along `front` and `side`, cm.
    closing : float
        Where the leaflets meet in the middle, as a share of `depth`, negative towards the smaller leaflet.
    curve : float
        How far the closing line bends towards the larger leaflet at its ends, as a share of `depth`.
    thickness : float
    saddle : float
        Height of the ring's horns over its middle, cm.
    """

    centre: Vector
    front: Vector
    side: Vector
    depth: float
    width: float
    closing: float
    curve: float
    thickness: float
    saddle: float

    def local(self, p: Points) -> Points:
        """Coordinates along `front`, along `side` and towards the apex, from the ring."""
        q: Points = tuple(p[i] - np.float32(self.centre[i]) for i in range(3))  # type: ignore[assignment]
        f, s = dot((q[0], q[1], q[2] * 0), self.front), dot((q[0], q[1], q[2] * 0), self.side)
        e = (f * np.float32(1 / self.depth)) ** 2 - (s * np.float32(1 / self.width)) ** 2
        return f, s, as_float(q[2] + np.float32(self.saddle) * bounded(e, -1.2, 1.2))

    def distance(self, p: Points, opening: float, bulge: float) -> FloatArray:
        """Signed distance of both leaflets.

        Parameters
        ----------
        p : points at end-diastole
        opening : float
            0 shut, 1 wide open.
        bulge : float
            Centimetres by which the shut leaflets billow to the atrium.
        """
        f, s, q = self.local(p)
        span = np.sqrt(np.maximum(1 - (s * np.float32(1 / self.width)) ** 2, np.float32(0.0)))
        hinge = np.float32(self.depth) * span
        along = np.minimum((s * np.float32(1 / (0.92 * self.width))) ** 2, 1.3)
        meet = np.float32(self.depth) * (np.float32(self.closing) + np.float32(self.curve) * along)
        meet = np.minimum(np.maximum(meet, -hinge), hinge)
        large = self._sheet(hinge - f, q, hinge - meet, _SHUT + (_OPEN_ANTERIOR - _SHUT) * opening, bulge, opening)
        small = self._sheet(f + hinge, q, hinge + meet, _SHUT + (_OPEN_POSTERIOR - _SHUT) * opening, bulge, opening)
        return as_float(np.minimum(large, small))

    def _sheet(
        self, away: FloatArray, q: FloatArray, reach: FloatArray, angle: float, bulge: float, opening: float
    ) -> FloatArray:
        """One leaflet: `away` is the distance from the hinge across the ring, `q` towards the apex."""
        # Shut leaflets overlap: what is beyond the closing line lies against the other leaflet and does not count.
        shut_length = 1.02 / math.cos(_SHUT)
        length = np.float32(shut_length + (_EXCESS - shut_length) * min(1.0, 3 * opening)) * reach
        cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        t = away * cosine + q * sine
        n = q * cosine - away * sine
        # Shut leaflets billow to the atrium, open ones dome to the inflow.
        bow = np.float32(0.07 * opening) - np.float32(0.10 + 0.5 * bulge) * np.float32(1 - opening)
        share = t / np.maximum(length, np.float32(0.05))
        n = n - 4 * bow * bounded(share * (1 - share), 0, 1) * np.minimum(length, 2.0)
        half = np.float32(0.5 * self.thickness) * (0.8 + 0.5 * bounded(share, 0, 1))
        over = np.maximum(np.maximum(-t, t - length), 0)
        return as_float(np.sqrt(n * n + over * over) - half + (reach < 0.1) * np.float32(0.5))


def across(axis: Vector) -> tuple[Vector, Vector]:
    """Two unit vectors orthogonal to an axis and to each other."""
    first = unit(np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.999 else [1.0, 0.0, 0.0]))
    return first, np.cross(axis, first)


@dataclass(frozen=True, slots=True, eq=False)
class Cusps:
    """A semilunar valve.

    Attributes
    ----------
    centre, axis : array, (3,)
        Middle of the ring; unit vector downstream.
    first, second : array, (3,)
        Unit vectors across the axis, from :func:`across`.
    radius : float
        Of the vessel at the free edges, cm.
    height : float
        Of the free edges above the ring, cm.
    turn_deg : float
        Turn of the first cusp around the axis.
    thickness : float
    stiff : float
        0 to 1: how much of the opening is lost.
    """

    centre: Vector
    axis: Vector
    first: Vector
    second: Vector
    radius: float
    height: float
    turn_deg: float
    thickness: float
    stiff: float

    def distance(self, p: Points, opening: float) -> FloatArray:
        """Signed distance of the three cusps; `opening` from 0 shut to 1."""
        q: Points = tuple(p[i] - np.float32(self.centre[i]) for i in range(3))  # type: ignore[assignment]
        h = dot(q, self.axis)
        u, v = dot(q, self.first), dot(q, self.second)
        r = np.sqrt(u * u + v * v) + np.float32(1e-3)
        third = np.float32(2 * math.pi / 3)
        angle = np.arctan2(v, u) - np.float32(math.radians(self.turn_deg))
        within = np.abs(angle - third * np.round(angle / third)) / (third / 2)
        part = bounded(h * np.float32(1 / self.height), 0, 1)
        open_ = np.float32(0.86 * opening * (1 - 0.75 * self.stiff))
        shut_edge = within**9
        edge = np.float32(self.radius) * np.maximum(open_ + (1 - open_) * shut_edge, np.float32(0.02))
        wall = np.float32(self.radius)
        bellied = part * part * (3 - 2 * part)
        surface = wall + (edge - wall) * (0.35 * part + 0.65 * bellied)
        tilt = (wall - edge) * np.float32(1.1 / self.height)
        steep = np.float32(9.0 * self.radius) * (1 - open_) * within**8 * part / (third / 2) / np.maximum(r, surface)
        n = (r - surface) / np.sqrt(1 + tilt * tilt + steep * steep)
        over = np.maximum(np.maximum(-h, h - np.float32(self.height)), 0)
        return as_float(np.sqrt(n * n + over * over) - np.float32(0.5 * self.thickness))
