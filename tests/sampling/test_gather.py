import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.errors import UsageError
from echoplane.records import PreparedCine, SamplingPlan, Sector, SectorKind
from echoplane.sampling import RULES, gather, plan
from echoplane.sampling.clips import without_empty


def prepared(numbers: tuple[int, ...]) -> PreparedCine:
    frames = np.stack([np.full((2, 3), n % 256, np.uint8) for n in numbers])
    return PreparedCine(frames, numbers, Sector(SectorKind.FULL, (0, 0, 3, 2)), (0, 0, 3, 2))


@given(st.integers(1, 250), st.floats(15, 100))
def test_each_frame_lands_in_its_place(length: int, fps: float) -> None:
    made = plan(length, fps, RULES["default"])
    clips = gather(prepared(made.needed), made)
    assert clips.dtype == np.uint8
    assert clips.shape == (*made.indices.shape, 2, 3)
    np.testing.assert_array_equal(clips[..., 0, 0], made.indices)


def test_what_is_upside_down_is_turned() -> None:
    standing = Sector(SectorKind.PHASED, (0, 0, 3, 2), (1.0, 2.0), 0.0, 2.0, 2.5, 3.8)
    frames = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    clips = gather(PreparedCine(frames, (0, 1, 2, 3), standing, (0, 0, 3, 2)), SamplingPlan(np.array([[0, 2]])))
    np.testing.assert_array_equal(clips[0, 1], frames[2, ::-1])


def test_more_frames_than_needed_are_fine() -> None:
    made = plan(60, None, RULES["reference"])
    np.testing.assert_array_equal(gather(prepared(tuple(range(60))), made)[..., 1, 2], made.indices)


@pytest.mark.parametrize("have", [(0, 1, 2), (1, 5, 9), (9,)])
def test_a_missing_frame_is_named(have: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"not prepared: \[(4|5)"):
        gather(prepared(have), SamplingPlan(np.array([[4, 5]])))


def test_clips_with_empty_frames_are_left_out_where_others_have_none() -> None:
    full = SamplingPlan(np.arange(12).reshape(3, 4))
    frames = np.full((12, 5, 5), 60, np.uint8)
    frames[7:] += 20
    assert without_empty(frames, range(12), full) is full
    frames[2] = 10
    left = without_empty(frames, range(12), full)
    assert left.indices.tolist() == full.indices[1:].tolist()
    assert left.notes == ("1 of 3 clips left out: frames without a picture (black, or a title).",)


def test_where_every_clip_has_an_empty_frame_all_stay() -> None:
    full = SamplingPlan(np.arange(12).reshape(3, 4))
    frames = np.full((12, 5, 5), 60, np.uint8)
    frames[::4] = 0
    assert without_empty(frames, range(12), full) is full
    assert without_empty(0 * frames, range(12), full) is full
