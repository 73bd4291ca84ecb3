"""Drawing a recording: everything from one seed, in streams that do not disturb each other.

To switch a group of nuisances off changes that group and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from echoplane.errors import UsageError
from echoplane.phantom.aims import AIMS
from echoplane.phantom.colour import ColourBox
from echoplane.phantom.labels import Tissue
from echoplane.phantom.looks import Acoustics, Rng, Scanner, Shape, draw_acoustics, draw_scanner, draw_shape
from echoplane.phantom.organs import ORGANS, OrganScene, organ_pose
from echoplane.phantom.recording import (
    ACOUSTICS,
    ALL_GROUPS,
    CONTENT,
    GROUPS,
    PATIENT,
    POSE,
    SCANNER,
    SCREEN,
    SHAPE,
    TIMING,
    Recording,
    Source,
    look_around,
    stream,
)
from echoplane.phantom.scene import Patient, Pose, Scene, draw_patient, draw_pose
from echoplane.phantom.screen import Screen, Size, draw_screen, frame_fan
from echoplane.views import Family, family_of, find_view, suggest

#: Frames a second that machines and their exports run at.
FRAME_RATES = (15.0, 24.0, 25.0, 30.0, 30.0, 33.0, 40.0, 50.0, 50.0, 56.0, 60.0, 72.0, 90.0)
#: What a sonographer sets the depth by, and the depth (cm) where it is not in the plane.
LEFT_HEART = (Tissue.BLOOD_LV, Tissue.BLOOD_LA, Tissue.MYO_LV)
USUAL_DEPTH = 13.0
#: Fewest pixels of a side that still show a fan.
SMALLEST = 16
#: Views that are no plane of the heart.
OTHER_CONTENT = ("DOPPLER", "M-MODE", "NOISE")
#: Everything that can be rendered.
PHANTOM_VIEWS: tuple[str, ...] = (*AIMS, *OTHER_CONTENT)


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """What is in front of the probe."""

    name: str
    source: Source
    patient: Patient | None
    pose: Pose


def plan_recording(
    view: str,
    seed: int,
    *,
    disease: str | None = None,
    patient: Patient | None = None,
    nuisances: frozenset[str] | None = None,
    size: Size | None = None,
    machine: int | None = None,
) -> Recording:
    """Draw a recording.

    Parameters
    ----------
    view : str
        Of :data:`PHANTOM_VIEWS`.
    seed : int
        The same seed gives the same recording.
    disease : str, optional
        Ask for one; drawn when left out and the group "disease" is on.
    patient : Patient, optional
        Use this patient rather than the seed's own.
    nuisances : frozenset of str, optional
        Groups that are on, of :data:`echoplane.phantom.recording.GROUPS`; all when left out.
    size : tuple of int, optional
        (height, width) of the picture; the layout's own when left out.
    machine : int, optional
        Seed of the machine and its screen, for clips that come off the same one; the clip's own when left out.

    Raises
    ------
    UsageError
        For a view, disease or group that is not known, or a seed or size that makes no sense.
    """
    for name, number in (("seed", seed), ("machine", machine)):
        if number is not None and number < 0:
            raise UsageError(f"{name} {number}: must be a whole number from 0.")
    if size is not None and min(size) < SMALLEST:
        raise UsageError(f"size {tuple(size)}: height and width must be at least {SMALLEST} pixels.")
    groups = ALL_GROUPS if nuisances is None else frozenset(nuisances)
    if unknown := groups - ALL_GROUPS:
        raise UsageError(f"unknown nuisance group {sorted(unknown)[0]!r}; known: {', '.join(GROUPS)}.")
    view = phantom_view(view)
    if patient is None:
        wanted = disease if disease is not None or "disease" in groups else "none"
        patient = draw_patient(int(stream(seed, PATIENT).integers(2**31)), wanted)
    content = _draw_content(view, seed, patient, 1.0 if "pose" in groups else 0.0)
    machine = seed if machine is None else machine
    sound, screened = "acoustics" in groups, "screen" in groups
    depth = look_around(content.source, content.pose, LEFT_HEART) or USUAL_DEPTH
    seen = depth
    if family_of(view) is Family.APICAL:
        seen = look_around(content.source, content.pose, (Tissue.BLOOD_LV,)) or depth
    shape = draw_shape(stream(seed, SHAPE), view, seen, depth) if screened else Shape(depth_cm=1.08 * depth)
    screen = draw_screen(stream(machine, SCREEN), size) if screened else Screen(size=size or Screen().size)
    fan, framing = frame_fan(screen, shape)
    posed = view not in OTHER_CONTENT
    return Recording(
        # A short axis of no stated level is named by the level it shows most of.
        view=content.pose.view if posed else view,
        seed=seed,
        content=content.name,
        source=content.source,
        patient=content.patient,
        pose=content.pose,
        shares=dict(content.pose.shares) if posed else {view: 1.0},
        acoustics=draw_acoustics(stream(seed, ACOUSTICS)) if sound else Acoustics(),
        scanner=draw_scanner(stream(machine, SCANNER)) if sound else Scanner(),
        shape=shape,
        screen=screen,
        fan=fan,
        framing=framing,
        colour=ColourBox.draw(stream(seed, CONTENT, 1), fan) if content.name == "colour" else None,
        groups=groups,
        frame_rate=float(stream(seed, TIMING, 1).choice(FRAME_RATES)),
    )


def check_timing(frames: int, fps: float | None) -> None:
    """Refuse clips without frames, and rates at which time does not pass.

    Raises
    ------
    UsageError
    """
    if frames < 1:
        raise UsageError(f"frames {frames}: must be at least 1.")
    if fps is not None and not 0 < fps < math.inf:
        raise UsageError(f"fps {fps}: must be a number above 0.")


def phantom_view(name: str) -> str:
    """Return the label that a spelling means.

    Raises
    ------
    UsageError
        When the phantom cannot show it.
    """
    found = find_view(name)
    label = found.label if found else name
    if label not in PHANTOM_VIEWS:
        hint = suggest(name, PHANTOM_VIEWS) or f"; known: {', '.join(PHANTOM_VIEWS)}."
        raise UsageError(f"the phantom has no view {name!r}{hint}")
    return label


def _draw_content(view: str, seed: int, patient: Patient, error: float) -> _Content:
    rng = stream(seed, CONTENT)
    if view == "NOISE":
        return _draw_noise(rng, seed)
    name, plane = "heart", view
    if view == "DOPPLER":
        name = "colour" if rng.random() < 0.6 else "spectral"
        plane = sorted(AIMS)[int(rng.integers(len(AIMS)))]
    elif view == "M-MODE":
        name, plane = "m-mode", ("PLAX", "PSAX-PM", "A4C", "SC-IVC")[int(rng.integers(4))]
    pose = draw_pose(patient, plane, stream(seed, POSE), error)
    # The ribs lie about the probe, so the scene needs to know where that is.
    scene = Scene(patient, int(stream(seed, TIMING).integers(2**31)), pose)
    return _Content(name, scene, patient, pose)


def _draw_noise(rng: Rng, seed: int) -> _Content:
    luck = rng.random()
    kind = sorted(ORGANS)[int(rng.integers(len(ORGANS)))]
    source = OrganScene(kind, seed)
    name = "static" if luck < 0.08 else "drawing" if luck < 0.25 else f"organ: {kind}"
    return _Content(name, source, None, organ_pose())
