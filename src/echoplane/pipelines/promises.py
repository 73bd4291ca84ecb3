"""Does a bundle keep its promises: sets that hold the true view as often as they say, answers that are right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echoplane.errors import UsageError
from echoplane.inference.decide import Answer, decide
from echoplane.metrics.conformal import ConformalSets
from echoplane.metrics.intervals import Interval, Rows, bootstrap
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle_facts import BundleFacts
from echoplane.records import Status


@dataclass(frozen=True, slots=True)
class SetFigures:
    """One level of prediction sets, on cines that they were not fitted on.

    Attributes
    ----------
    level : float
        Promised coverage.
    coverage : Interval
        Share of cines whose set holds the true view.
    size : float
        Views in a set, on average.
    worst_view : str
        The view whose cines are covered least.
    worst : float
        Their coverage.
    """

    level: float
    coverage: Interval
    size: float
    worst_view: str
    worst: float


@dataclass(frozen=True, slots=True)
class Endings:
    """How cines end when `predict` meets them, with the bundle's thresholds.

    Attributes
    ----------
    of : str
        Which cines: of views that the bundle answers, or of others.
    cines : int
    right, wrong, unsure : Interval
        Shares. ``other`` is right for a view that the bundle does not answer, and wrong for one that it does.
    right_of_answered : float or None
        Share right of those not unsure; None where all are.
    """

    of: str
    cines: int
    right: Interval
    wrong: Interval
    unsure: Interval
    right_of_answered: float | None


@dataclass(frozen=True, slots=True)
class Promises:
    """What became of a bundle's promises."""

    sets: tuple[SetFigures, ...]
    endings: tuple[Endings, ...]


def promises(predictions: Predictions, facts: BundleFacts, repeats: int = 1000) -> Promises:
    """Hold a bundle's sets and thresholds against labelled cines.

    Parameters
    ----------
    predictions : Predictions
        Of the bundle's own network, on cines that neither it nor its calibration saw.
    facts : BundleFacts
    repeats : int
        Resamples of patients for the intervals.

    Raises
    ------
    UsageError
        When the predictions have other views than the bundle.
    """
    if predictions.views != facts.vocabulary:
        raise UsageError(
            f"the predictions are over {list(predictions.views)}, the bundle over {list(facts.vocabulary)}: "
            "these are not answers of this bundle."
        )
    p = predictions.cine_probabilities(facts.calibration)
    sets = tuple(_set_figures(s, s.contains(p), predictions, repeats) for s in facts.conformal)
    return Promises(sets, _endings(predictions, facts, repeats))


def _set_figures(
    sets: ConformalSets, inside: npt.NDArray[np.bool_], predictions: Predictions, repeats: int
) -> SetFigures:
    y = predictions.y_true
    held = inside[np.arange(len(y)), y]
    by_view = {predictions.views[k]: float(held[y == k].mean()) for k in np.unique(y)}
    worst = min(by_view, key=lambda view: by_view[view])
    covered = bootstrap(lambda rows: float(held[rows].mean()), predictions.groups, repeats)
    return SetFigures(sets.level, covered, float(inside.sum(axis=1).mean()), worst, by_view[worst])


def _endings(predictions: Predictions, facts: BundleFacts, repeats: int) -> tuple[Endings, ...]:
    truth = [predictions.views[y] for y in predictions.y_true]
    offered = np.array([view in facts.answers for view in truth])
    ends = endings(predictions, facts)
    found = []
    for of, rows in (("views it answers", np.flatnonzero(offered)), ("other cines", np.flatnonzero(~offered))):
        if len(rows):
            groups = [predictions.groups[i] for i in rows]
            found.append(_shares(of, ends[rows], groups, repeats))
    return tuple(found)


def _shares(of: str, ends: npt.NDArray[np.str_], groups: Sequence[str], repeats: int) -> Endings:
    def share(what: str) -> Callable[[Rows], float]:
        return lambda rows: float(np.mean(ends[rows] == what))

    right, wrong, unsure = (bootstrap(share(what), groups, repeats) for what in ("right", "wrong", "unsure"))
    answered = ends[ends != "unsure"]
    return Endings(of, len(ends), right, wrong, unsure, float(np.mean(answered == "right")) if len(answered) else None)


def endings(predictions: Predictions, facts: BundleFacts) -> npt.NDArray[np.str_]:
    """Return how each cine ends when all of its clips are looked at: ``right``, ``wrong`` or ``unsure``, (V,)."""
    order = np.argsort(predictions.cine_of_clip, kind="stable")
    first = np.searchsorted(predictions.cine_of_clip[order], np.arange(1, len(predictions.cines)))
    clips = np.split(predictions.logits[order], first)
    truth = [predictions.views[y] for y in predictions.y_true]
    return np.array([ending(decide(own, facts), view, facts) for own, view in zip(clips, truth, strict=True)])


def ending(answer: Answer, truth: str, facts: BundleFacts) -> str:
    """Return whether an answer is ``right``, ``wrong`` or ``unsure``; see :class:`Endings`."""
    if answer.status is Status.UNSURE:
        return "unsure"
    if answer.status is Status.OTHER:
        return "wrong" if truth in facts.answers else "right"
    return "right" if answer.view == truth else "wrong"
