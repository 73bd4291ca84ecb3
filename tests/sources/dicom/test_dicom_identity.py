"""Pseudonyms of patients: the same however a file begins, others with another key, none where nothing is said."""

from __future__ import annotations

import hashlib

import pytest

from echoplane.sources.dicom.identity import patient_and_study

KEY = b"secret"
PIXELS = bytes(32 * 64 * 3)


def digest(text, key=KEY):
    return hashlib.blake2b(text.encode(), key=key, digest_size=8).hexdigest()


def test_identifiers_are_hashed_with_the_key(dicom):
    path = dicom(PIXELS, IssuerOfPatientID="Ward 3")
    assert patient_and_study(path, KEY) == (digest("Ward 3\0SECRET-ID"), digest("1.2.3.4"))
    assert patient_and_study(path, b"other")[0] != digest("Ward 3\0SECRET-ID")
    assert patient_and_study(dicom(PIXELS), KEY)[0] == digest("\0SECRET-ID")


@pytest.mark.parametrize("cut", [0, 128, 132], ids=["whole", "DICM first", "neither preamble nor DICM"])
def test_a_missing_preamble_makes_no_difference(dicom, cut):
    path = dicom(PIXELS)
    path.write_bytes(path.read_bytes()[cut:])
    assert patient_and_study(path, KEY) == (digest("\0SECRET-ID"), digest("1.2.3.4"))


def test_a_data_set_without_file_meta_makes_no_difference(dicom):
    path = dicom(PIXELS)
    data = path.read_bytes()
    start = data.find(b"\x08\x00\x16\x00")  # SOPClassUID, the first element of the data set
    path.write_bytes(data[start:])
    assert patient_and_study(path, KEY) == (digest("\0SECRET-ID"), digest("1.2.3.4"))


def test_letters_are_read_by_their_character_set(dicom):
    path = dicom(PIXELS, SpecificCharacterSet="ISO_IR 100", PatientID="Gr\u00fcn-7")
    assert patient_and_study(path, KEY)[0] == digest("\0Gr\u00fcn-7")


def test_what_says_nothing_gives_nothing(dicom, tmp_path):
    assert patient_and_study(dicom(PIXELS, PatientID=None), KEY) == ("", digest("1.2.3.4"))
    assert patient_and_study(dicom(PIXELS, PatientID=" ", StudyInstanceUID=None), KEY) == ("", "")
    for name, content in (("text", b"no DICOM at all"), ("empty", b""), ("cut", dicom(PIXELS).read_bytes()[:200])):
        (tmp_path / name).write_bytes(content)
        assert patient_and_study(tmp_path / name, KEY) == ("", "")
    assert patient_and_study(tmp_path / "nowhere", KEY) == ("", "")
