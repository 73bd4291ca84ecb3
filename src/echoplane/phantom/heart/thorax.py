"""What surrounds the heart: pericardium, lungs, liver, ribs. These do not beat."""

from __future__ import annotations

import numpy as np

from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import Vector, unit
from echoplane.phantom.heart.layout import Layout
from echoplane.phantom.heart.shapes import Points, bounded, dot, round_cone
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray


def below_diaphragm(p: Points, patient: Patient, plan: Layout) -> FloatArray:
    """Signed distance of what is under the diaphragm (a dome)."""
    up = plan.axes.superior
    height = dot(p, up)
    right = dot(p, plan.axes.right)
    return as_float(height + np.float32(patient.thorax.diaphragm_cm) + 0.012 * (right - 2.0) ** 2 - 0.3)


def liver(p: Points, patient: Patient, plan: Layout) -> FloatArray:
    """Signed distance of the liver: under the diaphragm, right and middle."""
    left = -dot(p, plan.axes.right)
    return as_float(np.maximum(below_diaphragm(p, patient, plan), left - 4.5))


def free_of_lung(p: Points, patient: Patient, plan: Layout) -> FloatArray:
    """Signed distance of where no lung is besides the heart: the windows, the mediastinum and the belly."""
    chest, up = patient.thorax, plan.axes.superior
    centre = np.array([0.0, 0.0, 3.5])
    passage = np.minimum(
        round_cone(p, plan.apical_window, centre, 0.55 * chest.window_cm, chest.window_cm),
        round_cone(p, plan.parasternal_window, centre, 0.9 * chest.window_cm, chest.window_cm),
    )
    spine = plan.arch_middle + plan.arch_radius * plan.arch_across + 0.8 * plan.axes.right
    mediastinum = round_cone(p, spine - 14 * up, spine + 6 * up, 2.6, 2.9)
    root = round_cone(p, plan.aortic, plan.root_end + 5 * up, 2.8, 4.0)
    return as_float(np.minimum(np.minimum(passage, mediastinum), np.minimum(root, below_diaphragm(p, patient, plan))))


def ribs(p: Points, patient: Patient, plan: Layout, face: Vector, inward: Vector) -> FloatArray:
    """Signed distance of the ribs above and below the space through which the probe looks, and of the sternum.

    Who holds the probe has found the gap between two ribs, so they lie beside its `face`, wherever it is on the
    chest; `inward` is the direction of the middle beam.
    """
    axes, gap = plan.axes, patient.thorax.rib_gap_cm
    result = np.full_like(p[0], 99.0)
    on_chest = min(float(np.linalg.norm(face - w)) for w in (plan.apical_window, plan.parasternal_window)) < 5.0
    if not on_chest:
        return result
    along = -axes.right - 0.35 * axes.superior - 0.25 * axes.anterior
    along = unit(along - (along @ inward) * inward)
    across = np.cross(along, inward)
    for side in (-1.0, 1.0):
        centre = face + 0.9 * inward + side * (gap + 0.6) * across
        result = np.minimum(result, round_cone(p, centre - 7 * along, centre + 7 * along, 0.5, 0.5))
    breast = plan.parasternal_window + 2.6 * axes.right + 0.9 * axes.anterior
    return as_float(np.minimum(result, round_cone(p, breast - 9 * axes.superior, breast + 8 * axes.superior, 0.9, 1.1)))


def effusion_depth(p: Points, patient: Patient) -> FloatArray:
    """Depth of pericardial fluid at each point: deepest behind and below."""
    most = patient.thorax.effusion_cm
    behind = bounded(p[1] * np.float32(-1 / 5.0), -1, 1)
    below = bounded(as_float(0.35 + (p[2] + 3) / 6), 0.1, 1)
    return as_float(np.float32(most) * (0.55 + 0.45 * behind) * below)
