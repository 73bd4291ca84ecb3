import gzip
import os

import pytest

from echoplane.errors import UnreadableError
from echoplane.sources.sniff import ENDINGS, HEAD, PICTURES, VIDEOS, is_text, named_format, sniff, sniff_bytes
from echoplane.sources.video import CONTAINERS

HEADS = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0",
    "gif": b"GIF89a",
    "tiff": b"MM\0*",
    "bmp": b"BM" + bytes(12) + b"\x28\0\0\0",
    "webp": b"RIFF\0\0\0\0WEBPVP8 ",
    "avi": b"RIFF\0\0\0\0AVI LIST",
    "sound": b"RIFF\0\0\0\0WAVEfmt ",
    "mp4": b"\0\0\0\x20ftypisom",
    "heic": b"\0\0\0\x20ftypheic",
    "mkv": b"\x1aE\xdf\xa3",
    "wmv": b"0&\xb2u\x8ef\xcf\x11\xa6\xd9",
    "mpeg": b"\0\0\1\xba",
    "mpegvideo": b"\0\0\1\xb3",
    "mpegts": (b"G" + bytes(187)) * 3,
    "h264": b"\0\0\0\1\x67\x64",
    "hevc": b"\0\0\0\1\x40\x01",
    "zip": b"PK\3\4" + bytes(22) + b"\5\0\0\0a.txt",
    "npz": b"PK\3\4" + bytes(22) + b"\5\0\0\0a.npy",
    "document": b"PK\3\4" + bytes(22) + b"\x13\0\0\0[Content_Types].xml",
    "gzip": gzip.compress(b"text" * 100),
    "nifti_gz": gzip.compress(bytes(344) + b"n+1\0" + bytes(99)),
    "nifti": bytes(344) + b"n+1\0",
    "tar": bytes(257) + b"ustar\x0000",
    "7z": b"7z\xbc\xaf'\x1c",
    "rar": b"Rar!\x1a\x07\1\0",
    "metaimage": b"ObjectType = Image\nNDims = 3\n",
    "npy": b"\x93NUMPY\1\0",
    "pdf": b"%PDF-1.7",
    "pickle": b"\x80\x04\x95",
    "dicom": bytes(128) + b"DICM",
    "hdf5": b"\x89HDF\r\n\x1a\n",
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_first_bytes_tell(kind, tmp_path):
    assert sniff_bytes(HEADS[kind]) == kind
    (tmp_path / "file").write_bytes(HEADS[kind])
    assert sniff(tmp_path / "file", "file") == kind


def test_dicom_goes_before_whatever_its_preamble_looks_like():
    assert sniff_bytes(b"II*\0".ljust(128, b"\0") + b"DICM") == "dicom"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"name,view\na,A4C\n", True),
        ("Größe, 心臓".encode(), True),
        (("ö" * 600).encode()[: HEAD - 1], True),
        ("text".encode("utf-16"), True),
        (b"a\0b", False),
        (b"\xff\xfa\x80\x81", False),
    ],
)
def test_text(content, text):
    assert is_text(content) is text


def test_a_dicom_file_without_its_preamble(tmp_path):
    # (0008,0016) SOP class, implicit little endian, as it stands at the start of a headless file.
    (tmp_path / "a").write_bytes(
        b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100\x08\0\x16\0\x1a\0\0\0" + b"1.2.840.10008.5.1.4.1.1.3.1"
    )
    assert sniff(tmp_path / "a", "a") == "dicom"


def test_files_that_are_no_files(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UnreadableError, match="empty"):
        sniff(tmp_path / "empty.mp4", "empty.mp4")
    with pytest.raises(UnreadableError, match="no such file"):
        sniff(tmp_path / "gone", "gone")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableError, match="no regular file"):
        sniff(tmp_path / "pipe", "pipe")


def test_names():
    assert named_format("A.NII.GZ") == "nifti_gz"
    assert named_format("a.JPeG") == "jpeg"
    assert named_format("IM_0001") == ""
    assert named_format(".png") == ""
    assert named_format("a.dcm.bak") == ""


def test_the_lists_agree():
    assert set(CONTAINERS) == VIDEOS
    assert set(ENDINGS) >= VIDEOS
    assert set(ENDINGS) >= PICTURES
