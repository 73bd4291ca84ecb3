"""Phantom cines with one thing overridden: the same patients, seeds and everything else.

Cine number n shows main view n modulo six of patient n // 6. The seeds lie far from those of any training set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from echoplane.phantom.acoustics import Body
from echoplane.phantom.aims import AIMS
from echoplane.phantom.arrays import ComplexArray
from echoplane.phantom.clip import detail_for, render_frames
from echoplane.phantom.convert import ScanConverter, multiply, soften
from echoplane.phantom.fan import coverage
from echoplane.phantom.heart.layout import layout
from echoplane.phantom.plan import plan_recording
from echoplane.phantom.poses import Pose, shares_of
from echoplane.phantom.recording import RENDER, TIMING, Recording
from echoplane.phantom.scanner import Processor
from echoplane.phantom.scene import Scene, draw_patient
from echoplane.phantom.screen import frame_fan
from echoplane.prepare.geometry import wanted_crop
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import Cine, IntArray, UInt8Array
from echoplane.sampling.clips import plan
from echoplane.sampling.rule import SamplingRule
from echoplane.sources.array import cine_from_array
from echoplane.views import MAIN_VIEWS

SEED = 931_000_000
#: The part of a probe's sideways shift that the hand follows by looking back at the heart.
FOLLOWED = 0.35

Floats = npt.NDArray[np.float64]


def patient_name(number: int) -> str:
    """Name of the patient of a cine: what intervals resample."""
    return f"patient {number // len(MAIN_VIEWS)}"


def recording(number: int, disease: str | None = None) -> Recording:
    """Draw a cine; `disease` replaces that of its patient and nothing else."""
    patient = draw_patient(SEED + number // len(MAIN_VIEWS), disease)
    return plan_recording(MAIN_VIEWS[number % len(MAIN_VIEWS)], SEED + number, patient=patient)


def one_clip(rule: SamplingRule, fps: float) -> IntArray:
    """Frame numbers of the first clip of a long cine."""
    return np.asarray(plan(100_000, fps, rule).indices[0])


def needed_fps(rule: SamplingRule) -> float:
    """Rate at which a cine holds just the frames that one clip needs, where the rule counts seconds."""
    return rule.frames / rule.seconds if rule.kind == "seconds" else 30.0


class Direct:
    """Prepared frames straight from the polar picture: exact sector, no furniture, no compression. Quick.

    What lies in the plane is kept, so that another window or gain costs no new heart.
    """

    def __init__(self, rec: Recording, times: Sequence[float] | Floats, recipe: PrepareRecipe) -> None:
        self.rec = rec
        sector = rec.framing.sector(rec.fan)
        height, width = rec.screen.size
        crop = wanted_crop(recipe, sector, height, width)
        self.zoom = recipe.size[1] / (crop[2] - crop[0])
        self.grid = rec.grid(detail_for(rec.fan, rec.framing, self.zoom * 2))
        self.converter = ScanConverter.of(rec.framing, self.grid, crop, recipe.size)
        self.lit = coverage(sector, height, width, crop, recipe.size)
        self.body = rec.body(self.grid)
        self.times = [float(t) for t in times]
        self.cuts = [rec.source.slice(self.body.points(rec.pose.at(t)), t) for t in self.times]
        self.fields = self._echoes(self.body)

    def frames(self, rec: Recording | None = None) -> UInt8Array:
        """Return uint8 (T, H, W); with the acoustics and the scanner settings of `rec` where it is given."""
        rec = rec or self.rec
        same = rec.acoustics == self.rec.acoustics
        fields = self.fields if same else self._echoes(rec.body(self.grid))
        processor = Processor.of(rec.scanner)
        processor.set_gain(fields[0], self.body.fine.radii)
        sigma = float(
            np.hypot(rec.scanner.blur_px * rec.screen.size[0] / 1000 * self.zoom, 0.3 if self.zoom < 0.8 else 0.0)
        )
        grey = (soften(self.converter.grey(processor.frame(field)), sigma) for field in fields)
        return np.stack([multiply(picture, self.lit) for picture in grey])

    def _echoes(self, body: Body) -> list[ComplexArray]:
        rng = self.rec.stream(RENDER, 1)
        return [body.echoes(cut, t, rng) for cut, t in zip(self.cuts, self.times, strict=True)]


def picture_cine(rec: Recording, rule: SamplingRule) -> tuple[UInt8Array, float]:
    """Render full screens, just the frames that one clip needs: (T, H, W, 3) and frames a second."""
    fps = needed_fps(rule)
    count = int(one_clip(rule, fps).max()) + 1
    frames = render_frames(rec, [n / fps for n in range(count)])
    return np.repeat(frames[..., None], 3, -1) if frames.ndim == 3 else frames, fps


def as_cine(frames: UInt8Array, fps: float, name: str = "phantom") -> Cine:
    """Make a cine of frames."""
    return cine_from_array(np.ascontiguousarray(frames), fps, name)


def with_shape(rec: Recording, **changes: float) -> Recording:
    """Change the fan (``depth_cm``, ``width``) and place it on the same screen."""
    shape = replace(rec.shape, **changes)  # type: ignore[arg-type]
    fan, framing = frame_fan(rec.screen, shape)
    return replace(rec, shape=shape, fan=fan, framing=framing)


def turned(pose: Pose, rotation: float = 0.0, tilt: float = 0.0) -> Pose:
    """Turn the probe around its beam, then tilt it out of its plane, degrees."""
    axis, lateral = np.asarray(pose.axis, np.float64), np.asarray(pose.lateral, np.float64)
    lateral = rotate(lateral, axis, math.radians(rotation))
    axis = rotate(axis, lateral, math.radians(tilt))
    return replace(pose, axis=axis.astype(np.float32), lateral=lateral.astype(np.float32))


def rotate(vector: Floats, around: Floats, angle: float) -> Floats:
    """Rotate a vector around a unit vector, radians, right-handed (Rodrigues)."""
    along = around * float(around @ vector)
    turned_ = along + math.cos(angle) * (vector - along) + math.sin(angle) * np.cross(around, vector)
    return np.asarray(turned_, np.float64)


def foreshortened(rec: Recording, cm: float) -> Pose:
    """Slide the probe of an apical view up the chest, so that the beam enters in front of the apex."""
    assert rec.patient is not None
    aim = AIMS[rec.view](rec.patient, layout(rec.patient), rec.stream(TIMING, 9), 0.0)
    axis, origin = np.asarray(rec.pose.axis, np.float64), np.asarray(rec.pose.origin, np.float64)
    up = aim.up - (aim.up @ axis) * axis
    shift = cm * up / np.linalg.norm(up)
    target = origin + axis * float(np.linalg.norm(aim.target - aim.origin))
    new_axis = target + FOLLOWED * shift - (origin + shift)
    new_axis /= np.linalg.norm(new_axis)
    lateral = np.asarray(rec.pose.lateral, np.float64)
    lateral = lateral - (lateral @ new_axis) * new_axis
    lateral /= np.linalg.norm(lateral)
    place, beam, side = ((v).astype(np.float32) for v in (origin + shift, new_axis, lateral))
    return replace(rec.pose, origin=place, axis=beam, lateral=side)


def with_pose(rec: Recording, pose: Pose) -> Recording:
    """Hold the probe in another way; what the picture is called follows from where the plane lies."""
    assert rec.patient is not None
    view = named(rec, pose)
    scene = Scene(rec.patient, int(rec.stream(TIMING).integers(2**31)), pose)
    return replace(rec, pose=replace(pose, view=view), source=scene, view=view, shares={view: 1.0})


def named(rec: Recording, pose: Pose) -> str:
    """Name a plane by the borders that the phantom draws between views."""
    assert rec.patient is not None
    shares = shares_of(pose, rec.view, rec.patient)
    return max(shares, key=lambda view: shares[view])
