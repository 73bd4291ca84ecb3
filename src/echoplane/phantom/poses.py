"""Where the probe is, and what it should see from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import Vector, around, unit
from echoplane.phantom.heart.layout import (
    FOUR_CHAMBER_DEG,
    LONG_AXIS_UP_DEG,
    SHORT_AXIS_UP_DEG,
    THREE_CHAMBER_DEG,
    TWO_CHAMBER_DEG,
    Layout,
    layout,
)
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Position of the probe in the heart frame at time zero.

    Attributes
    ----------
    view : str
        The label with the largest share.
    origin, axis, lateral : float32 array, (3,)
        Centre of the probe face, cm; direction of the middle beam; direction of the right of the picture.
        Directions are orthogonal unit vectors.
    shares : mapping of str to float
        How much the picture is of each view; sums to 1.
    errors : mapping of str to float
        What was drawn: degrees and centimetres.
    """

    view: str
    origin: FloatArray
    axis: FloatArray
    lateral: FloatArray
    shares: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)

    def at(self, time_s: float) -> Pose:
        """Return the pose at a later time: the probe drifts and the patient breathes."""
        return replace(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Aim:
    """An ideal pose: where the probe sits, which point it looks at, and what is right in the picture."""

    origin: Vector
    target: Vector
    right: Vector


def _apical(p: Patient, plan: Layout, degrees: float) -> _Aim:
    through = plan.mitral * np.array([0.7, 0.7, 0.0])
    return _Aim(plan.apical_window, through, around(degrees))


def _short(p: Patient, plan: Layout, level: float) -> _Aim:
    up = around(SHORT_AXIS_UP_DEG)
    z = level * p.lv.length
    far = float(np.linalg.norm(plan.parasternal_window[:2]))
    return _Aim(up * far + np.array([0.0, 0.0, z]), np.array([0.0, 0.0, z]), around(SHORT_AXIS_UP_DEG - 90))


_AIMS: dict[str, Callable[[Patient, Layout], _Aim]] = {
    "A4C": lambda p, plan: _apical(p, plan, FOUR_CHAMBER_DEG),
    "A2C": lambda p, plan: _apical(p, plan, TWO_CHAMBER_DEG),
    "A3C": lambda p, plan: _apical(p, plan, THREE_CHAMBER_DEG),
    "PSAX-MV": lambda p, plan: _short(p, plan, 0.12),
    "PSAX-PM": lambda p, plan: _short(p, plan, 0.50),
    "PSAX-AP": lambda p, plan: _short(p, plan, 0.82),
    "PSAX-AV": lambda p, plan: _short(p, plan, -0.11),
    "PLAX": lambda p, plan: _Aim(
        around(LONG_AXIS_UP_DEG, float(np.linalg.norm(plan.parasternal_window[:2])), 0.18 * p.lv.length),
        np.array([0.0, 0.0, 0.18 * p.lv.length]),
        np.array([0.0, 0.0, -1.0]),
    ),
    "A5C": lambda p, plan: _Aim(plan.apical_window, plan.aortic * np.array([0.8, 0.8, 1]), around(FOUR_CHAMBER_DEG)),
    "RV-A4C": lambda p, plan: _Aim(
        plan.apical_window + around(30.0, 1.5), plan.tricuspid * 0.75, around(FOUR_CHAMBER_DEG)
    ),
    "SC4C": lambda p, plan: _Aim(
        around(190.0, 10.5, 3.5), np.array([0.5, 0.0, 1.0]), np.array([0.0, 0.0, 1.0])
    ),
    "SC-IVC": lambda p, plan: _Aim(
        plan.ra - 6.5 * plan.axes.superior + 6.0 * plan.axes.anterior,
        plan.ra - 3.5 * plan.axes.superior,
        plan.axes.superior,
    ),
    "SSN": lambda p, plan: _Aim(
        plan.arch_middle + (plan.arch_radius + 4.0) * plan.axes.superior - 0.7 * plan.arch_across,
        plan.arch_middle,
        plan.arch_across,
    ),
}


def draw_pose(patient: Patient, view: str, rng: np.random.Generator, error: float = 1.0) -> Pose:
    """Draw a pose of the probe for a view."""
    plan = layout(patient)
    aim = _AIMS[view](patient, plan)
    axis = unit(aim.target - aim.origin)
    right = unit(aim.right - (aim.right @ axis) * axis)
    return Pose(view, as_float(aim.origin), as_float(axis), as_float(right), {view: 1.0})
