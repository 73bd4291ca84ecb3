"""Lossless JPEG of more than 8 bits (ISO/IEC 10918-1 annex H), decoded here.

FFmpeg, which decodes every other lossless stream, reads 16 bits too many after a difference of 32768 (category 16),
which is how a black first pixel of a 16-bit stream is written. GDCM reads them and dies on damaged ones. So these rare
streams are read in Python: slower (about a second a megapixel), exact, and nothing can crash.

Legend: P precision, Pt point transform; R rows, C columns, K components of the scan.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.dicom.jpeg import JpegInfo, check_whole

Ints = npt.NDArray[np.int64]

_MASK = 0xFFFF
_LOOK = 16
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SCAN_END = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


@dataclass(slots=True)
class _Tables:
    """Huffman tables by number, and the restart interval in samples of each component."""

    huffman: dict[int, list[int]] = field(default_factory=dict)
    restart: int = 0


@dataclass(frozen=True, slots=True)
class _Scan:
    components: tuple[int, ...]
    tables: tuple[list[int], ...]
    predictor: int
    point: int


def decode_lossless(data: bytes, info: JpegInfo) -> npt.NDArray[np.uint16]:
    """Decode one frame.

    Parameters
    ----------
    data : bytes
    info : JpegInfo
        Of this very stream.

    Returns
    -------
    uint16 array, (rows, columns) or (rows, columns, components)

    Raises
    ------
    DamagedError
        When the stream is damaged, or has components of different sizes.
    """
    check_whole(data, info)
    rows, columns, count = info.rows, info.columns, info.components
    if len(set(info.sampling)) > 1:
        raise DamagedError("its components have different sizes")
    if rows * columns * count > 8 * len(data):
        raise DamagedError(f"{len(data)} bytes cannot hold {columns} x {rows} pixels")
    out = np.zeros((rows, columns, count), np.uint16)
    missing = set(range(count))
    for scan, restart, coded in _scans(data, info):
        height = rows if not restart else restart // columns
        if restart % columns:
            raise DamagedError("it restarts in the middle of a row")
        for top, strip in zip(range(0, rows, height), _RESTART.split(coded), strict=False):
            shape = (min(height, rows - top), columns, len(scan.components))
            differences = _differences(strip, scan, shape)
            for k, component in enumerate(scan.components):
                start = 1 << (info.precision - scan.point - 1)
                samples = _undo(differences[..., k], scan.predictor, start) << scan.point
                out[top : top + shape[0], :, component] = samples & _MASK
        missing -= set(scan.components)
    if missing:
        raise DamagedError("a component is missing")
    return out[..., 0] if count == 1 else out


def _scans(data: bytes, info: JpegInfo) -> Iterator[tuple[_Scan, int, bytes]]:
    """Yield each scan with its restart interval and its coded bytes."""
    tables, position = _Tables(), 2
    while position + 4 <= len(data):
        marker = data[position + 1]
        if data[position] != 0xFF or marker == 0xD9:
            return
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        body, position = data[position + 4 : position + 2 + length], position + 2 + max(2, length)
        if marker == 0xC4:
            _read_huffman(body, tables)
        elif marker == 0xDD and len(body) >= 2:
            tables.restart = int.from_bytes(body[:2], "big")
        elif marker == 0xDA:
            end = _SCAN_END.search(data, position)
            stop = end.start() if end else len(data)
            yield _scan(body, info, tables), tables.restart, data[position:stop]
            position = stop


def _read_huffman(body: bytes, tables: _Tables) -> None:
    """Read tables into arrays over the next 16 bits: category times 32 plus code length, 0 for no code."""
    while len(body) >= 17:
        number, counts, body = body[0], body[1:17], body[17:]
        if number >> 4:  # a table for AC coefficients, which lossless streams do not have
            body = body[sum(counts) :]
            continue
        table, code, at = [0] * (1 << _LOOK), 0, 0
        for length, count in enumerate(counts, 1):
            for category in body[at : at + count]:
                first = code << (_LOOK - length)
                last = first + (1 << (_LOOK - length))
                if last > len(table) or category > 16:
                    raise DamagedError("a Huffman table makes no sense")
                table[first:last] = [category << 5 | length] * (last - first)
                code += 1
            at += count
            code <<= 1
        tables.huffman[number], body = table, body[at:]


def _scan(body: bytes, info: JpegInfo, tables: _Tables) -> _Scan:
    count = body[0] if body else 0
    if not 1 <= count <= info.components or len(body) < 4 + 2 * count:
        raise DamagedError("a scan header makes no sense")
    names, numbers = body[1 : 1 + 2 * count : 2], body[2 : 2 + 2 * count : 2]
    try:
        components = tuple(info.ids.index(name) for name in names)
        huffman = tuple(tables.huffman[number >> 4] for number in numbers)
    except (ValueError, KeyError):
        raise DamagedError("a scan asks for what is not there") from None
    predictor, point = body[1 + 2 * count], body[3 + 2 * count] & 15
    if not 1 <= predictor <= 7 or point >= info.precision:
        raise DamagedError(f"predictor {predictor} with point transform {point} is not known")
    return _Scan(components, huffman, predictor, point)


def _differences(coded: bytes, scan: _Scan, shape: tuple[int, int, int]) -> Ints:
    """Decode the differences (R, C, K) of one stretch between restarts."""
    data = coded.replace(b"\xff\x00", b"\xff") + b"\0" * 16
    limit, total = 8 * len(data), shape[0] * shape[1]
    out: list[int] = []
    bits = held = at = used = 0
    for _ in range(total):
        for table in scan.tables:
            if held < 48:
                bits = (bits & ((1 << held) - 1)) << 64 | int.from_bytes(data[at : at + 8].ljust(8, b"\0"), "big")
                at, held = at + 8, held + 64
            entry = table[bits >> (held - _LOOK) & _MASK]
            category = entry >> 5
            held -= entry & 31
            used += entry & 31
            if 0 < category < 16:
                held -= category
                value = bits >> held & ((1 << category) - 1)
                used += category
                out.append(value if value >> (category - 1) else value - (1 << category) + 1)
            else:
                out.append(category << 11)  # 0, or 32768 for category 16, which has no further bits
            if not entry or used > limit:
                raise DamagedError("its code ends too early or makes no sense")
    return np.array(out, np.int64).reshape(shape)


def _undo(difference: Ints, predictor: int, start: int) -> Ints:
    """Add up differences (R, C) to samples; the first row goes by the left, first samples by the one above."""
    out = np.empty_like(difference)
    out[0] = (start + np.cumsum(difference[0])) & _MASK
    for r in range(1, len(out)):
        out[r] = _ROWS[predictor](difference[r], out[r - 1]) & _MASK
    return out


def _by_left(d: Ints, above: Ints) -> Ints:
    return np.asarray(above[0] + np.cumsum(d))


def _by_above(d: Ints, above: Ints) -> Ints:
    return d + above


def _by_corner(d: Ints, above: Ints) -> Ints:
    return np.asarray(d + np.concatenate([above[:1], above[:-1]]))


def _by_plane(d: Ints, above: Ints) -> Ints:
    return above + np.cumsum(d)


def _by_left_and_slope(d: Ints, above: Ints) -> Ints:
    return np.asarray(above[0] + np.cumsum(d + (np.diff(above, prepend=above[:1]) >> 1)))


def _by_above_and_slope(d: Ints, above: Ints) -> Ints:
    return _one_by_one(d, above, lambda left, up, corner: up + ((left - corner) >> 1))


def _by_mean(d: Ints, above: Ints) -> Ints:
    return _one_by_one(d, above, lambda left, up, corner: (left + up) >> 1)


def _one_by_one(d: Ints, above: Ints, predict: Callable[[int, int, int], int]) -> Ints:
    ups = above.tolist()
    left = (ups[0] + int(d[0])) & _MASK
    row = [left]
    for c, step in enumerate(d.tolist()[1:], 1):
        left = (predict(left, ups[c], ups[c - 1]) + step) & _MASK
        row.append(left)
    return np.array(row, np.int64)


_ROWS: dict[int, Callable[[Ints, Ints], Ints]] = {
    1: _by_left,
    2: _by_above,
    3: _by_corner,
    4: _by_plane,
    5: _by_left_and_slope,
    6: _by_above_and_slope,
    7: _by_mean,
}
