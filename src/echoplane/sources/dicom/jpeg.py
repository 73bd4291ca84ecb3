"""JPEG frames: what the stream itself says (ISO/IEC 10918-1), and decoding 8-bit streams by libjpeg-turbo.

Colour: a JFIF or Adobe marker says whether the stream is Y Cb Cr or R G B. Without one, components called R, G, B are
these, as decoders take them that have no header; of others DICOM's photometric interpretation says it, and is believed.
libjpeg, left alone, would guess; it is told by an Adobe marker put in front.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from echoplane.records import UInt8Array
from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.turbo import decode_turbo, has_too_many_scans

_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
JPEG_LS_SOF = 0xF7
LOSSLESS_SOF = 0xC3
_TURBO_SOF = (0xC0, 0xC1, 0xC2)
PROGRESSIVE_SOF = 0xC2
#: Component names R, G, B.
_RGB_IDS = (0x52, 0x47, 0x42)
#: A block of 64 pixels takes a bit at least (in the first scan of a progressive stream), so a byte holds at most:
_MAX_PIXELS_A_BYTE = 1024


@dataclass(frozen=True, slots=True)
class JpegInfo:
    """The headers of a JPEG stream.

    Attributes
    ----------
    sof : int
        Second byte of the frame header marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, 0xC3 lossless, 0xF7
        JPEG-LS.
    precision : int
        Bits a sample.
    rows, columns : int
    ids : tuple of int
        Component names.
    sampling : tuple of int
        Horizontal and vertical factors of each component, as stored in one byte.
    jfif : bool
    adobe : int or None
        Colour transform of the Adobe marker: 0 R G B, 1 Y Cb Cr.
    header_size : int
        Bytes before the entropy-coded data.
    """

    sof: int
    precision: int
    rows: int
    columns: int
    ids: tuple[int, ...]
    sampling: tuple[int, ...]
    jfif: bool
    adobe: int | None
    header_size: int

    @property
    def components(self) -> int:
        """Number of components."""
        return len(self.ids)

    @property
    def is_turbo(self) -> bool:
        """True where libjpeg-turbo decodes it: 8 bit, lossy."""
        return self.sof in _TURBO_SOF and self.precision == 8


def read_info(data: bytes) -> JpegInfo:
    """Read the markers up to the first scan.

    Raises
    ------
    DamagedError
        When `data` is no JPEG stream or ends too early.
    """
    if data[:2] != b"\xff\xd8":
        raise DamagedError("no JPEG start marker")
    position, frame, jfif, adobe = 2, None, False, None
    while True:
        marker, body, position = _next_segment(data, position)
        if marker in _SOF and frame is None:
            frame = (marker, body)
        elif marker == 0xE0 and body[:5] == b"JFIF\0":
            jfif = True
        elif marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker == 0xDA:
            break
    if frame is None or len(frame[1]) < 6:
        raise DamagedError("no JPEG frame header")
    sof, body = frame
    precision, rows, columns, count = struct.unpack(">BHHB", body[:6])
    parts = body[6 : 6 + 3 * count]
    if len(parts) != 3 * count or not count:
        raise DamagedError("a short JPEG frame header")
    return JpegInfo(sof, precision, rows, columns, tuple(parts[::3]), tuple(parts[1::3]), jfif, adobe, position)


def _next_segment(data: bytes, position: int) -> tuple[int, bytes, int]:
    while True:
        if position + 4 > len(data):
            raise DamagedError("the JPEG stream ends before its picture")
        if data[position] != 0xFF:
            raise DamagedError("a JPEG marker is missing")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        else:
            break
    (length,) = struct.unpack_from(">H", data, position + 2)
    if length < 2 or marker == 0xD9:
        raise DamagedError("a JPEG segment has no length")
    return marker, data[position + 4 : position + 2 + length], position + 2 + length


def transform_of(info: JpegInfo, photometric: str) -> tuple[bool, str]:
    """Decide whether a three-component stream is Y Cb Cr.

    Parameters
    ----------
    info : JpegInfo
    photometric : str
        PhotometricInterpretation.

    Returns
    -------
    is_ybr : bool
    note : str
        What to know about it; empty where stream and label agree.
    """
    labelled_ybr = photometric.startswith("YBR")
    marked_ybr = True if info.jfif else (info.adobe != 0 if info.adobe is not None else None)
    if marked_ybr is not None:
        if marked_ybr == labelled_ybr:
            return marked_ybr, ""
        stored = "Y Cb Cr" if marked_ybr else "R G B"
        return marked_ybr, f"The header says {photometric}, the JPEG stream says {stored}; the stream is believed."
    is_subsampled = any(factor != info.sampling[0] for factor in info.sampling)
    if labelled_ybr and info.ids == _RGB_IDS and not is_subsampled:
        return False, f"The header says {photometric}, but the JPEG stream calls its components R, G, B; read as these."
    if labelled_ybr:
        return True, ""
    if not photometric.startswith("RGB"):  # a label of one sample says nothing of three: as usual, then
        return _libjpeg_guess(info), ""
    if is_subsampled:
        return True, f"The header says {photometric}, but the JPEG stream has subsampled chroma; read as Y Cb Cr."
    return False, (
        f"The JPEG stream does not say its colours; read as {photometric} because the header says so. "
        "If colours look wrong, the header is."
    )


def _libjpeg_guess(info: JpegInfo) -> bool:
    """Tell what libjpeg takes a three-component stream for: True for Y Cb Cr."""
    if info.jfif or info.adobe is not None:
        return info.jfif or info.adobe != 0
    return info.ids != _RGB_IDS


def with_transform(data: bytes, info: JpegInfo, is_ybr: bool) -> bytes:
    """Return the stream with an Adobe marker in front where libjpeg would guess otherwise."""
    if info.components != 3 or _libjpeg_guess(info) == is_ybr:
        return data
    return data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([is_ybr]) + data[2:]


def check_whole(data: bytes, info: JpegInfo) -> None:
    """Refuse a stream without an end marker: it is cut off, and some decoders run on into nowhere.

    Raises
    ------
    DamagedError
    """
    if data.rfind(b"\xff\xd9") < info.header_size:
        raise DamagedError("the JPEG stream has no end")


def decode(data: bytes, info: JpegInfo, is_ybr: bool, *, color: bool, reduce: int) -> UInt8Array:
    """Decode an 8-bit lossy stream.

    Parameters
    ----------
    data : bytes
    info : JpegInfo
        Of this very stream.
    is_ybr : bool
        Whether three components are Y Cb Cr; no matter for one.
    color : bool
    reduce : {1, 2, 4, 8}
        Scale of the inverse DCT.

    Returns
    -------
    uint8 array, (h, w) or (h, w, 3) in R, G, B

    Raises
    ------
    DamagedError
        When the stream is damaged or cut off.
    """
    check_whole(data, info)
    if info.rows * info.columns > _MAX_PIXELS_A_BYTE * len(data):
        raise DamagedError(f"{len(data)} bytes cannot hold {info.columns} x {info.rows} pixels")
    if info.sof == PROGRESSIVE_SOF and has_too_many_scans(data):
        raise DamagedError("the JPEG stream has too many scans")
    data = with_transform(data, info, is_ybr)
    picture = decode_turbo(data, color=color, reduce=reduce)
    if picture is None:
        raise DamagedError("the JPEG stream is damaged")
    return picture
