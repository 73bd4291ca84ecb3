"""Where everything sits, derived once from a patient. Heart frame, centimetres, end-diastole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from echoplane.phantom.heart.frame import BodyAxes, Vector, around, body_axes, unit
from echoplane.phantom.population import Patient

#: Angles of the long-axis planes (right of the picture), and of the front of a short axis.
FOUR_CHAMBER_DEG = 30.0
TWO_CHAMBER_DEG = 88.0
THREE_CHAMBER_DEG = 150.0
SHORT_AXIS_UP_DEG = 124.0
LONG_AXIS_UP_DEG = 145.0


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Positions of structures that do not follow from one parameter alone."""

    axes: BodyAxes
    base_outer: float  # epicardial
    mitral: Vector
    mitral_front: Vector  # unit, from the posterior to the anterior leaflet
    mitral_side: Vector  # unit, from the posteromedial to the anterolateral commissure
    aortic: Vector
    aortic_axis: Vector
    root_end: Vector
    tricuspid: Vector
    pulmonary: Vector
    pulmonary_axis: Vector
    pulmonary_fork: Vector
    outflow: tuple[Vector, Vector]  # where the right outflow tract starts and passes the root
    la: Vector
    ra: Vector
    septal: Vector  # unit, from the left to the right atrium
    forward: Vector  # unit, the atria's front
    appendage: tuple[Vector, Vector]
    veins: tuple[tuple[Vector, Vector], ...]  # pulmonary veins
    arch_middle: Vector
    arch_across: Vector  # unit, horizontal, from the ascending to the descending aorta
    arch_aside: Vector  # unit, out of the arch's plane
    arch_radius: float
    papillary_base: tuple[Vector, Vector]
    papillary_head: tuple[Vector, Vector]
    apical_window: Vector  # on the skin
    parasternal_window: Vector


def _papillaries(patient: Patient) -> tuple[tuple[Vector, Vector], tuple[Vector, Vector]]:
    lv = patient.lv
    bases, heads = [], []
    for degrees in lv.papillary_deg:
        bases.append(around(degrees, 0.90 * lv.radius, 0.64 * lv.length))
        heads.append(around(degrees, 0.68 * lv.radius, 0.38 * lv.length))
    return (bases[0], bases[1]), (heads[0], heads[1])


@lru_cache(maxsize=64)
def layout(patient: Patient) -> Layout:
    """Derive the layout of a patient's heart."""
    lv, rv, vessels, valves = patient.lv, patient.rv, patient.vessels, patient.valves
    axes = body_axes(patient.thorax.roll_deg)
    base = lv.radius * math.sqrt(1 - lv.base_drop)
    outer = (lv.radius + lv.wall) * math.sqrt(1 - lv.base_drop)
    front = around(valves.mitral_deg)
    mitral = -front * max(base - valves.mitral_depth, 0.45)
    aortic = around(149.0, base + 0.55 - vessels.aortic_annulus, -0.05)
    tilt = math.radians(vessels.aortic_tilt_deg)
    aortic_axis = around(125.0, math.sin(tilt), -math.cos(tilt))
    la_centre = around(330.0, 1.0 + 0.35 * (patient.la.half_depth - 1.75), -0.85 * patient.la.half_length)
    la_centre = la_centre + around(210.0, 0.15)
    ra_centre = around(206.0, outer + 1.0 + 0.5 * (patient.ra.half_width - 1.95), 0.45 - 0.88 * patient.ra.half_length)
    tricuspid = around(205.0, outer + 0.05 + valves.tricuspid, 0.45)
    pulmonary = around(93.0, outer + 0.75, -2.3)
    pulmonary_axis = unit(0.75 * axes.superior - 0.65 * axes.anterior - 0.1 * axes.right)
    fork = pulmonary + 3.6 * pulmonary_axis
    s, p, r = axes.superior, -axes.anterior, axes.right
    root_end = aortic + 4.6 * aortic_axis
    descending = la_centre + p * (patient.la.half_depth + 1.6) - r * 0.9
    across = descending - root_end
    across = across - (across @ s) * s
    radius = float(np.clip(np.linalg.norm(across) / 2, 2.2, 3.6))
    across = unit(across)
    arch_middle = root_end + across * radius + s * max(0.0, 7.5 - float(root_end @ s))
    bases, heads = _papillaries(patient)
    chest = patient.thorax.wall_cm
    return Layout(
        axes=axes,
        base_outer=outer,
        mitral=mitral,
        mitral_front=front,
        mitral_side=around(valves.mitral_deg - 90.0),
        aortic=aortic,
        aortic_axis=aortic_axis,
        root_end=root_end,
        tricuspid=tricuspid,
        pulmonary=pulmonary,
        pulmonary_axis=pulmonary_axis,
        pulmonary_fork=fork,
        outflow=(
            around(158.0, outer + 0.40 * rv.width, 0.28 * lv.length),
            around(124.0, outer + 0.30 + 0.80 * rv.outflow, 0.0),
        ),
        la=la_centre,
        ra=ra_centre,
        septal=around(FOUR_CHAMBER_DEG + 180),
        forward=around(FOUR_CHAMBER_DEG + 90),
        appendage=(la_centre + around(60.0, 1.3, 0.3), around(62.0, base + 1.0, -0.7)),
        veins=(
            (la_centre, la_centre + p * 2.2 - r * 2.6 + s * 0.9),
            (la_centre, la_centre + p * 2.6 - r * 1.9 - s * 0.8),
            (la_centre, la_centre + p * 2.4 + r * 2.3 + s * 0.9),
            (la_centre, la_centre + p * 2.8 + r * 1.6 - s * 0.6),
        ),
        arch_middle=arch_middle,
        arch_across=across,
        arch_aside=np.cross(across, s),
        arch_radius=radius,
        papillary_base=bases,
        papillary_head=heads,
        apical_window=np.array([lv.bend[0] * 0.5, lv.bend[1] * 0.5, lv.length + lv.wall_apex + 0.75 * chest]),
        parasternal_window=around(130.0, outer + 0.5 * rv.width + 0.6 * rv.outflow + rv.wall + chest, 0.26 * lv.length),
    )
