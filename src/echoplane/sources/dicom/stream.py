"""Bounded reads: a lying length never takes more memory than the file has bytes."""

from __future__ import annotations

import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from echoplane.errors import RefusedError, UnreadableError
from echoplane.sources.dicom.failures import DamagedError

#: Largest data set that is unpacked from a deflated file, in bytes.
MAX_INFLATED_BYTES = 1 << 29
_KEPT_IN_MEMORY = 1 << 25
_CHUNK = 1 << 16
_AHEAD = 1 << 13
_ELEMENT_HEAD = 8


class Stream(Protocol):
    """Bytes that can be read anywhere."""

    def at(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes at `offset`; fewer where the stream ends."""

    @property
    def size(self) -> int:
        """Total number of bytes."""


class FileStream:
    """A file. Nothing is read ahead, so hopping over fragments costs a microsecond each."""

    def __init__(self, raw: IO[bytes], size: int) -> None:
        self._raw = raw
        self.size = size

    def at(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes at `offset`."""
        size = max(0, min(size, self.size - offset))
        if hasattr(os, "pread"):
            return os.pread(self._raw.fileno(), size, offset)
        self._raw.seek(offset)
        return self._raw.read(size)


class InflatedStream:
    """The data set of a deflated file, unpacked only as far as it is read."""

    def __init__(self, raw: IO[bytes], start: int) -> None:
        self._raw = raw
        self._raw.seek(start)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._spool = tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY)  # noqa: SIM115 - closed with the stream
        self._have = 0
        self._done = False

    def _reach(self, end: int) -> None:
        self._spool.seek(self._have)
        while self._have < end and not self._done:
            packed = self._inflate.unconsumed_tail or self._raw.read(_CHUNK)
            try:
                data = self._inflate.decompress(packed, _CHUNK * 16)
            except zlib.error:
                raise DamagedError("the deflated data set does not unpack") from None
            self._done = self._inflate.eof or (not packed and not data)
            self._have += self._spool.write(data)
            if self._have > MAX_INFLATED_BYTES:
                raise DamagedError(f"it unpacks to more than {MAX_INFLATED_BYTES >> 20} MiB")

    def at(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes at `offset`."""
        self._reach(offset + size)
        self._spool.seek(offset)
        return self._spool.read(max(0, min(size, self._have - offset)))

    @property
    def size(self) -> int:
        """Total number of bytes; unpacks everything."""
        self._reach(MAX_INFLATED_BYTES + 1)
        return self._have

    def close(self) -> None:
        """Forget the unpacked bytes."""
        self._spool.close()


class Cursor:
    """A position in a stream, for parsers that want a file.

    Attributes
    ----------
    overrun : bool
        True once bytes behind the end were asked for: something promised more than there is.
    """

    def __init__(self, stream: Stream, position: int = 0) -> None:
        self._stream = stream
        self._position = position
        self._ahead = b""
        self._ahead_at = position
        self.overrun = False

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from the current position."""
        if size < 0:
            size = max(0, self._stream.size - self._position)
        start = self._position - self._ahead_at
        if not 0 <= start <= len(self._ahead) - size:
            self._ahead, self._ahead_at, start = self._stream.at(self._position, max(size, _AHEAD)), self._position, 0
        data = self._ahead[start : start + size]
        self._position += len(data)
        # A parser finds the end by asking for one more element and getting nothing.
        self.overrun |= len(data) < size and not (size == _ELEMENT_HEAD and not data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to `offset`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        self._position = max(0, offset + (self._stream.size if base is None else base))
        return self._position

    def tell(self) -> int:
        """Return the current position."""
        return self._position


@dataclass(frozen=True, slots=True)
class Opener:
    """How to open a file's data set again: frames are read from a freshly opened file, none is held open.

    Attributes
    ----------
    path : str
        The file.
    name : str
        The file as the user gave it, for messages.
    inflate_from : int or None
        Where the deflated data set starts; offsets then count unpacked bytes from there.
    """

    path: str
    name: str
    inflate_from: int | None = None

    @contextmanager
    def open(self) -> Iterator[Stream]:
        """Open for reading.

        Raises
        ------
        UnreadableError, RefusedError
            When the path is no readable, regular file with content.
        """
        with _open_regular(self.path, self.name) as raw:
            if self.inflate_from is None:
                yield FileStream(raw, Path(self.path).stat().st_size)
                return
            stream = InflatedStream(raw, self.inflate_from)
            try:
                yield stream
            finally:
                stream.close()


@contextmanager
def _open_regular(path: str, name: str) -> Iterator[IO[bytes]]:
    try:
        info = Path(path).stat()
        if not stat.S_ISREG(info.st_mode):
            raise RefusedError(name, "Is not a regular file.")
        if info.st_size == 0:
            raise UnreadableError(name, "Is empty: 0 bytes.")
        raw = Path(path).open("rb")  # noqa: SIM115 - closed below; only the opening may fail as a missing file
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "bad file name"
        raise UnreadableError(name, f"Cannot be opened: {reason}.") from error
    with raw:
        yield raw
