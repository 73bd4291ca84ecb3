"""Ideal poses: which point of the chest the probe sits on for each view, and what it looks at.

Views and their landmarks follow Mitchell et al., J Am Soc Echocardiogr 2019;32:1-64, in the display convention of the
American Society of Echocardiography (apical views: apex up, left ventricle right in the four-chamber view).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from echoplane.phantom.heart.frame import Vector, around, unit
from echoplane.phantom.heart.layout import (
    FOUR_CHAMBER_DEG,
    LONG_AXIS_UP_DEG,
    SHORT_AXIS_UP_DEG,
    THREE_CHAMBER_DEG,
    TWO_CHAMBER_DEG,
    Layout,
)
from echoplane.phantom.population import Patient


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of the errors of a pose."""

    rotation_deg: float
    tilt_deg: float
    rock_deg: float
    lateral_cm: float
    out_cm: float
    depth_cm: float
    foreshortens: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """An ideal pose.

    Attributes
    ----------
    origin, target : array, (3,)
        Probe face and the point it looks at, cm.
    right : array, (3,)
        What is right in the picture (made orthogonal to the beam later).
    up : array, (3,)
        The way a hand slips that sits too high.
    spread : Spread
    """

    origin: Vector
    target: Vector
    right: Vector
    up: Vector
    spread: Spread


_APICAL = Spread(6.5, 3.5, 6.5, 0.6, 0.4, 0.3, foreshortens=True)
_SHORT = Spread(8.0, 4.0, 6.0, 0.8, 0.0, 0.5)
_LONG = Spread(6.0, 4.0, 6.0, 0.8, 0.4, 0.5)
_OTHER = Spread(8.0, 6.0, 7.0, 0.8, 0.6, 0.8)
_VESSEL = Spread(6.0, 3.0, 6.0, 0.6, 0.25, 0.6)

_Aim = Callable[[Patient, Layout, np.random.Generator, float], Aim]


def _high(plan: Layout) -> Vector:
    return unit(plan.axes.superior + 0.6 * plan.axes.anterior)


