"""Signed distances of simple bodies, centimetres, negative inside; good near the surface, rough far away."""

from __future__ import annotations

import numpy as np

from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import Vector
from echoplane.records import FloatArray

Points = tuple[FloatArray, FloatArray, FloatArray]

_ZERO, _ONE = np.float32(0), np.float32(1)


def bounded(x: FloatArray, low: float, high: float) -> FloatArray:
    """Limit values; faster than ``np.clip`` on small arrays."""
    return as_float(np.minimum(np.maximum(x, np.float32(low)), np.float32(high)))


def smooth_union(a: FloatArray, b: FloatArray, radius: float) -> FloatArray:
    """Union of two bodies with a fillet (polynomial smooth minimum)."""
    h = np.maximum(np.float32(radius) - np.abs(a - b), np.float32(0))
    return as_float(np.minimum(a, b) - h * h * np.float32(0.25 / radius))


def dot(p: Points, v: Vector) -> FloatArray:
    """Inner product of every point with a vector."""
    return as_float(p[0] * np.float32(v[0]) + p[1] * np.float32(v[1]) + p[2] * np.float32(v[2]))


def distance_to(p: Points, centre: Vector) -> FloatArray:
    """Distance of every point to one point."""
    x, y, z = (p[i] - np.float32(centre[i]) for i in range(3))
    return as_float(np.sqrt(x * x + y * y + z * z))


def round_cone(p: Points, a: Vector, b: Vector, radius_a: float, radius_b: float) -> FloatArray:
    """Segment from `a` to `b` with a radius that changes evenly."""
    ab = b - a
    ux, uy, uz = (np.float32(v) for v in ab)
    sx, sy, sz = (np.float32(v) for v in ab / float(ab @ ab))
    x, y, z = p[0] - np.float32(a[0]), p[1] - np.float32(a[1]), p[2] - np.float32(a[2])
    t = x * sx
    t += y * sy
    t += z * sz
    np.minimum(np.maximum(t, _ZERO, out=t), _ONE, out=t)
    x -= t * ux
    y -= t * uy
    z -= t * uz
    x *= x
    y *= y
    z *= z
    x += y
    x += z
    np.sqrt(x, out=x)
    t *= np.float32(radius_b - radius_a)
    x -= t
    x -= np.float32(radius_a)
    return x


def round_cone_near(p: Points, a: Vector, b: Vector) -> float:
    """Smallest distance between the points and a segment."""
    return float(round_cone(p, a, b, 0.0, 0.0).min())


def ellipsoid(u: FloatArray, v: FloatArray, w: FloatArray, half: tuple[float, float, float]) -> FloatArray:
    """Ellipsoid in its own axes, given the coordinates from its centre."""
    a, b, c = (np.float32(1 / h) for h in half)
    u, v, w = u * a, v * b, w * c
    k0 = np.sqrt(u * u + v * v + w * w) + np.float32(1e-6)
    u, v, w = u * a, v * b, w * c
    k1 = np.sqrt(u * u + v * v + w * w) + np.float32(1e-6)
    return as_float(k0 * (k0 - 1) / k1)


def smoothstep(x: FloatArray, start: float, end: float) -> FloatArray:
    """0 before `start`, 1 after `end`, smooth between; `end` may be smaller than `start`."""
    t = (x - np.float32(start)) * np.float32(1.0 / (end - start))
    np.minimum(np.maximum(t, _ZERO, out=t), _ONE, out=t)
    return as_float(t * t * (3 - 2 * t))
