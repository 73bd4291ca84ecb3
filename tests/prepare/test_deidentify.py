from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.errors import RefusedError, UnreadableError
from echoplane.prepare.deidentify import content_name, is_sure, mask_outside, require_sure
from echoplane.records import CineKind, Sector, SectorKind

FAN = Sector(
    SectorKind.PHASED, (0, 0, 100, 80), apex=(50.0, 0.0), r0=2.0, r1=75.0, left=-0.7, right=0.7, confidence=0.9
)
rng = np.random.default_rng(4)


@pytest.mark.parametrize("shape", [(3, 80, 100), (2, 80, 100, 3)])
def test_outside_is_black_and_inside_untouched(shape):
    frames = rng.integers(1, 256, shape, dtype=np.uint8)
    before = frames.copy()
    masked = mask_outside(frames, FAN)
    y, x = np.mgrid[:80, :100]
    radius, angle = np.hypot(x - 50, y), np.arctan2(x - 50, y)
    inside = (radius >= 2) & (radius <= 75) & (np.abs(angle) <= 0.7)
    assert (masked[:, inside] == frames[:, inside]).all()
    assert not masked[:, ~inside].any()
    assert (frames == before).all()


@given(st.sampled_from([0.5, 0.25, 0.125]))
def test_frames_decoded_smaller_are_masked_in_the_same_places(scale):
    size = round(80 * scale), round(100 * scale)
    small = mask_outside(np.full((1, *size), 255, np.uint8), FAN, scale)[0] > 0
    full = mask_outside(np.full((1, 80, 100), 255, np.uint8), FAN)[0] > 0
    assert small.mean() == pytest.approx(full.mean(), abs=0.06)


def test_what_is_sure():
    assert is_sure(FAN, 30)
    assert is_sure(replace(FAN, origin="pixels"), 30)
    assert is_sure(replace(FAN, origin="dicom"), 1)
    require_sure(FAN, 30, "a.dcm")
    for sector, n_frames in (
        (Sector(SectorKind.PHASED, (0, 0, 9, 9), confidence=0.49), 30),
        (Sector(SectorKind.FULL, (0, 0, 9, 9), confidence=1.0), 30),
        (replace(FAN, origin="pixels"), 1),  # letters that touch the picture of a still are taken for picture
        (replace(FAN, origin="pixels", left=-0.1, right=0.1), 30),  # no heart is looked at through such a slit
    ):
        assert not is_sure(sector, n_frames)
        with pytest.raises(RefusedError, match=r"a\.dcm.*confidence .* --accept-guess or --no-mask") as caught:
            require_sure(sector, n_frames, "a.dcm")
        assert caught.value.status == "refused"


def test_pages_of_a_secondary_capture_may_be_text():
    found = replace(FAN, kind=SectorKind.LINEAR, origin="pixels")
    assert is_sure(found, 30)
    assert not is_sure(found, 30, CineKind.SECONDARY_CAPTURE)
    assert is_sure(replace(found, origin="dicom"), 30, CineKind.SECONDARY_CAPTURE)
    with pytest.raises(RefusedError, match="linear in a secondary capture, which may show pages of text"):
        require_sure(found, 30, "a.dcm", CineKind.SECONDARY_CAPTURE)


def test_names_come_from_content_alone(tmp_path):
    (tmp_path / "Doe^Jane.dcm").write_bytes(b"pixels")
    (tmp_path / "elsewhere").write_bytes(b"pixels")
    (tmp_path / "other").write_bytes(b"Pixels")
    name = content_name([tmp_path / "Doe^Jane.dcm"], "x")
    assert name == content_name([tmp_path / "elsewhere"], "y")
    assert name != content_name([tmp_path / "other"], "x")
    assert name.startswith("clip_")
    assert len(name) == 17
    assert "Doe" not in name
    ordered = [tmp_path / "other", tmp_path / "elsewhere"]
    assert content_name(ordered, "x") != content_name(ordered[::-1], "x")
    with pytest.raises(UnreadableError, match="shown"):
        content_name([tmp_path / "gone"], "shown")
