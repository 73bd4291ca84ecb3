from dataclasses import replace

import numpy as np
import pytest

from echoplane.errors import DataError, UsageError
from echoplane.inference.decide import decide
from echoplane.metrics.calibration import expected_calibration_error, softmax
from echoplane.metrics.conformal import fit_conformal
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Thresholds
from echoplane.pipelines.calibrate import (
    CalibrateRecipe,
    calibrate,
    cross_fit,
    enough,
    fit,
    least_answers,
)
from echoplane.pipelines.promises import endings
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import Status
from echoplane.sampling.rule import SamplingRule

VIEWS = ("A2C", "A4C", "PSAX-MV", "other")


def predictions(n: int = 1500, factor: float = 3.0, seed: int = 0) -> Predictions:
    """Sure of itself by `factor`, three clips a cine, five cines a patient."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, 4))
    y = (softmax(logits).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    clips = np.repeat(logits, 3, axis=0) * factor + rng.normal(scale=0.3, size=(3 * n, 4))
    return Predictions(VIEWS, tuple(f"c{i}" for i in range(n)), tuple(f"p{i // 5}" for i in range(n)), y,
                       np.repeat(np.arange(n), 3), clips.astype(np.float32),
                       np.zeros(n, dtype=int), ("",) * n)  # fmt: skip


def bundle() -> Bundle:
    return Bundle.create(BundleFacts("b", VIEWS, NetworkSpec("compact3d"), PrepareRecipe(), SamplingRule()), {})


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_what_is_promised_holds_on_patients_left_out(method: str) -> None:
    p = predictions()
    report = cross_fit(p, CalibrateRecipe(method=method, precision=0.9), bundle().facts)  # type: ignore[arg-type]
    assert report.ece_before > 0.15
    assert report.ece_after < 0.035
    assert report.nll_after < report.nll_before
    for level, (covered, size) in report.coverage.items():
        assert covered == pytest.approx(float(level), abs=0.02)
        assert 1 <= size <= 4
    assert report.right == pytest.approx(0.9, abs=0.03)
    assert report.answered is not None
    assert 0.1 < report.answered < 1


def test_bundle_carries_it_and_applies_it() -> None:
    p, fresh = predictions(), predictions(seed=1)
    made, report = calibrate(bundle(), p, on="made-up patients")
    assert made.facts.calibrated_on == "made-up patients"
    assert [s.level for s in made.facts.conformal] == [0.9, 0.95, 0.99]
    assert expected_calibration_error(fresh.y_true, fresh.cine_probabilities(made.facts.calibration)) < 0.035
    assert 0 < made.facts.thresholds.min_probability < 1
    # The network has a label beside its answers: their energy decides, and 99 of 100 known cines pass.
    assert made.facts.thresholds.novelty == "answers_energy"
    energy = -np.log(np.exp(fresh.logits[:, :3].astype(float)).sum(axis=1))
    by_cine = np.array([energy[fresh.cine_of_clip == i].mean() for i in np.flatnonzero(fresh.y_true < 3)])
    assert np.mean(by_cine <= made.facts.thresholds.novelty_limit) == pytest.approx(0.99, abs=0.007)
    assert (report.cines, report.patients) == (1500, 300)


def of_many_views(seed: int, n: int = 150, k: int = 15) -> Predictions:
    """A cine a patient: as many views as this bend a vector scaling to the cines that it was fitted on."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    logits = 3 * (rng.normal(size=(n, k)) + 2.5 * np.eye(k)[y])
    names = tuple(str(i) for i in range(n))
    return Predictions(tuple(f"v{i}" for i in range(k)), names, names, y, np.arange(n), logits.astype(np.float32),
                       np.zeros(n, dtype=int), ("",) * n)  # fmt: skip


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_sets_hold_what_they_promise_on_new_patients_whatever_was_fitted(method: str) -> None:
    recipe = CalibrateRecipe(method=method, levels=(0.9,), precision=0.9, known=None)  # type: ignore[arg-type]
    covered, right = [], []
    for seed in range(4):
        known, new = of_many_views(seed), of_many_views(100 + seed, n=1000)
        facts = BundleFacts("b", known.views, NetworkSpec("compact3d"), PrepareRecipe(), SamplingRule())
        fitted = fit(known, recipe, facts)
        p = new.cine_probabilities(fitted.calibration)
        covered.append(fitted.conformal[0].contains(p)[np.arange(1000), new.y_true].mean())
        answered = p.max(axis=1) >= fitted.thresholds.min_probability
        right.append((p.argmax(axis=1) == new.y_true)[answered].mean())
    assert 0.88 < np.mean(covered) < 0.94
    assert 0.88 < np.mean(right) < 0.94


