"""Compressed frames that libjpeg-turbo does not read, to stored samples. Sizes are checked before a decoder runs.

Which library reads what, how fast, and why not another: docs/decisions/0003-dicom-decoding.md
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.dicom.jpeg import LOSSLESS_SOF, JpegInfo, check_whole
from echoplane.sources.dicom.layout import Layout
from echoplane.sources.dicom.ljpeg import decode_lossless
from echoplane.sources.dicom.native import in_use, interleaved

Samples = npt.NDArray[Any]


def decode_rle(data: bytes, layout: Layout) -> Samples:
    """Decode one RLE frame (PS3.5 annex G): one segment for each byte of each sample, planes apart.

    Raises
    ------
    DamagedError
        When segments are missing, damaged or too short.
    """
    from rle.rle import decode_frame  # type: ignore[import-not-found]

    pixels = layout.rows * layout.columns
    try:
        planes = decode_frame(data, pixels, layout.allocated, "<")
    except BaseException as error:
        # The decoder is written in Rust; where it finds bytes missing it may panic, which is no Exception in Python.
        if type(error).__name__ != "PanicException":
            raise
        raise DamagedError("the RLE segments do not hold together") from None
    dtype = np.dtype("u1" if layout.allocated == 8 else "<u2")
    flat = np.frombuffer(planes, dtype)
    if flat.size != pixels * layout.samples:
        raise DamagedError(f"{flat.size} samples where {pixels * layout.samples} are needed")
    samples = flat.reshape(layout.samples, layout.rows, layout.columns)
    return in_use(samples[0] if layout.samples == 1 else interleaved(samples), layout)


def decode_jpeg_ls(data: bytes, info: JpegInfo, layout: Layout) -> Samples:
    """Decode one JPEG-LS frame (ISO/IEC 14495-1) by CharLS.

    Raises
    ------
    DamagedError, RuntimeError
        When the stream is damaged.
    """
    import jpeg_ls

    check_whole(data, info)
    buffer, header = jpeg_ls.decode_buffer(data)
    flat = np.frombuffer(buffer, "u1" if info.precision <= 8 else "<u2")
    samples: Samples
    if info.components == 1:
        samples = flat.reshape(info.rows, info.columns)
    elif header["interleave_mode"] == 0:
        samples = interleaved(flat.reshape(info.components, info.rows, info.columns))
    else:
        samples = flat.reshape(info.rows, info.columns, info.components)
    return in_use(samples, layout)


def decode_wide_jpeg(data: bytes, info: JpegInfo, layout: Layout) -> Samples:
    """Decode a lossless (SOF3) or 12-bit JPEG frame: by FFmpeg, but lossless ones of more than 8 bits here.

    Raises
    ------
    DamagedError, av.error.FFmpegError
        When the stream is damaged or of a kind that FFmpeg does not read.
    """
    if info.sof == LOSSLESS_SOF and info.precision > 8:
        return in_use(decode_lossless(data, info), layout)
    import av

    check_whole(data, info)
    codec: Any = av.CodecContext.create("mjpeg", "r")
    codec.thread_count = 1
    pictures = codec.decode(av.Packet(data)) or codec.decode(None)
    if not pictures:
        raise DamagedError("the JPEG stream holds no picture")
    name, array = pictures[0].format.name, pictures[0].to_ndarray()
    if name.startswith("bgr"):
        array = array[..., ::-1]
    elif not name.startswith(("gray", "rgb", "gbr", "yuvj444", "yuv444")):
        raise DamagedError(f"pixel format {name} is not expected")
    elif name.startswith("yuv"):
        array = np.moveaxis(array, 0, -1)
    # FFmpeg puts the highest bit of a sample at the top of the word.
    array = array >> (array.dtype.itemsize * 8 - info.precision)
    return in_use(np.ascontiguousarray(array), layout)


@dataclass(frozen=True, slots=True)
class J2kInfo:
    """The SIZ and COD markers of a JPEG 2000 code stream (ISO/IEC 15444-1 annex A).

    Attributes
    ----------
    start : int
        Where the code stream starts in the frame's bytes: not 0 behind (forbidden, but seen) JP2 boxes.
    rows, columns, components, precision : int
    signed : bool
    transform : bool
        True where the colour transform is used, so that decoding gives R, G, B.
    levels : int
        How many times the picture can be halved while decoding.
    """

    start: int
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool
    transform: bool
    levels: int


def read_j2k(data: bytes) -> J2kInfo:
    """Read the main header of a JPEG 2000 stream.

    Raises
    ------
    DamagedError
        When there is none.
    """
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0 or len(data) < start + 45:
        raise DamagedError("no JPEG 2000 code stream")
    columns, rows, x0, y0 = struct.unpack_from(">4I", data, start + 8)
    (components,) = struct.unpack_from(">H", data, start + 40)
    depth = data[start + 42]
    transform, levels, position = False, 0, start + 4
    while position + 4 <= len(data):
        (length,) = struct.unpack_from(">H", data, position)
        position += length
        marker = data[position : position + 2]
        position += 2
        if marker == b"\xff\x52" and len(data) > position + 7:
            transform, levels = data[position + 6] == 1, data[position + 7]
        if marker in (b"\xff\x52", b"\xff\x90") or not length:
            break
    return J2kInfo(
        start, rows - y0, columns - x0, components, (depth & 0x7F) + 1, bool(depth & 0x80), transform, levels
    )


def decode_j2k(data: bytes, info: J2kInfo, layout: Layout, reduce: int = 1) -> Samples:
    """Decode one JPEG 2000 or HTJ2K frame by OpenJPEG, smaller where `reduce` allows and it is 8 bit.

    Raises
    ------
    DamagedError, RuntimeError
        When the stream is damaged.
    """
    if _reducible(info, layout, reduce):
        return _reduced_j2k(data[info.start :], info, reduce.bit_length() - 1)
    from openjpeg.utils import decode

    flat = np.asarray(decode(data[info.start :], j2k_format=0, reshape=False))
    samples = flat.view("u1" if info.precision <= 8 else "<u2")
    shape = (info.rows, info.columns) + ((info.components,) if info.components > 1 else ())
    return in_use(samples.reshape(shape), layout)


def _reducible(info: J2kInfo, layout: Layout, reduce: int) -> bool:
    """Tell whether Pillow can leave out levels: 8 bits, enough levels, and a size that it does not round down."""
    if not 0 < reduce.bit_length() - 1 <= info.levels:
        return False
    whole = all((size + reduce // 2) // reduce == -(-size // reduce) for size in (info.rows, info.columns))
    return whole and (info.precision, info.signed, layout.stored) == (8, False, 8)


def _reduced_j2k(data: bytes, info: J2kInfo, halvings: int) -> Samples:
    """Leave out the finest wavelet levels; only Pillow's OpenJPEG offers that, and only for 8 bits."""
    from PIL import Image

    mode = "L" if info.components == 1 else "RGB"
    with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as picture:
        if picture.mode != mode:
            raise DamagedError(f"it is a picture of mode {picture.mode}")
        picture.reduce = halvings  # type: ignore[method-assign, assignment]
        return np.asarray(picture)
