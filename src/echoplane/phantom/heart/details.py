"""Small things a sonographer looks for: papillary muscles, chordae, trabeculae, the moderator band, valve rings."""

from __future__ import annotations

import numpy as np

from echoplane.phantom.heart.atria import orifice
from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import Vector, around
from echoplane.phantom.heart.layout import Layout
from echoplane.phantom.heart.shapes import Points, round_cone, smooth_union
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray


def papillary(p: Points, base: Vector, head: Vector, radius: float, thicken: float) -> FloatArray:
    """Signed distance of one papillary muscle: a trunk with a rounded head that leans from the wall.

    `thicken` makes up for the narrowing of the cavity, so that the muscle keeps its volume.
    """
    middle = 0.45 * base + 0.55 * head
    middle[:2] *= 1.08
    trunk = round_cone(p, base, middle, 0.95 * radius * thicken, radius * thicken)
    return smooth_union(trunk, round_cone(p, middle, head, radius * thicken, 0.62 * radius * thicken), 0.2)


def chordae(patient: Patient, plan: Layout, opening: float) -> list[tuple[Vector, Vector]]:
    """Return the ends of the main chordae: from the heads of the papillary muscles to the leaflets' edges."""
    valves = patient.valves
    depth = np.array([0.0, 0.0, 0.55 + 1.2 * opening])
    lines = []
    for head, sign in zip(plan.papillary_head, (1.0, -1.0), strict=True):
        # Where the edge is along the ring's depth when shut and by how much it moves as it opens; where along the
        # line of closure. Larger leaflet, then smaller leaflet.
        for shut, move, aside in ((-0.25, 0.57, 0.38), (-0.30, -0.55, -0.10)):
            forward = plan.mitral_front * valves.mitral_depth * (shut + move * opening)
            edge = plan.mitral + forward + plan.mitral_side * valves.mitral_width * aside * sign + depth
            lines.append((head, edge))
    return lines


def band(patient: Patient, plan: Layout) -> tuple[Vector, Vector]:
    """Return the ends of the moderator band: from the lower septum to the free wall."""
    lv, rv = patient.lv, patient.rv
    level = rv.moderator_level * lv.length
    outer = plan.base_outer * (1 - 0.5 * (rv.moderator_level - 0.3) ** 2)
    width = rv.width * (1 - (rv.moderator_level / rv.reach) ** 2.3)
    septum = around(208.0, outer - 0.1, level - 0.55)
    return septum, around(203.0, outer + width + 0.1, level + 0.5)


def ridges(p: Points, pitch: float, seed: int) -> FloatArray:
    """Height in [-1, 1] of a field of irregular ridges that run mostly along the axis."""
    k = np.float32(2 * np.pi / pitch)
    s = np.float32(seed % 97)
    x, y, z = p
    a = np.sin(k * x + np.float32(0.9) * np.sin(np.float32(0.45) * k * z + s) + s)
    b = np.sin(k * y + np.float32(1.1) * np.sin(np.float32(0.38) * k * z - s) + 2 * s)
    return as_float(np.float32(0.5) * (a + b))


def ring(
    p: Points, centre: Vector, front: Vector, side: Vector, half: tuple[float, float], thickness: float
) -> FloatArray:
    """Signed distance of an elliptic fibrous ring across the axis."""
    across = orifice(p, centre, front, side, half)
    along = p[2] - np.float32(centre[2])
    return as_float(np.sqrt(across * across + along * along) - np.float32(thickness))


def coronary_sinus(p: Points, plan: Layout) -> FloatArray:
    """Signed distance of the coronary sinus: an arc in the groove behind the mitral ring."""
    x, y, z = p[0] - np.float32(0.15), p[1], p[2] + np.float32(0.55)
    r = np.sqrt(x * x + y * y) - np.float32(plan.base_outer - 0.05)
    tube = np.sqrt(r * r + z * z) - np.float32(0.32)
    middle = around(278.0)
    facing = (x * np.float32(middle[0]) + y * np.float32(middle[1])) * np.float32(1 / plan.base_outer)
    return as_float(np.maximum(tube, (0.62 - facing) * np.float32(plan.base_outer)))
