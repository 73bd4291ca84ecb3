import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from echoplane.prepare.grayscale import to_grey

FRAMES = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.just(3)),
    elements=st.integers(0, 255),
)


def fixed_point(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """OpenCV's documented weights, in fifteen bits: 0.299, 0.587, 0.114."""
    return (red.astype(int) * 9798 + green.astype(int) * 19235 + blue.astype(int) * 3735 + (1 << 14)) >> 15


@given(FRAMES)
def test_luma_and_swapped_against_integers(rgb: np.ndarray) -> None:
    np.testing.assert_array_equal(to_grey(rgb), fixed_point(rgb[..., 0], rgb[..., 1], rgb[..., 2]))
    np.testing.assert_array_equal(to_grey(rgb, "luma_swapped"), fixed_point(rgb[..., 2], rgb[..., 1], rgb[..., 0]))


def test_grey_pictures_stay_as_they_are() -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3)
    np.testing.assert_array_equal(to_grey(levels), levels[..., 0])
    np.testing.assert_array_equal(to_grey(levels, "luma_swapped"), levels[..., 0])


def test_red_is_dark_and_swapped_red_darker() -> None:
    red = np.zeros((1, 1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert to_grey(red).item() == 76
    assert to_grey(red, "luma_swapped").item() == 29


def test_no_frames_give_no_frames() -> None:
    assert to_grey(np.zeros((0, 4, 5, 3), np.uint8)).shape == (0, 4, 5)
