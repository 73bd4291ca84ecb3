"""Bounded reads: a lying length never takes more memory than the file has bytes."""

from __future__ import annotations

import io
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


class Stream(Protocol):
    """What the header parser and the frame locator read from."""

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from the current position."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to `offset`."""

    def tell(self) -> int:
        """Return the current position."""

    def at(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes at `offset`."""

    @property
    def size(self) -> int:
        """Total number of bytes."""


class FileStream:
    """A file whose reads are clipped to its size."""

    def __init__(self, raw: IO[bytes], size: int) -> None:
        self._raw = raw
        self.size = size

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from the current position."""
        left = max(0, self.size - self._raw.tell())
        return self._raw.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to `offset`."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Return the current position."""
        return self._raw.tell()

    def at(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes at `offset`."""
        size = max(0, min(size, self.size - offset))
        if hasattr(os, "pread"):  # no seek, no read-ahead: hopping over fragments costs a microsecond each
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
        self._position = 0

    def _reach(self, end: int) -> None:
        self._spool.seek(self._have)
        while self._have < end and not self._done:
            packed = self._inflate.unconsumed_tail or self._raw.read(_CHUNK)
            data = self._inflate.decompress(packed, _CHUNK * 16)
            self._done = self._inflate.eof or (not packed and not data)
            self._have += self._spool.write(data)
            if self._have > MAX_INFLATED_BYTES:
                raise DamagedError(f"it unpacks to more than {MAX_INFLATED_BYTES >> 20} MB")

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from the current position."""
        data = self.at(self._position, MAX_INFLATED_BYTES if size < 0 else size)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to `offset`."""
        base = (0, self._position, self.size if whence == io.SEEK_END else 0)[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the current position."""
        return self._position

    def at(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes at `offset`."""
        self._reach(offset + size)
        self._spool.seek(offset)
        return self._spool.read(max(0, min(size, self._have - offset)))

    @property
    def size(self) -> int:
        """Total number of bytes; unpacks everything."""
        self._reach(MAX_INFLATED_BYTES)
        return self._have

    def close(self) -> None:
        """Forget the unpacked bytes."""
        self._spool.close()


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