def test_of_one_patient_alone_the_sets_are_fitted_on_what_the_scaling_saw() -> None:
    """There is no other patient to fit one on; `calibrate` refuses so few."""
    p = predictions(5)
    fitted = fit(p, CalibrateRecipe(levels=(0.5,), precision=None), bundle().facts)
    assert fitted.conformal == (fit_conformal(p.y_true, p.cine_probabilities(fitted.calibration), 0.5),)


def test_a_threshold_rests_on_as_many_answers_as_it_takes_to_show_it() -> None:
    """One cine that is right by luck, above all others, is no promise of nineteen in twenty."""
    assert [least_answers(wanted) for wanted in (0.5, 0.9, 0.95, 0.99, 1)] == [2, 10, 20, 100, 100]
    p = predictions(100, factor=0.02, seed=3)
    right = p.y_true == p.cine_probabilities(None).argmax(axis=1)
    p = replace(p, logits=p.logits + 5 * np.eye(4)[p.y_true[p.cine_of_clip]] * np.isin(p.cine_of_clip, [3, 4])[:, None])
    assert right.mean() < 0.9
    made, report = calibrate(bundle(), p, CalibrateRecipe(precision=0.95, known=None))
    assert not report.reached
    assert made.facts.thresholds.min_probability == 0


def test_vector_scaling_needs_all_views() -> None:
    p = predictions(300)
    some = p.take(np.flatnonzero(p.y_true != 1))
    with pytest.raises(UsageError, match=rf"no cine shows {VIEWS[1]}: that would never be answered again"):
        calibrate(bundle(), some, CalibrateRecipe(method="vector"))
    calibrate(bundle(), some, CalibrateRecipe(method="temperature", folds=2))


def with_clips(logits: list[list[tuple[float, ...]]], true: list[int]) -> Predictions:
    n = len(logits)
    return Predictions(VIEWS, tuple(f"c{i}" for i in range(n)), tuple(f"p{i}" for i in range(n)), np.array(true),
                       np.repeat(np.arange(n), [len(clips) for clips in logits]),
                       np.array([clip for clips in logits for clip in clips], np.float32),
                       np.zeros(n, dtype=int), ("",) * n)  # fmt: skip


def test_two_clips_are_enough_from_where_they_change_no_answer() -> None:
    facts = bundle().facts
    # Log odds against the three others together: 0.96, 0.985 and 0.9995, and a clip that outvotes two of the first.
    sure, surer, surest = ((0.0, v, 0.0, 0.0) for v in (4.28, 5.3, 8.7))
    against = (9.0, 0.0, 0.0, 0.0)
    # Of four clips the second and the third are the first look.
    plain = [[surest] * 4] * 60
    assert enough(facts, with_clips(plain, [1] * 60)) == 0.95
    misled = [[against, sure, sure, against]] * 5  # the whole cine says A2C, rightly
    assert enough(facts, with_clips(plain + misled, [1] * 60 + [0] * 5)) == 0.97
    more = [[against, surer, surer, against]] * 5
    assert enough(facts, with_clips(plain + misled + more, [1] * 60 + [0] * 10)) == 0.99
    for_good = [[against, surest, surest, against]] * 5
    assert enough(facts, with_clips(plain + for_good, [1] * 60 + [0] * 5)) is None
    # Rightly changed, but too many to be the same product.
    assert enough(facts, with_clips(plain + for_good, [1] * 65)) is None
    assert enough(facts, with_clips(plain[:49], [1] * 49)) is None
    assert enough(facts, with_clips([[surest] * 2] * 60, [1] * 60)) is None


