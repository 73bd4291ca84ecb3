"""Uncompressed bytes to samples: byte order, planar configuration, packed chroma, bits in use, sign."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.dicom.layout import Layout

Samples = npt.NDArray[Any]


def unpack(data: bytes, layout: Layout, little: bool) -> Samples:
    """Turn one uncompressed frame into samples.

    Parameters
    ----------
    data : bytes
        ``layout.frame_bytes`` bytes.
    layout : Layout
    little : bool
        Byte order of 16-bit samples.

    Returns
    -------
    uint8, uint16, int8 or int16 array, (rows, columns) or (rows, columns, 3)

    Raises
    ------
    DamagedError
        When there are too few bytes.
    """
    rows, columns = layout.rows, layout.columns
    dtype = np.dtype("u1" if layout.allocated == 8 else ("<u2" if little else ">u2"))
    if len(data) < layout.frame_bytes:
        raise DamagedError(f"{len(data)} bytes where {layout.frame_bytes} are needed")
    flat = np.frombuffer(data, dtype, layout.frame_bytes // dtype.itemsize)
    if layout.is_422:
        samples = _spread_chroma(flat, rows, columns)
    elif layout.samples == 1:
        samples = flat.reshape(rows, columns)
    elif layout.planar:
        samples = interleaved(flat.reshape(3, rows, columns))
    else:
        samples = flat.reshape(rows, columns, 3)
    return in_use(samples, layout)


def interleaved(planes: Samples) -> Samples:
    """Planes (3, h, w) to pixels (h, w, 3)."""
    if planes.dtype.byteorder == ">":
        planes = planes.astype(planes.dtype.newbyteorder("="))
    return np.asarray(cv2.merge(list(planes)))


def _spread_chroma(flat: Samples, rows: int, columns: int) -> Samples:
    """Y0 Y1 Cb Cr for each pair of pixels, to Y Cb Cr for each pixel."""
    if rows * columns % 2:
        raise DamagedError("an odd number of pixels cannot share chroma in pairs")
    pairs = flat.reshape(-1, 4)
    out = np.empty((len(pairs), 2, 3), flat.dtype)
    out[:, :, 0] = pairs[:, :2]
    out[:, :, 1] = pairs[:, 2:3]
    out[:, :, 2] = pairs[:, 3:4]
    return out.reshape(rows, columns, 3)


def in_use(samples: Samples, layout: Layout) -> Samples:
    """Keep the bits in use: shift down from the high bit, cut off overlay bits above, spread the sign."""
    width = samples.dtype.itemsize * 8
    if samples.dtype.byteorder == ">":
        samples = samples.astype(samples.dtype.newbyteorder("="))
    low = layout.high + 1 - layout.stored
    if not layout.signed:
        if low == 0 and layout.stored == width:
            return samples
        return np.asarray((samples >> low) & np.asarray((1 << layout.stored) - 1, samples.dtype))
    # Pushed up to the top bit and down again as signed numbers, the sign spreads.
    lifted = np.left_shift(samples, np.asarray(width - 1 - layout.high, samples.dtype))
    signed = lifted.view(f"i{samples.dtype.itemsize}")
    return np.asarray(np.right_shift(signed, np.asarray(width - layout.stored, signed.dtype)))


def unswap_words(data: bytes) -> bytes:
    """Undo the byte order of 16-bit words that hold two 8-bit samples each (big endian OW, PS3.5 annex A.3)."""
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()
