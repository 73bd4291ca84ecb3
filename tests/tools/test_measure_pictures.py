from dataclasses import replace

import cv2
import numpy as np
import pytest
from measure import phantoms, pictures
from measure.overlays import KINDS, Sheet, draw, freest, painted
from measure.reader import Reader

from echoplane.inference.classifier import ViewClassifier
from echoplane.prepare.recipe import RECIPES
from echoplane.records import Sector, SectorKind
from echoplane.sampling.rule import SamplingRule
from echoplane.sources.array import cine_from_array

FAN = Sector(SectorKind.PHASED, (20, 10, 180, 140), (100.0, 10.0), 0.0, 130.0, -0.7, 0.7)


def dots() -> np.ndarray:
    frames = np.zeros((3, 40, 60, 3), np.uint8)
    frames[:, 5, 50] = 255
    return frames


def test_mirrored_twice_is_the_same_and_once_moves_the_dot_to_the_other_side():
    frames = dots()
    assert np.argwhere(pictures.mirrored(frames)[0, ..., 0]).tolist() == [[5, 9]]
    assert np.array_equal(pictures.mirrored(pictures.mirrored(frames)), frames)


def test_turned_clockwise_and_nothing_is_cut():
    frames = np.zeros((1, 101, 101, 3), np.uint8)
    frames[0, 48:53, 88:93] = 255  # right of the middle
    made = pictures.turned(frames, 20)
    assert made.shape[1] > 101
    assert abs(float(made.sum()) / float(frames.sum()) - 1) < 0.05
    y, x = np.argwhere(made[0, ..., 0] > 60).mean(0) - (np.array(made.shape[1:3]) - 1) / 2
    # Clockwise as one sees it: what was on the right goes down.
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(20, abs=2)


def test_resized_by_height_keeps_the_shape_of_the_picture():
    assert pictures.resized(dots(), 80).shape == (3, 80, 120, 3)
    assert pictures.resized(dots(), 20).shape == (3, 20, 30, 3)


def test_compressed_more_at_low_quality():
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    small, large = (np.abs(pictures.compressed(noise, q).astype(int) - noise).mean() for q in (95, 20))
    assert small < large


@pytest.mark.parametrize("seed", range(4))
def test_overlays_lie_where_they_should(seed):
    mask = FAN.mask(150, 200)
    outside, inside, both = (draw(kind, 150, 200, FAN, "A4C", seed).alpha > 0 for kind in KINDS)
    assert outside.sum() > 200
    assert inside.sum() > 50
    assert not (outside & cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)).any()
    assert not (inside & ~mask).any()
    assert np.array_equal(both, outside | inside)


def test_overlays_never_name_the_view_itself(monkeypatch):
    words: list[str] = []
    monkeypatch.setattr(Sheet, "text", lambda self, word, *rest: words.append(word))
    for seed in range(30):
        draw("both", 150, 200, FAN, "A4C", seed)
    assert "4CH" not in words
    assert {"A2C", "SAX MV"} <= set(words)


def test_freest_place_covers_the_least():
    mask = np.zeros((50, 80), bool)
    mask[:, :60] = True
    x, y = freest(mask, 15, 10)
    assert x >= 60
    _, y2 = freest(mask, 15, 10, [(x, y, x + 15, y + 10)])
    assert (y2 >= y + 10) or (y2 + 10 <= y)


def test_painted_cine_blends_grey_and_colour_alike():
    frames = np.random.default_rng(1).integers(0, 200, (2, 30, 40, 3), np.uint8)
    cine = cine_from_array(frames, 10.0)
    sheet = Sheet.of(30, 40)
    sheet.colour[5:9, 6:12], sheet.alpha[5:9, 6:12] = (0, 255, 0), 255
    grey = painted(cine, sheet).reader.read([1, 0])
    colour = painted(cine, sheet).reader.read([1, 0], color=True)
    assert (colour[:, 5:9, 6:12] == (0, 255, 0)).all()
    assert (np.abs(grey[:, 5:9, 6:12].astype(int) - round(0.587 * 255)) <= 1).all()
    untouched = sheet.alpha == 0
    assert np.array_equal(grey[:, untouched], cine.reader.read([1, 0])[:, untouched])
    assert np.array_equal(painted(cine, Sheet.of(30, 40)).reader.read([0]), cine.reader.read([0]))


@pytest.fixture(scope="module")
def recording():
    return phantoms.recording(2)


def test_direct_frames_are_those_of_the_phantom_itself(recording):
    times = [0.0, 0.1]
    direct = phantoms.Direct(recording, times, RECIPES["default"])
    expected = [frame.grey for frame in recording.polar(direct.grid, times)]
    from echoplane.phantom.scanner import Processor

    processor = Processor.of(recording.scanner)
    processor.set_gain(direct.fields[0], direct.body.fine.radii)
    assert all(np.array_equal(processor.frame(f), e) for f, e in zip(direct.fields, expected, strict=True))
    brighter = direct.frames(replace(recording, scanner=replace(recording.scanner, level=0.95)))
    assert brighter.mean() > direct.frames().mean()


def test_a_turned_probe_stays_orthogonal_and_comes_back(recording):
    pose = recording.pose
    there = phantoms.turned(pose, rotation=20)
    assert abs(float(there.axis @ there.lateral)) < 1e-5
    assert np.degrees(np.arccos(float(there.lateral @ pose.lateral))) == pytest.approx(20, abs=0.1)
    assert np.allclose(phantoms.turned(there, rotation=-20).lateral, pose.lateral, atol=1e-5)
    tilted = phantoms.turned(pose, tilt=10)
    assert np.degrees(np.arccos(float(tilted.axis @ pose.axis))) == pytest.approx(10, abs=0.1)
    assert np.allclose(tilted.lateral, pose.lateral)


def test_planes_are_named_as_the_phantom_names_them():
    for number in range(6):
        rec = phantoms.recording(number)
        assert phantoms.named(rec, rec.pose) == rec.view


def test_foreshortening_moves_the_probe_across_the_beam_and_still_looks_at_the_heart(recording):
    made, pose = phantoms.foreshortened(recording, 2.0), recording.pose
    shift = made.origin - pose.origin
    assert np.linalg.norm(shift) == pytest.approx(2.0, abs=1e-4)
    assert abs(float(shift @ pose.axis)) < 1e-4
    # The beam leans back against the way of the hand.
    assert float(made.axis @ shift) < 0
    assert abs(float(made.axis @ made.lateral)) < 1e-5


def test_disease_changes_the_patient_and_nothing_else(recording):
    other = phantoms.recording(2, "effusion")
    assert other.patient.disease == "effusion"
    assert other.patient.body == recording.patient.body
    assert (other.acoustics, other.scanner, other.screen) == (
        recording.acoustics,
        recording.scanner,
        recording.screen,
    )


def test_reader_answers_as_prediction_does(toy_bundle):
    bundle = toy_bundle(sampling=SamplingRule(frames=4, seconds=0.5))
    frames = np.random.default_rng(2).integers(0, 256, (12, 40, 40), np.uint8)
    found = Reader(bundle).cine(cine_from_array(frames, 10.0))
    result = ViewClassifier.load(bundle, threads=1).predict(frames, fps=10.0)
    assert (found.status, found.label) == (result.status, result.best_view)
    assert found.main == pytest.approx(max(result.probabilities[v] for v in bundle.facts.answers), abs=1e-6)
