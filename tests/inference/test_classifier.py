"""ViewClassifier: one result for whatever it is given, in order, whatever goes wrong."""

import logging
import os
import pickle
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from echoplane.errors import BundleError, MissingExtraError, UsageError
from echoplane.inference import classifier as module
from echoplane.inference.classifier import AHEAD, ViewClassifier
from echoplane.inference.rows import from_json, to_json
from echoplane.inference.seeing import CLIPS_AT_ONCE
from echoplane.models.bundle_facts import Thresholds
from echoplane.prepare.frames import prepare
from echoplane.records import Cine, CineKind, Status
from echoplane.sampling.clips import gather, plan
from echoplane.sampling.rule import SamplingRule
from echoplane.sources.array import ArrayReader, cine_from_array
from echoplane.sources.item import SourceItem
from echoplane.sources.open import open_cine


def frames(brightness, count=16, seed=0):
    """Grey noise of a mean brightness (0 to 255); the toy network calls bright A4C and dark A2C."""
    noise = np.random.default_rng(seed).integers(-20, 21, size=(count, 24, 32))
    return np.clip(noise + brightness, 0, 255).astype(np.uint8)


BRIGHT, DARK = frames(220), frames(30)


@pytest.fixture
def classifier(toy_bundle):
    bundle = toy_bundle(slope=(0.0, 8.0, 0.0), shift=(3.0, 0.0, -2.0))
    return ViewClassifier.load(bundle, threads=1)


def test_an_array_is_answered(classifier):
    result = classifier.predict(BRIGHT, fps=25)
    assert (result.status, result.view, result.vote) == (Status.OK, "A4C", "A4C")
    assert (result.file, result.kind, result.n_frames, result.fps) == ("array", CineKind.B_MODE, 16, 25.0)
    assert result.frames_used == 16
    assert set(result.seconds) == {"open", "prepare", "network"}
    assert classifier.predict(DARK).view == "A2C"


def test_the_answer_is_that_of_the_same_steps_by_hand(classifier):
    facts = classifier.bundle.facts
    cine = cine_from_array(BRIGHT)
    sampling = plan(16, None, facts.sampling)
    clips = gather(prepare(cine, facts.recipe, sampling.needed), sampling)
    brightness = clips.mean(axis=(1, 2, 3)) / 255
    logits = np.stack([0 * brightness + 3, 8 * brightness, 0 * brightness - 2], axis=1)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    result = classifier.predict(cine)
    np.testing.assert_allclose(list(result.probabilities.values()), p.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(result.clip_probabilities, p, atol=1e-6)


def test_a_picture_upside_down_is_answered_turned_around_and_its_map_belongs_to_it_as_it_is():
    """Laboratories for children show apical views with the apex at the bottom."""
    looks = []
    classifier = ViewClassifier.load(threads=1, on_look=looks.append)
    cine = open_cine(pydicom.examples.get_path("ybr_color"))
    upright = cine.reader.read(range(cine.n_frames))
    usual = classifier.predict(upright, fps=cine.fps)
    turned = classifier.predict(np.ascontiguousarray(upright[:, ::-1]), fps=cine.fps)
    assert any("upside down" in reason for reason in turned.reasons)
    assert (turned.status, turned.view) == (usual.status, usual.view) == (Status.OK, "A4C")
    assert turned.probability == pytest.approx(usual.probability, abs=0.1)
    one, other = (look.on_frames().values for look in looks)
    assert np.corrcoef(one.ravel(), other[:, ::-1].ravel())[0, 1] > 0.9


def test_colour_arrays_stills_and_short_cines(classifier, toy_bundle):
    colour = np.repeat(BRIGHT[..., None], 3, axis=3)
    assert classifier.predict(colour).view == "A4C"
    still = classifier.predict(BRIGHT[:1])
    assert (still.status, still.best_view, still.frames_used) == (Status.STILL, "", 0)
    wanted = ViewClassifier.load(classifier.bundle, threads=1, include_stills=True).predict(BRIGHT[:1])
    assert (wanted.status, wanted.view) == (Status.OK, "A4C")
    assert any("A still, answered because asked to" in reason for reason in wanted.reasons)
    short = classifier.predict(BRIGHT[:3])
    assert (short.status, short.short_policy) == (Status.OK, "loop")
    assert any("fewer than" in reason for reason in short.reasons)
    refusing = toy_bundle(sampling=SamplingRule(kind="every_kth", frames=4, step=2, short="refuse"))
    refused = ViewClassifier.load(refusing, threads=1).predict(BRIGHT[:3])
    assert (refused.status, refused.best_view) == (Status.TOO_SHORT, "")
    assert "needs 7" in refused.reasons[0] or "needs 8" in refused.reasons[0]


def test_kinds_that_are_no_moving_b_mode_do_not_reach_the_network(classifier):
    cine = replace(cine_from_array(BRIGHT, source="a"), kind=CineKind.COLOR_DOPPLER, notes=("A note.",))
    result = classifier.predict(cine)
    assert (result.file, result.status, result.kind) == ("a", Status.COLOR_DOPPLER, CineKind.COLOR_DOPPLER)
    assert result.reasons[-1] == "A note."
    asked = ViewClassifier.load(classifier.bundle, threads=1, include_color=True).predict(cine)
    assert (asked.status, asked.view) == (Status.OK, "A4C")


def test_colour_doppler_in_an_array_is_noticed(classifier):
    frames = np.random.default_rng(8).integers(20, 180, (30, 120, 160, 1), np.uint8).repeat(3, axis=-1)
    for i, frame in enumerate(frames):
        frame[40:80, 50 : 80 + i] = (200, 40, 20) if i % 16 < 8 else (20, 60, 210)
    assert classifier.predict(frames).status is Status.COLOR_DOPPLER
    assert [result.status for result in classifier.predict_many([frames])] == [Status.COLOR_DOPPLER]


def test_a_name_that_is_no_text_is_shown_and_can_be_written(classifier):
    result = classifier.predict("no-such-\udce9.dcm")
    assert (result.file, result.status) == (r"no-such-\xe9.dcm", Status.UNREADABLE)
    assert from_json(to_json(result)) == result


def test_black_frames_are_no_picture(classifier):
    result = classifier.predict(np.zeros((16, 24, 32), np.uint8))
    assert (result.status, result.best_view) == (Status.NOT_B_MODE, "")
    assert "black" in result.reasons[0]
    assert result.sector is not None


def test_black_frames_before_the_picture_have_no_vote(classifier):
    late = np.concatenate([np.zeros((16, 24, 32), np.uint8), BRIGHT, BRIGHT])
    result = classifier.predict(late, fps=30)
    assert (result.view, set(result.clip_votes)) == ("A4C", {"A4C"})
    assert any("clips left out" in reason for reason in result.reasons)


def test_thresholds_of_the_bundle_are_used(toy_bundle):
    bundle = toy_bundle(thresholds=Thresholds(0.999))
    assert ViewClassifier.load(bundle, threads=1).predict(BRIGHT).status is Status.UNSURE


def test_files_that_are_no_cine_become_results(classifier, tmp_path):
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "notes.txt").write_text("hello")
    assert classifier.predict(tmp_path / "empty.dcm").status is Status.UNREADABLE
    assert classifier.predict(str(tmp_path / "notes.txt")).status is Status.NOT_IMAGE
    missing = classifier.predict(tmp_path / "missing.mp4")
    assert (missing.status, missing.file) == (Status.UNREADABLE, str(tmp_path / "missing.mp4"))
    assert missing.reasons


