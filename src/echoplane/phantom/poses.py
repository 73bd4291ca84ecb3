"""Where the probe is, and what it sees from there.

A pose starts as the ideal one of a view and is then spoilt as hands, ribs and lungs spoil it. What the picture is
called follows from where the plane lies while it is recorded, not from what was meant: near a border the label is
shared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from echoplane.errors import UsageError
from echoplane.phantom.aims import AIMS, Aim
from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import Vector, unit
from echoplane.phantom.heart.layout import FOUR_CHAMBER_DEG, Layout, layout
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray
from echoplane.views import suggest

#: Angles between the apical planes at which a picture is half of each, degrees in the heart frame.
APICAL_BORDERS_DEG = (60.0, 120.0)
#: Levels of a short axis (share of the ventricle's length from the mitral plane) at which it is half of each.
LEVEL_BORDERS = (0.08, 0.34, 0.69)
_LEVEL_NAMES = ("PSAX-AV", "PSAX-MV", "PSAX-PM", "PSAX-AP")
_ANGLE_BLUR_DEG = 5.0
_LEVEL_BLUR = 0.022
_TRIES = 24
#: Over so many seconds from its start, what a recording shows gives it its name: probes drift, patients breathe.
NAMED_OVER_S = 1.25
#: The apical views that one ladder of angles tells apart.
_APICAL = ("A2C", "A3C", "A4C", "A5C")
_LAST_LEVEL = 0.90


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """How the probe moves against the heart during a recording.

    Attributes
    ----------
    velocity : array, (3,)
        cm/s.
    turn_deg_s : tuple of float
        Rotation around the beam axis, tilt out of the plane and rocking within it, degrees a second.
    breath : array, (3,)
        Largest displacement by breathing, cm.
    breath_hz, breath_phase : float
    """

    velocity: Vector
    turn_deg_s: tuple[float, float, float]
    breath: Vector
    breath_hz: float
    breath_phase: float


_STILL = Drift(np.zeros(3), (0.0, 0.0, 0.0), np.zeros(3), 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Position of the probe in the heart frame.

    Attributes
    ----------
    view : str
        The label with the largest share.
    origin, axis, lateral : float32 array, (3,)
        Centre of the probe face, cm; direction of the middle beam; direction of the right of the picture.
        Directions are orthogonal unit vectors.
    shares : mapping of str to float
        How much the picture is of each view over the first :data:`NAMED_OVER_S` seconds; sums to 1.
    errors : mapping of str to float
        What was drawn: ``rotation_deg``, ``tilt_deg``, ``rock_deg``, ``shift_lateral_cm``, ``shift_out_cm``,
        ``shift_depth_cm``, ``foreshortening_cm``; and as it is at the start, ``level`` of a short axis, ``angle_deg``
        of an apical view.
    drift : Drift
    """

    view: str
    origin: FloatArray
    axis: FloatArray
    lateral: FloatArray
    shares: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)
    drift: Drift = _STILL

    def at(self, time_s: float) -> Pose:
        """Return the pose at a later time: the probe drifts and the patient breathes."""
        d = self.drift
        if d is _STILL:
            return self
        wave = math.sin(2 * math.pi * d.breath_hz * time_s + d.breath_phase) - math.sin(d.breath_phase)
        # Hands wander and come back: the drift slows down after some seconds.
        lapse = 3.0 * math.tanh(time_s / 3.0)
        origin = self.origin + d.velocity * lapse + d.breath * wave
        axis, lateral = _turned(
            np.asarray(self.axis, np.float64),
            np.asarray(self.lateral, np.float64),
            *(math.radians(w * lapse) for w in d.turn_deg_s),
        )
        return replace(self, origin=as_float(origin), axis=as_float(axis), lateral=as_float(lateral))


def _turned(axis: Vector, lateral: Vector, rotation: float, tilt: float, rock: float) -> tuple[Vector, Vector]:
    """Rotate around the axis, then tilt out of the plane, then rock within it (radians)."""
    out = np.cross(axis, lateral)
    lateral = lateral * math.cos(rotation) + out * math.sin(rotation)
    out = np.cross(axis, lateral)
    axis = axis * math.cos(tilt) + out * math.sin(tilt)
    axis, lateral = axis * math.cos(rock) + lateral * math.sin(rock), lateral * math.cos(rock) - axis * math.sin(rock)
    return unit(axis), unit(lateral)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-min(max(value, -40.0), 40.0)))


