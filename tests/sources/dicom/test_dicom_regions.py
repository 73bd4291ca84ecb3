from __future__ import annotations

import pytest

from echoplane.records import Region
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.regions import aspect_notes, picture_spacing, read_regions
from echoplane.sources.dicom.stream import Opener


def item(x0=10, y0=20, x1=109, y1=69, **more):
    values = {
        **dict(zip(("MinX0", "MinY0", "MaxX1", "MaxY1"), (x0, y0, x1, y1), strict=True)),
    }
    item = {f"RegionLocation{key}": value for key, value in values.items() if value is not None}
    return {**item, "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 2, **more}


def header(*items, **values):
    if items:
        values["SequenceOfUltrasoundRegions"] = items
    return Header(Opener("x", "x"), "", True, values, None)


CM = {
    "PhysicalUnitsXDirection": 3,
    "PhysicalUnitsYDirection": 3,
    "PhysicalDeltaX": 0.05,
    "PhysicalDeltaY": -0.04,
}


def test_inclusive_bounds_become_half_open_and_centimetres_millimetres():
    regions, notes = read_regions(header(item(**CM)), 100, 200)
    assert regions == (Region(10, 20, 110, 70, 1, 1, 2, (pytest.approx(0.4), pytest.approx(0.5))),)
    assert notes == ()


def test_the_whole_picture_and_one_pixel_more():
    regions, notes = read_regions(header(item(0, 0, 199, 99), item(0, 0, 200, 100)), 100, 200)
    assert [(r.x0, r.y0, r.x1, r.y1) for r in regions] == [(0, 0, 200, 100)] * 2
    assert notes == ()


@pytest.mark.parametrize(
    "bad",
    [item(x1=300), item(y1=-1), item(x0=150, x1=110), item(x0=4_000_000_000), item(y0=None), item(x0="left"), {}],
)
def test_implausible_regions_are_dropped_with_a_note(bad):
    regions, notes = read_regions(header(bad, item()), 100, 200)
    assert len(regions) == 1
    assert notes == ("An ultrasound region lies outside of the 200 x 100 picture; passed over.",)


@pytest.mark.parametrize(
    "odd",
    [
        {"PhysicalUnitsXDirection": 4},
        {"PhysicalDeltaX": 0.0},
        {"PhysicalDeltaX": float("inf")},
        {"PhysicalDeltaY": 50.0},
        {"PhysicalDeltaY": None},
    ],
)
def test_a_pixel_size_that_makes_no_sense_is_none(odd):
    regions, _ = read_regions(header(item(**{**CM, **odd})), 100, 200)
    assert regions[0].spacing_mm is None


def test_spacing_of_the_largest_two_dimensional_region():
    small, large = item(x1=30, **CM), item(**{**CM, "PhysicalDeltaX": 0.02})
    doppler = item(0, 0, 199, 99, **{**CM, "RegionSpatialFormat": 3, "RegionDataType": 3})
    found = header(small, large, doppler, PixelSpacing=(0.7, 0.7))
    regions, _ = read_regions(found, 100, 200)
    assert picture_spacing(found, regions) == (pytest.approx(0.4), pytest.approx(0.2))
    assert picture_spacing(header(PixelSpacing=(0.7, 0.6)), ()) == (0.7, 0.6)
    assert picture_spacing(header(PixelSpacing=(0.0, 0.6)), ()) is None
    assert picture_spacing(header(), ()) is None


@pytest.mark.parametrize(
    ("spacing", "said", "times"),
    [
        ((0.6, 0.3), None, "0.5"),
        ((0.3, 0.6), ("1", "1"), "2"),
        (None, (2, 1), "0.5"),
        (None, (59, 54), "0.915"),
    ],
)
def test_pixels_that_are_not_square_are_noted(spacing, said, times):
    notes = aspect_notes(header(PixelAspectRatio=said), spacing)
    assert notes == (f"Pixels are said to be {times} times as wide as high; they are taken as square.",)


@pytest.mark.parametrize("said", [None, (1, 1), (0, 1), (1, 0), 1, "odd", (-1, 1)])
def test_square_pixels_and_nonsense_are_not(said):
    assert aspect_notes(header(PixelAspectRatio=said), None) == ()
    assert aspect_notes(header(PixelAspectRatio=(2, 1)), (0.31, 0.3)) == ()
