"""Calibrate: fit what turns logits into honest answers, measure it on patients left out, and write it into a bundle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from echoplane.errors import DataError, UsageError
from echoplane.inference.decide import decide, winner
from echoplane.inference.enough import is_enough, pair
from echoplane.metrics import calibration, conformal, selective
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, Novelty, Thresholds
from echoplane.models.card import with_card
from echoplane.pipelines.promises import ending, endings

Method = Literal["temperature", "vector"]

#: Probabilities from which two clips may be enough, tried from the lowest on.
ENOUGH = (0.95, 0.97, 0.98, 0.99, 0.995)
#: Share of cines that may end otherwise where two clips are enough, and how many cines must show it.
CHANGED, SHOWN_BY = 0.005, 50


@dataclass(frozen=True, slots=True)
class CalibrateRecipe:
    """What to fit.

    Attributes
    ----------
    method : {"temperature", "vector"}
        One scale for all views, or a scale and a shift for each.
    levels : tuple of float
        Coverages of the conformal sets, each in (0, 1).
    per_view : bool
        Promise the coverage for each view by itself.
    precision : float or None
        Wanted share of right answers among those offered, in (0, 1]; gives the probability below which a cine is
        ``unsure``. None: no threshold.
    known : float or None
        Share of the cines of answered views to let pass the novelty check, in (0, 1]; None: no check.
    folds : int
        Parts, split by patient, for measuring on patients that were left out.
    seed : int
    """

    method: Method = "temperature"
    levels: tuple[float, ...] = (0.9, 0.95, 0.99)
    per_view: bool = False
    precision: float | None = 0.95
    known: float | None = 0.99
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for what in ("precision", "known"):
            value = getattr(self, what)
            if value is not None and not 0 < value <= 1:
                raise UsageError(f"{what} is {value}: expected a share above 0, at most 1, for example 0.95.")
        if self.folds < 2:
            raise UsageError(f"folds is {self.folds}: expected 2 or more.")


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """How good it is on patients that the fit did not see, by cross-fitting.

    Attributes
    ----------
    cines, patients : int
        Patients, or what stands for them, as `people` says.
    ece_before, ece_after : float
        Expected calibration error of cines, 15 bins of equal width.
    nll_before, nll_after : float
        Negative log likelihood of cines.
    coverage : dict of str to (float, float)
        Level to the share of sets that hold the true view, and the mean size of a set.
    answered, right : float or None
        With all limits that the bundle gets, on probability and on novelty, and from all clips: share of cines
        answered, and share right among them. None where neither limit is wanted.
    reached : bool
        Whether a threshold reaches the wanted precision on all calibration cines; where none does the bundle keeps
        no threshold. True where none is wanted.
    people : str
        ``"18 patients"``, or what stands for them.
    """

    cines: int
    patients: int
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float
    coverage: dict[str, tuple[float, float]]
    answered: float | None
    right: float | None
    reached: bool
    people: str


def as_decided(
    p_VK: calibration.Floats, y_true_V: npt.NDArray[np.int64], facts: BundleFacts
) -> tuple[calibration.Floats, npt.NDArray[np.bool_]]:
    """Return what the product weighs against its threshold, and whether it would be right to answer.

    Parameters
    ----------
    p_VK : float array, (V, K)
        Calibrated probabilities of each cine, in the order of the vocabulary.
    y_true_V : int64 array, (V,)
    facts : BundleFacts

    Returns
    -------
    weight : float array, (V,)
        Probability of the winning side: of the likeliest answer, or of all labels that are none, taken together.
    right : bool array, (V,)
        Whether the answer is the true one; for all labels that are none, whether the true one is none either.
    """
    found = [winner(row, facts) for row in p_VK]
    right = [
        best == y if is_offered else facts.vocabulary[y] not in facts.answers
        for (best, _, is_offered), y in zip(found, y_true_V, strict=True)
    ]
    return np.array([weight for _, weight, _ in found]), np.array(right, dtype=bool)


def fit(predictions: Predictions, recipe: CalibrateRecipe, facts: BundleFacts) -> BundleFacts:
    """Return a bundle's facts with scaling, sets and thresholds fitted on all cines given.

    The scaling knows the cines that it was fitted on, the better the more it can bend, and would make them look surer
    than those to come. Sets and the least probability are therefore fitted on what scalings fitted without a cine's
    patient make of it.

    Parameters
    ----------
    predictions : Predictions
    recipe : CalibrateRecipe
    facts : BundleFacts
        Of the bundle the predictions are of.
    """
    scaling = _fit_scaling(predictions, recipe.method)
    p, y = _left_out(predictions, recipe, scaling), predictions.y_true
    novelty, limit = _novelty(predictions, facts, recipe.known)
    thresholds = Thresholds(
        min_probability=_least(p, y, facts, recipe.precision) or 0.0,
        novelty=novelty,
        novelty_limit=limit,
        # Of energies, which no calibration changes.
        mirror_margin=facts.thresholds.mirror_margin,
        mirror_known=facts.thresholds.mirror_known,
    )
    sets = tuple(conformal.fit_conformal(y, p, level, recipe.per_view) for level in recipe.levels)
    return replace(facts, calibration=scaling, conformal=sets, thresholds=thresholds)


def _left_out(predictions: Predictions, recipe: CalibrateRecipe, scaling: Scaling) -> calibration.Floats:
    """Return probabilities of each cine by scalings fitted on other patients, (V, K); of one patient by `scaling`."""
    p = predictions.cine_probabilities(scaling)
    parts = _parts(predictions, recipe)
    for held in parts if len(parts) > 1 else ():
        others = predictions.take(np.setdiff1d(np.arange(len(p)), held))
        p[held] = predictions.take(held).cine_probabilities(_fit_scaling(others, recipe.method))
    return p


def _parts(predictions: Predictions, recipe: CalibrateRecipe) -> list[npt.NDArray[np.int64]]:
    """Return the rows of the cines of each part; a patient is in one of them, and none is empty."""
    names, patient = np.unique(np.array(predictions.groups), return_inverse=True)
    order = np.random.default_rng(recipe.seed).permutation(len(names))
    parts = np.array_split(order, min(recipe.folds, len(names)))
    return [np.flatnonzero(np.isin(patient, part)) for part in parts]


def _least(
    p_VK: calibration.Floats, y_true_V: npt.NDArray[np.int64], facts: BundleFacts, precision: float | None
) -> float | None:
    """Return the probability from which on the wanted share is right; None where none is wanted, or none reaches it."""
    if precision is None:
        return None
    return selective.threshold_for_precision(*as_decided(p_VK, y_true_V, facts), precision, least_answers(precision))


def least_answers(precision: float) -> int:
    """Return how many answers it takes to show a precision: of fewer than 20 one wrong is more than one in 20."""
    return min(math.ceil(1 / max(1 - precision, 0.01) - 1e-9), 100)


def calibrate(
    bundle: Bundle, predictions: Predictions, recipe: CalibrateRecipe | None = None, on: str = ""
) -> tuple[Bundle, CalibrationReport]:
    """Return a copy of a bundle with calibration, sets, thresholds and a card of it, and how good they are.

    Parameters
    ----------
    bundle : Bundle
    predictions : Predictions
        Of the bundle's own network, on cines it was not trained on.
    recipe : CalibrateRecipe, optional
    on : str
        The data, in words, for the bundle's facts.

    Raises
    ------
    UsageError
        When the predictions have other views than the bundle, or lack one of them and vector scaling is asked for.
    DataError
        With fewer patients than folds.
    """
    recipe = recipe or CalibrateRecipe()
    if predictions.views != bundle.facts.vocabulary:
        raise UsageError(
            f"the predictions are over {list(predictions.views)}, the bundle over {list(bundle.facts.vocabulary)}: "
            "these are not answers of this bundle."
        )
    unseen = [view for k, view in enumerate(predictions.views) if k not in predictions.y_true]
    if recipe.method == "vector" and unseen:
        raise UsageError(
            f"vector scaling moves every view by itself, and no cine shows {', '.join(unseen)}: that would never be "
            "answered again. Use the method temperature, or cines of all views."
        )
    report = cross_fit(predictions, recipe, bundle.facts)
    facts = fit(predictions, recipe, bundle.facts)
    facts = replace(facts, calibrated_on=on, thresholds=replace(facts.thresholds, chosen_on=on))
    facts = replace(facts, thresholds=replace(facts.thresholds, enough=enough(facts, predictions)))
    members = {name: bundle.read(name) for name in bundle.facts.members}
    return with_card(Bundle.create(facts, members)), report


def enough(facts: BundleFacts, predictions: Predictions) -> float | None:
    """Return the probability from which two clips of a cine are enough (:mod:`echoplane.inference.enough`).

    Parameters
    ----------
    facts : BundleFacts
        Calibrated, thresholds included.
    predictions : Predictions
        Answers for every clip; cines of more than two clips count.

    Returns
    -------
    float or None
        The lowest of `ENOUGH` with which no fewer cines are answered rightly than from all clips, and no more than
        `CHANGED` of them end otherwise, in status or view. None where there is none such, or fewer than `SHOWN_BY`
        cines show it.
    """
    clips = [predictions.logits[predictions.cine_of_clip == cine] for cine in range(len(predictions.cines))]
    truth = [predictions.views[y] for y in predictions.y_true]
    shown = [(logits, true) for logits, true in zip(clips, truth, strict=True) if len(logits) > 2]
    if len(shown) < SHOWN_BY:
        return None
    for least in ENOUGH:
        asked = replace(facts, thresholds=replace(facts.thresholds, enough=least))
        changed = better = 0
        for logits, true in shown:
            two = logits[pair(len(logits))]
            if is_enough(two, asked):
                whole, early = decide(logits, facts), decide(two, facts)
                changed += (whole.status, whole.view) != (early.status, early.view)
                better += (ending(early, true, facts) == "right") - (ending(whole, true, facts) == "right")
        if better >= 0 and changed <= CHANGED * len(shown):
            return least
    return None


def cross_fit(predictions: Predictions, recipe: CalibrateRecipe, facts: BundleFacts) -> CalibrationReport:
    """Fit on some patients, measure on the others, in turn."""
    patients = len(set(predictions.groups))
    if patients < recipe.folds:
        raise DataError(
            f"the cines are of {predictions.people()}, and {recipe.folds} are the least: how good "
            "the fit is gets measured on patients left out of it. Give cines of more patients; where there are no "
            "others, those of a cross-validation (echoplane crossval, then its predictions.npz)."
        )
    y, before = predictions.y_true, predictions.cine_probabilities()
    after = np.zeros_like(before)
    ends = np.full(len(y), "unsure")
    inside = np.zeros((len(recipe.levels), *after.shape), dtype=bool)
    for held in _parts(predictions, recipe):
        left, others = predictions.take(held), predictions.take(np.setdiff1d(np.arange(len(y)), held))
        fitted = fit(others, recipe, facts)
        after[held] = left.cine_probabilities(fitted.calibration)
        ends[held] = endings(left, fitted)
        for level, sets in enumerate(fitted.conformal):
            inside[level, held] = sets.contains(after[held])
    answered = ends != "unsure"
    limited = recipe.precision is not None or recipe.known is not None
    return CalibrationReport(
        cines=len(y),
        patients=patients,
        ece_before=calibration.expected_calibration_error(y, before),
        ece_after=calibration.expected_calibration_error(y, after),
        nll_before=calibration.negative_log_likelihood(y, before),
        nll_after=calibration.negative_log_likelihood(y, after),
        coverage={
            f"{level:g}": (float(sets[np.arange(len(y)), y].mean()), float(sets.sum(axis=1).mean()))
            for level, sets in zip(recipe.levels, inside, strict=True)
        },
        answered=float(answered.mean()) if limited else None,
        right=float(np.mean(ends[answered] == "right")) if limited and answered.any() else None,
        # The same probabilities as `fit` takes it from.
        reached=recipe.precision is None or _least(after, y, facts, recipe.precision) is not None,
        people=predictions.people(),
    )


def _fit_scaling(predictions: Predictions, method: Method) -> Scaling:
    if method == "vector":
        # Fitted on clips, each cine with the weight of one clip, then one temperature for the averaging of clips.
        first = np.unique(predictions.cine_of_clip, return_index=True)[1]
        vector = calibration.fit_vector(predictions.y_true, predictions.logits[first])
        scaled = predictions.logits * np.array(vector.scale) + np.array(vector.shift)
        t = calibration.fit_temperature(predictions.y_true, scaled, predictions.cine_of_clip).scale[0]
        return Scaling(tuple(s * t for s in vector.scale), tuple(s * t for s in vector.shift))
    return calibration.fit_temperature(predictions.y_true, predictions.logits, predictions.cine_of_clip)


def _novelty(predictions: Predictions, facts: BundleFacts, known: float | None) -> tuple[Novelty, float | None]:
    """Choose the score that a cine must stay under, and its limit: most cines of the views that are answered pass."""
    if known is None:
        return "none", None
    offered = np.array([label in facts.answers for label in predictions.views])
    score = selective.energy(predictions.logits[:, offered])
    by_cine = calibration.mean_by_cine(score[:, None], predictions.cine_of_clip)[:, 0]
    of_answers = offered[predictions.y_true]
    chosen = by_cine[of_answers] if of_answers.any() else by_cine
    # Without labels beside the answers both energies are one.
    return "energy" if offered.all() else "answers_energy", float(np.quantile(chosen, known))
