"""Exchanged left and right: found where there is doubt, answered turned around, and said."""

from dataclasses import replace

import numpy as np
import pytest

from echoplane.inference import mirror
from echoplane.inference.classifier import ViewClassifier
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Thresholds
from echoplane.records import Status


class LeftIsBright:
    """Stands in for a network that knows pictures that are brighter on the left; it counts the clips it is given."""

    name, device, precision = "stand-in", "none", "f32"

    def __init__(self, known, strange):
        self.known, self.strange = np.array(known, np.float32), np.array(strange, np.float32)
        self.clips = 0

    def run(self, clips):
        self.clips += len(clips)
        half = clips.shape[-1] // 2
        usual = clips[..., :half].mean(axis=(1, 2, 3, 4)) > clips[..., half:].mean(axis=(1, 2, 3, 4))
        return np.where(usual[:, None], self.known, self.strange)


@pytest.fixture
def answer(toy_bundle, monkeypatch):
    def make(frames, known, strange, margin):
        bundle = toy_bundle()
        bundle = type(bundle).create(
            replace(bundle.facts, thresholds=Thresholds(mirror_margin=margin)),
            {name: bundle.read(name) for name in bundle.facts.members},
        )
        classifier, engine = ViewClassifier.load(bundle, threads=1), LeftIsBright(known, strange)
        monkeypatch.setattr(classifier, "engine", lambda streams=1: engine)
        return classifier.predict(frames, fps=25), engine.clips

    return make


USUAL = np.full((30, 24, 32), 40, np.uint8)
USUAL[..., :16] = 200
EXCHANGED = np.ascontiguousarray(USUAL[..., ::-1])
KNOWN, STRANGE = (0.0, 6.0, 0.0), (1.0, 0.5, 0.0)


def test_an_exchanged_picture_is_answered_turned_around_and_says_so(answer):
    result, _ = answer(EXCHANGED, KNOWN, STRANGE, 1.0)
    assert (result.status, result.view, result.mirrored) == (Status.OK, "A4C", True)
    assert mirror.SENTENCE in result.reasons
    usual, _ = answer(USUAL, KNOWN, STRANGE, 1.0)
    assert result.probabilities == pytest.approx(usual.probabilities)


def test_the_usual_picture_stays_as_it_is_and_a_sure_one_costs_nothing(answer):
    result, clips = answer(USUAL, KNOWN, STRANGE, 1.0)
    assert (result.view, result.mirrored) == ("A4C", False)
    assert clips == len(result.clip_probabilities)
    doubtful, more = answer(USUAL, (1.0, 1.5, 0.0), (0.0, 0.1, 0.0), 1.0)
    assert not doubtful.mirrored
    assert more == clips + 1


def test_too_little_gain_or_no_margin_changes_nothing(answer):
    for margin in (10.0, None):
        result, _ = answer(EXCHANGED, KNOWN, STRANGE, margin)
        assert (result.best_view, result.mirrored) == ("A2C", False)
        assert mirror.SENTENCE not in result.reasons


def test_logits_that_are_no_numbers_are_not_asked_about(answer):
    result, _ = answer(EXCHANGED, KNOWN, (np.nan, 0.0, 0.0), 1.0)
    assert (result.status, result.mirrored) == (Status.UNSURE, False)


def test_the_gain_is_the_difference_of_the_energies_of_the_first_clips():
    drawn, turned = np.array([[1.0, 2.0], [9.0, 9.0]]), np.array([[3.0, 2.0], [0.0, 0.0]])
    expected = np.log(np.exp([3, 2]).sum()) - np.log(np.exp([1, 2]).sum())
    assert mirror.gain(drawn, turned) == pytest.approx(expected)


def test_what_shows_no_heart_has_no_left_and_right():
    facts = BundleFacts(
        "toy", ("A2C", "A4C", "NOISE"), NetworkSpec("compact3d"), thresholds=Thresholds(mirror_margin=1.0)
    )
    strange = np.array([STRANGE])
    assert mirror.seems_exchanged(strange, lambda: np.array([[0.0, 6.0, 0.0]]), facts)
    assert not mirror.seems_exchanged(strange, lambda: np.array([[0.0, 0.0, 6.0]]), facts)


def test_what_is_known_well_is_not_asked_for_though_there_is_doubt():
    doubt = np.array([[2.0, 4.0, 0.0]], np.float32)
    facts = BundleFacts("toy", ("A2C", "A4C", "NOISE"), NetworkSpec("compact3d"))
    energy = -np.log(np.exp(doubt).sum())
    for known, asked in ((None, True), (energy - 0.01, True), (energy + 0.01, False)):
        limits = Thresholds(mirror_margin=1.0, mirror_known=known)
        assert mirror.worth_asking(doubt, replace(facts, thresholds=limits)) is asked
