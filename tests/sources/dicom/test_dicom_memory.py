"""Memory stays bounded whatever the size of the file: measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MIB = 1 << 20
#: What may be resident at the peak, Python and its libraries included.
LIMIT = 400
SCRIPT = r"""
import re, sys
from pathlib import Path
from echoplane.sources.dicom import open_dicom

cine = open_dicom(sys.argv[1])
total = 0
for index in range(cine.n_frames):
    total += int(cine.reader.read([index], color=bool(index % 2))[0, 0, 0].max())
# not ru_maxrss, which starts at the size of the parent
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
print(cine.n_frames, total, peak // 1024)
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")


def peak(path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_three_hundred_uncompressed_frames(dicom):
    path = dicom(b"", size=(768, 1024))
    data = path.read_bytes()
    start = data.find(b"\xe0\x7f\x10\x00OB")
    frame = 768 * 1024 * 3
    with path.open("wb") as stream:
        stream.write(data[:start].replace(b"IS\x02\x001 ", b"IS\x04\x00300 "))
        stream.write(b"\xe0\x7f\x10\x00OB\0\0" + (300 * frame).to_bytes(4, "little"))
        stream.truncate(stream.tell() + 300 * frame)  # a hole: the zeros are not on the disk
    n_frames, _, resident = peak(path)
    assert n_frames == 300
    assert resident < LIMIT


def test_many_compressed_frames(dicom, picture):
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    path = dicom([picture.jpeg(noise)] * 300, syntax="1.2.840.10008.1.2.4.50", size=(512, 512), frames=300)
    assert path.stat().st_size > 100 * MIB
    n_frames, _, resident = peak(path)
    assert n_frames == 300
    assert resident < LIMIT


def test_a_length_that_lies_takes_no_memory(dicom):
    """Four gigabytes promised by an element of the header, a fragment and a frame."""
    path = dicom(bytes(32 * 64 * 3), FrameTime=33.3)
    data = path.read_bytes()
    at = data.find(b"\x08\x00\x60\x00CS")
    path.write_bytes(data[:at] + b"\x08\x00\x08\x00UT\0\0\xf0\xff\xff\xff" + data[at:])
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=False)
    assert "UnreadableError" in done.stderr
    assert "cut off inside the DICOM header" in done.stderr
