import numpy as np
import pytest
import scipy.special
import torch
import torchmetrics.functional.classification as tm
from hypothesis import given
from hypothesis import strategies as st

from echoplane.errors import UsageError
from echoplane.metrics import calibration as cal


def calibrated(seed: int, n: int = 4000, k: int = 4, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true chance of each view, and views drawn by it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=spread, size=(n, k))
    p = scipy.special.softmax(logits, axis=1)
    return (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1), logits


@given(st.integers(0, 1000))
def test_ece_and_mce_against_torchmetrics(seed: int) -> None:
    y, logits = calibrated(seed, n=300)
    p = cal.softmax(2 * logits)
    t, q = torch.tensor(y), torch.tensor(p)
    for norm, own in (("l1", cal.expected_calibration_error), ("max", cal.maximum_calibration_error)):
        expected = float(tm.multiclass_calibration_error(q, t, 4, n_bins=15, norm=norm))
        assert own(y, p) == pytest.approx(expected, abs=1e-6)


def test_equal_mass_bins_hold_equal_counts() -> None:
    y, logits = calibrated(0, n=1500)
    p = cal.softmax(logits)
    bins = cal.reliability(p.max(axis=1), p.argmax(axis=1) == y, 10, "mass")
    assert [b.count for b in bins] == [150] * 10
    assert cal.expected_calibration_error(y, p, 10, "mass") < 0.05


def test_brier_and_likelihood_by_hand() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    y = np.array([0, 2])
    assert cal.brier_score(y, p) == pytest.approx((0.09 + 0.04 + 0.01 + 0.01 + 0.64 + 0.81) / 2)
    assert cal.negative_log_likelihood(y, p) == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_temperature_is_found_back(factor: float) -> None:
    y, logits = calibrated(1, n=20_000)
    scaling = cal.fit_temperature(y, logits * factor)
    assert scaling.temperature == pytest.approx(factor, rel=0.04)
    assert cal.expected_calibration_error(y, scaling.apply(logits * factor)) < 0.015


@pytest.mark.parametrize("logits", [3 * np.eye(4), np.zeros((4, 4)), np.repeat(3 * np.eye(4), 2, axis=0)])
def test_samples_that_say_nothing_of_the_temperature_leave_it(logits: np.ndarray) -> None:
    """All right: the likelihood rises without end, and a temperature found so would call everything certain."""
    y = np.arange(4)
    clips = np.arange(4).repeat(len(logits) // 4)
    assert cal.fit_temperature(y, logits, clips).temperature == 1.0


def test_vector_scaling_mends_what_a_temperature_cannot() -> None:
    y, logits = calibrated(2, n=20_000)
    bent = logits * [0.5, 1, 2, 1] + [1.0, 0, -1, 0.5]
    by_t, by_v = (fit(y, bent).apply(bent) for fit in (cal.fit_temperature, cal.fit_vector))
    assert cal.negative_log_likelihood(y, by_v) < cal.negative_log_likelihood(y, by_t) - 0.05
    assert cal.negative_log_likelihood(y, by_v) < cal.negative_log_likelihood(y, cal.softmax(logits)) + 0.01


def test_vector_gradient_is_right_where_it_stops() -> None:
    y, logits = calibrated(5, n=500)
    best = cal.fit_vector(y, logits, strength=1e-6)
    loss = cal.negative_log_likelihood(y, best.apply(logits))
    rng = np.random.default_rng(0)
    for _ in range(20):
        near = cal.Scaling(tuple(np.array(best.scale) * np.exp(rng.normal(scale=0.02, size=4))),
                           tuple(np.array(best.shift) + rng.normal(scale=0.02, size=4)))  # fmt: skip
        assert cal.negative_log_likelihood(y, near.apply(logits)) >= loss - 1e-5


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6))
def test_softmax_agrees_with_scipy_and_never_overflows(row: list[float]) -> None:
    np.testing.assert_allclose(cal.softmax(np.array(row)), scipy.special.softmax(row), atol=1e-12)


def test_refusals() -> None:
    with pytest.raises(UsageError, match="scale above 0"):
        cal.Scaling((0.0,))
    with pytest.raises(UsageError, match="expected 'width' or 'mass'"):
        cal.reliability(np.array([0.5]), np.array([True]), mass="size")
    with pytest.raises(UsageError, match="expected 0 to 1"):
        cal.reliability(np.array([1.5]), np.array([True]))


def test_temperature_for_cines_makes_up_for_the_averaging() -> None:
    rng = np.random.default_rng(3)
    y, logits = calibrated(4, n=3000)
    clips = np.repeat(logits, 5, axis=0) * 2 + rng.normal(scale=1.5, size=(15_000, 4))
    cine = np.repeat(np.arange(3000), 5)
    for_cines = cal.fit_temperature(y, clips, cine)
    for_clips = cal.fit_temperature(np.repeat(y, 5), clips)

    def ece(scaling: cal.Scaling) -> float:
        return cal.expected_calibration_error(y, cal.mean_by_cine(scaling.apply(clips), cine))

    assert for_cines.scale[0] > for_clips.scale[0]
    assert ece(for_cines) < ece(for_clips)
    np.testing.assert_allclose(cal.mean_by_cine(clips, cine), clips.reshape(3000, 5, 4).mean(axis=1))


@pytest.mark.parametrize("clips", [(0.2, -2.0, 4.0), (3.0, -4.0, -8.0), (0.2, 0.2, -2.0)])
def test_temperature_for_cines_is_the_best_of_several_minima(clips: tuple[float, ...]) -> None:
    logits = np.array([[value, 0.0] for value in clips])
    y, cine = np.array([0]), np.zeros(3, dtype=int)

    def loss(scale: float) -> float:
        return cal.negative_log_likelihood(y, cal.mean_by_cine(cal.softmax(logits * scale), cine))

    found = loss(cal.fit_temperature(y, logits, cine).scale[0])
    assert found <= min(loss(scale) for scale in np.geomspace(1 / 50, 50, 2001)) + 1e-4


def test_equal_mass_bins_do_not_depend_on_the_order_of_equal_confidences() -> None:
    rng = np.random.default_rng(0)
    p = np.column_stack([np.where(np.arange(300) < 30, 0.7, 1.0), np.where(np.arange(300) < 30, 0.3, 0.0)])
    y = (rng.random(300) < 0.1).astype(int)
    found = cal.reliability(p[:, 0], y == 0, mass="mass")
    assert [b.count for b in found] == [30, 270]
    for _ in range(5):
        order = rng.permutation(300)
        again = cal.expected_calibration_error(y[order], p[order], mass="mass")
        assert again == pytest.approx(cal.expected_calibration_error(y, p, mass="mass"), abs=1e-12)
    # Without equal ones the counts differ by one at most.
    counts = [b.count for b in cal.reliability(rng.random(47), np.ones(47, dtype=bool), 10, "mass")]
    assert counts == [5] * 7 + [4] * 3
