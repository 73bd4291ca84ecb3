from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from echoplane.records import CineKind
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.kind import read_kind
from echoplane.sources.dicom.open import open_dicom
from echoplane.sources.dicom.stream import Opener

SOP = "1.2.840.10008.5.1.4.1.1."
MULTI, SINGLE, VOLUME, CAPTURE, TRUE_COLOR, CT = (SOP + s for s in ("3.1", "6.1", "6.2", "7", "7.4", "2"))
K = CineKind


def kind(*regions, n=30, sop=MULTI, **values):
    items = tuple({"RegionSpatialFormat": form, "RegionDataType": data} for form, data in regions)
    said = {"SOPClassUID": sop, "Modality": "US", "SequenceOfUltrasoundRegions": items, **values}
    return read_kind(Header(Opener("x", "x"), "", True, said, None), n)[:2]


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([(1, 1)], K.B_MODE),
        ([(1, 1), (4, 10)], K.B_MODE),  # with an ECG trace
        ([(1, 1), (5, 13)], K.B_MODE),  # with a grey bar
        ([(1, 2)], K.COLOR_DOPPLER),
        ([(1, 1), (1, 2)], K.COLOR_DOPPLER),
        ([(3, 3)], K.SPECTRAL_DOPPLER),
        ([(3, 4)], K.SPECTRAL_DOPPLER),
        ([(1, 1), (3, 3)], K.SPECTRAL_DOPPLER),
        ([(1, 2), (3, 4)], K.SPECTRAL_DOPPLER),
        ([(2, 1)], K.M_MODE),
        ([(1, 1), (2, 1)], K.M_MODE),
        ([(1, 2), (2, 2)], K.M_MODE),  # colour M-mode
    ],
)
def test_regions_say_it(regions, expected):
    assert kind(*regions) == (expected, True)
    # and weigh more than the image type and the class
    assert kind(*regions, sop=TRUE_COLOR, ImageType=("DERIVED", "PRIMARY", "", "0008"))[0] is expected


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("0001", K.B_MODE),
        ("0002", K.M_MODE),
        ("0003", K.M_MODE),
        ("0004", K.SPECTRAL_DOPPLER),
        ("0009", K.SPECTRAL_DOPPLER),
        ("0010", K.COLOR_DOPPLER),
        ("0011", K.COLOR_DOPPLER),
        ("0022", K.M_MODE),
        ("0040", K.VOLUME),
        ("0100", K.COLOR_DOPPLER),
    ],
)
def test_the_image_type_says_it_where_regions_do_not(bits, expected):
    assert kind(ImageType=("ORIGINAL", "PRIMARY", "TTE", bits)) == (expected, True)


@pytest.mark.parametrize(
    ("sop", "n", "expected"),
    [
        (MULTI, 30, K.B_MODE),
        (MULTI, 1, K.STILL),
        (SINGLE, 1, K.STILL),
        (CAPTURE, 1, K.SECONDARY_CAPTURE),
        (TRUE_COLOR, 30, K.SECONDARY_CAPTURE),
        (VOLUME, 200, K.VOLUME),
    ],
)
def test_the_class_is_left_where_nothing_else_is_said(sop, n, expected):
    found, sure = kind(sop=sop, n=n)
    assert found is expected
    assert sure is (expected is K.VOLUME)


def test_volumes_are_volumes_whatever_their_regions():
    assert kind((1, 1), sop=VOLUME, n=100) == (K.VOLUME, True)


def test_one_frame_of_b_mode_is_a_still_but_one_of_doppler_is_doppler():
    assert kind((1, 1), n=1) == (K.STILL, True)
    assert kind((3, 3), n=1) == (K.SPECTRAL_DOPPLER, True)
    assert kind((1, 2), n=1) == (K.COLOR_DOPPLER, True)


def test_misplaced_regions_still_tell_the_mode():
    item = {"RegionSpatialFormat": 3, "RegionDataType": 3}
    assert kind(SequenceOfUltrasoundRegions=(item,)) == (K.SPECTRAL_DOPPLER, True)


def test_a_misplaced_region_beside_one_that_fits_still_tells_the_mode(dicom):
    places = [(0, 0, 60, 15), (0, 200, 600, 400)]  # of the old picture, which was twelve times as large

    def item(form, data, place):
        found = Dataset()
        found.RegionSpatialFormat, found.RegionDataType, found.RegionFlags = form, data, 0
        found.RegionLocationMinX0, found.RegionLocationMinY0, found.RegionLocationMaxX1, found.RegionLocationMaxY1 = (
            place
        )
        return found

    for other, expected in (((3, 3), K.SPECTRAL_DOPPLER), ((1, 2), K.COLOR_DOPPLER), ((2, 1), K.M_MODE)):
        items = [item(1, 1, places[0]), item(*other, places[1])]
        cine = open_dicom(
            dicom(bytes(32 * 64 * 2), photometric="MONOCHROME2", frames=2, SequenceOfUltrasoundRegions=items)
        )
        assert len(cine.regions) == 1
        assert cine.kind is expected


@pytest.mark.parametrize("other", [(3, 3), (2, 1), (1, 2)])
def test_an_empty_region_beside_others_says_nothing(dicom, other):
    def item(form, data, x1, y1):
        found = Dataset()
        found.RegionSpatialFormat, found.RegionDataType, found.RegionFlags = form, data, 0
        found.RegionLocationMinX0 = found.RegionLocationMinY0 = 0
        found.RegionLocationMaxX1, found.RegionLocationMaxY1 = x1, y1
        return found

    items = [item(1, 1, 63, 31), item(*other, 0, 0)]
    path = dicom(bytes(32 * 64 * 2), photometric="MONOCHROME2", frames=2, SequenceOfUltrasoundRegions=items)
    assert open_dicom(path).kind is K.B_MODE


def test_the_image_type_of_another_modality_says_nothing():
    odd = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")  # hexadecimal, by chance
    assert kind(ImageType=odd, sop=CT, Modality="MR") == (K.UNKNOWN, False)
    assert kind(ImageType=("DERIVED", "PRIMARY", "", "0008"))[0] is K.SPECTRAL_DOPPLER


def test_the_colour_flag_only_opens_the_question():
    assert kind((1, 1), UltrasoundColorDataPresent=1) == (K.B_MODE, False)
    assert kind((1, 1), UltrasoundColorDataPresent=0) == (K.B_MODE, True)


@pytest.mark.parametrize("odd", [("ORIGINAL",), ("ORIGINAL", "PRIMARY", "", "heart"), (), None, ("", "", "", "0000")])
def test_odd_image_types_say_nothing(odd):
    assert kind(ImageType=odd) == (K.B_MODE, False)


def test_another_modality_is_unknown_and_named():
    found = Header(Opener("x", "x"), "", True, {"SOPClassUID": CT, "Modality": "CT"}, None)
    assert read_kind(found, 40) == (K.UNKNOWN, False, ("The modality is CT, not US.",))
    found = Header(Opener("x", "x"), "", True, {}, None)
    assert read_kind(found, 40)[2] == ("No modality is given.",)
