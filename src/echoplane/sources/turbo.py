"""JPEG by OpenCV's libjpeg-turbo, which can decode at half, quarter or eighth size."""

from __future__ import annotations

import cv2
import numpy as np

from echoplane.records import UInt8Array

#: More scans than this in a progressive stream only serve to keep a decoder busy.
_MAX_SCANS = 64
_GREY = {1: cv2.IMREAD_GRAYSCALE} | {r: getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{r}") for r in (2, 4, 8)}
_COLOR = {1: cv2.IMREAD_COLOR} | {r: getattr(cv2, f"IMREAD_REDUCED_COLOR_{r}") for r in (2, 4, 8)}


def has_too_many_scans(data: bytes) -> bool:
    """Tell whether a progressive stream is made to keep a decoder busy: a scan of 26 bytes costs a whole pass."""
    return data.count(b"\xff\xda") > _MAX_SCANS


def decode_turbo(data: bytes, *, color: bool, reduce: int) -> UInt8Array | None:
    """Decode an 8-bit JPEG as it lies, whatever its EXIF orientation.

    Parameters
    ----------
    data : bytes
        The whole stream: of one that is cut off the rest comes out grey.
    color : bool
    reduce : {1, 2, 4, 8}
        The picture comes out at ``ceil(size / reduce)``.

    Returns
    -------
    uint8 array, (h, w) or (h, w, 3) in R, G, B, or None
        None when it cannot be decoded.
    """
    flags = (_COLOR if color else _GREY)[reduce] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    if picture is None:
        return None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if color else picture, np.uint8)
