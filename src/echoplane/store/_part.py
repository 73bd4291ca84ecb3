"""One safetensors part: written whole, read by offsets, on disk or from object storage.

The layout (https://huggingface.co/docs/safetensors) is 8 bytes of little-endian header length, a JSON header that
gives dtype, shape and byte range of every tensor, then the bytes. Writing goes through the safetensors library.
Reading parses the header here, so that one frame of one cine is one slice of a memory map or one ranged request;
every number in the header is checked before it is used. Whoever looks into a map beyond the end of a file that was cut
short meanwhile is ended by the system (SIGBUS), and a night's training with it: so the length is asked for each time.
"""

from __future__ import annotations

import mmap
import os
import uuid
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from echoplane._files import atomic_write
from echoplane.errors import StoreError
from echoplane.records import UInt8Array
from echoplane.store.schema import StoreRow, decode_row, encode_row

#: The safetensors library refuses longer headers too.
MAX_HEADER = 100_000_000
_REMAKE = (
    "Remove this file, and run the command that made the store again. Where its source is gone, `echoplane data "
    "repair` keeps what is whole."
)


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one cine lies: byte `start` in the file, and its shape."""

    row: StoreRow
    start: int
    shape: tuple[int, int, int]


def part_name(number: int) -> str:
    """Return a name for a new part that no other writer chooses."""
    return f"part-{number:05d}-{uuid.uuid4().hex[:8]}.safetensors"


def write_part(path: Path, cines: Mapping[str, tuple[UInt8Array, StoreRow]]) -> None:
    """Write a part so that it is whole or not there."""
    from safetensors.numpy import save

    data = save(
        {key: np.ascontiguousarray(frames) for key, (frames, _) in cines.items()},
        metadata={key: encode_row(row) for key, (_, row) in cines.items()},
    )
    with atomic_write(path, "wb") as stream:
        stream.write(data)


def read_entries(read: Callable[[int, int], bytes], size: int, where: str) -> list[Entry]:
    """Read the header of a part.

    Parameters
    ----------
    read : callable
        ``read(start, end)`` gives the bytes of the file in that half-open range.
    size : int
        Length of the file in bytes.
    where : str
        The file, for messages.

    Raises
    ------
    StoreError
        When the file is truncated or its header does not describe uint8 cines inside the file.
    """
    length = int.from_bytes(read(0, 8), "little") if size >= 8 else -1
    if not 2 <= length <= min(MAX_HEADER, size - 8):
        raise StoreError(f"{where}: is damaged or no safetensors file (header of {length} bytes in {size}). {_REMAKE}")
    try:
        header = msgspec.json.decode(read(8, 8 + length), type=dict[str, msgspec.Raw])
        rows = msgspec.json.decode(header.pop("__metadata__", b"{}"), type=dict[str, str])
        tensors = {key: msgspec.json.decode(raw, type=_Tensor) for key, raw in header.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"{where}: header is damaged ({error}). {_REMAKE}") from error
    if rows.keys() != tensors.keys():
        raise StoreError(f"{where}: holds tensors without a row or rows without a tensor; it was not written by us.")
    return [_entry(key, tensors[key], rows[key], 8 + length, size, where) for key in tensors]


def _entry(key: str, tensor: _Tensor, text: str, base: int, size: int, where: str) -> Entry:
    start, end = (base + offset for offset in tensor.data_offsets)
    fits = base <= start <= end <= size
    whole = len(tensor.shape) == 3 and min(tensor.shape) > 0
    if tensor.dtype != "U8" or not whole or not fits or end - start != int(np.prod(tensor.shape, dtype=object)):
        if end > size and whole:
            raise StoreError(f"{where}: is cut off: cine {key!r} ends at byte {end} of {size}. {_REMAKE}")
        raise StoreError(f"{where}: cine {key!r} is {tensor.dtype} {tensor.shape} at {start}..{end} of {size} bytes.")
    row = decode_row(text, f"{where}: cine {key!r}")
    if row.cine != key or row.n_frames != tensor.shape[0]:
        raise StoreError(f"{where}: the row of {key!r} names {row.cine!r} with {row.n_frames} frames.")
    t, h, w = tensor.shape
    return Entry(row, start, (t, h, w))


class MappedPart:
    """A part on a local disk, memory-mapped when first read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map: UInt8Array | None = None
        self._file = -1

    def entries(self, *, cut_off: bool = False) -> list[Entry]:
        """Read the header (and nothing else); with `cut_off` also that of a file which lacks frames at its end."""
        with self.path.open("rb") as stream:
            size = 2**62 if cut_off else os.fstat(stream.fileno()).st_size

            def read(start: int, end: int) -> bytes:
                stream.seek(start)
                return stream.read(end - start)

            return read_entries(read, size, str(self.path))

    def frames(self, entry: Entry) -> UInt8Array:
        """Return all frames of a cine as a read-only view of the memory map.

        Raises
        ------
        StoreError
            When the file is gone, or ends before the cine does.
        """
        t, h, w = entry.shape
        end = entry.start + t * h * w
        try:
            mapped = self._mapped() if self._map is None else self._map
            size = os.fstat(self._file).st_size
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise StoreError(
                f"{self.path}: cine {entry.row.cine!r} cannot be read ({error}). Look after the disk or the network "
                "share that it lies on, and run the command again."
            ) from error
        if min(size, len(mapped)) < end:
            raise StoreError(
                f"{self.path}: was cut off while it was in use: cine {entry.row.cine!r} ends at byte {end} of "
                f"{min(size, len(mapped))}. {_REMAKE}"
            )
        return mapped[entry.start : end].reshape(t, h, w)

    def _mapped(self) -> UInt8Array:
        # Kept open to be asked for its length.
        self._file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)
        self._map = np.frombuffer(mmap.mmap(self._file, 0, access=mmap.ACCESS_READ), np.uint8)
        return self._map

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, state: Path) -> None:
        self.__init__(state)  # type: ignore[misc]  # a map cannot travel to another process; it is opened there


class RemotePart:
    """A part in object storage, read by ranges through fsspec."""

    def __init__(self, filesystem: object, path: str) -> None:
        self.filesystem = filesystem
        self.path = path

    def _read(self, start: int, end: int) -> bytes:
        data: bytes = self.filesystem.cat_file(self.path, start=start, end=end)  # type: ignore[attr-defined]
        return data

    def entries(self) -> list[Entry]:
        """Read the header: two ranged requests."""
        size: int = self.filesystem.size(self.path)  # type: ignore[attr-defined]
        return read_entries(self._read, size, self.path)

    def frames(self, entry: Entry, first: int = 0, last: int | None = None) -> UInt8Array:
        """Fetch frames ``first <= t < last`` of a cine: one ranged request."""
        t, h, w = entry.shape
        last = t if last is None else last
        data = self._read(entry.start + first * h * w, entry.start + last * h * w)
        return np.frombuffer(data, np.uint8).reshape(last - first, h, w)
