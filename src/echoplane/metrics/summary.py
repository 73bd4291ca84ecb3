"""Every figure about one set of predictions, with intervals by patient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from echoplane.errors import UsageError
from echoplane.metrics import aggregate, calibration, classification, selective
from echoplane.metrics.calibration import ReliabilityBin, Scaling
from echoplane.metrics.intervals import Comparison, Interval, Rows, bootstrap, compare
from echoplane.metrics.predictions import Predictions

#: Figures without an interval. They add up gaps whatever their sign, so chance makes them larger, and resampling adds
#: chance to chance: their percentiles lie too high, on well calibrated answers often above the figure itself.
INFLATED = ("ece", "ece_equal_mass", "mce")


@dataclass(frozen=True, slots=True)
class ViewFigures:
    """Figures of one view; None where they are not defined (the view does not occur, or is never answered)."""

    view: str
    cines: int
    precision: float | None
    recall: Interval | None
    f1: float | None
    auroc: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one set of predictions.

    Attributes
    ----------
    views : tuple of str
    cines, clips, patients : int
        Patients, or what stands for them, as `people` says.
    figures : dict of str to Interval
        Over cines by summed probabilities unless the name says otherwise: ``accuracy``, ``accuracy_votes``,
        ``accuracy_clips``, ``balanced_accuracy``, ``macro_f1``, ``kappa``, ``top2_accuracy``, ``family_accuracy``,
        ``auroc`` (mean over views), ``ece``, ``ece_equal_mass``, ``mce``, ``brier``, ``aurc``. A figure that the
        samples do not define (family accuracy without apical or short-axis views) is left out; those in `INFLATED`
        have no interval.
    per_view : tuple of ViewFigures
    confusion_clips, confusion_sums, confusion_votes : tuple of tuple of int
        Rows truth, columns answer; for single clips, summed probabilities, majority votes.
    ties : int
        Cines whose vote is a tie (broken by the sum).
    reliability : tuple of ReliabilityBin
    misread : tuple of (str, str, str, float)
        Cine, true view, answer, probability of the answer; the surest mistakes first.
    people : str
        ``"18 patients"``, or what stands for them.
    """

    views: tuple[str, ...]
    cines: int
    clips: int
    patients: int
    figures: dict[str, Interval]
    per_view: tuple[ViewFigures, ...]
    confusion_clips: tuple[tuple[int, ...], ...]
    confusion_sums: tuple[tuple[int, ...], ...]
    confusion_votes: tuple[tuple[int, ...], ...]
    ties: int
    reliability: tuple[ReliabilityBin, ...]
    misread: tuple[tuple[str, str, str, float], ...]
    people: str


def _table(counts: classification.Counts) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(v) for v in row) for row in counts)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


class _Answers:
    """Arrays that all figures need, computed once."""

    def __init__(self, predictions: Predictions, scaling: Scaling | None) -> None:
        self.k = len(predictions.views)
        self.views = predictions.views
        self.y = predictions.y_true
        clips = predictions.clip_probabilities(scaling)
        self.p = calibration.mean_by_cine(clips, predictions.cine_of_clip)
        self.best = self.p.argmax(axis=1)
        members = [np.flatnonzero(predictions.cine_of_clip == v) for v in range(len(self.y))]
        self.vote = np.array([aggregate.majority_with_sum(clips[m]) for m in members], dtype=np.int64)
        self.ties = sum(len(aggregate.majority(aggregate.count_votes(clips[m]))) > 1 for m in members)
        self.clip_best = clips.argmax(axis=1)
        self.clip_true = self.y[predictions.cine_of_clip]
        right = self.clip_best == self.clip_true
        self.clip_share = np.array([right[m].mean() for m in members])
        self.clip_weight = np.array([len(m) for m in members])

    def confusion(self, rows: Rows) -> classification.Counts:
        return classification.confusion_matrix(self.y[rows], self.best[rows], self.k)

    def figures(self) -> dict[str, Callable[[Rows], float]]:
        def clips(rows: Rows) -> float:
            return float(np.average(self.clip_share[rows], weights=self.clip_weight[rows]))

        def auroc(rows: Rows) -> float:
            found = classification.auroc_per_view(self.y[rows], self.p[rows])
            return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

        return {
            "accuracy": lambda r: float(np.mean(self.best[r] == self.y[r])),
            "accuracy_votes": lambda r: float(np.mean(self.vote[r] == self.y[r])),
            "accuracy_clips": clips,
            "balanced_accuracy": lambda r: classification.balanced_accuracy(self.confusion(r)),
            "macro_f1": lambda r: classification.macro_f1(self.confusion(r)),
            "kappa": lambda r: classification.cohen_kappa(self.confusion(r)),
            "top2_accuracy": lambda r: classification.top_k_accuracy(self.y[r], self.p[r], 2),
            "family_accuracy": lambda r: classification.family_accuracy(self.y[r], self.best[r], self.views),
            "auroc": auroc,
            "ece": lambda r: calibration.expected_calibration_error(self.y[r], self.p[r]),
            "ece_equal_mass": lambda r: calibration.expected_calibration_error(self.y[r], self.p[r], mass="mass"),
            "mce": lambda r: calibration.maximum_calibration_error(self.y[r], self.p[r]),
            "brier": lambda r: calibration.brier_score(self.y[r], self.p[r]),
            "aurc": lambda r: selective.area_under_risk_coverage(self.p[r].max(axis=1), self.best[r] == self.y[r]),
        }


