"""Directions: around the long axis, and the body's own axes as the heart sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


def around(degrees: float, length: float = 1.0, z: float = 0.0) -> Vector:
    """Point at an angle around the long axis, a distance from it and a height."""
    a = math.radians(degrees)
    return np.array([length * math.cos(a), length * math.sin(a), z])


def unit(vector: Vector) -> Vector:
    """Return the vector with length 1."""
    return np.asarray(vector / np.linalg.norm(vector))


@dataclass(frozen=True, slots=True, eq=False)
class BodyAxes:
    """Unit vectors of the body in the heart frame."""

    right: Vector
    anterior: Vector
    superior: Vector


#: The heart's long axis points left, forward and down: base to apex in (right, anterior, superior).
_APEX = unit(np.array([-0.62, 0.62, -0.48]))

#: Direction around the long axis that faces the front of the chest most.
_FRONT_DEG = 145.0


def body_axes(roll_deg: float = 0.0) -> BodyAxes:
    """Axes of the body for a heart turned by `roll_deg` around its long axis."""
    forward = np.array([0.0, 1.0, 0.0])
    up = unit(forward - (forward @ _APEX) * _APEX)
    side = np.cross(up, _APEX)
    # Rows: where the heart's own directions point in the body. Columns: the body's axes in those directions.
    turn = _FRONT_DEG + roll_deg
    e_side, e_up = around(turn - 90.0), around(turn)
    apex = np.array([0.0, 0.0, 1.0])
    columns = [side[i] * e_side + up[i] * e_up + _APEX[i] * apex for i in range(3)]
    return BodyAxes(*columns)
