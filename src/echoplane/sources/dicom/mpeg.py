"""Encapsulated MPEG-2, H.264 and HEVC (PS3.5 8.2.5 to 8.2.12): one video stream, cut into fragments anywhere.

The fragments are read as one file, wherever they lie, and never put together in memory.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, cast

from echoplane.errors import NoFramesError, UnreadableError
from echoplane.records import Cine
from echoplane.sources.dicom.frames import Piece, walk
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.stream import Opener, Stream
from echoplane.sources.dicom.syntax import Codec
from echoplane.sources.limits import Limits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_TS_PACKET, _TS_SYNC = 188, 0x47
_ELEMENTARY = {Codec.MPEG2: "mpegvideo", Codec.H264: "h264", Codec.HEVC: "hevc"}


class _Joined(io.RawIOBase):
    """The fragments as one readable, seekable file."""

    def __init__(self, stack: ExitStack, stream: Stream, pieces: Sequence[Piece]) -> None:
        self._stack, self._stream, self._pieces = stack, stream, pieces
        self._starts = [0, *accumulate(size for _, size in pieces)]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._position < self._starts[-1]:
            i = bisect_right(self._starts, self._position) - 1
            inside = self._position - self._starts[i]
            offset, size = self._pieces[i]
            data = self._stream.at(offset + inside, min(size - inside, len(view) - filled))
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
            self._position += len(data)
        return filled

    def close(self) -> None:
        self._stack.close()
        super().close()


@dataclass(frozen=True, slots=True)
class FragmentFile:
    """Stands where the video reader expects a path: something whose `open` gives the bytes of the video."""

    opener: Opener
    pieces: tuple[Piece, ...] = field(repr=False)

    def open(self, mode: str = "rb") -> io.RawIOBase:
        """Open the joined fragments for reading."""
        del mode
        with ExitStack() as stack:
            stream = stack.enter_context(self.opener.open())
            return _Joined(stack.pop_all(), stream, self.pieces)


def container_of(head: bytes, codec: Codec) -> str | None:
    """Tell the container from the first 400 bytes of the video; None for none that DICOM allows.

    Returns
    -------
    str or None
        A key of `echoplane.sources.video.CONTAINERS`.
    """
    if head[4:8] == b"ftyp":
        return "mp4"
    for start in (0, 4):  # a time stamp of four bytes stands before each packet in the Blu-ray variant
        packet = _TS_PACKET + start
        if len(head) > start + packet and head[start] == head[start + packet] == _TS_SYNC:
            return "mpegts"
    if head[:4] == b"\x00\x00\x01\xba":
        return "mpeg"
    if head[:3] == b"\x00\x00\x01" or head[:4] == b"\x00\x00\x00\x01":
        return _ELEMENTARY[codec]
    return None


def open_video_stream(header: Header, codec: Codec, limits: Limits) -> Cine:
    """Open the video inside a DICOM file; the caller adds what the header knows.

    Returns
    -------
    Cine

    Raises
    ------
    NoFramesError, UnreadableError, UnsupportedError, RefusedError
        As `echoplane.sources.video.open_video`.
    """
    from echoplane.sources.video import open_video

    name, pixels = header.opener.name, header.pixels
    assert pixels is not None
    with header.opener.open() as stream:
        fragments = walk(stream, pixels.offset, header.little)
        pieces = fragments.pieces + fragments.rest
        if not pieces:
            raise NoFramesError(name, "No video is in it.", "It is probably cut off.")
        head = stream.at(pieces[0][0], min(400, pieces[0][1]))
    container = container_of(head, codec)
    if container is None:
        raise UnreadableError(name, f"The header says {codec}, but the pixels start like no such video.")
    file = FragmentFile(header.opener, pieces)
    # `open_video` only ever calls `open("rb")` on a place that is not bytes.
    cine = open_video(cast(Path, file), container, source=name, limits=limits)
    if fragments.cut:
        cine = replace(cine, notes=(*cine.notes, "The file is cut off inside its video."))
    return cine
