from __future__ import annotations

import numpy as np
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
    assert kind(*regions, UltrasoundColorDataPresent=0) == (expected, True)
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
    assert kind(ImageType=("ORIGINAL", "PRIMARY", "TTE", bits), UltrasoundColorDataPresent=0) == (expected, True)


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
    assert kind((1, 1), n=1, UltrasoundColorDataPresent=0) == (K.STILL, True)
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
    assert kind(ImageType=odd, sop=CT, Modality="OT") == (K.UNKNOWN, False)
    assert kind(ImageType=("DERIVED", "PRIMARY", "", "0008"), sop=CT, Modality="OT") == (K.UNKNOWN, False)
    assert kind(ImageType=("DERIVED", "PRIMARY", "", "0008"))[0] is K.SPECTRAL_DOPPLER


def test_the_colour_flag_answers_no_and_opens_the_question_otherwise():
    two_d, colour, power = (("ORIGINAL", "PRIMARY", "TTE", bits) for bits in ("0001", "0011", "0101"))
    for regions in ([(1, 1)], []):
        assert kind(*regions, ImageType=two_d, UltrasoundColorDataPresent=1) == (K.B_MODE, False)
        # It may be missing (type 3): then the mode and the regions have to say so both.
        assert kind(*regions, ImageType=two_d) == (K.B_MODE, bool(regions))
        assert kind(*regions, ImageType=two_d, UltrasoundColorDataPresent=0) == (K.B_MODE, True)
    assert kind((1, 1)) == (K.B_MODE, False)
    for image_type in (colour, power):  # a region of tissue is all that some scanners write
        assert kind((1, 1), ImageType=image_type, UltrasoundColorDataPresent=0) == (K.B_MODE, False)
    assert kind((1, 1), PixelPresentation="COLOR", UltrasoundColorDataPresent=0) == (K.B_MODE, False)


@pytest.mark.parametrize("shows_colour", [True, False])
@pytest.mark.parametrize(("image_type", "regions"), [("0011", True), ("", True), ("0001", False)])
def test_where_the_header_leaves_it_open_the_pixels_tell_of_colour(dicom, shows_colour, image_type, regions):
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 63, 31
    frames = np.repeat(np.random.default_rng(0).integers(30, 200, (8, 32, 64, 1), np.uint8), 3, axis=-1)
    if shows_colour:
        frames[::2, 4:14, 20:30] = 220, 30, 10
        frames[1::2, 4:14, 20:30] = 10, 60, 230
    cine = open_dicom(
        dicom(
            frames.tobytes(),
            frames=8,
            ImageType=["ORIGINAL", "PRIMARY", "TTE", image_type],
            **({"SequenceOfUltrasoundRegions": [region]} if regions else {}),
        )
    )
    assert cine.kind is (K.COLOR_DOPPLER if shows_colour else K.B_MODE)
    assert cine.facts["kind_from"] == ("pixels" if shows_colour else "header and pixels")


@pytest.mark.parametrize(
    "odd",
    [
        *(("ORIGINAL",), ("ORIGINAL", "PRIMARY", "", "heart"), (), None, ("", "", "", "0000")),
        # Hexadecimal by chance, too short, too long, bits that mean nothing.
        *(
            ("ORIGINAL", "PRIMARY", "", word)
            for word in ("2D", "3D", "A", "8", "FACE", "00008", "0080", "0808", "-008")
        ),
    ],
)
def test_odd_image_types_say_nothing(odd):
    assert kind(ImageType=odd) == (K.B_MODE, False)


def said_of(**values):
    return read_kind(Header(Opener("x", "x"), "", True, values, None), 40)


@pytest.mark.parametrize("modality", ["CT", "MR", "XA", "RF", "NM", "PT", "ES", "IVOCT", "SEG"])
def test_another_modality_is_known_as_that(modality):
    assert said_of(SOPClassUID=CT, Modality=modality) == (K.OTHER_MODALITY, True, ())
    assert said_of(Modality=modality) == (K.OTHER_MODALITY, True, ())


@pytest.mark.parametrize(
    ("modality", "note"),
    [
        *((word, f"The modality is {word}, not US.") for word in ("OT", "SC", "XC", "DOC")),
        ("Doe^Jane", "The modality is another one, not US."),
        ("", "No modality is given."),
    ],
)
def test_a_modality_that_says_nothing_leaves_it_open(modality, note):
    assert said_of(SOPClassUID=CT, Modality=modality) == (K.UNKNOWN, False, (note,))
    assert said_of(SOPClassUID=MULTI, Modality=modality)[0] is K.B_MODE


@pytest.mark.parametrize("modality", ["US", "EC", "CD", "DD"])
def test_ultrasound_by_its_modality_alone(modality):
    assert said_of(SOPClassUID=CT, Modality=modality) == (K.B_MODE, False, ())


def test_ultrasound_from_inside_a_vessel_is_no_echocardiogram():
    assert kind((1, 1), Modality="IVUS") == (K.OTHER_MODALITY, True)
    assert said_of(SOPClassUID=MULTI, Modality="IVUS")[0] is K.OTHER_MODALITY


def test_regions_and_class_of_ultrasound_weigh_more_than_another_modality():
    found, _, (note,) = said_of(SOPClassUID=MULTI, Modality="XA")
    assert found is K.B_MODE
    assert "The modality is XA, but" in note
    assert said_of(SOPClassUID=CAPTURE, Modality="XA") == (K.SECONDARY_CAPTURE, False, ())


def test_the_modality_is_named_where_it_is_one_of_the_terms(dicom):
    path = dicom(bytes(32 * 64 * 2), photometric="MONOCHROME2", frames=2, Modality="MR", SOPClassUID=CT)
    cine = open_dicom(path)
    assert (cine.kind, cine.facts["modality"]) == (K.OTHER_MODALITY, "MR")
    path = dicom(bytes(32 * 64 * 2), photometric="MONOCHROME2", frames=2, Modality="DOE_JANE")
    assert "modality" not in open_dicom(path).facts