def _apical(degrees: float, off_centre: tuple[float, float]) -> _Aim:
    """Through the apex and the middle of the mitral ring; `off_centre` is how far left of it the beam points, cm."""

    def aim(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
        right = around(degrees)
        # Along the mitral ring's middle, but only out of the plane: within it the beam may point anywhere.
        out = around(degrees + 90)
        middle = (1.1 * plan.mitral @ out) * out
        beside = float(rng.uniform(*off_centre)) * error + (1 - error) * sum(off_centre) / 2
        return Aim(plan.apical_window, middle - beside * right, right, _high(plan), _APICAL)

    return aim


def _five_chamber(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    right = around(FOUR_CHAMBER_DEG)
    out = around(FOUR_CHAMBER_DEG + 90)
    beside = float(rng.uniform(0.0, 1.5)) * error + 0.75 * (1 - error)
    return Aim(
        plan.apical_window, (plan.aortic @ out) * out - beside * right, right, _high(plan),
        Spread(6.0, 1.5, 6.0, 0.5, 0.3, 0.3, foreshortens=True),
    )  # fmt: skip


def _right_focused(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    """Keep to the four-chamber plane, clear of the aorta, with the right ventricle in the middle."""
    right, out = around(FOUR_CHAMBER_DEG), around(FOUR_CHAMBER_DEG + 90)
    middle = (0.6 * plan.tricuspid @ right) * right + (1.1 * plan.mitral @ out) * out
    return Aim(plan.apical_window + 1.2 * right, middle, right, _high(plan), _APICAL)


def _short(mean: float, sd: float, low: float, high: float) -> _Aim:
    """Perpendicular to the long axis at a level drawn from a normal distribution that is cut at `low` and `high`."""

    def aim(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
        level = float(np.clip(mean + error * sd * rng.normal(), low, high))
        return _at_level(level, patient, rng, error)

    return aim


def _at_level(level: float, patient: Patient, rng: np.random.Generator, error: float) -> Aim:
    lv, rv = patient.lv, patient.rv
    z = np.array([0.0, 0.0, level * lv.length])
    # The heart gets slimmer to the apex, and the probe follows it, though the chest curves less.
    slim = math.sqrt(max(0.2, 1 - (max(0.0, level - 0.3) / 0.75) ** 2))
    surface = (lv.radius + lv.wall) * slim + 0.5 * rv.width * max(0.0, 1 - (max(level, 0.0) / rv.reach) ** 2.3)
    tract = 0.6 * rv.outflow * max(0.0, 1 - max(0.0, level - 0.2) / 0.4)
    slack = (0.5 + float(rng.normal()) * 0.4 * error) * max(0.0, level - 0.2)
    far = surface + tract + rv.wall + patient.thorax.wall_cm + 1.2 * max(0.0, slack)
    up = around(SHORT_AXIS_UP_DEG)
    aside = around(SHORT_AXIS_UP_DEG + 90, 0.8 * slim)  # the picture's middle lies between the ventricles
    # Seen from the left chest, the plane runs a little towards the apex on the right ventricle's side.
    right = around(SHORT_AXIS_UP_DEG - 90, 1.0, -0.09)
    return Aim(up * far + z, aside + z + 0.09 * 0.8 * slim * np.array([0.0, 0.0, 1.0]), right, up, _SHORT)


def _mitral_level(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    """At the tips of the open leaflets, so deep that the ring does not pass through the plane in systole."""
    lowest = (patient.lv.mapse + 0.15) / patient.lv.length
    level = float(np.clip(0.24 + error * 0.035 * rng.normal(), lowest, max(lowest, 0.335)))
    return _at_level(level, patient, rng, error)


def _any_level(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    return _at_level(float(rng.uniform(0.08, 0.89)), patient, rng, error)


def _aortic_level(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    """Perpendicular to the aortic root, through its cusps."""
    height = float(0.55 + error * 0.2 * rng.normal())
    middle = plan.aortic + height * plan.aortic_axis
    up = around(SHORT_AXIS_UP_DEG)
    up = unit(up - (up @ plan.aortic_axis) * plan.aortic_axis)
    far = float(np.linalg.norm(plan.parasternal_window[:2])) - 1.2
    right = np.cross(up, -plan.aortic_axis)
    return Aim(middle + far * up, middle - 0.3 * right, right, up, _SHORT)


def _long(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    up, z = around(LONG_AXIS_UP_DEG), (0.12 + 0.06 * error * float(rng.normal())) * patient.lv.length
    far = float(np.linalg.norm(plan.parasternal_window[:2])) - 0.3
    tilt = 0.9 + 0.8 * error * float(rng.normal())  # the picture's middle is nearer to the aortic valve
    here = np.array([0.0, 0.0, z])
    return Aim(up * far + here, here - np.array([0.0, 0.0, tilt]), np.array([0.0, 0.0, -1.0]), up, _LONG)


def _subcostal(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    apex = np.array([0.0, 0.0, 1.0])
    return Aim(around(214.0, 9.5, 5.0), np.array([-0.3, 0.0, 0.8]), apex, -plan.axes.superior, _OTHER)


def _cava(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    axes = plan.axes
    low = plan.ra - 0.3 * axes.anterior - 4.0 * axes.superior
    return Aim(low - 2.5 * axes.superior + 7.0 * axes.anterior, low, axes.superior, axes.right, _VESSEL)


def _suprasternal(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Aim:
    axes, across = plan.axes, plan.arch_across
    top = plan.arch_middle + plan.arch_radius * axes.superior
    return Aim(
        top + 3.2 * axes.superior - 0.8 * across, plan.arch_middle + 0.4 * across, across, axes.anterior, _VESSEL
    )


#: The ideal pose of every view that can be drawn.
AIMS: Mapping[str, _Aim] = {
    "A2C": _apical(TWO_CHAMBER_DEG, (-0.7, 0.7)),
    "A3C": _apical(THREE_CHAMBER_DEG, (-1.6, 0.3)),
    "A4C": _apical(FOUR_CHAMBER_DEG, (0.2, 2.6)),
    "A5C": _five_chamber,
    "RV-A4C": _right_focused,
    "PSAX-AV": _aortic_level,
    "PSAX-MV": _mitral_level,
    "PSAX-PM": _short(0.52, 0.075, 0.34, 0.69),
    "PSAX-AP": _short(0.82, 0.045, 0.70, 0.88),
    "PSAX": _any_level,
    "PLAX": _long,
    "SC4C": _subcostal,
    "SC-IVC": _cava,
    "SSN": _suprasternal,
}
