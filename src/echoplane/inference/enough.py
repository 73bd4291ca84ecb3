"""When two clips are enough: a cine whose answer is clear is not looked at further.

Clips of one cine show the same plane a moment later. Where two of them, a third of the way in and two thirds, agree and
leave no doubt, the others hardly ever change the answer, but cost as much again. The probability from which two are
enough is fitted with the calibration (:func:`echoplane.pipelines.calibrate.enough`) and lies in the bundle.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from echoplane.inference.decide import decide, winner
from echoplane.metrics.aggregate import sum_probabilities
from echoplane.models.bundle_facts import BundleFacts
from echoplane.records import SamplingPlan, Status


def first_look(plan: SamplingPlan, facts: BundleFacts) -> SamplingPlan:
    """Return the plan of the clips to look at first: all of them where the bundle does not say what is enough.

    Parameters
    ----------
    plan : SamplingPlan
        Of the whole cine.
    facts : BundleFacts
    """
    chosen = pair(len(plan.indices))
    if facts.thresholds.enough is None or len(chosen) == len(plan.indices):
        return plan
    return replace(plan, indices=plan.indices[chosen])


def pair(count: int) -> list[int]:
    """Return which of so many clips in order of time are looked at first: two, away from the start and the end.

    A cine may begin with a title, and end with the probe being lifted. Of three clips, the outer ones: the middle one
    shows what both show.
    """
    if count <= 3:
        return sorted({0, count - 1})
    return [round((count - 1) / 3), round(2 * (count - 1) / 3)]


def is_enough(logits_CK: npt.NDArray[np.floating], facts: BundleFacts) -> bool:
    """Return whether the clips seen agree and leave no doubt.

    Parameters
    ----------
    logits_CK : float array, (C, K)
        Of the clips seen.
    facts : BundleFacts
        Calibrated.
    """
    least = facts.thresholds.enough
    if least is None or decide(logits_CK, facts).status is Status.UNSURE:
        return False
    clips_CK = facts.calibration.apply(logits_CK)
    best, weight, is_offered = winner(sum_probabilities(clips_CK), facts)
    sides = [winner(clip_K, facts) for clip_K in clips_CK]
    # Whichever label is the likeliest of those that are no answer: all of them say "other".
    return weight >= least and all(
        offered == is_offered and (label == best or not offered) for label, _, offered in sides
    )
