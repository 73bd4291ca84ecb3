import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from torch import nn

from echoplane.metrics import selective

ANSWERS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30)


@given(ANSWERS)
def test_risk_at_each_threshold_is_the_error_rate_of_those_above(pairs: list[tuple[int, bool]]) -> None:
    confidence, right = np.array([c / 5 for c, _ in pairs]), np.array([r for _, r in pairs])
    answered, risk = selective.risk_coverage(confidence, right)
    for share, error, level in zip(answered, risk, np.unique(confidence)[::-1], strict=True):
        chosen = confidence >= level
        assert share == pytest.approx(chosen.mean())
        assert error == pytest.approx(1 - right[chosen].mean())
    assert answered[-1] == 1


@given(ANSWERS, st.sampled_from([0.5, 0.8, 1.0]), st.integers(1, 12))
def test_threshold_keeps_its_promise_and_is_the_lowest(
    pairs: list[tuple[int, bool]], wanted: float, least: int
) -> None:
    confidence, right = np.array([c / 5 for c, _ in pairs]), np.array([r for _, r in pairs])
    found = selective.threshold_for_precision(confidence, right, wanted, least)
    above = [(t, right[confidence >= t]) for t in np.unique(confidence)]
    good = [t for t, chosen in above if chosen.mean() >= wanted and len(chosen) >= least]
    assert found == (min(good) if good else None)


def test_area_of_a_perfect_and_a_useless_order() -> None:
    right = np.array([True] * 80 + [False] * 20)
    perfect = selective.area_under_risk_coverage(np.linspace(1, 0, 100), right)
    reverse = selective.area_under_risk_coverage(np.linspace(0, 1, 100), right)
    assert perfect < 0.03 < 0.2 < reverse


def test_energy_is_the_negative_log_sum_exp() -> None:
    logits = np.random.default_rng(0).normal(size=(20, 6)) * 30
    np.testing.assert_allclose(selective.energy(logits), -scipy.special.logsumexp(logits, axis=1))
    np.testing.assert_allclose(selective.energy(logits, 2.0), -2 * scipy.special.logsumexp(logits / 2, axis=1))


def test_mahalanobis_against_scipy() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=300)
    x = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) + 5 * np.eye(4)[y]
    score = selective.MahalanobisScore(x, y)
    inverse = score.whiten @ score.whiten.T
    expected = [min(mahalanobis(row, c, inverse) for c in score.centres) for row in x[:10]]
    np.testing.assert_allclose(score(x[:10]), expected)
    assert score(np.full((1, 4), 50.0))[0] > score(x).max()


def test_max_probability_score() -> None:
    p = nn.functional.softmax(torch.tensor([[2.0, 0.0], [0.0, 0.0]], dtype=torch.float64), dim=1).numpy()
    np.testing.assert_allclose(selective.max_probability_score(p), 1 - p.max(axis=1))
