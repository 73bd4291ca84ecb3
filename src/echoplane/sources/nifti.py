"""NIfTI-1 and NIfTI-2 files (https://nifti.nimh.nih.gov): one file, packed or not, or a header and an ``.img`` file."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echoplane.errors import UnreadableError, UnsupportedError
from echoplane.sources.limits import Limits
from echoplane.sources.samples import VolumeFile, check_shape, gzip_samples, plain_samples

#: NIfTI's datatype codes to NumPy; codes for R, G, B have their bytes as a last axis.
_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_COLORS = {128: 3, 2304: 4}
#: Intents that make a vector of the fifth axis: of any kind, R G B, R G B A.
_VECTORS = frozenset({1007, 2003, 2004})
_VECTOR_AXES = 5
#: xyzt_units: millimetres a unit of length, seconds a unit of time; 0 (unknown) lengths are taken as millimetres.
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}


@dataclass(frozen=True, slots=True)
class _Header:
    shape: tuple[int, ...]  # fastest axis first
    order: str
    datatype: int
    steps: tuple[float, ...]
    units: int
    offset: int
    slope: float
    intercept: float
    apart: bool  # the samples lie in a file of their own
    intent: int


def read_nifti(path: Path, source: str, limits: Limits) -> VolumeFile:
    """Read a NIfTI file; unpacked samples are mapped, packed ones are unpacked into memory.

    Raises
    ------
    UnreadableError
        When it is damaged or shorter than its header says.
    UnsupportedError
        For samples that are neither integers, floats nor R, G, B (A).
    RefusedError
        When it is bigger than the limits.
    """
    header = _header(_start(path, source), source)
    channels = _COLORS.get(header.datatype, 1)
    if header.datatype not in _TYPES and channels == 1:
        raise UnsupportedError(source, f"Holds samples of NIfTI type {header.datatype}; integers and floats are read.")
    dtype = np.dtype(header.order + _TYPES.get(header.datatype, "u1"))
    check_shape(header.shape, dtype.itemsize * channels, source, limits)
    limits.check_bytes(source, header.offset)  # packed, all that lies before the samples has to be gone through
    shape = header.shape[::-1] + ((channels,) if channels > 1 else ())
    place = _image_file(path, source) if header.apart else path
    read = gzip_samples if _is_packed(place) else plain_samples
    samples = read(place, dtype, shape, header.offset, source)
    steps = header.steps
    if channels == 1 and header.intent in _VECTORS and len(header.shape) == _VECTOR_AXES and header.shape[4] > 1:
        channels = header.shape[4]
        if channels not in _COLORS.values():
            raise UnsupportedError(source, f"Holds vectors of {channels} numbers; R, G, B and R, G, B, A are read.")
        samples = np.moveaxis(samples, 0, -1)
        while samples.shape[0] == 1 and samples.ndim > 3:
            samples = samples[0]
        steps = steps[: samples.ndim - 1]
    length = _MILLIMETRES.get(header.units & 7, 1.0)
    return VolumeFile(
        samples=samples[..., :3] if channels > 1 else samples,
        spacing=tuple(abs(step) * length if math.isfinite(step) and step else 1.0 for step in steps),
        color=channels > 1,
        seconds=_seconds(header),
        slope=header.slope,
        intercept=header.intercept,
    )


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _start(path: Path, source: str) -> bytes:
    try:
        with gzip.open(path) if _is_packed(path) else path.open("rb") as stream:
            return stream.read(540)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableError(source, "The packed NIfTI file is damaged or cut short.") from error


def _header(head: bytes, source: str) -> _Header:
    if len(head) >= 348 and head[344:347] in (b"n+1", b"ni1"):
        order = "<" if 1 <= struct.unpack_from("<h", head, 40)[0] <= 7 else ">"
        dim = struct.unpack_from(f"{order}8h", head, 40)
        datatype = struct.unpack_from(f"{order}h", head, 70)[0]
        pixdim = struct.unpack_from(f"{order}8f", head, 76)
        offset, slope, intercept = struct.unpack_from(f"{order}3f", head, 108)
        units, apart = head[123], head[344:347] == b"ni1"
        intent = struct.unpack_from(f"{order}h", head, 68)[0]
    elif len(head) >= 540 and head[4:7] in (b"n+2", b"ni2"):
        order = "<" if struct.unpack_from("<i", head, 0)[0] == 540 else ">"
        datatype = struct.unpack_from(f"{order}h", head, 12)[0]
        dim = struct.unpack_from(f"{order}8q", head, 16)
        pixdim = struct.unpack_from(f"{order}8d", head, 104)
        offset, slope, intercept = struct.unpack_from(f"{order}q2d", head, 168)
        units, intent = struct.unpack_from(f"{order}2i", head, 500)
        apart = head[4:7] == b"ni2"
    else:
        raise UnreadableError(source, "The NIfTI header is cut short.")
    if not 1 <= dim[0] <= 7 or not math.isfinite(offset) or offset < 0:
        raise UnreadableError(source, f"The NIfTI header is damaged ({dim[0]} axes, samples at byte {offset:g}).")
    if not (math.isfinite(slope) and math.isfinite(intercept) and slope):
        slope, intercept = 1.0, 0.0
    axes = int(dim[0])
    return _Header(
        tuple(int(side) for side in dim[1 : axes + 1]),
        order,
        datatype,
        tuple(float(step) for step in pixdim[1 : axes + 1]),
        units,
        int(offset),
        float(slope),
        float(intercept),
        apart,
        int(intent),
    )


def _seconds(header: _Header) -> float | None:
    """Time from frame to frame: the fourth step, where its unit is a unit of time."""
    unit = _SECONDS.get(header.units & 0x38)
    if unit is None or len(header.steps) < 4 or not math.isfinite(header.steps[3]) or header.steps[3] <= 0:
        return None
    return header.steps[3] * unit


def _image_file(path: Path, source: str) -> Path:
    for ending in (".img", ".img.gz", ".IMG"):
        beside = path.with_suffix(ending)
        if beside.is_file():
            return beside
    raise UnreadableError(source, f"The samples, {path.stem}.img, are not beside the header.", "Copy both files.")
