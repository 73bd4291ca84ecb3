import dataclasses
import gzip
import io
import os
import pickle
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from echoplane.errors import (
    NotImageError,
    ReadError,
    RefusedError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)
from echoplane.records import CineKind
from echoplane.sources.discover import discover
from echoplane.sources.item import SourceItem, shown
from echoplane.sources.limits import Limits
from echoplane.sources.open import open_cine


def png(size=(30, 20)):
    buffer = io.BytesIO()
    Image.new("L", size, 77).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_array():
    assert open_cine(np.zeros((3, 4, 5), np.uint8)).n_frames == 3
    with pytest.raises(UsageError, match="float64"):
        open_cine(np.zeros((3, 4, 5)))


def test_what_is_no_place_is_said():
    for place in (None, 3, b"a.dcm", []):
        with pytest.raises(UsageError, match="is no cine; expected a path"):
            open_cine(place)


@pytest.mark.parametrize("name", ["a.png", "noextension", "a.jpg", "a.dcm", "a.mp4", "心臓.PNG"])
def test_content_counts_and_a_name_that_lies_is_noted(tmp_path, name):
    (tmp_path / name).write_bytes(png())
    for place in (tmp_path / name, str(tmp_path / name)):
        cine = open_cine(place)
        assert cine.kind is CineKind.STILL
        assert cine.source == str(tmp_path / name)
        assert cine.reader.read([0])[0, 0, 0] == 77
        lied = any("Is named like" in note for note in cine.notes)
        assert lied == (name not in ("a.png", "noextension", "心臓.PNG"))


def test_the_dicom_example_that_pydicom_ships():
    from pydicom import examples

    path = examples.get_path("ybr_color")
    cine = open_cine(path)
    assert (cine.n_frames, cine.height, cine.width) == (30, 240, 320)
    assert cine.reader.read([0, 29]).shape[0] == 2


def test_dicom_under_any_name(tmp_path):
    from pydicom import examples

    (tmp_path / "IM_0001.avi").write_bytes(examples.get_path("ybr_color").read_bytes())
    cine = open_cine(tmp_path / "IM_0001.avi")
    assert cine.n_frames == 30
    assert any("Is named like AVI (.avi), but is DICOM (.dcm)" in note for note in cine.notes)


def archive(path, kind):
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a.dcm", b"x")
    elif kind == "tar":
        with tarfile.open(path, "w") as file:
            file.addfile(tarfile.TarInfo("a.dcm"), io.BytesIO(b""))
    elif kind == "gz":
        path.write_bytes(gzip.compress(b"x" * 1000))
    elif kind == "7z":
        path.write_bytes(b"7z\xbc\xaf'\x1c\0\4")
    else:
        path.write_bytes(b"Rar!\x1a\x07\x01\0")
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "gz", "7z", "rar"])
def test_archives_are_refused_with_what_to_do(tmp_path, kind):
    with pytest.raises(RefusedError, match=r"archives are not opened\. Unpack it"):
        open_cine(archive(tmp_path / f"a.{kind}", kind))


