import numpy as np
import pytest

from echoplane.errors import UsageError
from echoplane.metrics.calibration import softmax
from echoplane.metrics.conformal import ConformalSets, coverage, fit_conformal


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(4, size=n)
    return y, softmax(rng.normal(size=(n, 4)) + np.array([2.0, 1.0, 1.5, 0.5])[y][:, None] * np.eye(4)[y])


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("per_view", [False, True])
def test_coverage_on_fresh_samples(level: float, per_view: bool) -> None:
    sets = fit_conformal(*draw(8000, 0), level, per_view)
    y, p = draw(8000, 1)
    assert coverage(sets, y, p)[0] == pytest.approx(level, abs=0.012)
    if per_view:
        for k in range(4):
            assert coverage(sets, y[y == k], p[y == k])[0] == pytest.approx(level, abs=0.025)


def test_threshold_is_the_order_statistic_of_the_definition() -> None:
    p = np.array([[1 - s, s] for s in np.arange(1, 20) / 20])  # scores of view 0: 0.05 .. 0.95
    sets = fit_conformal(np.zeros(19, dtype=int), p, 0.9)  # ceil(20 * 0.9) = 18th smallest
    assert sets.thresholds[0] == pytest.approx(0.9)
    assert sets.contains(p).sum(axis=0)[0] == 18


def test_too_few_samples_promise_nothing_less_than_everything() -> None:
    sets = fit_conformal(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]), 0.95, per_view=True)
    assert sets.thresholds == (1.0, 1.0)
    assert sets.contains(np.array([0.0, 1.0])).all()


@pytest.mark.parametrize(("level", "fewest"), [(0.9, 9), (0.95, 19), (0.99, 99)])
def test_how_many_samples_a_level_needs(level: float, fewest: int) -> None:
    """level / (1 - level), as the docstring says."""
    for n, finite in ((fewest - 1, False), (fewest, True)):
        sets = fit_conformal(np.zeros(n, dtype=int), np.tile([0.8, 0.2], (n, 1)), level, per_view=True)
        assert (sets.thresholds[0] < 1) is finite


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_level_must_be_a_share(level: float) -> None:
    with pytest.raises(UsageError, match="expected between 0 and 1"):
        fit_conformal(np.array([0]), np.array([[1.0]]), level)


def test_no_samples() -> None:
    with pytest.raises(UsageError, match="there are none"):
        fit_conformal(np.array([], dtype=int), np.zeros((0, 2)), 0.9)


def test_sets_are_plain_data() -> None:
    import msgspec

    sets = ConformalSets(0.9, (0.3, 0.1234567890123), 12)
    assert msgspec.json.decode(msgspec.json.encode(sets), type=ConformalSets) == sets
