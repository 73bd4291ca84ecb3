import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from echoplane.errors import UsageError
from echoplane.metrics.intervals import bootstrap, compare, mcnemar_p


def test_interval_of_a_mean_is_that_of_theory_when_each_row_is_a_patient() -> None:
    x = np.random.default_rng(0).normal(size=400)
    found = bootstrap(lambda rows: float(x[rows].mean()), [str(i) for i in range(400)])
    half = 1.96 * x.std() / 20
    assert found.value == pytest.approx(x.mean())
    assert found.low == pytest.approx(x.mean() - half, abs=0.01)
    assert found.high == pytest.approx(x.mean() + half, abs=0.01)


def test_patients_with_many_alike_clips_widen_the_interval() -> None:
    x = np.repeat(np.random.default_rng(0).normal(size=40), 10)

    def width(groups: list[str]) -> float:
        found = bootstrap(lambda rows: float(x[rows].mean()), groups)
        return found.high - found.low

    assert width([str(i // 10) for i in range(400)]) > 2.5 * width([str(i) for i in range(400)])


def test_same_seed_same_interval_and_coverage_about_right() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(150):
        x = rng.random(60) < 0.8
        found = bootstrap(lambda rows, x=x: float(x[rows].mean()), [str(i) for i in range(60)], repeats=300, seed=trial)
        hits += found.low <= 0.8 <= found.high
    assert 0.88 <= hits / 150 <= 0.99


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_against_the_binomial_test(a: int, b: int) -> None:
    expected = binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
    assert mcnemar_p(a, b) == pytest.approx(expected)


def test_compare_counts_what_only_one_reads_right() -> None:
    first = np.array([1, 1, 1, 0, 1, 0], dtype=bool)
    second = np.array([1, 0, 0, 1, 1, 0], dtype=bool)
    found = compare(first, second, list("aabbcc"))
    assert (found.only_first, found.only_second) == (2, 1)
    assert found.difference.value == pytest.approx(1 / 6)
    assert found.difference.low <= 1 / 6 <= found.difference.high


def test_refusals() -> None:
    with pytest.raises(UsageError, match="2 answers of the first model, but 1"):
        compare(np.array([True, False]), np.array([True]), ["a", "b"])
    with pytest.raises(UsageError, match="there are none"):
        bootstrap(lambda rows: 0.0, [])


def test_one_patient_gives_no_interval() -> None:
    right = np.array([1.0] * 19 + [0.0])
    found = bootstrap(lambda rows: float(right[rows].mean()), ["p"] * 20)
    assert found.value == pytest.approx(0.95)
    assert np.isnan(found.low)
    assert np.isnan(found.high)
    assert str(found) == "0.950 (no interval: too few patients)"
