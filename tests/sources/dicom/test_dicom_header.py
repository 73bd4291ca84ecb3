from __future__ import annotations

import pydicom
import pytest
from pydicom.data import get_testdata_file

from echoplane.errors import NotImageError, UnreadableError
from echoplane.sources.dicom import is_dicom, open_dicom
from echoplane.sources.dicom.header import read_header
from echoplane.sources.dicom.sniff import encoding_of, start_of_data
from echoplane.sources.dicom.stream import Opener
from echoplane.sources.dicom.syntax import Codec, codec_of, name_of


def header(path):
    return read_header(Opener(str(path), "x"))


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "NumberOfFrames", "PhotometricInterpretation", "FrameTime"])
@pytest.mark.parametrize("syntax", ["", ".1", ".1.99", ".2"])
def test_values_agree_with_pydicom(dicom, keyword, syntax):
    path = dicom(bytes(32 * 64 * 3), syntax="1.2.840.10008.1.2" + syntax, FrameTime=33.3)
    assert header(path).values[keyword] == pydicom.dcmread(path)[keyword].value


def test_only_named_elements_are_read(dicom):
    path = dicom(bytes(32 * 64 * 3))
    assert "Doe" not in repr(header(path))
    assert "SECRET" not in repr(open_dicom(path))


def test_files_without_preamble_and_without_meta(dicom, tmp_path):
    data = dicom(bytes(32 * 64 * 3), frames=1).read_bytes()
    start = data.find(b"\x08\x00\x05\x00") if b"\x08\x00\x05\x00" in data else data.find(b"\x08\x00\x16\x00")
    for name, part, note in (
        ("meta", data[132:], "The DICOM preamble is missing."),
        ("mark", data[128:], "The DICOM preamble is missing."),
        ("bare", data[start:], "The transfer syntax is missing; guessed from the data."),
    ):
        (tmp_path / name).write_bytes(part)
        assert is_dicom(tmp_path / name)
        cine = open_dicom(tmp_path / name)
        assert note in cine.notes
        assert cine.reader.read([0], color=True).max() == 0


def test_a_data_set_written_in_another_encoding_than_it_says(dicom, tmp_path):
    explicit = dicom(bytes(32 * 64 * 3)).read_bytes()
    (tmp_path / "x").write_bytes(explicit.replace(b"\x14\x001.2.840.10008.1.2.1\0", b"\x14\x001.2.840.10008.1.2\0\0\0"))
    cine = open_dicom(tmp_path / "x")
    assert "The data set is not written in its transfer syntax; read as it is written." in cine.notes
    assert (cine.height, cine.width) == (32, 64)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("test-SR.dcm", "Holds a structured report and no picture."),
        ("waveform_ecg.dcm", "Holds a waveform and no picture."),
        (
            "dicomdirtests/DICOMDIR",  # also said where its folder was given
            "Is a DICOMDIR: it lists files and holds no picture. Where its folder is given, those files are read.",
        ),
        ("rtplan.dcm", "Is a DICOM file without pixels"),
        ("README.txt", "Is not a DICOM file"),
    ],
)
def test_what_holds_no_picture(name, sentence):
    path = get_testdata_file(name, download=False)
    with pytest.raises(NotImageError) as caught:
        open_dicom(path)
    assert caught.value.sentence.startswith(sentence)


@pytest.mark.parametrize("keep", [133, 150, 200, 300, 500, 700])
def test_a_header_that_is_cut(dicom, tmp_path, keep):
    (tmp_path / "cut").write_bytes(dicom(bytes(32 * 64 * 3)).read_bytes()[:keep])
    with pytest.raises((UnreadableError, NotImageError)):
        open_dicom(tmp_path / "cut")


def test_a_damaged_element_costs_itself_only(dicom, tmp_path):
    data = dicom(bytes(2 * 32 * 64 * 3), frames=2, FrameTime=33.3, CineRate=20).read_bytes()
    assert data.count(b"DS\x04\x0033.3") == 1
    (tmp_path / "x").write_bytes(data.replace(b"DS\x04\x0033.3", b"DS\x04\x00Jane"))
    cine = open_dicom(tmp_path / "x")
    assert cine.notes == ("FrameTime gives no plausible frame rate; passed over.",)
    assert (cine.fps, cine.fps_source) == (20.0, "CineRate")
    sign = b"\x28\x00\x03\x01"
    assert data.count(sign + b"US") == 1
    (tmp_path / "x").write_bytes(data.replace(sign + b"US", sign + b"FD"))  # two bytes are no double
    assert "The header element (0028,0103) is damaged; passed over." in open_dicom(tmp_path / "x").notes


@pytest.mark.parametrize(
    ("head", "start"),
    [
        (bytes(128) + b"DICM", 132),
        (b"DICM" + bytes(4), 4),
        (b"\x02\x00\x00\x00UL\x04\x00", 0),
        (b"\x08\x00\x05\x00CS\x0a\x00", 0),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00", 0),
        (b"\x00\x08\x00\x05CS\x00\x0a", 0),
        (b"", None),
        (b"DIC", None),
        (bytes(200), None),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", None),
        (b"\x08\x00\x05\x00\xff\xff\xff\x7f", None),
        (b"GIF89a" + bytes(100), None),
        (b"\x08\x00\x00\x00" + bytes(100), None),
        (b"\x08\x00\x00\x10\x04\x00\x00\x00", None),
        (b"\x08\x00\x05\x00\x00\x00\x00\x00", 0),
    ],
)
def test_where_data_starts(head, start):
    assert start_of_data(head) == start


def test_encodings():
    assert encoding_of(b"\x08\x00\x05\x00CS\x0a\x00") == (False, True)
    assert encoding_of(b"\x08\x00\x05\x00\x0a\x00\x00\x00") == (True, True)
    assert encoding_of(b"\x00\x08\x00\x05CS\x00\x0a") == (False, False)


def test_names_and_codecs_of_transfer_syntaxes():
    assert codec_of("1.2.840.10008.1.2.4.50") is Codec.JPEG
    assert codec_of("1.2.840.10008.1.2.4.106.1") is Codec.H264
    assert Codec.HEVC.is_video
    assert not Codec.RLE.is_video
    assert codec_of("1.2.3") is None
    assert (name_of("1.2.3"), name_of("")) == ("1.2.3", "not given")
    assert name_of("1.2.840.10008.1.2.4.112") == "JPEG XL, 1.2.840.10008.1.2.4.112"
    for uid in ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2"):
        assert name_of(uid).split()[0] in pydicom.uid.UID(uid).name
