"""From logits to an answer: every rule that decides what a row says, and nothing else. Pure; no files, no networks.

Letters: C clips, K views (labels of the bundle's vocabulary).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from echoplane.metrics.aggregate import count_votes, majority, sum_probabilities
from echoplane.metrics.selective import energy
from echoplane.models.bundle_facts import BundleFacts
from echoplane.records import Cine, CineKind, Status
from echoplane.views import Family, family_of

Floats = npt.NDArray[np.float64]

#: Probability of a family (apical, short axis, ...) from which an unsure answer still names it.
FAMILY_SURE = 0.8

#: An unsure answer names the labels that have at least this probability, but no more than three.
WORTH_NAMING = 0.1

_NOT_ANSWERED: MappingProxyType[CineKind, tuple[Status, str]] = MappingProxyType(
    {
        CineKind.STILL: (Status.STILL, "A single frame (see --include-stills)."),
        CineKind.COLOR_DOPPLER: (Status.COLOR_DOPPLER, "Colour Doppler (see --include-color)."),
        CineKind.SPECTRAL_DOPPLER: (Status.SPECTRAL_DOPPLER, "Spectral Doppler shows velocities, not a plane."),
        CineKind.M_MODE: (Status.M_MODE, "M-mode shows one line over time, not a plane."),
        CineKind.VOLUME: (Status.VOLUME, "A 3D volume holds many planes."),
        CineKind.SECONDARY_CAPTURE: (Status.SECONDARY_CAPTURE, "A screen capture, not a cine from the scanner."),
        CineKind.OTHER_MODALITY: (Status.NOT_B_MODE, "Of another modality ({modality}), no echocardiogram."),
    }
)

_ANSWERED_ALL_THE_SAME: MappingProxyType[CineKind, str] = MappingProxyType(
    {
        CineKind.STILL: "A still, answered because asked to: one picture has to do for a whole beat.",
        CineKind.COLOR_DOPPLER: "Colour Doppler, answered because asked to: the colour hides part of the picture.",
    }
)

_FAMILY_WORDS: MappingProxyType[Family, str] = MappingProxyType(
    {
        Family.APICAL: "an apical view",
        Family.SHORT_AXIS: "a short-axis view",
        Family.LONG_AXIS: "a parasternal long-axis view",
        Family.SUBCOSTAL: "a subcostal view",
        Family.SUPRASTERNAL: "a suprasternal view",
    }
)

#: What is in doubt when the family is sure and the view is not.
_IN_DOUBT: MappingProxyType[Family, str] = MappingProxyType({Family.SHORT_AXIS: "level"})


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the network is to run on a cine of some kind.

    Attributes
    ----------
    status : Status or None
        How the file ends without the network; None when it is to run.
    reason : str
        One sentence; also given for a cine that runs only because the user asked for it.
    """

    status: Status | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network's logits come to; see :class:`echoplane.records.ViewResult` for the fields."""

    status: Status
    view: str
    best_view: str
    probability: float | None
    probabilities: dict[str, float]
    clip_votes: dict[str, int]
    vote: str
    clip_probabilities: tuple[tuple[float, ...], ...]
    reasons: tuple[str, ...]


def gate(cine: Cine, *, include_color: bool = False, include_stills: bool = False) -> Gate:
    """Decide from its kind whether a cine is answered at all."""
    kind = CineKind.STILL if cine.n_frames == 1 and cine.kind in (CineKind.B_MODE, CineKind.UNKNOWN) else cine.kind
    wanted = {CineKind.COLOR_DOPPLER: include_color, CineKind.STILL: include_stills}.get(kind, False)
    if wanted:
        return Gate(None, _ANSWERED_ALL_THE_SAME[kind])
    status, reason = _NOT_ANSWERED.get(kind, (None, ""))
    return Gate(status, reason.format(modality=cine.facts.get("modality", "unknown")))


def decide(logits_CK: npt.NDArray[np.floating], facts: BundleFacts) -> Answer:
    """Turn the logits of a cine's clips into the answer for the cine.

    - A clip's probabilities are the softmax of its calibrated logits; the cine's are the mean over its clips.
    - Every answer the bundle offers competes with all other labels taken together (``other``). The winner of
      that decides the status; `best_view` is the likeliest label on the winning side.
    - ``unsure``: the cine is too unlike the training data, or the winner stays below its threshold.

    Parameters
    ----------
    logits_CK : float array, (C, K)
        C at least 1. Where one is not finite, nothing can be said: ``unsure``, without a best view.
    facts : BundleFacts
        Of the bundle the logits come from.

    Returns
    -------
    Answer
    """
    assert logits_CK.ndim == 2
    assert logits_CK.shape[1] == len(facts.vocabulary)
    if not np.isfinite(logits_CK).all():
        return _no_numbers()
    clips_CK = facts.calibration.apply(logits_CK)
    total_K = sum_probabilities(clips_CK)
    best, weight, is_offered = winner(total_K, facts)
    label = facts.vocabulary[best]
    doubts = _doubts(logits_CK, total_K, label, weight, is_offered, facts)
    votes_K = count_votes(clips_CK)
    status = Status.UNSURE if doubts else Status.OK if is_offered else Status.OTHER
    reasons = (*doubts, *_remarks(votes_K, total_K, best, facts))
    if status is Status.OTHER:
        reasons = (f"None of the views this network answers (probability {weight:.2f}).", *reasons)
    return Answer(
        status=status,
        view=label if status is Status.OK else "",
        best_view=label,
        probability=float(total_K[best]),
        probabilities={name: float(p) for name, p in zip(facts.vocabulary, total_K, strict=True)},
        clip_votes={facts.vocabulary[k]: int(votes_K[k]) for k in np.argsort(-votes_K, kind="stable") if votes_K[k]},
        vote=vote_text(votes_K, total_K, facts.vocabulary),
        clip_probabilities=tuple(tuple(float(p) for p in row) for row in clips_CK),
        reasons=reasons,
    )