def summarise(predictions: Predictions, scaling: Scaling | None = None, repeats: int = 1000, seed: int = 0) -> Summary:
    """Work out every figure.

    Parameters
    ----------
    predictions : Predictions
    scaling : Scaling, optional
        Calibration to apply first.
    repeats : int
        Resamples of patients for the intervals.
    seed : int

    Returns
    -------
    Summary
    """
    answers = _Answers(predictions, scaling)
    everything = np.arange(len(predictions.cines))
    figures = {}
    for name, figure in answers.figures().items():
        if name in INFLATED:
            found = Interval(figure(everything), math.nan, math.nan, why_none="resampling makes it larger")
        else:
            found = bootstrap(figure, predictions.groups, repeats, seed=seed)
        if np.isfinite(found.value):
            figures[name] = found
    wrong = np.flatnonzero(answers.best != answers.y)
    wrong = wrong[np.argsort(-answers.p[wrong].max(axis=1), kind="stable")]
    sure = answers.p.max(axis=1)
    return Summary(
        predictions.views,
        len(predictions.cines),
        len(predictions.cine_of_clip),
        len(set(predictions.groups)),
        figures,
        _per_view(predictions, answers, repeats, seed),
        _table(classification.confusion_matrix(answers.clip_true, answers.clip_best, answers.k)),
        _table(answers.confusion(everything)),
        _table(classification.confusion_matrix(answers.y, answers.vote, answers.k)),
        answers.ties,
        tuple(calibration.reliability(sure, answers.best == answers.y)),
        tuple(_misread(predictions, answers, int(i)) for i in wrong),
        predictions.people(),
    )


def _misread(predictions: Predictions, answers: _Answers, row: int) -> tuple[str, str, str, float]:
    truth, answer = predictions.views[answers.y[row]], predictions.views[answers.best[row]]
    return predictions.cines[row], truth, answer, float(answers.p[row].max())


def _per_view(predictions: Predictions, answers: _Answers, repeats: int, seed: int) -> tuple[ViewFigures, ...]:
    counts = answers.confusion(np.arange(len(answers.y)))
    precision, f1 = classification.precision(counts), classification.f1(counts)
    auroc = classification.auroc_per_view(answers.y, answers.p)
    rows = []
    for k, view in enumerate(predictions.views):
        own = np.flatnonzero(answers.y == k)
        right = answers.best[own] == k
        found = None
        if len(own):
            groups = [predictions.groups[i] for i in own]
            found = bootstrap(lambda r, right=right: float(right[r].mean()), groups, repeats, seed=seed)  # type: ignore[misc]
        rows.append(ViewFigures(view, len(own), _finite(precision[k]), found, _finite(f1[k]), _finite(auroc[k])))
    return tuple(rows)


def _truths(first: Predictions, second: Predictions, i: int, j: int) -> tuple[str, str]:
    return first.views[first.y_true[i]], second.views[second.y_true[j]]


def _same_truth(first: Predictions, second: Predictions, shared: Sequence[tuple[int, int]]) -> None:
    """Refuse truths that contradict each other; a view that one of the two does not know may be called otherwise."""
    odd = []
    for i, j in shared:
        one, two = _truths(first, second, i, j)
        if one != two and one in second.views and two in first.views:
            odd.append((first.cines[i], one, two))
    if odd:
        cine, one, two = odd[0]
        raise UsageError(
            f"the two were told different true views of {len(odd)} of {len(shared)} cines, the first being {cine!r}, "
            f"{one} and {two}. Answer the same labelled cines with both."
        )


def compare_predictions(
    first: Predictions,
    second: Predictions,
    repeats: int = 2000,
    seed: int = 0,
    scalings: tuple[Scaling | None, Scaling | None] = (None, None),
) -> Comparison:
    """Compare two models on the cines both answered (matched by name).

    Parameters
    ----------
    first, second : Predictions
    repeats, seed : int
        As :func:`echoplane.metrics.intervals.bootstrap` takes them.
    scalings : (Scaling or None, Scaling or None)
        Calibration of each, to apply first: it can change which view is the most probable one.

    Raises
    ------
    UsageError
        When they share no cine, or were told different true views of one.
    """
    place = {name: i for i, name in enumerate(second.cines)}
    shared = [(i, place[name]) for i, name in enumerate(first.cines) if name in place]
    if not shared:
        raise UsageError("the two answered no cine in common; give answers to the same cines.")
    a = np.array([i for i, _ in shared], dtype=np.int64)
    b = np.array([j for _, j in shared], dtype=np.int64)
    _same_truth(first, second, shared)
    right = []
    for predictions, rows, scaling in ((first, a, scalings[0]), (second, b, scalings[1])):
        names = np.array(predictions.views, dtype=object)
        answered, truth = names[predictions.cine_probabilities(scaling).argmax(axis=1)], names[predictions.y_true]
        right.append((answered == truth)[rows])
    found = compare(right[0], right[1], [first.groups[i] for i in a], repeats, seed)
    named = [_truths(first, second, i, j) for i, j in shared]
    return replace(found, otherwise=sum(one != two for one, two in named))
