"""Two clips that agree are enough; any doubt, and the whole cine is looked at."""

from dataclasses import replace

import numpy as np
import pytest

from echoplane.inference.classifier import ViewClassifier
from echoplane.inference.enough import first_look, is_enough, pair
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Thresholds
from echoplane.prepare.frames import prepare
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import SamplingPlan, Status
from echoplane.sampling.clips import plan
from echoplane.sampling.rule import SamplingRule

RULE = SamplingRule(kind="sliding", frames=8, step=1, stride=8, max_clips=6, short="loop")
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


class Scripted:
    """Stands in for a network: what it says depends on how bright a clip is; it counts the clips that it is given."""

    name, device, precision = "stand-in", "none", "f32"

    def __init__(self):
        self.clips = 0

    def run(self, clips):
        self.clips += len(clips)
        bright = clips.mean(axis=(1, 2, 3, 4)) > 0.5
        return np.where(bright[:, None], (0.0, 9.0, 0.0), (1.0, 0.0, 0.0)).astype(np.float32)


@pytest.fixture
def recipe():
    return PrepareRecipe(mask=False, crop="none", size=(16, 16), mean=0.0, std=1.0)


@pytest.fixture
def answered(toy_bundle, monkeypatch, recipe):
    bundle = toy_bundle(sampling=RULE, recipe=recipe, thresholds=Thresholds(enough=0.95))

    def answer(frames, **options):
        classifier, engine = ViewClassifier.load(bundle, threads=1, **options), Scripted()
        monkeypatch.setattr(classifier, "engine", lambda streams=1: engine)
        return classifier.predict(frames, fps=25), engine.clips

    return answer


def cine(*brightness):
    """Eight frames of each brightness, which are a clip each."""
    noise = np.random.default_rng(3).integers(-9, 10, (8 * len(brightness), 24, 32))
    return (np.repeat(brightness, 8)[:, None, None] + noise * (np.repeat(brightness, 8)[:, None, None] > 0)).astype(
        np.uint8
    )


def test_a_clear_cine_is_answered_from_two_clips(answered):
    result, clips = answered(cine(200, 200, 200, 200, 200, 200))
    assert (result.status, result.view, result.clip_votes, clips) == (Status.OK, "A4C", {"A4C": 2}, 2)
    assert (result.n_frames, result.frames_used) == (48, 16)
    result, clips = answered(cine(200, 200, 200, 200, 200, 200), all_clips=True)
    assert (result.view, result.clip_votes, result.frames_used, clips) == ("A4C", {"A4C": 6}, 48, 6)


def test_where_the_two_differ_every_clip_is_looked_at_once(answered):
    frames = cine(200, 200, 200, 90, 90, 200)
    result, clips = answered(frames)
    assert (result.clip_votes, result.frames_used, clips) == ({"A4C": 4, "A2C": 2}, 48, 6)
    whole, _ = answered(frames, all_clips=True)
    assert result.clip_probabilities == whole.clip_probabilities  # in the order of the cine
    assert result.probabilities == whole.probabilities


def test_an_empty_frame_in_the_middle_does_not_decide(answered):
    result, _ = answered(cine(200, 200, 0, 200, 200, 200))
    assert (result.view, result.clip_votes) == ("A4C", {"A4C": 5})
    assert any("1 of 6 clips left out" in reason for reason in result.reasons)
    result, _ = answered(cine(200, 200, 0, 0, 200, 200))
    assert (result.view, result.clip_votes) == ("A4C", {"A4C": 4})
    result, _ = answered(cine(0, 0, 0, 0, 0, 0))
    assert result.status is Status.NOT_B_MODE


def test_two_black_clips_do_not_speak_for_the_others(answered, monkeypatch):
    monkeypatch.setattr(Scripted, "run", lambda self, clips: np.tile(np.float32((0, 0, 9)), (len(clips), 1)))
    result, _ = answered(cine(200, 200, 0, 0, 200, 200))
    assert (result.status, result.clip_votes) == (Status.OTHER, {"PLAX": 4})


@pytest.mark.parametrize("recipe", [PrepareRecipe(mask=True, crop="none", size=(16, 16), mean=0.0, std=1.0)])
def test_a_sector_that_is_a_guess_is_looked_for_again_in_the_whole_cine(answered, monkeypatch):
    asked = []

    def guess(cine, recipe, indices, sector=None):
        asked.append((tuple(indices), sector))
        found = prepare(cine, recipe, indices, sector)
        return replace(found, sector=replace(found.sector, confidence=0.3))

    monkeypatch.setattr("echoplane.inference.classifier.prepare", guess)
    frames = cine(200, 200, 200, 200, 200, 200)
    result, clips = answered(frames)
    assert (result.clip_votes, result.frames_used) == ({"A4C": 6}, 48)
    assert [(len(indices), sector) for indices, sector in asked] == [(16, None), (48, None)]
    assert clips == 8


def test_activation_maps_are_of_the_clips_that_were_seen():
    looks = []
    classifier = ViewClassifier.load(threads=1, on_look=looks.append)
    phantom = np.random.default_rng(0).integers(0, 200, (90, 120, 160), np.uint8)
    result = classifier.predict(phantom, fps=30)
    (look,) = looks
    assert len(look.maps) == len(look.plan.indices) == len(result.clip_probabilities)
    assert set(look.prepared.indices) >= set(look.plan.needed)
    rule = classifier.bundle.facts.sampling
    assert set(look.plan.needed) <= set(plan(90, 30, rule).needed)


def test_a_cine_that_seems_exchanged_is_answered_from_all_its_clips(toy_bundle, monkeypatch, recipe):
    class Mirrored(Scripted):
        """Is at home with what is brighter on the left; what it then says depends on how bright the clip is."""

        def run(self, clips):
            self.clips += len(clips)
            left, right = np.split(clips.mean(axis=(1, 2, 3)), 2, axis=1)
            at_home = (left.mean(axis=1) > right.mean(axis=1))[:, None]
            return np.where(at_home, super().run(clips) * 2, (0.0, 3.5, 0.0)).astype(np.float32)

    engine = Mirrored()
    bundle = toy_bundle(
        sampling=RULE, recipe=recipe, thresholds=Thresholds(enough=0.9, min_probability=0.8, mirror_margin=0.5)
    )
    classifier = ViewClassifier.load(bundle, threads=1)
    monkeypatch.setattr(classifier, "engine", lambda streams=1: engine)
    # Turned around, one of the two clips is not sure, and all the others are.
    frames = cine(250, 250, 250, 130, 250, 250)
    frames[..., :16] //= 2
    result = classifier.predict(frames, fps=25)
    assert result.mirrored
    assert sum(result.clip_votes.values()) == 6
    assert result.status is Status.OK
