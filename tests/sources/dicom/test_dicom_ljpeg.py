"""Lossless JPEG of 16 bits: bit for bit what DCMTK wrote, noise and all."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from echoplane.sources.dicom import jpeg
from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.dicom.header import read_header
from echoplane.sources.dicom.ljpeg import decode_lossless
from echoplane.sources.dicom.stream import Opener


@pytest.fixture
def coded(dicom, tmp_path):
    """Code a uint16 picture by DCMTK; give the bare stream."""
    if shutil.which("dcmcjpeg") is None:
        pytest.skip("dcmcjpeg (DCMTK) is not installed")

    def run(values, *options):
        path = dicom(values.astype("<u2").tobytes(), photometric="MONOCHROME2", bits=(16, 16), size=values.shape)
        out = tmp_path / "out.dcm"
        subprocess.run(["dcmcjpeg", *options, str(path), str(out)], check=True, capture_output=True)
        data = out.read_bytes()[read_header(Opener(str(out), "x")).pixels.offset :]
        return data[data.find(b"\xff\xd8") : data.rfind(b"\xff\xd9") + 2]

    return run


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor_keeps_every_bit(coded, predictor):
    values = np.random.default_rng(predictor).integers(0, 65536, (23, 37))
    values[:2, :5] = 0  # a black corner is written as a difference of 32768
    values[10:15] = np.arange(37) * 7 + 30000
    data = coded(values, "+el", "+sv", str(predictor))
    np.testing.assert_array_equal(decode_lossless(data, jpeg.read_info(data)), values)


def test_point_transform_drops_the_lowest_bits(coded):
    values = np.random.default_rng(0).integers(0, 65536, (20, 30))
    data = coded(values, "+el", "+sv", "1", "+pt", "3")
    np.testing.assert_array_equal(decode_lossless(data, jpeg.read_info(data)), values >> 3 << 3)


@pytest.mark.parametrize("keep", [0.3, 0.8, 0.99])
def test_cut_streams_end_in_an_error(coded, keep):
    data = coded(np.random.default_rng(1).integers(0, 65536, (40, 40)), "+e1")
    with pytest.raises(DamagedError):
        decode_lossless(data[: int(len(data) * keep)] + b"\xff\xd9", jpeg.read_info(data))


def test_a_size_that_the_bytes_cannot_hold_is_refused_at_once(coded):
    data = bytearray(coded(np.zeros((40, 40), int), "+e1"))
    frame = data.find(b"\xff\xc3")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(DamagedError, match="cannot hold 65535 x 65535 pixels"):
        decode_lossless(bytes(data), jpeg.read_info(bytes(data)))
