"""One recording: a patient, a probe, a look, and the polar pictures that come of them.

Everything a clip is made of is drawn here from one seed, in streams that do not disturb each other: to switch a group
of nuisances off changes that group and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from echoplane.errors import UsageError
from echoplane.phantom.acoustics import Body, make_body
from echoplane.phantom.arrays import f32
from echoplane.phantom.fan import Fan, Framing, PolarGrid
from echoplane.phantom.looks import (
    Acoustics,
    Rng,
    Scanner,
    Shape,
    draw_acoustics,
    draw_scanner,
    draw_shape,
)
from echoplane.phantom.scanner import Processor
from echoplane.phantom.scene import Patient, Pose, Scene, Tissue, draw_patient, draw_pose
from echoplane.phantom.screen import Screen, Size, draw_screen, frame_fan
from echoplane.records import SectorKind, UInt8Array

#: What a sonographer sets the depth by.
LEFT_HEART = (Tissue.BLOOD_LV, Tissue.BLOOD_LA, Tissue.MYO_LV)
#: The groups of nuisances that can be switched off.
GROUPS = ("acoustics", "screen", "pose", "disease")
ALL_GROUPS = frozenset(GROUPS)

#: Frames a second that machines and their exports run at.
FRAME_RATES = (15.0, 24.0, 25.0, 30.0, 30.0, 33.0, 40.0, 50.0, 50.0, 56.0, 60.0, 72.0, 90.0)

# Streams of random numbers; append, never renumber, or every seed gives another picture.
_PATIENT, _POSE, _ACOUSTICS, _SCANNER, _SHAPE, _SCREEN, _RENDER, _TIMING, FOUND_SECTOR = range(9)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Everything one clip is made of.

    Attributes
    ----------
    view : str
        As asked for.
    seed : int
    scene : Scene
    pose : Pose
    acoustics : Acoustics
    scanner : Scanner
    shape : Shape
    screen : Screen
    fan : Fan
    framing : Framing
    groups : frozenset of str
        The nuisances that were on.
    start_s : float
        Time of the first frame in the scene.
    frame_rate : float
        Frames a second of the machine.
    """

    view: str
    seed: int
    scene: Scene
    pose: Pose
    acoustics: Acoustics
    scanner: Scanner
    shape: Shape
    screen: Screen
    fan: Fan
    framing: Framing
    groups: frozenset[str] = field(default=ALL_GROUPS)
    start_s: float = 0.0
    frame_rate: float = 50.0

    @property
    def patient(self) -> Patient:
        """The patient of the scene."""
        return self.scene.patient

    def facts(self) -> dict[str, Any]:
        """Return what was drawn, as plain data for a row of a store or a truth table."""
        return {
            "seed": self.seed,
            "disease": self.patient.disease,
            "ejection_fraction": round(float(self.patient.lv.ejection_fraction), 4),
            "pose": {name: round(float(value), 4) for name, value in self.pose.errors.items()},
            "layout": self.screen.layout,
            "mirrored": self.shape.mirrored,
            "depth_cm": round(self.shape.depth_cm, 2),
            "window_haze_db": round(self.acoustics.haze_db, 1),
            "level": round(self.scanner.level, 3),
            "groups": sorted(self.groups),
        }

    def stream(self, number: int) -> Rng:
        """Return the random numbers of one stream of this recording."""
        return stream(self.seed, number)

    def body(self, grid: PolarGrid) -> Body:
        """Prepare the sound of this recording on a grid."""
        return make_body(grid, self.acoustics, self.pose.at(self.start_s), self.stream(_RENDER))

    def polar(self, times_s: Sequence[float], detail: float = 1.0) -> tuple[PolarGrid, Iterator[UInt8Array]]:
        """Render polar pictures.

        Parameters
        ----------
        times_s : sequence of float
            Seconds after the start, rising.
        detail : float
            Scales beams and samples; small pictures need fewer.

        Returns
        -------
        PolarGrid
        iterator of uint8 array, (B, D)
        """
        beams, samples = (max(48, round(n * detail)) for n in (self.scanner.beams, self.scanner.samples))
        grid = PolarGrid.of(self.fan, beams, samples)
        return grid, self._frames(grid, times_s)

    def _frames(self, grid: PolarGrid, times_s: Sequence[float]) -> Iterator[UInt8Array]:
        body = self.body(grid)
        processor = Processor.of(self.scanner)
        rng = stream(self.seed, _RENDER, 1)
        first = True
        for time_s in times_s:
            now = self.start_s + time_s
            cut = self.scene.slice(body.points(self.pose.at(now)), now)
            echoes = body.echoes(cut, time_s, rng)
            if first:
                processor.set_gain(echoes, grid.radii)
                first = False
            yield processor.frame(echoes)


