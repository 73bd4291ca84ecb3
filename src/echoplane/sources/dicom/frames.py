"""Where each frame lies in the file, found from item headers alone, so that single frames can be read.

Encapsulated pixel data (PS3.5 A.4) is a list of items: a basic offset table, possibly empty, then fragments. Which
fragments make which frame is told by the basic or the extended offset table; where both are missing, by one
fragment a frame, or else by the marker that starts every compressed picture.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from echoplane.sources.dicom.native import unswap_words
from echoplane.sources.dicom.stream import Stream

_ITEM = 0xE000
_END = 0xE0DD
_MAX_FRAGMENTS = 1 << 20
#: JPEG and JPEG-LS, JPEG 2000 code stream, JP2 box.
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0c\x6a\x50")
_LONGEST = max(map(len, _STARTS))

Piece = tuple[int, int]


class Frames(Protocol):
    """Bytes of single frames."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def payload(self, stream: Stream, index: int) -> bytes:
        """Read one frame's bytes."""


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """Uncompressed frames, one after the other.

    Attributes
    ----------
    offset, frame_bytes, count : int
    swapped : bool
        True for 8-bit samples two by two in big-endian words.
    """

    offset: int
    frame_bytes: int
    count: int
    swapped: bool = False

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.count

    def payload(self, stream: Stream, index: int) -> bytes:
        """Read one frame's bytes."""
        start = index * self.frame_bytes
        if not self.swapped:
            return stream.at(self.offset + start, self.frame_bytes)
        odd = start % 2  # a frame of an odd size starts in the middle of a word
        size = self.frame_bytes + odd
        return unswap_words(stream.at(self.offset + start - odd, size + size % 2))[odd:size]


@dataclass(frozen=True, slots=True)
class EncapsulatedFrames:
    """Compressed frames, each in one or more pieces."""

    pieces: tuple[tuple[Piece, ...], ...]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.pieces)

    @property
    def largest(self) -> int:
        """Bytes of the largest frame."""
        return max((sum(size for _, size in pieces) for pieces in self.pieces), default=0)

    def payload(self, stream: Stream, index: int) -> bytes:
        """Read one frame's bytes."""
        pieces = self.pieces[index]
        if len(pieces) == 1:
            return stream.at(*pieces[0])
        return b"".join(stream.at(offset, size) for offset, size in pieces)


@dataclass(frozen=True, slots=True)
class Fragments:
    """What lies in encapsulated pixel data.

    Attributes
    ----------
    offsets : tuple of int
        The basic offset table; empty where there is none.
    pieces : tuple of (int, int)
        Offset and size of each whole fragment.
    base : int
        Where offset 0 of an offset table points: the header of the first fragment.
    cut : bool
        True where the file ends inside a fragment, or something else stands where one is due.
    closed : bool
        True where the delimiter that ends the fragments is there.
    rest : tuple of (int, int)
        The part that is there of the fragment that is cut.
    no_table : bool
        True where even the item of the offset table is missing, which the standard asks for.
    """

    offsets: tuple[int, ...]
    pieces: tuple[Piece, ...]
    base: int
    cut: bool
    closed: bool
    rest: tuple[Piece, ...] = ()
    no_table: bool = False


def walk(stream: Stream, start: int, little: bool = True) -> Fragments:
    """List the fragments of encapsulated pixel data, reading only their 8-byte headers.

    Parameters
    ----------
    stream : Stream
    start : int
        Where the value of the PixelData element starts.
    little : bool
        Byte order.
    """
    order = struct.Struct("<HHI" if little else ">HHI")
    size, position = stream.size, start
    offsets: tuple[int, ...] = ()
    pieces: list[Piece] = []
    rest: tuple[Piece, ...] = ()
    cut, closed, first, base, no_table = True, False, True, start, False
    while len(pieces) < _MAX_FRAGMENTS:
        head = stream.at(position, 8)
        if len(head) < 8:
            cut = bool(head)
            break
        group, element, length = order.unpack(head)
        if (group, element) != (0xFFFE, _ITEM):
            closed = (group, element) == (0xFFFE, _END)
            cut = not closed
            break
        position += 8
        if first and _starts_frame(stream.at(position, min(length, 8))):
            first, no_table = False, True
        if position + length > size:
            rest = ((position, size - position),) if size > position and not first else ()
            break
        if first:
            offsets = _table(stream.at(position, length), little) if length <= 4 * _MAX_FRAGMENTS else ()
            base, first = position + length, False
        else:
            pieces.append((position, length))
        position += length
    return Fragments(offsets, tuple(pieces), base, cut, closed, rest, no_table)


