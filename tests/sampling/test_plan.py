"""Which frames make which clip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.config import from_mapping, to_mapping
from echoplane.errors import TooShortError, UsageError
from echoplane.sampling import RULES, SamplingRule, plan, rule_named
from echoplane.sampling.rule import Short

RULE = st.builds(
    SamplingRule,
    kind=st.sampled_from(["every_kth", "sliding", "seconds"]),
    frames=st.integers(1, 20),
    step=st.integers(1, 7),
    stride=st.integers(1, 20),
    seconds=st.floats(0.05, 4),
    max_clips=st.integers(1, 12),
    short=st.sampled_from(["loop", "hold"]),
)
LENGTH = st.integers(1, 400)
RATE = st.none() | st.floats(15, 100)


@given(LENGTH, RATE, RULE)
def test_what_holds_for_every_plan(length: int, fps: float | None, rule: SamplingRule) -> None:
    made = plan(length, fps, rule)
    clips = made.indices
    assert clips.dtype == np.int64
    assert clips.ndim == 2
    assert clips.shape[1] == rule.frames
    assert 1 <= len(clips) <= rule.max_clips
    assert clips.min() >= 0
    assert clips.max() < length
    assert len(np.unique(clips, axis=0)) == len(clips)
    if made.short_policy != "loop":
        assert (np.diff(clips, axis=1) >= 0).all()
    assert (made.needed == np.unique(clips)).all()
    again = plan(length, fps, rule)
    np.testing.assert_array_equal(again.indices, clips)
    assert (again.notes, again.short_policy) == (made.notes, made.short_policy)


@given(st.integers(50, 600))
def test_reference_windows_cover_every_frame_once(length: int) -> None:
    clips = plan(length, None, RULES["reference"]).indices
    windows = length // 50
    assert clips.shape == (windows * 5, 10)
    expected = [[w * 50 + phase + 5 * i for i in range(10)] for w in range(windows) for phase in range(5)]
    assert clips.tolist() == expected
    assert sorted(clips.ravel().tolist()) == list(range(windows * 50))


def test_what_is_a_clip_already_is_told_its_rule() -> None:
    said = r"Where it is a clip already.*\{kind: sliding, frames: 10, stride: 10, max_clips: 1\}"
    with pytest.raises(TooShortError, match=said):
        plan(10, None, RULES["reference"])
    with pytest.raises(TooShortError) as caught:
        plan(11, None, RULES["reference"])
    assert "already" not in str(caught.value)
    rule = SamplingRule(kind="sliding", frames=10, stride=10, max_clips=1)
    assert plan(10, None, rule).indices.tolist() == [list(range(10))]


def test_reference_on_fewer_frames_is_refused_with_both_numbers() -> None:
    with pytest.raises(TooShortError, match=r"49 frames.*needs 50") as caught:
        plan(49, None, RULES["reference"], source="a.avi")
    assert caught.value.path == "a.avi"
    assert caught.value.status == "too_short"


@given(st.integers(1, 300), st.integers(1, 12), st.integers(1, 5), st.integers(1, 30))
def test_sliding_against_a_loop(length: int, frames: int, step: int, stride: int) -> None:
    rule = SamplingRule(kind="sliding", frames=frames, step=step, stride=stride, max_clips=1000, short="hold")
    span = (frames - 1) * step + 1
    expected, start = [], 0
    while start + span <= length:
        expected.append([start + i * step for i in range(frames)])
        start += stride
    if expected and length > 1:
        assert plan(length, None, rule).indices.tolist() == expected


@given(st.floats(15, 100), st.floats(0.2, 3), st.integers(2, 32), st.integers(1, 8))
def test_seconds_takes_the_nearest_frames(fps: float, seconds: float, frames: int, most: int) -> None:
    length = int(fps * 8)
    rule = SamplingRule(kind="seconds", frames=frames, seconds=seconds, max_clips=most)
    clips = plan(length, fps, rule).indices
    times = (clips - clips[:, :1]) / fps
    wanted = np.arange(frames) * seconds / frames
    assert np.abs(times - wanted).max() <= 0.5 / fps + 1e-9
    # From the first frame to the last, as far as a whole clip fits, evenly.
    assert clips[0, 0] == 0
    if len(clips) > 1:
        assert clips[-1, -1] == length - 1
        gaps = np.diff(clips[:, 0])
        assert gaps.max() - gaps.min() <= 1


@given(st.floats(15, 100), st.integers(2, 20))
def test_seconds_leaves_no_hole_where_clips_suffice(fps: float, length_s: int) -> None:
    length = int(fps * length_s)
    rule = SamplingRule(kind="seconds", frames=16, seconds=1.0, max_clips=100)
    clips = plan(length, fps, rule).indices
    assert (clips[1:, 0] <= clips[:-1, -1] + 1).all()


def test_same_time_at_any_rate() -> None:
    rule = SamplingRule(kind="seconds", frames=8, seconds=0.8, max_clips=1)
    slow, fast = plan(60, 20.0, rule).indices[0], plan(240, 80.0, rule).indices[0]
    np.testing.assert_array_equal(slow * 4, fast)


def test_unknown_rate_is_assumed_and_said() -> None:
    rule = SamplingRule(kind="seconds", assumed_fps=25.0)
    for fps in (None, 0.0, -3.0, float("inf"), float("nan")):
        made = plan(100, fps, rule)
        np.testing.assert_array_equal(made.indices, plan(100, 25.0, rule).indices)
        assert "25 frames a second assumed" in made.notes[0]
    assert plan(100, 25.0, rule).notes == ()


@pytest.mark.parametrize("fps", [0.5, 3.9, 151.0, 1000.0])
def test_a_rate_that_no_scanner_has_is_not_believed(fps: float) -> None:
    made = plan(100, fps, SamplingRule(assumed_fps=25.0))
    np.testing.assert_array_equal(made.indices, plan(100, 25.0, SamplingRule()).indices)
    assert f"{fps:g} a second" in made.notes[0]
    assert "25 assumed" in made.notes[0]
    # Rules that count frames never look at the rate.
    assert plan(100, fps, RULES["reference"]).notes == ()


@given(st.integers(2, 70), st.none() | st.floats(4.5, 150), st.sampled_from(["loop", "hold"]))
def test_a_cine_of_less_than_half_a_clip_is_spread_over_one(length: int, fps: float | None, short: Short) -> None:
    made = plan(length, fps, SamplingRule(short=short))
    seconds = length / (fps or 30.0)
    assert (made.short_policy == "spread") == (seconds < 0.5)
    if seconds < 0.5:
        assert made.indices.tolist() == [[i * length // 16 for i in range(16)]]
        assert f"Has {length} frames" in made.notes[-1]


def test_refusing_stays_refusing() -> None:
    with pytest.raises(TooShortError, match="10 frames"):
        plan(10, 100.0, SamplingRule(short="refuse"))


@given(st.integers(2, 15))
def test_loop_plays_again_and_hold_keeps_the_last(length: int) -> None:
    looped = plan(length, None, SamplingRule(kind="sliding", frames=16, short="loop"))
    assert looped.indices.tolist() == [[i % length for i in range(16)]]
    assert looped.short_policy == "loop"
    held = plan(length, None, SamplingRule(kind="sliding", frames=16, short="hold"))
    assert held.indices.tolist() == [[min(i, length - 1) for i in range(16)]]
    assert held.short_policy == "hold"
    for made in (looped, held):
        assert f"{length} frames, fewer than the 16" in made.notes[0]


@pytest.mark.parametrize("rule", [*RULES.values(), SamplingRule(kind="sliding", short="refuse")])
def test_a_still_is_repeated_whatever_the_policy(rule: SamplingRule) -> None:
    made = plan(1, None, rule)
    assert made.indices.tolist() == [[0] * rule.frames]
    assert made.short_policy == "hold"
    assert "still" in made.notes[0]


def test_max_clips_keeps_the_first_and_the_last() -> None:
    made = plan(1000, None, SamplingRule(kind="sliding", frames=4, stride=1, max_clips=3))
    assert made.indices[:, 0].tolist() == [0, 498, 996]


def test_no_frames_is_no_cine() -> None:
    with pytest.raises(UsageError, match="n_frames 0"):
        plan(0, 30.0, SamplingRule())


@pytest.mark.parametrize("name", RULES)
def test_rules_survive_the_bundle(name: str) -> None:
    assert rule_named(name) is RULES[name]
    assert from_mapping(SamplingRule, to_mapping(RULES[name]), "bundle.json") == RULES[name]


@pytest.mark.parametrize(
    "wrong",
    [{"frames": 0}, {"step": 0}, {"stride": -1}, {"max_clips": 0}, {"seconds": 0.0}, {"assumed_fps": float("inf")}],
)
def test_nonsense_is_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        SamplingRule(**wrong)  # type: ignore[arg-type]


def test_unknown_rule_lists_the_known() -> None:
    with pytest.raises(UsageError, match="reference"):
        rule_named("fast")
