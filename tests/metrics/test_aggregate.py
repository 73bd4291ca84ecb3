import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from echoplane.metrics import aggregate

CLIPS = arrays(float, st.tuples(st.integers(1, 9), st.integers(2, 5)), elements=st.floats(0, 1))


@given(CLIPS)
def test_votes_add_up_and_winners_have_the_most(clips: np.ndarray) -> None:
    votes = aggregate.count_votes(clips)
    assert votes.sum() == len(clips)
    winners = aggregate.majority(votes)
    assert {int(v) for k, v in enumerate(votes) if k in winners} == {int(votes.max())}
    assert aggregate.majority_with_sum(clips) in winners
    np.testing.assert_allclose(aggregate.sum_probabilities(clips), clips.sum(axis=0) / len(clips))


def test_a_tie_is_a_tie_and_the_sum_breaks_it() -> None:
    clips = np.array([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]])
    assert aggregate.majority(aggregate.count_votes(clips)) == (0, 1)
    assert aggregate.majority_with_sum(clips) == 0
    assert aggregate.majority(np.zeros(3, dtype=int)) == ()
