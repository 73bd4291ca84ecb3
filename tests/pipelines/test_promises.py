"""Sets and endings, counted again by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from echoplane.errors import UsageError
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.conformal import ConformalSets
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, Thresholds
from echoplane.pipelines.promises import promises

VIEWS = ("A2C", "A4C", "PLAX")


def predictions(probabilities: list[list[float]], truth: list[int], clips: int = 1) -> Predictions:
    n = len(truth)
    logits = np.repeat(np.log(np.array(probabilities)), clips, axis=0).astype(np.float32)
    names = tuple(f"c{i}" for i in range(n))
    return Predictions(VIEWS, names, names, np.array(truth), np.repeat(np.arange(n), clips), logits,
                       np.zeros(n, dtype=int), names)  # fmt: skip


@pytest.fixture
def facts(toy_bundle: Callable[..., Bundle]) -> BundleFacts:
    made = toy_bundle(thresholds=Thresholds(0.6), conformal=(ConformalSets(0.9, (0.7,), 20),)).facts
    assert made.answers == ("A2C", "A4C")
    return made


@pytest.mark.parametrize("clips", [1, 3])
def test_every_way_a_cine_can_end(facts: BundleFacts, clips: int) -> None:
    p = predictions(
        [
            [0.8, 0.1, 0.1],  # A2C: right
            [0.8, 0.1, 0.1],  # A4C: wrong
            [0.5, 0.4, 0.1],  # A4C: unsure
            [0.1, 0.1, 0.8],  # A4C called other: wrong
            [0.1, 0.1, 0.8],  # PLAX called other: right
            [0.9, 0.05, 0.05],  # PLAX called A2C: wrong
        ],
        [0, 1, 1, 1, 2, 2],
        clips,
    )
    found = promises(p, facts, repeats=20)
    answered, others = found.endings
    assert (answered.of, answered.cines) == ("views it answers", 4)
    assert (answered.right.value, answered.wrong.value, answered.unsure.value) == (0.25, 0.5, 0.25)
    assert answered.right_of_answered == pytest.approx(1 / 3)
    assert (others.cines, others.right.value, others.wrong.value, others.unsure.value) == (2, 0.5, 0.5, 0.0)
    (sets,) = found.sets  # a view is in where its probability is 0.3 or more
    assert sets.coverage.value == pytest.approx(3 / 6)
    assert sets.size == pytest.approx(7 / 6)
    assert (sets.worst_view, sets.worst) == ("A4C", pytest.approx(1 / 3))


def test_the_bundles_calibration_counts(facts: BundleFacts) -> None:
    p = predictions([[0.9, 0.05, 0.05]], [0])
    flat = replace(facts, calibration=Scaling((0.01,)))
    assert promises(p, facts, repeats=10).endings[0].right.value == 1
    assert promises(p, flat, repeats=10).endings[0].unsure.value == 1
    assert promises(p, flat, repeats=10).endings[0].right_of_answered is None


def test_answers_of_another_bundle_are_refused(facts: BundleFacts) -> None:
    p = predictions([[0.9, 0.05, 0.05]], [0])
    with pytest.raises(UsageError, match="not answers of this bundle"):
        promises(replace(p, views=("A2C", "A4C", "A3C")), facts)
