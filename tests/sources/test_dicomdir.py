from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from echoplane.errors import RefusedError, UnreadableError
from echoplane.sources.dicomdir import is_dicomdir, listed_items
from echoplane.sources.discover import discover


def write_directory(folder, ids, name="DICOMDIR"):
    """A directory of image records that refer to the given file ids (lists of name parts, or one name)."""
    with pydicom.config.disable_value_validation():
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        records = []
        for file_id in [None, *ids]:
            record = Dataset()
            record.DirectoryRecordType = "PATIENT" if file_id is None else "IMAGE"
            if file_id is not None:
                record.ReferencedFileID = file_id
            records.append(record)
        dataset.DirectoryRecordSequence = Sequence(records)
        dataset.save_as(folder / name, enforce_file_format=True)
    return folder / name


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_the_files_it_lists_in_its_order_whatever_their_case(tmp_path):
    touch(tmp_path, "IMAGES/IM2", "images2/im1.dcm;1", "IMAGES/IM1", "TOP", "IMAGES/EXTRA")
    path = write_directory(tmp_path, [["IMAGES", "IM2"], ["IMAGES", "IM1"], "TOP", ["IMAGES2", "IM1.DCM"], "TOP"])
    items = list(discover(path))
    assert [str(item.path.relative_to(tmp_path)) for item in items] == [
        "IMAGES/IM2",
        "IMAGES/IM1",
        "TOP",
        "images2/im1.dcm;1",
    ]
    assert items[0].source == f"{tmp_path}/IMAGES/IM2"
    assert all(item.error is None for item in items)


def test_in_a_folder_it_stands_for_itself_and_tells_what_is_lost(tmp_path):
    touch(tmp_path, "IMAGES/IM1")
    write_directory(tmp_path, [["IMAGES", "IM1"], ["IMAGES", "IM2"]])
    items = list(discover(tmp_path))
    assert [item.path.name for item in items] == ["DICOMDIR", "IM2", "IM1"]
    assert isinstance(items[1].error, UnreadableError)
    assert "Is listed in DICOMDIR, but is not there" in items[1].error.reason


def test_whole_paths_in_one_component_are_split(tmp_path):
    touch(tmp_path, "IMAGES/PAT1/IM1", "IMAGES/PAT1/IM2")
    path = write_directory(tmp_path, ["IMAGES/PAT1/IM1", ["IMAGES", "pat1/im2"], ["IMAGES", "PAT1", "IM1"]])
    items = list(discover(path))
    assert [str(item.path.relative_to(tmp_path)) for item in items] == ["IMAGES/PAT1/IM1", "IMAGES/PAT1/IM2"]
    assert all(item.error is None for item in items)


@pytest.mark.parametrize(
    "file_id",
    [
        *(["..", "secret"], ["A", "..", "..", "x"], ["/etc/passwd"], ["C:", "x"], ["a\\b"]),
        *("../secret", "A/../../x", "A/.. /x", "A//x", "C:/x", "//server/share/x", ["A", "/x"]),
    ],
)
def test_names_that_reach_outside_are_refused(tmp_path, file_id):
    path = write_directory(tmp_path, [file_id])
    items = [i for i in listed_items(path, str(path)) if i.error]
    if file_id == ["a\\b"]:  # the separator of several values: two plain names
        assert isinstance(items[0].error, UnreadableError)
    else:
        assert isinstance(items[0].error, RefusedError)


def test_a_directory_that_lists_nothing_does_not_vanish(tmp_path):
    (item,) = discover(write_directory(tmp_path, []))
    assert "lists no file" in item.error.reason


@pytest.mark.parametrize("content", [b"", b"text", bytes(128) + b"DICM" + b"\xff" * 50])
def test_a_damaged_directory_is_one_item(tmp_path, content):
    (tmp_path / "DICOMDIR").write_bytes(content)
    (item,) = discover(tmp_path / "DICOMDIR")
    assert isinstance(item.error, UnreadableError)
    (item,) = discover(tmp_path)
    assert item.path == tmp_path / "DICOMDIR"


def test_names():
    assert is_dicomdir("dicomdir")
    assert not is_dicomdir("DICOMDIR.txt")
    assert Path("DICOMDIR").name == "DICOMDIR"
