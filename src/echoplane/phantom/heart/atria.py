"""Atria with their lobes, the veins that enter them, and the septum between them."""

from __future__ import annotations

import numpy as np

from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import Vector
from echoplane.phantom.heart.layout import Layout
from echoplane.phantom.heart.shapes import Points, distance_to, dot, ellipsoid, round_cone, smooth_union, smoothstep
from echoplane.phantom.population import Atrium, Patient
from echoplane.records import FloatArray

WALL = 0.2
_SEPTUM = 0.16
_FOSSA = 0.05


def _body(p: Points, centre: Vector, atrium: Atrium, plan: Layout) -> FloatArray:
    q: Points = (p[0] - np.float32(centre[0]), p[1] - np.float32(centre[1]), p[2] - np.float32(centre[2]))
    return ellipsoid(
        dot(q, plan.septal), dot(q, plan.forward), q[2], (atrium.half_width, atrium.half_depth, atrium.half_length)
    )


def orifice(p: Points, centre: Vector, front: Vector, side: Vector, half: tuple[float, float]) -> FloatArray:
    """Signed distance, across the axis only, to an elliptic valve ring."""
    q: Points = (p[0] - np.float32(centre[0]), p[1] - np.float32(centre[1]), p[2])
    u, v = dot(q, front) * np.float32(1 / half[0]), dot(q, side) * np.float32(1 / half[1])
    return as_float((np.sqrt(u * u + v * v) - 1) * np.float32(0.5 * (half[0] + half[1])))


def branches(plan: Layout) -> tuple[tuple[Vector, Vector, float, float], ...]:
    """Appendage and pulmonary veins as round cones: ends and radii."""
    return ((*plan.appendage, 0.95, 0.55), *((start, end, 0.62, 0.55) for start, end in plan.veins))


def atria(
    p: Points, patient: Patient, plan: Layout, lobes: tuple[tuple[Vector, Vector, float, float], ...]
) -> tuple[FloatArray, FloatArray]:
    """Signed distances of the left and the right atrial cavity with a septum between them.

    Parameters
    ----------
    p : points at end-diastole
    patient, plan
    lobes : tuple
        Those of :func:`branches` that come near the points; the others are left out to save time.
    """
    valves = patient.valves
    left = _body(p, plan.la, patient.la, plan)
    right = _body(p, plan.ra, patient.ra, plan)
    funnel = orifice(p, plan.mitral, plan.mitral_front, plan.mitral_side, (valves.mitral_depth, valves.mitral_width))
    left = smooth_union(left, np.maximum(funnel, np.abs(p[2] + 0.6) - 0.6), 0.5)
    ring = (valves.tricuspid, valves.tricuspid)
    funnel = orifice(p, plan.tricuspid, plan.septal, plan.forward, ring)
    middle = np.float32(plan.tricuspid[2] - 0.6)
    right = smooth_union(right, np.maximum(funnel, np.abs(p[2] - middle) - 0.6), 0.5)
    for lobe in lobes:
        left = smooth_union(left, round_cone(p, *lobe), 0.5)
    return split(p, left, right, plan)


def split(p: Points, left: FloatArray, right: FloatArray, plan: Layout) -> tuple[FloatArray, FloatArray]:
    """Push two cavities apart by a septum, thin at the oval fossa."""
    fossa = 0.5 * (plan.la + plan.ra)
    thick = np.float32(_FOSSA) + np.float32(_SEPTUM - _FOSSA) * smoothstep(distance_to(p, fossa), 0.6, 1.3)
    half = np.float32(0.5) * (left - right)
    return as_float(np.maximum(left, half + thick)), as_float(np.maximum(right, thick - half))
