"""Where the probe is, and what it should see from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

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
        """The pose at a later time: the probe drifts and the patient breathes."""
        return replace(self)


def draw_pose(patient: Patient, view: str, rng: np.random.Generator, error: float = 1.0) -> Pose:
    """Draw a pose of the probe for a view."""
    angle = {"A4C": 30.0, "A2C": 90.0, "A3C": 150.0}.get(view, 110.0)
    angle = math.radians(angle + error * float(rng.normal(0, 5)))
    around = np.array([math.cos(angle), math.sin(angle), 0.0], dtype=np.float32)
    base_to_apex = np.array([0.0, 0.0, 1.0], dtype=np.float32)
    if view.startswith("A"):
        origin, axis, lateral = base_to_apex * (patient.lv_length + patient.wall + 1.0), -base_to_apex, around
    else:
        level = {"PSAX-MV": 0.15, "PSAX-PM": 0.5, "PSAX-AP": 0.8}.get(view, 0.3) * patient.lv_length
        axis = -around
        lateral = np.array([math.sin(angle), -math.cos(angle), 0.0], dtype=np.float32)
        origin = around * np.float32(8.0) + base_to_apex * np.float32(level)
        if view == "PLAX":
            lateral = -base_to_apex
    return Pose(view, origin.astype(np.float32), axis.astype(np.float32), lateral.astype(np.float32), {view: 1.0})