def test_two_clips_are_not_enough_where_the_whole_cine_would_be_unsure() -> None:
    facts = replace(bundle().facts, thresholds=Thresholds(min_probability=0.9))
    sure, weakly_other = (0.0, 9.0, 0.0, 0.0), (2.0, 0.0, 0.0, 0.0)
    unsure = [[weakly_other, sure, sure, weakly_other]] * 20  # A4C from the first look, and from all clips below 0.9
    assert enough(facts, with_clips([[sure] * 4] * 60 + unsure, [1] * 80)) is None
    assert enough(facts, with_clips([[sure] * 4] * 80, [1] * 80)) == 0.95


def test_a_calibrated_bundle_says_what_is_enough() -> None:
    made, _ = calibrate(bundle(), predictions(300))
    assert made.facts.thresholds.enough is None or 0.95 <= made.facts.thresholds.enough < 1
    sure = predictions(300)
    logits = np.where(np.arange(4) == np.repeat(sure.y_true, 3)[:, None], 9.0, 0.0).astype(np.float32)
    made, _ = calibrate(bundle(), replace(sure, logits=logits))
    assert made.facts.thresholds.enough == 0.95
    assert "Two clips are enough" in made.read("MODEL_CARD.md").decode()


def test_nothing_asked_nothing_set() -> None:
    made, report = calibrate(bundle(), predictions(300), CalibrateRecipe(precision=None, known=None, levels=()))
    t = made.facts.thresholds
    assert (t.min_probability, t.novelty, t.novelty_limit, made.facts.conformal) == (0.0, "none", None, ())
    assert (report.answered, report.right, report.coverage) == (None, None, {})


@pytest.mark.parametrize("precision", [0.5, None])
def test_what_is_printed_as_answered_is_what_the_bundle_answers(precision: float | None) -> None:
    p, fresh = predictions(600), predictions(600, seed=1)
    made, report = calibrate(bundle(), p, CalibrateRecipe(precision=precision, known=0.5))
    ends = endings(fresh, made.facts)
    assert report.answered is not None
    assert report.answered < 0.75  # of cines of views that it answers half are too unlike
    assert report.answered == pytest.approx(np.mean(ends != "unsure"), abs=0.06)
    assert report.right == pytest.approx(np.mean(ends[ends != "unsure"] == "right"), abs=0.05)
    assert report.reached


def test_a_precision_out_of_reach_is_said_not_faked() -> None:
    p = predictions(300)
    never = replace(p, y_true=(p.cine_probabilities().argmax(axis=1) + 1) % 4)
    report = cross_fit(never, CalibrateRecipe(precision=0.9), bundle().facts)
    assert not report.reached


def test_the_threshold_is_for_what_predict_weighs_against_it() -> None:
    """Labels that are no answer come to one `other`: the product weighs their sum, and any of them is right."""
    p = predictions(2000, factor=2.0)
    two = BundleFacts("b", VIEWS, NetworkSpec("compact3d"), PrepareRecipe(), SamplingRule(), offered=("A2C", "A4C"))
    made, report = calibrate(Bundle.create(two, {}), p, CalibrateRecipe(precision=0.9, known=None))
    found = [decide(p.logits[p.cine_of_clip == cine], made.facts) for cine in range(len(p.cines))]
    offered = [
        answer.view == (VIEWS[y] if VIEWS[y] in two.answers else "")
        for answer, y in zip(found, p.y_true, strict=True)
        if answer.status is not Status.UNSURE
    ]
    # The lowest threshold that keeps the promise on patients left out: hardly more than kept.
    assert np.mean(offered) == pytest.approx(0.9, abs=0.005)
    assert report.right == pytest.approx(0.9, abs=0.02)
    assert report.answered == pytest.approx(len(offered) / len(found), abs=0.03)


def test_refusals() -> None:
    p = predictions(20)
    with pytest.raises(UsageError, match="not answers of this bundle"):
        calibrate(bundle(), replace(p, views=("A2C", "A3C", "A4C", "other")))
    with pytest.raises(DataError, match=r"of 4 groups \(patients where known\), and 5 are the least"):
        cross_fit(p, CalibrateRecipe(), bundle().facts)
    with pytest.raises(UsageError, match="precision is 95"):
        CalibrateRecipe(precision=95)
    with pytest.raises(UsageError, match="folds is 1"):
        CalibrateRecipe(folds=1)