def vote_text(votes_K: npt.NDArray[np.integer], total_K: Floats, vocabulary: tuple[str, ...]) -> str:
    """Return the majority vote; labels that tie are joined by ``=``, the likelier first."""
    winners = sorted(majority(votes_K), key=lambda k: (-total_K[k], k))
    return "=".join(vocabulary[k] for k in winners)


def winner(total_K: Floats, facts: BundleFacts) -> tuple[int, float, bool]:
    """Return who wins when every answer the bundle offers competes with all other labels taken together.

    Parameters
    ----------
    total_K : float array, (K,)
        Calibrated probabilities of the cine, in the order of the vocabulary, summing to 1.
    facts : BundleFacts

    Returns
    -------
    best : int
        Place of the likeliest label of the winning side.
    weight : float
        Probability of that side, in [0, 1].
    is_offered : bool
        Whether that side is an answer the bundle offers.
    """
    offered_K = np.array([label in facts.answers for label in facts.vocabulary])
    rest = float(total_K[~offered_K].sum())
    best = int(np.where(offered_K, total_K, -1.0).argmax())
    if offered_K.all() or total_K[best] >= rest:
        return best, float(total_K[best]), True
    return int(np.where(offered_K, -1.0, total_K).argmax()), rest, False


def _doubts(
    logits_CK: npt.NDArray[np.floating],
    total_K: Floats,
    label: str,
    weight: float,
    is_offered: bool,
    facts: BundleFacts,
) -> tuple[str, ...]:
    limits = facts.thresholds
    doubts = []
    if limits.novelty_limit is not None and (is_offered or limits.novelty != "answers_energy"):
        score = novelty_score(logits_CK, total_K, facts)
        if score > limits.novelty_limit:
            doubts.append(
                f"Unlike the clips the network was trained on ({limits.novelty.replace('_', ' ')} score {score:.2f}, "
                f"limit {limits.novelty_limit:.2f})."
            )
    least = limits.per_view.get(label, limits.min_probability)
    if weight < least:
        # The other labels win together, so the weight is not that of the likeliest of them.
        guess = label if is_offered else f"none of the views this network answers ({label} or the like)"
        # As many digits as tell the two apart: "0.63, offered from 0.63 on" explains nothing.
        digits = next((n for n in (2, 3, 4, 5) if round(weight, n) != round(least, n)), 6)
        doubts.append(f"Best guess {guess} with {weight:.{digits}f}; answers are offered from {least:.{digits}f} on.")
    if doubts:
        doubts += _what_is_known(total_K, facts)
    return tuple(doubts)


def novelty_score(logits_CK: npt.NDArray[np.floating], total_K: Floats, facts: BundleFacts) -> float:
    """Return the score that ``facts.thresholds.novelty`` names, for the clips of one cine; higher is less known."""
    if facts.thresholds.novelty == "max_probability":
        return 1 - float(total_K.max())
    if facts.thresholds.novelty == "answers_energy":
        logits_CK = logits_CK[:, [label in facts.answers for label in facts.vocabulary]]
    return float(energy(logits_CK).mean())


def _what_is_known(total_K: Floats, facts: BundleFacts) -> list[str]:
    """Say for an unsure cine what can still be said: its family, and the views that remain."""
    found = []
    shares: dict[Family, float] = {}
    for name, p in zip(facts.vocabulary, total_K, strict=True):
        shares[family_of(name)] = shares.get(family_of(name), 0.0) + float(p)
    family = max(shares, key=lambda f: shares[f])
    if shares[family] >= FAMILY_SURE and family in _FAMILY_WORDS:
        members = [k for k, name in enumerate(facts.vocabulary) if family_of(name) is family]
        close = sorted((k for k in members if total_K[k] >= WORTH_NAMING), key=lambda k: -total_K[k])[:3]
        if len(close) > 1:
            named = ", ".join(f"{facts.vocabulary[k]} {total_K[k]:.2f}" for k in close)
            what = _IN_DOUBT.get(family, "view")
            found.append(f"Surely {_FAMILY_WORDS[family]} ({shares[family]:.2f}); the {what} is in doubt: {named}.")
    if facts.conformal:
        sets = facts.conformal[0]
        inside = [name for name, yes in zip(facts.vocabulary, sets.contains(total_K), strict=True) if yes]
        held = ", ".join(inside) or "empty (no label is likely enough)"
        found.append(f"Prediction set for {sets.level:.0%} coverage: {held}.")
    return found


def _remarks(votes_K: npt.NDArray[np.integer], total_K: Floats, best: int, facts: BundleFacts) -> tuple[str, ...]:
    winners = majority(votes_K)
    text = vote_text(votes_K, total_K, facts.vocabulary)
    if len(winners) > 1:
        return (f"The clips' votes tie: {text}.",)
    likeliest = int(total_K.argmax())
    if winners != (best,) and winners == (likeliest,):
        return (f"Most clips say {text}; the labels that are no answers outweigh it together.",)
    if winners != (best,):
        return (f"Most clips say {text}; their summed probabilities say {facts.vocabulary[likeliest]}.",)
    return ()


def _no_numbers() -> Answer:
    """Answer for logits that are not finite: a broken network or engine, of which no view can be read off."""
    return Answer(
        status=Status.UNSURE,
        view="",
        best_view="",
        probability=None,
        probabilities={},
        clip_votes={},
        vote="",
        clip_probabilities=(),
        reasons=("The network gave no finite numbers. Run: echoplane bundle verify",),
    )