def heart_depth(scene: Scene, pose: Pose) -> float:
    """Depth below the probe, centimetres, of the far end of the left heart in a plane."""
    grid = PolarGrid.of(Fan(SectorKind.PHASED, 0.0, 26.0, -0.6, 0.6), 25, 66)
    points = f32(grid.along[..., None] * pose.axis + grid.across[..., None] * pose.lateral + pose.origin)
    heart = np.isin(scene.slice(points, 0.0).label, LEFT_HEART)
    if heart.sum() < 8:
        return 14.0
    return float(np.percentile(grid.along[heart], 97))


def stream(seed: int, *number: int) -> Rng:
    """Return the random numbers of one stream of a seed."""
    return np.random.Generator(np.random.PCG64([seed, *number]))


def plan_recording(
    view: str,
    seed: int,
    *,
    disease: str | None = None,
    patient: Patient | None = None,
    nuisances: frozenset[str] | None = None,
    size: Size | None = None,
) -> Recording:
    """Draw a recording.

    Parameters
    ----------
    view : str
        A view the probe can be posed for.
    seed : int
        The same seed gives the same recording.
    disease : str, optional
        Ask for one; drawn when left out and the group "disease" is on.
    patient : Patient, optional
        Use this patient rather than the seed's own.
    nuisances : frozenset of str, optional
        Groups that are on, of :data:`GROUPS`; all when left out.
    size : tuple of int, optional
        (height, width) of the picture; the layout's own when left out.

    Raises
    ------
    UsageError
        For a view or group that is not known.
    """
    groups = ALL_GROUPS if nuisances is None else frozenset(nuisances)
    if unknown := groups - ALL_GROUPS:
        raise UsageError(f"unknown nuisance group {sorted(unknown)[0]!r}; known: {', '.join(GROUPS)}.")
    if patient is None:
        wanted = disease if disease is not None or "disease" in groups else "none"
        patient = draw_patient(int(stream(seed, _PATIENT).integers(2**31)), wanted)
    timing = stream(seed, _TIMING)
    scene = Scene(patient, int(timing.integers(2**31)))
    frame_rate = float(timing.choice(FRAME_RATES))
    pose = draw_pose(patient, view, stream(seed, _POSE), 1.0 if "pose" in groups else 0.0)
    sound = "acoustics" in groups
    acoustics = draw_acoustics(stream(seed, _ACOUSTICS)) if sound else Acoustics()
    scanner = draw_scanner(stream(seed, _SCANNER)) if sound else Scanner()
    if "screen" in groups:
        shape = draw_shape(stream(seed, _SHAPE), view, heart_depth(scene, pose))
        screen = draw_screen(stream(seed, _SCREEN), size)
    else:
        shape = Shape(depth_cm=1.08 * heart_depth(scene, pose))
        screen = Screen(size=size or Screen().size)
    fan, framing = frame_fan(screen, shape)
    return Recording(view, seed, scene, pose, acoustics, scanner, shape, screen, fan, framing, groups, 0.0, frame_rate)
