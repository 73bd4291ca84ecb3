import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoplane.data.epochs import MOST_REPEATS
from echoplane.errors import DataError, UsageError
from echoplane.training.order import EpochBatches


@settings(max_examples=100, deadline=None)
@given(size=st.integers(1, 60), share=st.integers(1, 5), world=st.integers(1, 5))
def test_processes_share_every_batch_evenly(size: int, share: int, world: int) -> None:
    epochs = [EpochBatches(np.full(size, 1 / size), size, share * world, 5, rank, world) for rank in range(world)]
    parts = [list(epoch) for epoch in epochs]
    assert {len(part) for part in parts} == {len(epoch) for epoch in epochs}
    for batches in zip(*parts, strict=True):
        assert len({len(batch) for batch in batches}) == 1
        assert batches[0]
    seen = [i for part in parts for batch in part for i in batch]
    assert set(seen) == set(range(size))
    assert len(seen) < size + world  # filled up by no more than it takes


@pytest.mark.parametrize(
    ("batch", "world", "near"),
    [(8, 3, "fit.batch=6 or fit.batch=9, or start a number of processes that divides 8"), (2, 4, "Set fit.batch=4,")],
)
def test_a_batch_that_does_not_divide_is_refused(batch: int, world: int, near: str) -> None:
    with pytest.raises(UsageError, match=f"fit.batch {batch} cannot be shared evenly by {world} processes.*{near}"):
        EpochBatches(np.full(9, 1 / 9), 9, batch, 1, 0, world)


def test_numbers_of_epochs_do_not_meet() -> None:
    batches = EpochBatches(np.array([0.9, 0.1]), 10, 4, 0)
    first = {i for batch in batches for i in batch}
    batches.epoch = 1
    second = {i for batch in batches for i in batch}
    assert not first & second
    assert min(second) >= 2 * MOST_REPEATS


def test_what_would_come_too_often_is_said_at_once() -> None:
    chance = np.full(12_001, 0.5 / 12_000)
    chance[0] = 0.5
    with pytest.raises(DataError, match="6000 times in an epoch of 12000"):
        EpochBatches(chance, 12_000, 32, 0)
    whole = [len(batch) for batch in EpochBatches(chance, 2_000, 32, 0)]
    assert sum(whole) == 2_000
