"""From a decoded video frame to grey or R, G, B.

Video stores Y'CbCr. Where the colour matrix is BT.601 (or unsaid), the first plane already is the luma we want and
costs nothing; it only has to be stretched where the stream is of limited range (16..235). Everything else goes
through R, G, B.
"""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
from av.sidedata.sidedata import Type

from echoplane.records import UInt8Array
from echoplane.sources.luma import luma

#: Formats whose first plane holds 8-bit luma.
_LUMA_FIRST = re.compile(r"yuva?4\d\dp|yuvj4\d\dp|nv12|nv21|nv16|gray8?")
#: Formats that are full range whatever the stream says: FFmpeg writes grey so, and its encoders of H.265 and AV1 say
#: "limited" all the same, where nobody told them otherwise. Its conversion to R, G, B takes these as full, too.
_ALWAYS_FULL = re.compile(r"yuvj4\d\dp|gray8?")
_FULL = 2  # AVColorRange
#: Numbers in a display matrix.
_MATRIX = 9
#: AVColorSpace values whose luma has the BT.601 weights: unspecified, FCC, BT.470BG, SMPTE 170M.
_BT601_MATRICES = frozenset({2, 4, 5, 6})

#: 16..235 to 0..255, rounded; outside values are clipped.
_STRETCH: UInt8Array = np.clip(np.rint((np.arange(256) - 16.0) * (255 / 219)), 0, 255).astype(np.uint8)


def is_full_range(frame: Any) -> bool:
    """Tell whether black and white are 0 and 255 in this frame (else 16 and 235)."""
    return _ALWAYS_FULL.fullmatch(frame.format.name) is not None or int(frame.color_range) == _FULL


def grey_of(frame: Any) -> UInt8Array:
    """Return BT.601 luma, full range, of one decoded frame (``av.VideoFrame``): uint8 (H, W)."""
    if not _LUMA_FIRST.fullmatch(frame.format.name) or int(frame.colorspace) not in _BT601_MATRICES:
        return _upright(luma(frame.to_ndarray(format="rgb24")), frame)
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    grey = rows[: frame.height, : frame.width]
    grey = grey.copy() if is_full_range(frame) else np.asarray(cv2.LUT(np.ascontiguousarray(grey), _STRETCH), np.uint8)
    return _upright(grey, frame)


def rgb_of(frame: Any) -> UInt8Array:
    """Return R, G, B of one decoded frame (``av.VideoFrame``): uint8 (H, W, 3)."""
    return _upright(frame.to_ndarray(format="rgb24"), frame)


def _upright(picture: UInt8Array, frame: Any) -> UInt8Array:
    """Turn and mirror as the container or the stream asks for: telephones write it, and cameras that face their user.

    The display matrix (ISO/IEC 14496-12, 6.2.2: a b u, c d v, x y w) takes column x, row y to a x + c y, b x + d y.
    """
    said = next((data for data in frame.side_data if data.type == Type.DISPLAYMATRIX), None)
    if said is None or len(matrix := np.frombuffer(said, np.int32)) != _MATRIX:
        return picture
    (a, b), (c, d) = matrix[:2].tolist(), matrix[3:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return np.ascontiguousarray(picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