def _ladder(value: float, borders: tuple[float, ...], blur: float) -> list[float]:
    """Shares of the steps of an ordered scale with blurred borders."""
    above = [1.0, *(_sigmoid((value - b) / blur) for b in borders), 0.0]
    return [max(0.0, above[i] - above[i + 1]) for i in range(len(borders) + 1)]


def apical_shares(origin: Vector, axis: Vector, lateral: Vector, plan: Layout) -> dict[str, float]:
    """Say what an apical plane shows, from its angle around the long axis and its distance to the aortic valve."""
    degrees = math.degrees(math.atan2(lateral[1], lateral[0]))
    two, three = _ladder(degrees, APICAL_BORDERS_DEG, _ANGLE_BLUR_DEG)[1:]
    four = 1 - two - three
    normal = np.cross(axis, lateral)
    gap = abs(float((plan.aortic - origin) @ normal))
    five = four * _sigmoid((0.75 - gap) / 0.12)
    # A two-chamber picture shows no aortic root, a three-chamber picture does.
    crossed = two * _sigmoid((0.55 - gap) / 0.12) - three * _sigmoid((gap - 1.3) / 0.12)
    return {"A4C": four - five, "A5C": five, "A2C": two - crossed, "A3C": three + crossed}


def level_of(origin: Vector, axis: Vector, lateral: Vector, patient: Patient) -> float:
    """Where a short-axis plane cuts the long axis, as a share of its length from the mitral plane."""
    normal = np.cross(axis, lateral)
    return float(origin @ normal / normal[2] / patient.lv.length)


def _shares(view: str, origin: Vector, axis: Vector, lateral: Vector, patient: Patient) -> dict[str, float]:
    if view in _APICAL or view == "RV-A4C":
        found = apical_shares(origin, axis, lateral, layout(patient))
        if view == "RV-A4C":
            found[view] = found.pop("A4C")
        return found
    if view in _LEVEL_NAMES or view == "PSAX":
        level = level_of(origin, axis, lateral, patient)
        return dict(zip(_LEVEL_NAMES, _ladder(level, LEVEL_BORDERS, _LEVEL_BLUR), strict=True))
    return {view: 1.0}


def shares_of(start: Pose, view: str, patient: Patient) -> dict[str, float]:
    """Say how much of each view a pose shows over the first :data:`NAMED_OVER_S` seconds.

    Parameters
    ----------
    start : Pose
        At time 0.
    view : str
        What was meant: tells between which views the borders lie (apical ones, levels of the short axis, or none).
    patient : Patient

    Returns
    -------
    dict of str to float
        Sums to 1; shares below 0.01 are left out.
    """
    found: dict[str, float] = {}
    for time_s in np.linspace(0.0, NAMED_OVER_S, 6 if start.drift is not _STILL else 1):
        pose = start.at(float(time_s))
        origin, axis, lateral = (np.asarray(v, np.float64) for v in (pose.origin, pose.axis, pose.lateral))
        for name, share in _shares(view, origin, axis, lateral, patient).items():
            found[name] = found.get(name, 0.0) + share
    kept = {name: share for name, share in found.items() if share >= 0.01 * sum(found.values())}
    total = sum(kept.values())
    return {name: share / total for name, share in kept.items()}


def _shows_cavity(found: str, origin: Vector, axis: Vector, lateral: Vector, patient: Patient) -> bool:
    """Tell whether a short axis still cuts the cavity; nobody keeps a clip of solid muscle."""
    return found != "PSAX-AP" or level_of(origin, axis, lateral, patient) < _LAST_LEVEL


