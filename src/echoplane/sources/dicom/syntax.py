"""Transfer syntaxes (PS3.5 chapter 10, PS3.6 table A-1): what they are called and which codec reads them."""

from __future__ import annotations

import re
from enum import StrEnum

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"


class Codec(StrEnum):
    """How one frame (or, for `MPEG`, the whole cine) is compressed."""

    NATIVE = "uncompressed"
    JPEG = "JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    RLE = "RLE"
    MPEG2 = "MPEG-2 video"
    H264 = "H.264 video"
    HEVC = "HEVC video"

    @property
    def is_video(self) -> bool:
        """True where frames depend on each other."""
        return self in (Codec.MPEG2, Codec.H264, Codec.HEVC)


_J = "1.2.840.10008.1.2.4."
_NAMES = {
    IMPLICIT_LE: ("Implicit VR Little Endian", Codec.NATIVE),
    EXPLICIT_LE: ("Explicit VR Little Endian", Codec.NATIVE),
    DEFLATED: ("Deflated Explicit VR Little Endian", Codec.NATIVE),
    EXPLICIT_BE: ("Explicit VR Big Endian", Codec.NATIVE),
    RLE: ("RLE Lossless", Codec.RLE),
    _J + "50": ("JPEG Baseline", Codec.JPEG),
    _J + "51": ("JPEG Extended", Codec.JPEG),
    _J + "53": ("JPEG Spectral Selection", Codec.JPEG),
    _J + "55": ("JPEG Full Progression", Codec.JPEG),
    _J + "57": ("JPEG Lossless", Codec.JPEG),
    _J + "70": ("JPEG Lossless, first-order prediction", Codec.JPEG),
    _J + "80": ("JPEG-LS Lossless", Codec.JPEG_LS),
    _J + "81": ("JPEG-LS Near-lossless", Codec.JPEG_LS),
    _J + "90": ("JPEG 2000 Lossless", Codec.JPEG_2000),
    _J + "91": ("JPEG 2000", Codec.JPEG_2000),
    _J + "201": ("HTJ2K Lossless", Codec.JPEG_2000),
    _J + "202": ("HTJ2K Lossless RPCL", Codec.JPEG_2000),
    _J + "203": ("HTJ2K", Codec.JPEG_2000),
    _J + "100": ("MPEG-2 Main Profile, Main Level", Codec.MPEG2),
    _J + "100.1": ("MPEG-2 Main Profile, Main Level, fragmentable", Codec.MPEG2),
    _J + "101": ("MPEG-2 Main Profile, High Level", Codec.MPEG2),
    _J + "101.1": ("MPEG-2 Main Profile, High Level, fragmentable", Codec.MPEG2),
    **{
        _J + f"{number}{suffix}": (name + (", fragmentable" if suffix else ""), Codec.H264)
        for number, name in (
            (102, "H.264 High Profile 4.1"),
            (103, "H.264 BD-compatible High Profile 4.1"),
            (104, "H.264 High Profile 4.2, 2D"),
            (105, "H.264 High Profile 4.2, 3D"),
            (106, "H.264 Stereo High Profile 4.2"),
        )
        for suffix in ("", ".1")
    },
    _J + "107": ("HEVC Main Profile 5.1", Codec.HEVC),
    _J + "108": ("HEVC Main 10 Profile 5.1", Codec.HEVC),
}
#: Those that are not read; with their names the user knows what to look for.
_NOT_READ = {
    _J + "92": "JPEG 2000 Multi-component Lossless",
    _J + "93": "JPEG 2000 Multi-component",
    _J + "94": "JPIP Referenced",
    _J + "95": "JPIP Referenced Deflate",
    _J + "110": "JPEG XL Lossless",
    _J + "111": "JPEG XL JPEG Recompression",
    _J + "112": "JPEG XL",
    _J + "204": "JPIP HTJ2K Referenced",
    _J + "205": "JPIP HTJ2K Referenced Deflate",
    "1.2.840.10008.1.2.1.98": "Encapsulated Uncompressed",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}


def codec_of(uid: str) -> Codec | None:
    """Return the codec of a transfer syntax, None where it is not read here."""
    known = _NAMES.get(uid)
    return known[1] if known else None


def name_of(uid: str) -> str:
    """Return the plain name of a transfer syntax; its UID too where it is not read, or alone where nobody knows it."""
    known = _NAMES.get(uid)
    if known:
        return known[0]
    if uid in _NOT_READ:
        return f"{_NOT_READ[uid]}, {uid}"
    return (uid if re.fullmatch(r"[0-9.]{1,64}", uid) else "no valid UID") if uid else "not given"
