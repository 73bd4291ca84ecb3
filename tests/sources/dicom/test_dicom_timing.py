from __future__ import annotations

import pytest

from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.stream import Opener
from echoplane.sources.dicom.timing import read_fps

FRAME_TIME, FRAME_TIME_VECTOR = 0x00181063, 0x00181065


def header(**values):
    return Header(Opener("x", "x"), "", True, values, None)


@pytest.mark.parametrize(
    ("values", "fps", "source"),
    [
        ({"FrameTime": 20.0}, 50.0, "FrameTime"),
        ({"FrameTime": 20.0, "CineRate": 30, "RecommendedDisplayFrameRate": 25}, 50.0, "FrameTime"),
        ({"CineRate": 30, "RecommendedDisplayFrameRate": 25}, 30.0, "CineRate"),
        ({"RecommendedDisplayFrameRate": 25, "ActualFrameDuration": 10}, 25.0, "RecommendedDisplayFrameRate"),
        ({"ActualFrameDuration": 10, "EffectiveDuration": 2.0}, 100.0, "ActualFrameDuration"),
        ({"EffectiveDuration": 2.0}, 2.0, "EffectiveDuration"),
        ({"FrameTimeVector": (0.0, 40.0, 40.0, 40.0)}, 25.0, "FrameTimeVector"),
        ({"FrameTime": 20.0, "FrameTimeVector": (0.0, 40.0, 40.0, 40.0)}, 50.0, "FrameTime"),
        (
            {"FrameTime": 20.0, "FrameTimeVector": (0.0, 40.0, 40.0, 40.0), "FrameIncrementPointer": FRAME_TIME_VECTOR},
            25.0,
            "FrameTimeVector",
        ),
        ({"FrameTimeVector": (0.0, 40.0, 40.0, 40.0), "FrameIncrementPointer": FRAME_TIME}, 25.0, "FrameTimeVector"),
    ],
)
def test_the_order_of_the_standard(values, fps, source):
    assert read_fps(header(**values), 4) == (pytest.approx(fps), source, ())


@pytest.mark.parametrize("value", [0.0, -33.3, 0.033, 33_333.0, 1e300, 1e-300])
def test_an_implausible_frame_time_is_passed_over(value):
    fps, source, notes = read_fps(header(FrameTime=value, CineRate=30), 10)
    assert (fps, source) == (30.0, "CineRate")
    assert len(notes) == 1
    assert notes[0].startswith("FrameTime")


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"EffectiveDuration": 0.8}, "EffectiveDuration 75"),
        ({"CineRate": 60, "RecommendedDisplayFrameRate": 60}, "CineRate 60, RecommendedDisplayFrameRate 60"),
        ({"FrameTimeVector": (0.0, *[15.0] * 59)}, "FrameTimeVector 66.7"),
    ],
)
def test_elements_that_contradict_each_other_are_named(others, said):
    fps, source, notes = read_fps(header(FrameTime=40.0, **others), 60)
    assert (fps, source) == (25.0, "FrameTime")
    assert notes == (f"The header contradicts itself: FrameTime gives 25 frames a second, {said}.",)


@pytest.mark.parametrize(
    "others",
    [{"CineRate": 40}, {"CineRate": 1}, {"CineRate": 0}, {"EffectiveDuration": 2.4, "ActualFrameDuration": 39}],
)
def test_elements_that_may_both_be_true_are_not(others):
    """A cine may be shown slower than it was taken, and a rate that no scanner has was never meant."""
    assert read_fps(header(FrameTime=40.0, **others), 60)[2] == ()


@pytest.mark.parametrize("value", [1.0, 1000.0])
def test_a_rate_that_no_scanner_has_gives_way_to_one_that_a_scanner_may_have(value):
    fps, source, notes = read_fps(header(FrameTime=value, CineRate=30), 10)
    assert (fps, source, len(notes)) == (30.0, "CineRate", 1)
    assert read_fps(header(FrameTime=value), 10) == (1000 / value, "FrameTime", ())
    assert read_fps(header(FrameTime=value, CineRate=2), 10)[1] == "FrameTime"


@pytest.mark.parametrize("value", [None, "", "fast", float("nan"), (), b"\x01"])
def test_what_is_no_number_is_passed_over(value):
    fps, source, notes = read_fps(header(FrameTime=value, CineRate=30), 10)
    assert (fps, source) == (30.0, "CineRate")
    assert all("FrameTime" in note for note in notes)


def test_uneven_frames_go_by_their_median_and_are_noted():
    fps, _, notes = read_fps(header(FrameTimeVector=(0.0, 20.0, 20.0, 20.0, 200.0)), 5)
    assert fps == pytest.approx(50)
    assert "uneven" in notes[0]


def test_a_vector_of_times_is_told_from_one_of_steps():
    fps, _, notes = read_fps(header(FrameTimeVector=(0.0, 25.0, 50.0, 76.0, 100.0)), 5)
    assert fps == pytest.approx(40, rel=0.02)
    assert "times since the first frame" in notes[0]
    assert read_fps(header(FrameTimeVector=(0.0, 20.0, 40.0)), 3)[0] == pytest.approx(1000 / 30)  # too few to tell
    assert read_fps(header(FrameTimeVector=(0.0, 20.0, 21.0, 22.0, 23.0)), 5)[0] == pytest.approx(1000 / 21.5)


def test_a_vector_of_another_length_is_noted():
    fps, _, notes = read_fps(header(FrameTimeVector=(0.0, 20.0, 20.0)), 5)
    assert fps == pytest.approx(50)
    assert notes == ("FrameTimeVector has 3 entries for 5 frames.",)


def test_silence_is_noted_for_cines_only():
    assert read_fps(header(), 10) == (None, "", ("The header does not say how fast the frames follow each other.",))
    assert read_fps(header(FrameTime=20.0), 1) == (None, "", ())
