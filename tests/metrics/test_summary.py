from dataclasses import replace

import msgspec
import numpy as np
import pytest
import sklearn.metrics as sk

from echoplane.errors import UsageError
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.summary import INFLATED, Summary, compare_predictions, summarise

VIEWS = ("A4C", "A2C", "PSAX-MV", "PSAX-PM")


def predictions(seed: int = 0, n: int = 80, skill: float = 1.5) -> Predictions:
    rng = np.random.default_rng(seed)
    y = np.random.default_rng(99).integers(4, size=n)
    cine = np.repeat(np.arange(n), rng.integers(1, 5, size=n))
    logits = rng.normal(size=(len(cine), 4)) + skill * np.eye(4)[y[cine]]
    return Predictions(VIEWS, tuple(f"c{i}" for i in range(n)), tuple(f"p{i // 4}" for i in range(n)), y, cine,
                       logits.astype(np.float32), np.zeros(n, dtype=int), ("",) * n)  # fmt: skip


def test_figures_agree_with_scikit_learn_on_cine_answers() -> None:
    p = predictions()
    s = summarise(p, repeats=20)
    answer = p.cine_probabilities().argmax(axis=1)
    assert s.figures["accuracy"].value == pytest.approx(sk.accuracy_score(p.y_true, answer))
    assert s.figures["macro_f1"].value == pytest.approx(sk.f1_score(p.y_true, answer, average="macro"))
    clips = p.logits.argmax(axis=1)
    truth = p.y_true[p.cine_of_clip]
    assert s.figures["accuracy_clips"].value == pytest.approx(sk.accuracy_score(truth, clips))
    np.testing.assert_array_equal(s.confusion_clips, sk.confusion_matrix(truth, clips))
    np.testing.assert_array_equal(s.confusion_sums, sk.confusion_matrix(p.y_true, answer))
    assert (s.cines, s.patients, s.clips) == (80, 20, len(truth))
    for row in s.per_view:
        assert row.recall is not None
        assert row.recall.low <= row.recall.value <= row.recall.high
    assert len(s.misread) == int((answer != p.y_true).sum())
    assert [m[3] for m in s.misread] == sorted((m[3] for m in s.misread), reverse=True)


def test_summary_survives_json() -> None:
    s = summarise(predictions(), Scaling((1.3,)), repeats=5)
    # JSON has no NaN; bounds that are none are null in it.
    bounded = {name: figure for name, figure in s.figures.items() if name not in INFLATED}
    s = replace(s, figures=bounded)
    assert msgspec.json.decode(msgspec.json.encode(s), type=Summary) == s


def test_figures_that_resampling_makes_larger_have_no_interval() -> None:
    figures = summarise(predictions(), repeats=20).figures
    for name in ("ece", "ece_equal_mass", "mce"):
        assert figures[name].value > 0
        assert np.isnan([figures[name].low, figures[name].high]).all()
        assert str(figures[name]) == f"{figures[name].value:.3f} (no interval: resampling makes it larger)"
        plain = msgspec.json.decode(msgspec.json.encode(figures[name]))
        assert (plain["low"], plain["high"], plain["why_none"]) == (None, None, "resampling makes it larger")
    assert figures["brier"].low < figures["brier"].value < figures["brier"].high


def test_views_that_do_not_occur_have_no_figures() -> None:
    p = predictions()
    only = Predictions((*VIEWS, "other"), p.cines, p.groups, p.y_true, p.cine_of_clip,
                       np.c_[p.logits, np.full(len(p.logits), -9)].astype(np.float32), p.folds, p.sources)  # fmt: skip
    row = summarise(only, repeats=5).per_view[-1]
    assert (row.cines, row.precision, row.recall, row.f1, row.auroc) == (0, None, None, None, None)


def test_a_better_model_is_seen_to_be_better() -> None:
    good, poor = predictions(1, skill=3.0), predictions(2, skill=0.5)
    found = compare_predictions(good, poor, repeats=300)
    assert found.difference.low > 0
    assert found.p_value < 0.01
    same = compare_predictions(good, good, repeats=50)
    assert (same.difference.value, same.p_value) == (0.0, 1.0)


def test_answers_to_other_cines_are_not_compared() -> None:
    p = predictions(1)
    with pytest.raises(UsageError, match="answered no cine in common"):
        compare_predictions(p, replace(p, cines=tuple(f"other{i}" for i in range(len(p.cines)))))


def test_truths_that_contradict_each_other_are_refused() -> None:
    p = predictions(1)
    y = p.y_true.copy()
    y[7] = (y[7] + 1) % 4
    says = f"different true views of 1 of 80 cines, the first being 'c7', {VIEWS[p.y_true[7]]} and {VIEWS[y[7]]}"
    with pytest.raises(UsageError, match=says):
        compare_predictions(p, replace(p, y_true=y), repeats=50)
    # A view that the other does not know is called otherwise there.
    renamed = replace(p, views=(*VIEWS[:3], "other"))
    assert compare_predictions(p, renamed, repeats=50).difference.value == 0


def test_models_are_compared_as_they_are_calibrated() -> None:
    p = predictions(3)
    bent = Scaling((1.0,), (2.0, 0.0, 0.0, -2.0))
    found = compare_predictions(p, p, repeats=50, scalings=(None, bent))
    figures = [summarise(p, scaling, repeats=5).figures["accuracy"].value for scaling in (None, bent)]
    assert figures[0] != figures[1]
    assert found.difference.value == pytest.approx(figures[0] - figures[1])
    assert found.cines == 80
    assert compare_predictions(p, p.take(range(9)), repeats=50).cines == 9
