"""Two clips of a cine are looked at first, and each clip once where they leave doubt."""

from dataclasses import replace

import numpy as np
import pytest

from echoplane.inference.classifier import ViewClassifier
from echoplane.models.bundle_facts import Thresholds
from echoplane.prepare.frames import prepare
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import Status
from echoplane.sampling.clips import plan
from echoplane.sampling.rule import SamplingRule

RULE = SamplingRule(kind="sliding", frames=8, step=1, stride=8, max_clips=6, short="loop")


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

    monkeypatch.setattr("echoplane.inference.seeing.prepare", guess)
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