@pytest.mark.parametrize(
    ("content", "error", "sentence"),
    [
        (b"", UnreadableError, "Is empty"),
        (b"patient notes\n", NotImageError, "Is a text file"),
        (b"%PDF-1.7\n%\xe2\xe3", NotImageError, "Is a PDF document"),
        (b"RIFF\0\0\0\0WAVEfmt ", NotImageError, "Is a sound recording"),
        (b"\x89HDF\r\n\x1a\n", UnsupportedError, "Is an HDF5 file, which is not read here. Save its frames"),
        (b"\0\0\0\x20ftypheic", UnsupportedError, "HEIC"),
        (pickle.dumps({"a": 1}), RefusedError, "Is a Python pickle"),
        (bytes(2000), NotImageError, "no kind that is known"),
        (b"\x89PNG\r\n\x1a\n", UnreadableError, "damaged"),
        (b"\xff\xd8\xff\xe0", UnreadableError, "damaged"),
        (b"RIFF\0\0\0\0AVI LIST", UnreadableError, "video"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", UnreadableError, "video"),
        (b"GIF89a", UnreadableError, "video"),
        (b"II*\0", UnreadableError, "damaged"),
        (b"\x93NUMPY\1\0", UnreadableError, "damaged"),
        (bytes(128) + b"DICM", ReadError, None),
    ],
)
def test_headers_and_nothing_else(tmp_path, content, error, sentence):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(error, match=sentence) as caught:
        open_cine(path)
    assert caught.value.path == str(path)
    assert caught.value.sentence[-1] in ".?"


def test_garbage_with_a_name_that_promises_something(tmp_path):
    (tmp_path / "a.mp4").write_bytes(bytes(range(1, 200)) * 9)
    with pytest.raises(UnreadableError, match=r"named like MP4 \(\.mp4\), but does not begin like one"):
        open_cine(tmp_path / "a.mp4")


class TestFolders:
    def test_a_folder_with_one_file_in_it(self, tmp_path):
        (tmp_path / "x.dcm").mkdir()
        (tmp_path / "x.dcm" / "inner.png").write_bytes(png())
        cine = open_cine(tmp_path / "x.dcm")
        assert cine.source == str(tmp_path / "x.dcm")

    def test_one_series_of_a_folder_by_the_name_it_has_in_results(self, tmp_path):
        for name, level in (("patA", 10), ("patB", 20)):
            for n in range(4):
                Image.fromarray(np.full((8, 8), level, np.uint8)).save(tmp_path / f"{name}_{n}.png")
        cine = open_cine(tmp_path / "patB")
        assert (cine.source, cine.n_frames) == (str(tmp_path / "patB"), 4)
        assert cine.reader.read([3])[0, 0, 0] == 20
        with pytest.raises(UnreadableError, match="no such file"):
            open_cine(tmp_path / "patC")

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(UnreadableError, match="empty folder"):
            open_cine(tmp_path)

    def test_more_than_one(self, tmp_path):
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(png())
        with pytest.raises(UnsupportedError, match="more than one file or cine"):
            open_cine(tmp_path)


class TestTheSystem:
    def test_missing(self, tmp_path):
        with pytest.raises(UnreadableError, match="no such file"):
            open_cine(tmp_path / "gone.dcm")

    @pytest.mark.skipif(sys.platform == "win32", reason="pipes as POSIX has them")
    def test_a_pipe_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.mp4")
        with pytest.raises(UnreadableError, match="no regular file"):
            open_cine(tmp_path / "pipe.mp4")

    def test_no_permission(self, tmp_path, monkeypatch):
        path = tmp_path / "a.png"
        path.write_bytes(png())

        def denied(self, *_, **__):
            raise PermissionError(13, "denied", str(self))

        monkeypatch.setattr(type(path), "open", denied)
        with pytest.raises(UnreadableError, match="permission denied"):
            open_cine(path)

    @pytest.mark.parametrize("name", ["nul\0byte", "x" * 5000])
    def test_impossible_names(self, tmp_path, name):
        with pytest.raises(UnreadableError):
            open_cine(str(tmp_path / name))


def test_limits_reach_every_reader(tmp_path):
    small = Limits(max_pixels=10)
    (tmp_path / "a.png").write_bytes(png())
    np.save(tmp_path / "a.npy", np.zeros((3, 20, 30), np.uint8))
    (tmp_path / "f").mkdir()
    for i in range(3):
        (tmp_path / "f" / f"a_{i}.png").write_bytes(png())
    for place in ("a.png", "a.npy", "f"):
        with pytest.raises(RefusedError, match="max_pixels"):
            open_cine(tmp_path / place, limits=small)


def test_an_item_with_an_error_raises_it_afresh_each_time(tmp_path):
    (item,) = discover(tmp_path / "gone")
    raised = []
    for _ in range(2):
        with pytest.raises(UnreadableError) as caught:
            open_cine(item)
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert str(raised[0]) == str(item.error)
    assert str(pickle.loads(pickle.dumps(item)).error) == str(item.error)


def test_a_cine_of_every_kind_can_be_sent_to_another_process(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    np.save(tmp_path / "a.npy", np.full((3, 20, 30), 9, np.uint8))
    for name in ("a.png", "a.npy"):
        cine = pickle.loads(pickle.dumps(open_cine(tmp_path / name)))
        assert cine.reader.read([0]).shape == (1, 20, 30)


def test_an_item_can_be_renamed():
    item = SourceItem("a", path=None)
    assert dataclasses.replace(item, source="b").source == "b"
    assert shown("caf\udce9") == "caf\\xe9"
    assert shown("café") == "café"
