"""The rules of an answer, against plain arithmetic."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from echoplane.inference.decide import decide, gate, vote_text
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.conformal import ConformalSets
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Thresholds
from echoplane.records import Cine, CineKind, Status
from echoplane.sources.array import ArrayReader

VOCABULARY = ("A2C", "A3C", "A4C", "PSAX-MV", "PSAX-PM", "PLAX", "NOISE")


def facts(**changes):
    return BundleFacts("toy", VOCABULARY, NetworkSpec("compact3d"), **changes)


def logits(*clips):
    """Logits whose softmax is the clips given, one dict a clip; what is not named shares the rest."""
    rows = []
    for clip in clips:
        rest = (1 - sum(clip.values())) / max(1, len(VOCABULARY) - len(clip))
        rows.append([np.log(max(clip.get(label, rest), 1e-12)) for label in VOCABULARY])
    return np.array(rows, np.float32)


def cine(kind, n_frames=2):
    return Cine("x", ArrayReader(np.zeros((n_frames, 4, 4), np.uint8)), n_frames, 4, 4, kind=kind)


def test_a_clear_view_is_offered():
    answer = decide(logits({"A4C": 0.9}, {"A4C": 0.7}), facts())
    assert (answer.status, answer.view, answer.best_view, answer.vote) == (Status.OK, "A4C", "A4C", "A4C")
    assert answer.probability == pytest.approx(0.8, abs=1e-6)
    assert answer.clip_votes == {"A4C": 2}
    assert answer.reasons == ()
    assert list(answer.probabilities) == list(VOCABULARY)


def test_other_labels_compete_together_and_the_best_of_them_is_named():
    answer = decide(logits({"A4C": 0.4, "PLAX": 0.3, "NOISE": 0.25}), facts())
    assert (answer.status, answer.view, answer.best_view) == (Status.OTHER, "", "PLAX")
    assert answer.probability == pytest.approx(0.3, abs=1e-6)
    assert answer.reasons[0] == "None of the views this network answers (probability 0.55)."
    offered = decide(logits({"A4C": 0.4, "PLAX": 0.3, "NOISE": 0.25}), facts(offered=("A4C", "PLAX")))
    assert (offered.status, offered.view) == (Status.OK, "A4C")


def test_an_unsure_none_of_them_does_not_lend_its_weight_to_one_label():
    limits = Thresholds(min_probability=0.8)
    clip = {"A4C": 0.4, "PLAX": 0.3, "NOISE": 0.25}
    answer = decide(logits(clip, clip), facts(thresholds=limits))
    assert (answer.status, answer.best_view) == (Status.UNSURE, "PLAX")
    assert answer.reasons[0].startswith(
        "Best guess none of the views this network answers (PLAX or the like) with 0.55;"
    )
    assert answer.reasons[-1] == "Most clips say A4C; the labels that are no answers outweigh it together."


def test_a_vocabulary_of_answers_only_always_has_one():
    every = BundleFacts("toy", ("A2C", "A4C"), NetworkSpec("compact3d"))
    answer = decide(np.array([[0.0, 0.1]]), every)
    assert (answer.status, answer.view) == (Status.OK, "A4C")


def test_below_its_threshold_an_answer_is_not_offered():
    limits = Thresholds(0.5, {"A4C": 0.9})
    unsure = decide(logits({"A4C": 0.8}), facts(thresholds=limits))
    assert (unsure.status, unsure.view, unsure.best_view) == (Status.UNSURE, "", "A4C")
    assert unsure.reasons[0] == "Best guess A4C with 0.80; answers are offered from 0.90 on."
    close = decide(logits({"A4C": 0.8}), facts(thresholds=Thresholds(0.5, {"A4C": 0.8004})))
    assert close.reasons[0] == "Best guess A4C with 0.8000; answers are offered from 0.8004 on."
    assert decide(logits({"A2C": 0.8}), facts(thresholds=limits)).status is Status.OK
    assert decide(logits({"A2C": 0.45}), facts(thresholds=limits)).status is Status.UNSURE


def test_an_unsure_answer_says_what_is_sure():
    answer = decide(
        logits({"PSAX-MV": 0.48, "PSAX-PM": 0.46}),
        facts(thresholds=Thresholds(0.6), conformal=(ConformalSets(0.9, (0.55,), 40),)),
    )
    assert answer.reasons[1:] == (
        "Surely a short-axis view (0.94); the level is in doubt: PSAX-MV 0.48, PSAX-PM 0.46.",
        "Prediction set for 90% coverage: PSAX-MV, PSAX-PM.",
    )
    apical = decide(logits({"A2C": 0.3, "A3C": 0.3, "A4C": 0.35}), facts(thresholds=Thresholds(0.6)))
    assert "an apical view (0.95); the view is in doubt: A4C 0.35, A2C 0.30, A3C 0.30." in apical.reasons[1]


@pytest.mark.parametrize("novelty", ["energy", "max_probability"])
def test_what_is_unlike_the_training_data_is_unsure(novelty):
    near = logits({"A4C": 0.99}) + 8
    far = logits({"A4C": 0.3})
    limit = {"energy": -4.0, "max_probability": 0.5}[novelty]
    fenced = facts(thresholds=Thresholds(novelty=novelty, novelty_limit=limit))
    assert decide(near, fenced).status is Status.OK
    assert decide(far, fenced).status is Status.UNSURE
    assert decide(far, fenced).reasons[0].startswith("Unlike the clips the network was trained on")


def test_energy_is_the_mean_over_clips_of_minus_log_sum_exp():
    scores = np.array([[1.0, 2, 0, 0, 0, 0, 0], [3.0, 0, 0, 0, 0, 0, 0]])
    energy = -np.log(np.exp(scores).sum(axis=1)).mean()

    def status(limit):
        return decide(scores, facts(thresholds=Thresholds(novelty="energy", novelty_limit=limit))).status

    assert status(energy + 1e-6) is Status.OK
    assert status(energy - 1e-6) is Status.UNSURE


def test_the_energy_of_the_answers_doubts_answers_only():
    # Two answers of seven labels; the others are what the network is sure of when it sees no heart.
    scores = np.array([[2.0, -8, -8, -8, -8, 1.9, 1.0], [2.0, -8, -8, -8, -8, -3.0, 0.0]])
    energy = -np.log(np.exp(scores[:, [0, 2]]).sum(axis=1)).mean()

    def ends(values, limit):
        wanted = Thresholds(novelty="answers_energy", novelty_limit=limit)
        return decide(values, facts(offered=("A2C", "A4C"), thresholds=wanted))

    assert ends(scores, energy + 1e-6).status is Status.OK
    assert ends(scores, energy - 1e-6).status is Status.UNSURE
    assert "(answers energy score" in ends(scores, energy - 1e-6).reasons[0]
    no_heart = np.array([[-9.0, -9, -9, -9, -9, -9, 9.0]])
    assert ends(no_heart, energy).status is Status.OTHER


def test_ties_are_reported_as_ties():
    answer = decide(logits({"A4C": 0.8, "A2C": 0.1}, {"A2C": 0.6, "A4C": 0.3}), facts())
    assert answer.vote == "A4C=A2C"
    assert answer.clip_votes == {"A2C": 1, "A4C": 1}
    assert answer.view == "A4C"
    assert answer.reasons == ("The clips' votes tie: A4C=A2C.",)
    assert vote_text(np.array([2, 2, 2]), np.array([0.3, 0.3, 0.4]), ("a", "b", "c")) == "c=a=b"


def test_votes_that_disagree_with_the_sum_are_reported():
    answer = decide(logits({"A4C": 0.95}, {"A2C": 0.5, "A4C": 0.45}, {"A2C": 0.5, "A4C": 0.45}), facts())
    assert (answer.view, answer.vote) == ("A4C", "A2C")
    assert answer.reasons == ("Most clips say A2C; their summed probabilities say A4C.",)


def test_calibration_is_applied_to_each_clip_before_the_mean():
    scores = np.array([[2.0, 0, 0, 0, 0, 0, 0], [0.0, 1, 0, 0, 0, 0, 0]])
    answer = decide(scores, facts(calibration=Scaling((0.5,))))
    cooled = np.exp(scores / 2) / np.exp(scores / 2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(list(answer.probabilities.values()), cooled.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(answer.clip_probabilities, cooled, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_no_answer(bad):
    scores = np.zeros((2, len(VOCABULARY)))
    scores[1, 3] = bad
    answer = decide(scores, facts())
    assert (answer.status, answer.view, answer.best_view, answer.probability) == (Status.UNSURE, "", "", None)


@given(scores=arrays(np.float32, (3, len(VOCABULARY)), elements=st.floats(-50, 50, width=32)))
def test_every_answer_is_consistent(scores):
    answer = decide(scores, facts(thresholds=Thresholds(0.5)))
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.probability == answer.probabilities[answer.best_view]
    assert sum(answer.clip_votes.values()) == 3
    assert set(answer.vote.split("=")) <= set(answer.clip_votes)
    assert (answer.view == answer.best_view) == (answer.status is Status.OK)
    if answer.status is Status.OK:
        assert answer.probability >= 0.5
        assert answer.view in facts().answers


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (CineKind.B_MODE, None),
        (CineKind.UNKNOWN, None),
        (CineKind.STILL, Status.STILL),
        (CineKind.COLOR_DOPPLER, Status.COLOR_DOPPLER),
        (CineKind.SPECTRAL_DOPPLER, Status.SPECTRAL_DOPPLER),
        (CineKind.M_MODE, Status.M_MODE),
        (CineKind.VOLUME, Status.VOLUME),
        (CineKind.SECONDARY_CAPTURE, Status.SECONDARY_CAPTURE),
        (CineKind.OTHER_MODALITY, Status.NOT_B_MODE),
    ],
)
def test_only_moving_b_mode_goes_to_the_network(kind, status):
    decision = gate(cine(kind))
    assert decision.status is status
    assert bool(decision.reason) == (status is not None)


def test_another_modality_is_named():
    found = dataclasses.replace(cine(CineKind.OTHER_MODALITY), facts={"modality": "MR"})
    assert gate(found, include_color=True).reason == "Of another modality (MR), no echocardiogram."


def test_stills_and_colour_are_answered_when_asked_to_and_marked():
    assert gate(cine(CineKind.B_MODE, 1)).status is Status.STILL
    assert gate(cine(CineKind.B_MODE, 1), include_color=True).status is Status.STILL
    still = gate(cine(CineKind.STILL, 1), include_stills=True)
    colour = gate(cine(CineKind.COLOR_DOPPLER), include_color=True)
    assert still.status is colour.status is None
    assert "A still" in still.reason
    assert "Colour Doppler" in colour.reason
    assert gate(cine(CineKind.M_MODE), include_color=True, include_stills=True).status is Status.M_MODE
