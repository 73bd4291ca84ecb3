"""Stored values to grey, against pydicom's own modality and VOI functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.layout import Layout
from echoplane.sources.dicom.stream import Opener
from echoplane.sources.dicom.tone import build_tone, grey_range, needs_measuring


def header(**values):
    return Header(Opener("x", "x"), "", True, values, None)


def layout(stored=12, signed=False, photometric="MONOCHROME2"):
    return Layout(1, 1, 1, False, photometric, 8 if stored <= 8 else 16, stored, stored - 1, signed)


@settings(deadline=None)
@given(
    stored=st.sampled_from([8, 10, 12, 16]),
    signed=st.booleans(),
    center=st.floats(-3000, 5000),
    width=st.floats(2, 5000),
    slope=st.sampled_from([1.0, 0.5, 2.0]),
    intercept=st.sampled_from([0.0, -1024.0]),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_window_and_rescale_agree_with_pydicom(stored, signed, center, width, slope, intercept, function):
    ds = Dataset()
    ds.BitsStored, ds.PixelRepresentation = stored, int(signed)
    ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = round(center, 3), round(width, 3), function
    ds.PhotometricInterpretation = "MONOCHROME2"
    low, high = layout(stored, signed).value_range
    values = np.arange(low, high + 1)[::7]
    with np.errstate(over="ignore"):
        shown = apply_voi_lut(apply_modality_lut(values, ds), ds)
    bottom, top = low * slope + intercept, high * slope + intercept
    expected = (shown - bottom) / (top - bottom) * 255

    tone = build_tone(
        header(
            RescaleSlope=slope,
            RescaleIntercept=intercept,
            WindowCenter=round(center, 3),
            WindowWidth=round(width, 3),
            VOILUTFunction=function,
        ),
        layout(stored, signed),
    )
    np.testing.assert_allclose(tone.apply(values), expected, atol=1)


def test_eight_bits_pass_untouched():
    values = np.arange(256, dtype=np.uint8)
    assert build_tone(header(), layout(8)).table is None
    np.testing.assert_array_equal(build_tone(header(), layout(8)).apply(values), values)
    np.testing.assert_array_equal(
        build_tone(header(), layout(8, photometric="MONOCHROME1")).apply(values), 255 - values
    )
    inverse = build_tone(header(PresentationLUTShape="INVERSE"), layout(8))
    np.testing.assert_array_equal(inverse.apply(values), 255 - values)


def test_voi_and_modality_tables_agree_with_pydicom():
    entries = (np.arange(64) ** 2 % 4096).astype(np.uint16)
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [64, 10, 12], entries.tolist()
    ds = Dataset()
    ds.BitsStored, ds.PixelRepresentation, ds.VOILUTSequence = 8, 0, [item]
    values = np.arange(256, dtype=np.uint8)
    expected = apply_voi_lut(values, ds) / 4095 * 255
    for data in (tuple(entries.tolist()), entries.tobytes()):
        tables = ({"LUTDescriptor": (64, 10, 12), "LUTData": data},)
        tone = build_tone(header(VOILUTSequence=tables), layout(8))
        np.testing.assert_allclose(tone.apply(values), expected, atol=1)
        tone = build_tone(header(ModalityLUTSequence=tables, WindowCenter=2048, WindowWidth=4096), layout(8))
        np.testing.assert_allclose(
            tone.apply(values), entries[np.clip(np.arange(256) - 10, 0, 63)] / 4095 * 255, atol=1
        )


@pytest.mark.parametrize(
    ("values", "stored", "needed"),
    [
        ({}, 8, False),
        ({"RescaleSlope": 2.0}, 8, False),
        ({}, 12, True),
        ({"WindowCenter": 100, "WindowWidth": 50}, 12, False),
        ({"WindowCenter": 100, "WindowWidth": 0}, 12, True),
        ({"SmallestImagePixelValue": 3, "LargestImagePixelValue": 700}, 12, True),
        ({"SmallestImagePixelValue": 3, "LargestImagePixelValue": 70}, 8, False),
        ({"VOILUTSequence": ({"LUTDescriptor": (2, 0, 8), "LUTData": (0, 255)},)}, 12, False),
        ({"VOILUTSequence": ({"LUTDescriptor": (2, 0, 8)},)}, 12, True),  # damaged: without its entries
    ],
)
def test_when_frames_have_to_be_measured(values, stored, needed):
    assert needs_measuring(header(**values), layout(stored)) is needed


def test_a_measured_range_is_spread_over_the_grey_scale():
    tone = build_tone(header(), layout(12), (100.0, 300.0))
    assert tone.apply(np.array([0, 100, 200, 300, 4095])).tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(("smallest", "largest"), [(0, 255), (12, 60), (0, 1), (0, 120)])
def test_the_extremes_in_the_header_do_not_stretch_eight_bits(smallest, largest):
    """They say which values are there (PS3.3 C.7.6.3), not which of them are black and white."""
    said = header(SmallestImagePixelValue=smallest, LargestImagePixelValue=largest)
    assert build_tone(said, layout(8)).table is None
    values = np.arange(256, dtype=np.uint8)
    assert build_tone(said, layout(8, photometric="MONOCHROME1")).apply(values).tolist() == (255 - values).tolist()


@pytest.mark.parametrize(
    ("said", "measured", "expected"),
    [
        ((3, 700), (10, 650), (3, 700)),  # other frames reach further
        ((3, 700), (3, 700), (3, 700)),
        ((0, 255), (10, 3900), (10, 3900)),  # left over from 8 bits
        ((0, 4095), (10, 300), (10, 300)),  # what could be stored, not what is
        ((3, 700), None, (3, 700)),
        ((700, 3), (10, 650), (10, 650)),
        ((None, None), (10, 650), (10, 650)),
        ((None, None), None, None),
    ],
)
def test_the_extremes_in_the_header_are_used_where_the_pixels_do_not_contradict_them(said, measured, expected):
    values = {"SmallestImagePixelValue": said[0], "LargestImagePixelValue": said[1]}
    ends, note = grey_range(header(**values), measured)
    assert ends == expected
    assert note.startswith("No grey window in the header")
    assert ("not those of the pixels" in note) == (said in ((0, 255), (0, 4095)))


@pytest.mark.parametrize(
    ("declared", "highest", "white"),
    [
        (8, 128, 255),  # the table leaves the upper half out
        (12, 2000, 4095),
        (16, 4095, 4095),  # 16 bits are what an entry takes, not what it uses
        (16, 40000, 65535),
        (16, 50, 255),
        (8, 4000, 4095),
        (0, 900, 1023),
    ],
)
def test_the_output_of_a_voi_table_has_the_bits_that_it_declares(declared, highest, white):
    tables = ({"LUTDescriptor": (64, 0, declared), "LUTData": tuple(np.linspace(0, highest, 64).astype(int).tolist())},)
    tone = build_tone(header(VOILUTSequence=tables), layout(8))
    assert tone.apply(np.array([0, 63, 200])).tolist() == [0, *[round(highest / white * 255)] * 2]


@settings(deadline=None)
@example({"RescaleSlope": 1.7572757916542677e305}, False)
@given(
    st.dictionaries(
        st.sampled_from(["WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"]),
        st.one_of(st.floats(), st.integers(), st.text(max_size=3), st.none()),
    ),
    st.booleans(),
)
def test_no_header_value_breaks_it(values, signed):
    table = build_tone(header(**values), layout(10, signed)).table
    assert table is not None
    assert len(table) == 1024