def _draw_errors(aim: Aim, rng: np.random.Generator, error: float) -> dict[str, float]:
    sd = aim.spread

    def draw(scale: float) -> float:
        return float(error * scale * np.clip(rng.normal(), -2.3, 2.3))

    foreshortened = float(rng.exponential(0.8)) if rng.random() < 0.3 else 0.0
    return {
        "rotation_deg": draw(sd.rotation_deg),
        "tilt_deg": draw(sd.tilt_deg),
        "rock_deg": draw(sd.rock_deg),
        "shift_lateral_cm": draw(sd.lateral_cm),
        "shift_out_cm": draw(sd.out_cm),
        "shift_depth_cm": draw(sd.depth_cm),
        "foreshortening_cm": error * min(foreshortened, 2.5) if sd.foreshortens else 0.0,
    }


def _spoilt(aim: Aim, errors: Mapping[str, float]) -> tuple[Vector, Vector, Vector]:
    axis = unit(aim.target - aim.origin)
    lateral = unit(aim.right - (aim.right @ axis) * axis)
    out = np.cross(axis, lateral)
    # A foreshortening hand sits too high on the chest: the beam enters in front of the apex.
    high = unit(aim.up - (aim.up @ axis) * axis) * errors["foreshortening_cm"]
    origin = (
        aim.origin + errors["shift_lateral_cm"] * lateral + errors["shift_out_cm"] * out
        - errors["shift_depth_cm"] * axis + high
    )  # fmt: skip
    # The eye keeps the middle of the heart in the picture when the probe slides.
    axis = unit(aim.target + 0.35 * (origin - aim.origin) - origin)
    lateral = unit(aim.right - (aim.right @ axis) * axis)
    angles = (math.radians(errors[name]) for name in ("rotation_deg", "tilt_deg", "rock_deg"))
    axis, lateral = _turned(axis, lateral, *angles)
    return origin, axis, lateral


def _draw_drift(patient: Patient, plan: Layout, rng: np.random.Generator, error: float) -> Drift:
    held = bool(rng.random() < 0.5)  # many clips are taken in held expiration
    depth = 0.0 if held else float(rng.uniform(0.1, 0.5))
    return Drift(
        velocity=error * 0.08 * rng.normal(size=3),
        turn_deg_s=tuple(error * 0.8 * float(v) for v in rng.normal(size=3)),  # type: ignore[arg-type]
        breath=error * depth * (plan.axes.superior + 0.3 * plan.axes.anterior),
        breath_hz=patient.rhythm.breaths / 60.0,
        breath_phase=float(rng.uniform(0, 2 * math.pi)),
    )


def draw_pose(patient: Patient, view: str, rng: np.random.Generator, error: float = 1.0) -> Pose:
    """Draw a pose of the probe for a view.

    Parameters
    ----------
    patient : Patient
    view : str
        A2C, A3C, A4C, A5C, RV-A4C, PSAX-AV, PSAX-MV, PSAX-PM, PSAX-AP, PLAX, SC4C, SC-IVC, SSN; or ``PSAX`` for a
        short axis anywhere between the aortic valve and the apex, borders included.
    rng : numpy Generator
    error : float
        Scale of all errors; 0 gives the ideal pose.

    Returns
    -------
    Pose
        Its `view` is the one asked for (unless ``PSAX``), with the largest share; the others have the rest.

    Raises
    ------
    UsageError
        For a view that cannot be posed.
    """
    if view not in AIMS:
        raise UsageError(f"no pose for the view {view!r}{suggest(view, AIMS)}; known: {', '.join(AIMS)}.")
    plan = layout(patient)
    drift = _draw_drift(patient, plan, rng, error)
    for attempt in range(_TRIES):
        aim = AIMS[view](patient, plan, rng, error)
        errors = _draw_errors(aim, rng, error * 0.9**attempt)
        origin, axis, lateral = _spoilt(aim, errors)
        start = Pose(view, as_float(origin), as_float(axis), as_float(lateral), {}, errors, drift)
        shares = shares_of(start, view, patient)
        found = max(shares, key=lambda name: shares[name])
        if (found == view or view == "PSAX") and _shows_cavity(found, origin, axis, lateral, patient):
            break
    if found.startswith("PSAX"):
        errors = {**errors, "level": level_of(origin, axis, lateral, patient)}
    elif found in _APICAL:
        errors = {**errors, "angle_deg": math.degrees(math.atan2(lateral[1], lateral[0])) - FOUR_CHAMBER_DEG}
    return replace(start, view=found, shares=shares, errors=errors)
