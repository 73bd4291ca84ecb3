import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm
from hypothesis import given
from hypothesis import strategies as st

from echoplane.errors import UsageError
from echoplane.metrics import classification as own


def sample(seed: int, n: int = 200, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y_true = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[y_true]
    p = np.exp(logits)
    return y_true, p / p.sum(axis=1, keepdims=True)


@given(st.integers(0, 10_000))
def test_against_scikit_learn(seed: int) -> None:
    y_true, p = sample(seed)
    y_pred = p.argmax(axis=1)
    c = own.confusion_matrix(y_true, y_pred, 5)
    np.testing.assert_array_equal(c, sk.confusion_matrix(y_true, y_pred, labels=range(5)))
    precision, recall, f1, _ = sk.precision_recall_fscore_support(y_true, y_pred, labels=range(5), zero_division=np.nan)
    np.testing.assert_allclose(own.precision(c), precision)
    np.testing.assert_allclose(own.recall(c), recall)
    np.testing.assert_allclose(own.f1(c), f1)
    assert own.accuracy(c) == pytest.approx(sk.accuracy_score(y_true, y_pred))
    assert own.balanced_accuracy(c) == pytest.approx(sk.balanced_accuracy_score(y_true, y_pred))
    assert own.macro_f1(c) == pytest.approx(sk.f1_score(y_true, y_pred, average="macro"))
    assert own.cohen_kappa(c) == pytest.approx(sk.cohen_kappa_score(y_true, y_pred))
    assert own.top_k_accuracy(y_true, p) == pytest.approx(sk.top_k_accuracy_score(y_true, p, k=2, labels=range(5)))
    expected = [sk.roc_auc_score(y_true == k, p[:, k]) for k in range(5)]
    np.testing.assert_allclose(own.auroc_per_view(y_true, p), expected)


def test_against_torchmetrics() -> None:
    y_true, p = sample(3, n=500)
    c = own.confusion_matrix(y_true, p.argmax(axis=1), 5)
    t, q = torch.tensor(y_true), torch.tensor(p)
    assert own.cohen_kappa(c) == pytest.approx(float(tm.multiclass_cohen_kappa(q, t, 5)), abs=1e-6)
    assert own.macro_f1(c) == pytest.approx(float(tm.multiclass_f1_score(q, t, 5, average="macro")), abs=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=40))
def test_auroc_counts_ties_as_half(pairs: list[tuple[bool, int]]) -> None:
    positive = np.array([a for a, _ in pairs])
    score = np.array([float(b) for _, b in pairs])
    ours = own.auroc(positive, score)
    if positive.all() or not positive.any():
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(sk.roc_auc_score(positive, score))


def test_views_that_do_not_occur_are_nan_and_left_out_of_means() -> None:
    c = own.confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert np.isnan(own.recall(c)[2])
    assert own.balanced_accuracy(c) == pytest.approx(0.75)
    assert np.isnan(own.accuracy(np.zeros((3, 3), dtype=int)))


def test_family_accuracy_forgives_the_level_but_not_the_window() -> None:
    views = ["A4C", "A2C", "PSAX-MV", "PSAX-PM", "PLAX"]
    truth, answer = np.array([0, 0, 2, 2, 4]), np.array([1, 2, 3, 2, 0])
    assert own.family_accuracy(truth, answer, views) == pytest.approx(3 / 4)


def test_bad_input_says_what_it_is() -> None:
    with pytest.raises(UsageError, match="2 true labels, but 1 answers"):
        own.confusion_matrix(np.array([0, 1]), np.array([0]), 2)
    with pytest.raises(UsageError, match="-1 to 1, expected 0 to 1"):
        own.confusion_matrix(np.array([-1, 1]), np.array([0, 1]), 2)


def test_chance_ties_do_not_flatter_top_k() -> None:
    assert own.top_k_accuracy(np.array([0]), np.full((1, 4), 0.25), k=2) == 0.0