def test_wrong_arrays_and_options_are_errors(classifier, toy_bundle):
    with pytest.raises(UsageError, match="expected uint8"):
        classifier.predict(BRIGHT.astype(float))
    with pytest.raises(UsageError, match="fps is for arrays only"):
        classifier.predict("a.dcm", fps=25)
    with pytest.raises(UsageError, match="jobs 0"):
        ViewClassifier.load(toy_bundle(), jobs=0)
    with pytest.raises(UsageError, match="precision"):
        ViewClassifier.load(toy_bundle(), precision="f8")
    for threads in (0, 1.5):
        with pytest.raises(UsageError, match=f"threads {threads}: must be"):
            ViewClassifier.load(toy_bundle(), threads=threads)


@pytest.mark.parametrize("source", [[BRIGHT], None, 3, b"a.dcm", object()])
def test_what_is_no_source_is_said(classifier, source):
    with pytest.raises(UsageError, match=f"{type(source).__name__!r} is no cine; expected a path"):
        classifier.predict(source)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_wrong_source_among_many_is_one_row(classifier, jobs):
    results = list(classifier.predict_many([BRIGHT, [BRIGHT], BRIGHT.astype(float), None, DARK], jobs=jobs))
    assert [(r.file, str(r.status)) for r in results] == [
        ("array", "ok"),
        ("list", "unsupported"),
        ("array", "unsupported"),
        ("NoneType", "unsupported"),
        ("array", "ok"),
    ]
    assert "Scale to 0..255 first" in results[2].reasons[0]


def test_a_buffer_may_be_filled_again(classifier):
    def reused():
        buffer = np.empty_like(BRIGHT)
        for picture in (BRIGHT, DARK, BRIGHT, DARK):
            buffer[:] = picture
            yield buffer

    assert [r.view for r in classifier.predict_many(reused(), jobs=2)] == ["A4C", "A2C", "A4C", "A2C"]


class Broken:
    """A reader that fails in its own way."""

    def __init__(self, error):
        self.error = error

    def read(self, indices, *, color=False, reduce=1):
        raise self.error


def broken(error, source="broken"):
    return Cine(source, Broken(error), 16, 24, 32)


def test_an_unexpected_failure_is_a_row_and_a_log_entry(classifier, caplog):
    with caplog.at_level(logging.ERROR, "echoplane"):
        result = classifier.predict(broken(ZeroDivisionError("Jane Doe")))
    assert result.status is Status.UNREADABLE
    assert "Failed unexpectedly (ZeroDivisionError)" in result.reasons[0]
    assert "Jane" not in result.reasons[0]
    assert caplog.records[0].exc_info is not None


