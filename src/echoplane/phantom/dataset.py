"""A training set of phantom clips as a plan: clip number i is the same whoever renders it, and when.

Clips come in patients: `clips_per_patient` clips in a row show the same heart, in different views, on different
machines. The patient is the group that folds must not split.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from echoplane.errors import UsageError
from echoplane.phantom.population import draw_patient
from echoplane.phantom.recording import GROUPS, stream
from echoplane.phantom.training import TrainingClip, render_training_clip
from echoplane.prepare.recipe import RECIPES, PrepareRecipe

#: How often each view is drawn: the six main views, then what else a study has.
VIEW_WEIGHTS: Mapping[str, float] = {
    "A2C": 12.0,
    "A3C": 12.0,
    "A4C": 12.0,
    "PSAX-MV": 12.0,
    "PSAX-PM": 12.0,
    "PSAX-AP": 12.0,
    # A short axis anywhere between them, borders included.
    "PSAX": 8.0,
    "PLAX": 6.0,
    "PSAX-AV": 4.0,
    "A5C": 3.0,
    "RV-A4C": 2.0,
    "SC4C": 3.0,
    "SC-IVC": 2.0,
    "SSN": 2.0,
    "DOPPLER": 4.0,
    "M-MODE": 1.0,
    "NOISE": 7.0,
}

_VIEW, _CLIP = 101, 102


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """What a training set is to hold.

    Attributes
    ----------
    clips : int
    seed : int
    frames : int
        Of every clip.
    fps : float
        Frames a second of the clips. The default sampling rule takes 16 a second, so that none falls between two.
    clips_per_patient : int
    view_weights : mapping of str to float
    nuisances : tuple of str
        Groups that are on.
    """

    clips: int
    seed: int = 0
    frames: int = 20
    fps: float = 16.0
    clips_per_patient: int = 6
    view_weights: Mapping[str, float] = field(default_factory=lambda: dict(VIEW_WEIGHTS))
    nuisances: tuple[str, ...] = GROUPS

    def __post_init__(self) -> None:
        for name in ("clips", "frames", "clips_per_patient"):
            if getattr(self, name) < 1:
                raise UsageError(f"phantom dataset: {name} {getattr(self, name)} must be at least 1.")
        if not 0 < self.fps < math.inf:
            raise UsageError(f"phantom dataset: fps {self.fps} must be a number above 0.")
        if not self.view_weights or min(self.view_weights.values()) < 0 or sum(self.view_weights.values()) <= 0:
            raise UsageError("phantom dataset: view weights must not be negative, and one at least above 0.")

    def key(self, number: int) -> str:
        """Name of a clip in the store."""
        return f"phantom/{self.seed}/{number:07d}"

    def patient_of(self, number: int) -> str:
        """Name of the patient of a clip."""
        return f"phantom-{self.seed}-{number // self.clips_per_patient:06d}"

    def view_of(self, number: int) -> str:
        """View of a clip."""
        views = sorted(self.view_weights)
        weights = np.array([self.view_weights[view] for view in views])
        return views[int(stream(self.seed, _VIEW, number).choice(len(views), p=weights / weights.sum()))]


def render_planned(plan: DatasetPlan, number: int, recipe: PrepareRecipe = RECIPES["store"]) -> TrainingClip:
    """Render clip `number` of a plan."""
    patient_seed = int(stream(plan.seed, _CLIP, number // plan.clips_per_patient).integers(2**31))
    disease = None if "disease" in plan.nuisances else "none"
    return render_training_clip(
        plan.view_of(number),
        int(stream(plan.seed, _CLIP, 1, number).integers(2**31)),
        frames=plan.frames,
        fps=plan.fps,
        recipe=recipe,
        patient=draw_patient(patient_seed, disease),
        nuisances=plan.nuisances,
    )
