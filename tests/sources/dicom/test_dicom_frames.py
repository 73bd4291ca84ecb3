"""Finding frames: offset tables of three kinds, any fragmentation, and what is cut or wrong."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_frames

from echoplane.sources.dicom.frames import NativeFrames, group_frames, walk


class Memory:
    """A stream in memory."""

    def __init__(self, data):
        self.data, self.size = data, len(data)

    def at(self, offset, size):
        return self.data[offset : offset + size]


def found(data, *, extended=b"", declared=None, start=0):
    stream = Memory(data)
    frames, notes = group_frames(stream, walk(stream, start), extended, declared)
    return [frames.payload(stream, i) for i in range(len(frames))], notes


def jpeg_like(draw, count, odd=1):
    """A start marker and bytes that cannot look like another one."""
    sizes = [2 * int(draw.integers(5, 60)) + odd for _ in range(count)]
    return [b"\xff\xd8\xff" + bytes(draw.integers(1, 255, size).tolist()) for size in sizes]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)  # the fixture holds no state
@given(
    count=st.integers(1, 9),
    pieces=st.integers(1, 5),
    table=st.sampled_from(["basic", "extended", "missing"]),
    seed=st.integers(0, 1000),
)
def test_frames_come_back_whatever_the_table_and_the_fragments(picture, count, pieces, table, seed):
    frames = jpeg_like(np.random.default_rng(seed), count, odd=seed % 2)
    data, extra = picture.encapsulate(frames, table=table, pieces=pieces)
    got, notes = found(b"junk" + data, extended=extra.get("ExtendedOffsetTable", b""), declared=count, start=4)
    assert got == [frame + b"\0" * (len(frame) % 2) for frame in frames]
    assert notes == ()
    if table == "basic":
        assert got == list(generate_frames(data, number_of_frames=count))


def test_without_table_and_count_every_start_marker_starts_a_frame(picture):
    frames = jpeg_like(np.random.default_rng(1), 4)
    data, _ = picture.encapsulate(frames, table="missing", pieces=3)
    for declared in (None, 1, 4, 99):
        assert found(data, declared=declared)[0] == frames


def test_rle_has_one_fragment_a_frame(picture):
    frames = [struct.pack("<16I", 1, 64, *[0] * 14) + bytes([n, 0, n, 0]) for n in range(5)]
    data, _ = picture.encapsulate(frames, table="missing")
    for declared in (None, 5, 7):
        assert found(data, declared=declared)[0] == frames


@pytest.mark.parametrize("declared", [None, 3, 5])
def test_an_empty_item_behind_rle_frames_is_no_frame(picture, declared):
    frames = [struct.pack("<16I", 1, 64, *[0] * 14) + bytes([n, 0, n, 0]) for n in range(3)]
    data, _ = picture.encapsulate([*frames, b""], table="missing")
    assert found(data, declared=declared)[0] == frames
    # Where the header counts it, it is a frame that is lost, and the others keep their numbers.
    assert found(data, declared=4)[0] == [*frames, b""]


@pytest.mark.parametrize("start", ["jpeg", "j2k", "rle"])
def test_a_missing_item_of_the_offset_table_costs_no_frame(picture, start):
    tiles = [picture.tiles(i) for i in range(3)]
    encode = {"jpeg": picture.jpeg, "j2k": picture.j2k, "rle": lambda f: picture.rle(list(np.moveaxis(f, -1, 0)))}
    frames = [encode[start](f) for f in tiles]
    data, _ = picture.encapsulate(frames, table="missing")
    assert not walk(Memory(data), 0).no_table
    assert walk(Memory(data[8:]), 0).no_table
    assert found(data[8:], declared=3) == ([frame + b"\0" * (len(frame) % 2) for frame in frames], ())


@pytest.mark.parametrize("bad", [[4, 20, 40], [0, 1, 2], [0, 0, 0], [0, 4_000_000_000, 8], [8, 0, 30]])
def test_a_table_that_points_elsewhere_is_passed_over(picture, bad):
    frames = jpeg_like(np.random.default_rng(2), 3)
    data, _ = picture.encapsulate(frames, table="missing")
    got, notes = found(picture.item(struct.pack("<3I", *bad)) + data[8:], declared=3)
    assert got == frames
    assert notes == ("The offset table does not fit the fragments; passed over.",)


def test_a_cut_file_keeps_its_whole_fragments(picture):
    frames = jpeg_like(np.random.default_rng(3), 4)
    data, _ = picture.encapsulate(frames)
    cut = data[: -len(frames[-1]) + 2]
    fragments = walk(Memory(cut), 0)
    assert fragments.cut
    assert not fragments.closed
    assert found(cut, declared=4)[0] == frames[:3]


def test_a_missing_delimiter_alone_is_no_cut(picture):
    data, _ = picture.encapsulate(jpeg_like(np.random.default_rng(4), 2))
    fragments = walk(Memory(data[:-8]), 0)
    assert (len(fragments.pieces), fragments.cut, fragments.closed) == (2, False, False)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise_never_breaks_it(noise):
    found(noise)
    found(struct.pack("<HHI", 0xFFFE, 0xE000, 0) + noise)
    found(noise, extended=noise, declared=3)


def test_native_frames_by_number():
    frames = NativeFrames(3, 4, 2)
    stream = Memory(b"xxxabcdefgh")
    assert [frames.payload(stream, i) for i in range(len(frames))] == [b"abcd", b"efgh"]


def test_swapped_words_of_frames_of_an_odd_size():
    stream = Memory(b"xx" + b"badcfe")
    frames = NativeFrames(2, 3, 2, swapped=True)
    assert [frames.payload(stream, i) for i in range(len(frames))] == [b"abc", b"def"]


@pytest.mark.parametrize("entries", [1, 3])
def test_a_table_of_fewer_frames_than_header_and_fragments_have_is_passed_over(picture, entries):
    frames = [picture.jpeg(picture.tiles(i)) for i in range(6)]
    data, _ = picture.encapsulate(frames)
    offsets = data[8 : 8 + 4 * 6]
    short = picture.item(offsets[: 4 * entries]) + data[8 + 4 * 6 :]
    got, notes = found(short, declared=6)
    assert got == [frame + b"\0" * (len(frame) % 2) for frame in frames]
    assert notes == ("The offset table does not fit the fragments; passed over.",)
    # Where the header says so, several fragments make one frame.
    assert len(found(short, declared=entries)[0]) == entries
