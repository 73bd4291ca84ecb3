import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from echoplane.errors import UsageError
from echoplane.records import CineKind
from echoplane.sources.array import ArrayReader, cine_from_array

# Fixed-point weights against floating point ones.
LUMA_TOLERANCE = 1

grey_cines = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))
rgb_cines = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda s: hnp.arrays(np.uint8, (*s, 3))
)


@given(grey_cines, st.data())
def test_grey_frames_come_back_as_they_are(frames, data):
    indices = data.draw(st.lists(st.integers(0, len(frames) - 1), max_size=8))
    got = cine_from_array(frames).reader.read(indices)
    assert got.dtype == np.uint8
    assert got.shape == (len(indices), *frames.shape[1:])
    assert all(np.array_equal(g, frames[i]) for g, i in zip(got, indices, strict=True))
    color = ArrayReader(frames).read(indices, color=True)
    assert color.shape == (*got.shape, 3)
    assert (color == got[..., None]).all()


@given(rgb_cines)
def test_luma_is_bt601_full_range(frames):
    got = ArrayReader(frames).read(range(len(frames)))
    expected = frames @ np.array([0.299, 0.587, 0.114])
    assert np.abs(got - expected).max() <= LUMA_TOLERANCE
    assert np.array_equal(ArrayReader(frames).read(range(len(frames)), color=True), frames)


def test_reading_copies():
    frames = np.zeros((3, 4, 5), np.uint8)
    ArrayReader(frames).read([0, 1])[:] = 9
    assert not frames.any()


def test_a_memory_map_is_read_in_place(tmp_path):
    frames = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    np.save(tmp_path / "a.npy", frames)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert np.array_equal(ArrayReader(mapped).read([2, 0]), frames[[2, 0]])


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((3, 4, 5), np.float32),
        np.zeros((3, 4, 5), np.int8),
        np.zeros((4, 5), np.uint8),
        np.zeros((3, 4, 5, 4), np.uint8),
        np.zeros((0, 4, 5), np.uint8),
        np.zeros((1, 4, 0), np.uint8),
        [[1, 2]],
    ],
)
def test_other_arrays_are_refused_with_what_is_accepted(frames):
    with pytest.raises(UsageError, match="expected uint8 frames"):
        cine_from_array(frames)


@pytest.mark.parametrize("shape", [(6, 40, 50, 1), (6, 1, 40, 50), (1, 6, 40, 50)])
def test_an_axis_of_one_channel_is_left_out(shape):
    frames = np.arange(6 * 40 * 50, dtype=np.uint32).astype(np.uint8).reshape(6, 40, 50)
    cine = cine_from_array(frames.reshape(shape))
    assert (cine.n_frames, cine.height, cine.width) == (6, 40, 50)
    assert np.array_equal(cine.reader.read(range(6)), frames)


def test_channels_in_front_and_one_colour_picture_are_told_what_to_do():
    with pytest.raises(UsageError, match=r"Move the colours: frames\.transpose\(0, 2, 3, 1\)"):
        cine_from_array(np.zeros((6, 3, 40, 50), np.uint8))
    with pytest.raises(UsageError, match="looks like one colour picture"):
        cine_from_array(np.zeros((40, 50, 3, 1), np.uint8))


@pytest.mark.parametrize("indices", [[3], [-1], [0.5]])
def test_frames_that_are_not_there_are_refused(indices):
    with pytest.raises(UsageError, match="Frame"):
        ArrayReader(np.zeros((3, 4, 5), np.uint8)).read(indices)
    with pytest.raises(UsageError, match="reduce is 3"):
        ArrayReader(np.zeros((3, 4, 5), np.uint8)).read([0], reduce=3)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "30", b"30", [30.0], 10**400])
def test_a_frame_rate_that_is_none_is_refused(fps):
    with pytest.raises(UsageError, match="fps"):
        cine_from_array(np.zeros((3, 4, 5), np.uint8), fps=fps)


@pytest.mark.parametrize("channels", [3, 4])
def test_one_colour_picture_is_no_cine_of_three_columns(channels):
    with pytest.raises(UsageError, match=r"shape \(300, 400, [34]\), which looks like one colour picture.*\[None\]"):
        cine_from_array(np.zeros((300, 400, channels), np.uint8))
    assert cine_from_array(np.zeros((300, 400, 3), np.uint8)[None]).n_frames == 1


def test_the_record():
    cine = cine_from_array(np.zeros((3, 4, 5), np.uint8), fps=50, source="x", spacing_mm=(0.3, 0.2))
    assert (cine.n_frames, cine.height, cine.width, cine.fps, cine.fps_source) == (3, 4, 5, 50.0, "given")
    assert (cine.source, cine.kind, cine.spacing_mm) == ("x", CineKind.B_MODE, (0.3, 0.2))
    assert cine_from_array(np.zeros((1, 4, 5), np.uint8)).kind is CineKind.STILL
    assert cine_from_array(np.zeros((1, 4, 5), np.uint8)).fps_source == ""