def _starts_frame(head: bytes) -> bool:
    """Tell whether the first item is a frame: a table of offsets starts with 0, or is empty."""
    if any(head.startswith(mark) for mark in _STARTS):
        return True
    segments, offset = struct.unpack("<II", head) if len(head) == 8 else (0, 0)
    return bool(1 <= segments <= 15 and offset == 64)  # the head of an RLE frame (PS3.5 G.5)


def _table(data: bytes, little: bool) -> tuple[int, ...]:
    return struct.unpack(f"{'<' if little else '>'}{len(data) // 4}I", data[: len(data) // 4 * 4])


def group_frames(
    stream: Stream, fragments: Fragments, extended: bytes, declared: int | None, little: bool = True
) -> tuple[EncapsulatedFrames, tuple[str, ...]]:
    """Put fragments together to frames.

    Parameters
    ----------
    stream : Stream
    fragments : Fragments
    extended : bytes
        The extended offset table (64 bit offsets), empty where there is none.
    declared : int or None
        NumberOfFrames, as the header has it.
    little : bool
        Byte order of the extended offset table.

    Returns
    -------
    frames : EncapsulatedFrames
    notes : tuple of str
    """
    pieces = fragments.pieces
    wide = struct.unpack(f"{'<' if little else '>'}{len(extended) // 8}Q", extended[: len(extended) // 8 * 8])
    for table in (wide, fragments.offsets):
        starts = _starts_by_table(table, fragments)
        # A table of fewer frames than the header says, where there is one fragment for each of those, was not finished.
        if starts is not None and (declared != len(pieces) or len(starts) == len(pieces)):
            return _cut_at(pieces, starts), ()
    notes = ("The offset table does not fit the fragments; passed over.",) if wide or fragments.offsets else ()
    if declared == len(pieces) or len(pieces) <= 1:
        return _cut_at(pieces, range(len(pieces))), notes
    starts = [i for i, (offset, size) in enumerate(pieces) if _starts_picture(stream.at(offset, min(size, _LONGEST)))]
    if not starts or starts[0] != 0:  # RLE has no marker, and one fragment a frame (PS3.5 A.4.2)
        pieces = tuple(piece for piece in pieces if piece[1])  # an empty one is filling, where the header counts fewer
        starts = [0][: len(pieces)] if declared == 1 else list(range(len(pieces)))
    return _cut_at(pieces, starts), notes


def _starts_picture(head: bytes) -> bool:
    """Tell whether a fragment starts like a picture; one of two bytes can only show the first two."""
    return len(head) > 1 and any(mark.startswith(head) or head.startswith(mark) for mark in _STARTS)


def _starts_by_table(table: Sequence[int], fragments: Fragments) -> list[int] | None:
    """Give the number of the first fragment of each frame, None where the table points elsewhere."""
    if not table or table[0] != 0:
        return None
    at = [offset - 8 - fragments.base for offset, _ in fragments.pieces]
    starts: list[int] = []
    for offset in table:
        i = bisect_left(at, offset)
        if i == len(at):
            if fragments.cut:  # the rest of a cut file; what is there is read
                break
            return None
        if at[i] != offset or (starts and i <= starts[-1]):
            return None
        starts.append(i)
    return starts


def _cut_at(pieces: Sequence[Piece], starts: Sequence[int]) -> EncapsulatedFrames:
    ends = [*starts[1:], len(pieces)][: len(starts)]
    return EncapsulatedFrames(tuple(tuple(pieces[a:b]) for a, b in zip(starts, ends, strict=True)))
