"""A phantom study: what one examination on one machine leaves in an archive, with the truth beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from echoplane.phantom.clip import PhantomCine, render_clip
from echoplane.phantom.population import Patient, draw_patient
from echoplane.phantom.recording import stream

#: What an examination holds, in the order it is done, and the chance of each.
PROTOCOL: tuple[tuple[str, float], ...] = (
    ("PLAX", 1.0),
    ("PLAX", 0.6),
    ("DOPPLER", 0.7),
    ("M-MODE", 0.5),
    ("PSAX-AV", 0.9),
    ("PSAX-MV", 1.0),
    ("PSAX-PM", 1.0),
    ("PSAX-PM", 0.4),
    ("PSAX-AP", 0.9),
    ("A4C", 1.0),
    ("A4C", 0.7),
    ("RV-A4C", 0.5),
    ("DOPPLER", 0.8),
    ("A5C", 0.6),
    ("DOPPLER", 0.6),
    ("A2C", 1.0),
    ("A2C", 0.4),
    ("A3C", 0.9),
    ("SC4C", 0.7),
    ("SC-IVC", 0.6),
    ("SSN", 0.4),
    ("NOISE", 0.15),
)
#: Share of clips that are single frozen frames.
STILLS = 0.06

_PATIENT, _CHOICE, _CLIP, _MACHINE = 201, 202, 203, 204


@dataclass(frozen=True, slots=True)
class StudyClip:
    """One clip to be of a study.

    Attributes
    ----------
    number : int
        From 1.
    view : str
    seed : int
        Of the clip.
    machine : int
        Seed of the machine, the same through the study.
    frames : int
        1 for a still.
    """

    number: int
    view: str
    seed: int
    machine: int
    frames: int


def study_patient(seed: int, number: int, disease: str | None = None) -> Patient:
    """Draw the patient of study `number`."""
    return draw_patient(int(stream(seed, _PATIENT, number).integers(2**31)), disease)


def plan_study(seed: int, number: int) -> list[StudyClip]:
    """Draw what study `number` holds."""
    rng = stream(seed, _CHOICE, number)
    machine = int(stream(seed, _MACHINE, number).integers(2**31))
    clips: list[StudyClip] = []
    for place, (view, chance) in enumerate(PROTOCOL):
        luck, still, frames = rng.random(), rng.random() < STILLS, int(rng.integers(30, 91))
        if luck < chance:
            clip_seed = int(stream(seed, _CLIP, number, place).integers(2**31))
            clips.append(StudyClip(len(clips) + 1, view, clip_seed, machine, 1 if still else frames))
    return clips


def render_study(seed: int, number: int, disease: str | None = None) -> Iterator[tuple[StudyClip, PhantomCine]]:
    """Render study `number` clip by clip."""
    patient = study_patient(seed, number, disease)
    for clip in plan_study(seed, number):
        yield clip, render_clip(clip.view, clip.seed, frames=clip.frames, patient=patient, machine=clip.machine)
