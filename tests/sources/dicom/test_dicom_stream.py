from __future__ import annotations

import os
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoplane.errors import RefusedError, UnreadableError
from echoplane.sources.dicom import is_dicom, open_dicom
from echoplane.sources.dicom import stream as module
from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.dicom.stream import Cursor, FileStream, Opener


@settings(deadline=None)
@given(st.binary(max_size=3000), st.lists(st.tuples(st.integers(-5, 3500), st.integers(0, 3500)), max_size=12))
def test_the_inflated_stream_reads_as_the_plain_bytes(tmp_path_factory, data, reads):
    path = tmp_path_factory.mktemp("deflated") / "x"
    packer = zlib.compressobj(wbits=-15)
    path.write_bytes(b"head" + packer.compress(data) + packer.flush())
    with Opener(str(path), "x", inflate_from=4).open() as stream:
        for offset, size in reads:
            if offset >= 0:
                assert stream.at(offset, size) == data[offset : offset + size]
        assert stream.size == len(data)


def test_a_deflate_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_INFLATED_BYTES", 1 << 20)
    packer = zlib.compressobj(9, wbits=-15)
    path = tmp_path / "x"
    path.write_bytes(packer.compress(bytes(1 << 24)) + packer.flush())
    with Opener(str(path), "x", inflate_from=0).open() as stream, pytest.raises(DamagedError, match="more than 1 MiB"):
        _ = stream.size


def test_damaged_deflate_says_so(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff" * 50)
    opener = Opener(str(tmp_path / "x"), "x", inflate_from=0)
    with opener.open() as stream, pytest.raises(DamagedError, match="does not unpack"):
        stream.at(0, 10)


@settings(deadline=None)
@given(st.binary(max_size=100), st.lists(st.tuples(st.integers(0, 120), st.integers(-1, 50)), max_size=10))
def test_the_cursor_is_a_file(tmp_path_factory, data, moves):
    import io

    path = tmp_path_factory.mktemp("cursor") / "x"
    path.write_bytes(data)
    reference = io.BytesIO(data)
    with path.open("rb") as raw:
        cursor = Cursor(FileStream(raw, len(data)))
        for position, size in moves:
            assert cursor.seek(position) == reference.seek(position)
            assert cursor.read(size) == reference.read(size)
            assert cursor.tell() == reference.tell()
        assert cursor.seek(-3, os.SEEK_END) == max(0, len(data) - 3)
        assert cursor.seek(2, os.SEEK_CUR) == max(0, len(data) - 3) + 2


def test_the_cursor_knows_when_something_was_promised_that_is_not_there(tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    with (tmp_path / "x").open("rb") as raw:
        cursor = Cursor(FileStream(raw, 10))
        cursor.read(10)
        cursor.read(8)  # the next element, at the very end
        assert not cursor.overrun
        cursor.seek(5)
        cursor.read(8)
        assert cursor.overrun


def test_what_is_no_readable_file(tmp_path):
    empty, missing, folder = tmp_path / "empty", tmp_path / "missing", tmp_path / "folder"
    empty.touch()
    folder.mkdir()
    with pytest.raises(UnreadableError, match="0 bytes"):
        open_dicom(empty)
    with pytest.raises(UnreadableError, match="No such file"):
        open_dicom(missing)
    with pytest.raises(RefusedError, match="not a regular file"):
        open_dicom(folder)
    with pytest.raises(UnreadableError, match="bad file name"):
        open_dicom("nul\0byte")
    assert not any(is_dicom(p) for p in (empty, missing, folder, "nul\0byte"))


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in the file system")
def test_a_pipe_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError):
        open_dicom(tmp_path / "pipe")
    assert not is_dicom(tmp_path / "pipe")
