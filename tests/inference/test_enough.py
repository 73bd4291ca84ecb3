"""Two clips that agree are enough; any doubt, and the whole cine is looked at."""

from dataclasses import replace

import numpy as np
import pytest

from echoplane.inference.enough import first_look, is_enough, pair
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Thresholds
from echoplane.records import SamplingPlan

FACTS = BundleFacts("b", ("A2C", "A4C", "PLAX", "NOISE"), NetworkSpec("compact3d"), thresholds=Thresholds(enough=0.95))
SURE_A4C, SURE_A2C, UNSURE = (0.0, 9.0, 0.0, 0.0), (9.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("count", "chosen"), [(1, [0]), (2, [0, 1]), (3, [0, 2]), (4, [1, 2]), (5, [1, 3]), (10, [3, 6])]
)
def test_the_two_lie_away_from_start_and_end_and_apart(count, chosen):
    assert pair(count) == chosen


def test_the_first_look_is_the_whole_plan_where_nothing_is_said_or_nothing_is_left():
    whole = SamplingPlan(np.arange(48).reshape(6, 8), notes=("A note.",))
    first = first_look(whole, FACTS)
    np.testing.assert_array_equal(first.indices, whole.indices[[2, 3]])
    assert first.notes == whole.notes
    assert first_look(whole, replace(FACTS, thresholds=Thresholds())) is whole
    two = SamplingPlan(np.arange(16).reshape(2, 8))
    assert first_look(two, FACTS) is two


@pytest.mark.parametrize(
    ("logits", "enough"),
    [
        ((SURE_A4C, SURE_A4C), True),
        ((SURE_A4C, UNSURE), False),  # together below what is enough
        ((SURE_A4C, SURE_A2C), False),
        (((0, 0, 9, 0), (0, 0, 0, 9)), True),  # both say that it is none of the answers
        (((0, 0, 9, 0), SURE_A4C), False),
        (((np.nan, 0, 0, 0), SURE_A4C), False),
    ],
)
def test_clips_that_agree_and_leave_no_doubt_are_enough(logits, enough):
    assert is_enough(np.array(logits, np.float32), FACTS) is enough
    assert not is_enough(np.array(logits, np.float32), replace(FACTS, thresholds=Thresholds()))


def test_an_answer_that_would_be_unsure_is_never_enough():
    two = np.array((SURE_A4C, SURE_A4C), np.float32)
    for limits in (
        Thresholds(per_view={"A4C": 0.9999}, enough=0.95),
        Thresholds(novelty="energy", novelty_limit=-20.0, enough=0.95),
    ):
        assert not is_enough(two, replace(FACTS, thresholds=limits))