def test_a_missing_extra_is_a_row_that_says_what_to_install(classifier):
    result = classifier.predict(broken(MissingExtraError('Run: pip install "echoplane[volume]"')))
    assert result.status is Status.UNSUPPORTED
    assert "echoplane[volume]" in result.reasons[0]


@pytest.mark.parametrize("jobs", [0, -1])
def test_fewer_than_one_job_is_refused(classifier, jobs):
    with pytest.raises(UsageError, match=f"jobs {jobs}: must be at least 1"):
        next(classifier.predict_many([BRIGHT], jobs=jobs))


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_by_itself_is_one_source(classifier, jobs, kind, tmp_path):
    np.save(tmp_path / "bright.npy", BRIGHT)
    (result,) = classifier.predict_many(kind(tmp_path / "bright.npy"), jobs=jobs)
    assert (result.file, result.view) == (str(tmp_path / "bright.npy"), "A4C")


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_many_are_answered_in_order(classifier, jobs, tmp_path):
    (tmp_path / "no.dcm").touch()
    sources = []
    for i in range(30):
        array = BRIGHT if i % 3 else DARK
        sources.append(cine_from_array(array, source=f"{i}"))
    sources[7] = broken(RuntimeError(), "7")
    sources[8] = SourceItem("8", tmp_path / "no.dcm")
    results = list(classifier.predict_many(iter(sources), jobs=jobs))
    assert [r.file for r in results] == [str(i) for i in range(30)]
    assert [r.status for r in results if r.file in ("7", "8")] == [Status.UNREADABLE] * 2
    for i, result in enumerate(results):
        if i not in (7, 8):
            assert result.view == ("A4C" if i % 3 else "A2C")


def test_side_by_side_gives_the_same_numbers(classifier):
    sources = [cine_from_array(frames(10 * i, seed=i), source=f"{i}") for i in range(1, 20)]
    one = [replace(r, seconds={}) for r in classifier.predict_many(sources, jobs=1)]
    many = [replace(r, seconds={}) for r in classifier.predict_many(sources, jobs=3)]
    assert one == many


def test_sources_are_taken_a_few_at_a_time_and_results_come_at_once(classifier):
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield cine_from_array(BRIGHT, source=f"{number}")
            number += 1

    before = set(threading.enumerate())  # of other tests
    results = classifier.predict_many(endless(), jobs=2)
    assert next(results).file == "0"
    assert len(taken) <= 2 * AHEAD
    results.close()
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("echoplane")]


def test_a_broken_bundle_ends_the_batch(classifier, monkeypatch):
    def fail(logits, facts):
        raise BundleError("gone")

    monkeypatch.setattr(module, "decide", fail)
    with pytest.raises(BundleError, match="gone"):
        list(classifier.predict_many([BRIGHT] * 5, jobs=2))


def test_long_cines_go_through_the_network_in_parts(toy_bundle):
    rule = SamplingRule(kind="sliding", frames=4, stride=1, max_clips=1000)
    classifier = ViewClassifier.load(toy_bundle(sampling=rule), threads=1)
    sizes = []
    engine = classifier.engine()

    class Counting:
        name, device, precision = engine.name, engine.device, engine.precision

        def run(self, clips):
            sizes.append(len(clips))
            return engine.run(clips)

    classifier._engines[1] = Counting()
    result = classifier.predict(frames(200, count=23))
    assert sum(sizes) == len(result.clip_probabilities) == 20
    assert max(sizes) <= CLIPS_AT_ONCE


def test_only_the_frames_that_clips_need_are_read(toy_bundle):
    class Counting(ArrayReader):
        def read(self, indices, *, color=False, reduce=1):
            asked.extend(indices)
            return super().read(indices, color=color, reduce=reduce)

    asked = []
    rule = SamplingRule(kind="every_kth", frames=4, step=2, max_clips=1)
    classifier = ViewClassifier.load(toy_bundle(sampling=rule), threads=1)
    result = classifier.predict(Cine("a", Counting(frames(200, count=100)), 100, 24, 32))
    assert len(asked) == len(set(asked)) == result.frames_used == 4


def test_a_classifier_is_pickled_without_its_network(classifier, tmp_path):
    usual = classifier.predict(BRIGHT)
    classifier.bundle.save(tmp_path / "toy.echoplane")
    for bundle in (classifier.bundle, tmp_path / "toy.echoplane"):
        loaded = ViewClassifier.load(bundle, threads=1, include_stills=True)
        again = pickle.loads(pickle.dumps(loaded))
        assert (again.include_stills, again._engines) == (True, {})
        assert replace(again.predict(BRIGHT), seconds={}) == replace(usual, seconds={})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are always started afresh here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_told_and_does_not_hang(classifier):
    classifier.predict(BRIGHT)
    classifier._lock.acquire()  # as a thread would hold it that loads a network meanwhile
    child = os.fork()
    if child == 0:  # nothing of the tests goes on in here
        try:
            classifier.predict(DARK)
        except UsageError as error:
            os._exit(7 if "get_context('spawn')" in str(error) else 8)
        finally:
            os._exit(9)
    classifier._lock.release()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
