"""Great vessels: the aorta from its root over the arch to the diaphragm, the pulmonary artery, the caval veins."""

from __future__ import annotations

import numpy as np

from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.layout import Layout
from echoplane.phantom.heart.shapes import Points, dot, round_cone, smooth_union
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray

WALL = 0.18


def root_coordinates(p: Points, plan: Layout) -> tuple[FloatArray, Points]:
    """Height above the aortic ring along the root, and the offset from the root's axis."""
    q: Points = tuple(p[i] - np.float32(plan.aortic[i]) for i in range(3))  # type: ignore[assignment]
    h = dot(q, plan.aortic_axis)
    x, y, z = (q[i] - h * np.float32(plan.aortic_axis[i]) for i in range(3))
    return h, (x, y, z)


def root(p: Points, patient: Patient, plan: Layout) -> FloatArray:
    """Outflow tract, sinuses, junction and the first part of the ascending aorta."""
    v = patient.vessels
    h, (x, y, z) = root_coordinates(p, plan)
    r = np.sqrt(x * x + y * y + z * z)
    heights = np.array([-1.0, 0.0, 0.45, 1.15, 1.75, 2.3, 3.2, 5.5], dtype=np.float32)
    radii = np.array(
        [v.aortic_annulus, v.aortic_annulus, 0.75 * v.sinus + 0.25 * v.aortic_annulus, v.sinus, 0.9 * v.sinus,
         v.junction, v.ascending, v.ascending], dtype=np.float32)  # fmt: skip
    side = r - as_float(np.interp(h, heights, radii))
    return as_float(np.maximum(np.maximum(side, -0.35 - h), h - 6.5))


def aorta_beyond(p: Points, patient: Patient, plan: Layout) -> tuple[FloatArray, FloatArray]:
    """Upper ascending aorta with the arch, and descending aorta."""
    v = patient.vessels
    up = plan.axes.superior
    q: Points = tuple(p[i] - np.float32(plan.arch_middle[i]) for i in range(3))  # type: ignore[assignment]
    across, height = dot(q, plan.arch_across), dot(q, up)
    aside = dot(q, plan.arch_aside)
    radius = np.float32(plan.arch_radius)
    ring = np.where(
        height > 0, np.abs(np.sqrt(across * across + height * height) - radius), np.abs(np.abs(across) - radius)
    )
    tube = np.sqrt(ring * ring + aside * aside)
    start = np.float32((plan.root_end - plan.arch_middle) @ up)
    rising = np.maximum(tube - np.float32(0.9 * v.ascending), np.maximum(start - height, across))
    falling = np.maximum(tube - np.float32(v.descending), -across)
    return as_float(rising), as_float(falling)


def pulmonary(p: Points, patient: Patient, plan: Layout) -> FloatArray:
    """Trunk and the first part of its two branches."""
    v, axes = patient.vessels, plan.axes
    fork = plan.pulmonary_fork
    trunk = round_cone(p, plan.pulmonary, fork, v.pulmonary, 1.1 * v.pulmonary)
    right = round_cone(p, fork, fork + 4.0 * axes.right - 1.0 * axes.anterior, 0.8 * v.pulmonary, 0.7 * v.pulmonary)
    left = round_cone(p, fork, fork - 2.4 * axes.right - 2.0 * axes.anterior, 0.8 * v.pulmonary, 0.7 * v.pulmonary)
    return smooth_union(trunk, np.minimum(right, left), 0.4)


def caval_veins(p: Points, patient: Patient, plan: Layout) -> FloatArray:
    """Superior and inferior vena cava, with one hepatic vein."""
    axes, r = plan.axes, patient.vessels.cava
    down = -axes.superior
    low = plan.ra - 0.3 * axes.anterior + 0.8 * down
    mouth = low + 3.0 * down - 0.4 * axes.anterior
    inferior = round_cone(p, low, low + 12.0 * down - 2.0 * axes.anterior, 0.95 * r, r)
    hepatic = round_cone(p, mouth, mouth + 5.0 * down + 2.4 * axes.anterior + 1.2 * axes.right, 0.5 * r, 0.3 * r)
    top = plan.ra + 0.9 * axes.right - 0.4 * axes.anterior
    superior = round_cone(p, top, top + 8.0 * axes.superior, 0.8 * r, 0.85 * r)
    return as_float(np.minimum(smooth_union(inferior, hepatic, 0.4), superior))
