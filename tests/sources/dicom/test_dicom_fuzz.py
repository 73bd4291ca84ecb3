"""Damaged files: no crash, no hang over 10 s, no unbounded memory, no foreign exception. See tools/fuzz.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

J = "1.2.840.10008.1.2.4."
SHIPPED = (
    *("JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "MR_small_jp2klossless.dcm", "SC_rgb_jls_lossy_sample.dcm"),
    *("image_dfl.dcm", "examples_ybr_color.dcm", "SC_rgb_rle_16bit_2frame.dcm", "MR_small_implicit.dcm"),
)


@pytest.fixture
def seeds(dicom, picture, tmp_path):
    """One sound file a transfer syntax, small, and some that pydicom ships."""
    jpeg_ls = pytest.importorskip("jpeg_ls")
    tiles = [picture.tiles(s) for s in (0, 3)]
    raw, planes = b"".join(t.tobytes() for t in tiles), [list(np.moveaxis(t, -1, 0)) for t in tiles]
    region = {"FrameTime": 20.0, "ImageType": ["ORIGINAL", "PRIMARY", "TTE", "0001"]}
    for syntax in ("", ".1", ".1.99", ".2"):
        dicom(raw, syntax="1.2.840.10008.1.2" + syntax, frames=2, **region)
    dicom(raw, photometric="MONOCHROME2", size=(64, 32), bits=(16, 12), frames=3)
    dicom([picture.rle(p) for p in planes], syntax="1.2.840.10008.1.2.5", frames=2)
    for table in ("basic", "extended", "missing"):
        stored = [picture.jpeg(t, subsampling=1) for t in tiles]
        dicom(stored, syntax=J + "50", photometric="YBR_FULL_422", frames=2, table=table, pieces=2)
    dicom([picture.jpeg(t, progressive=True) for t in tiles], syntax=J + "55", photometric="YBR_FULL", frames=2)
    dicom([bytes(jpeg_ls.encode_array(t)) for t in tiles], syntax=J + "80", frames=2)
    dicom([picture.j2k(t, mct=1) for t in tiles], syntax=J + "90", photometric="YBR_RCT", frames=2)
    large = np.stack([np.tile(t, (4, 4, 1)) for t in tiles])
    for codec, container, syntax in (("mpeg2video", "mpeg", "100"), ("h264", "mp4", "102"), ("hevc", "mpegts", "107")):
        data = picture.video(large, codec, container, **({"x265-params": "log-level=0"} if codec == "hevc" else {}))
        dicom([data], syntax=J + syntax, photometric="YBR_PARTIAL_420", frames=2, size=(128, 256))
    data = Path(__file__).parent / "data"
    dicom(
        [(data / f"htj2k_rgb_{s}.j2c").read_bytes() for s in (0, 3)], syntax=J + "201", photometric="YBR_RCT", frames=2
    )
    for name in SHIPPED:
        shutil.copy(get_testdata_file(name, download=False), tmp_path)
    return tmp_path


def test_the_seeds_themselves_are_sound(seeds):
    from echoplane.sources.dicom import open_dicom

    for path in sorted(seeds.rglob("*.dcm")):
        cine = open_dicom(path)
        assert len(cine.reader.read([0, cine.n_frames - 1])) == 2


def test_three_hundred_mutants(fuzz, seeds):
    fuzz(seeds, 300, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_many_mutants(fuzz, seeds, seed):
    fuzz(seeds, 2000, seed)
