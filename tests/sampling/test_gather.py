import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.errors import UsageError
from echoplane.records import PreparedCine, SamplingPlan, Sector, SectorKind
from echoplane.sampling import RULES, gather, plan


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


def test_more_frames_than_needed_are_fine() -> None:
    made = plan(60, None, RULES["reference"])
    np.testing.assert_array_equal(gather(prepared(tuple(range(60))), made)[..., 1, 2], made.indices)


@pytest.mark.parametrize("have", [(0, 1, 2), (1, 5, 9), (9,)])
def test_a_missing_frame_is_named(have: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"not prepared: \[(4|5)"):
        gather(prepared(have), SamplingPlan(np.array([[4, 5]])))
