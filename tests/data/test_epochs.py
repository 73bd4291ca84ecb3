import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoplane.data.epochs import chances, draw_epoch


def targets(*counts: int) -> np.ndarray:
    return np.repeat(np.eye(len(counts), dtype=np.float32), counts, axis=0)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 400), seed=st.integers(0, 2**31), epoch=st.integers(0, 100))
def test_equal_chances_give_a_permutation(n: int, seed: int, epoch: int) -> None:
    drawn = draw_epoch(np.full(n, 1 / n), n, seed, epoch)
    assert sorted(drawn.tolist()) == list(range(n))


@settings(max_examples=50, deadline=None)
@given(weights=st.lists(st.floats(0.01, 10), min_size=1, max_size=60), size=st.integers(1, 500))
def test_every_item_comes_as_often_as_it_should_within_one(weights: list[float], size: int) -> None:
    chance = np.array(weights) / np.sum(weights)
    drawn = draw_epoch(chance, size, 3, 0)
    assert len(drawn) == size
    counts = np.bincount(drawn % len(chance), minlength=len(chance))
    assert (np.abs(counts - chance * size) < 1 + 1e-5).all()
    assert len(set(drawn.tolist())) == size  # a repeat has its own number, and so its own augmentation


def test_epochs_differ_and_come_back() -> None:
    chance = np.full(50, 0.02)
    assert not np.array_equal(draw_epoch(chance, 50, 1, 0), draw_epoch(chance, 50, 1, 1))
    assert np.array_equal(draw_epoch(chance, 50, 1, 7), draw_epoch(chance, 50, 1, 7))


def test_views_are_balanced_as_far_as_asked() -> None:
    t, store = targets(80, 20), np.zeros(100, np.int64)
    for balance, expected in ((0.0, [0.8, 0.2]), (1.0, [0.5, 0.5]), (0.5, [2 / 3, 1 / 3])):
        np.testing.assert_allclose(chances(t, store, [None], balance) @ t, expected)


def test_stores_get_their_share() -> None:
    t, store = targets(150, 50), np.array([0] * 180 + [1] * 15 + [2] * 5)
    chance = chances(t, store, [None, 0.4, None], 0.0)
    shares = np.bincount(store, weights=chance)
    np.testing.assert_allclose(shares, [0.6 * 180 / 185, 0.4, 0.6 * 5 / 185])
    assert chance.sum() == pytest.approx(1)


def test_one_of_these_counts_for_each_view_in_part() -> None:
    t = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 0], [0, 0, 1]], np.float32)
    np.testing.assert_allclose(chances(t, np.zeros(4, np.int64), [None], 0.0), 0.25)
