"""Read a store at random: memory-mapped on disk, by ranged requests from object storage."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from echoplane._files import each_path
from echoplane._optional import need
from echoplane.errors import StoreError
from echoplane.records import IntArray, UInt8Array
from echoplane.store._ledger import LEDGER_FILE, keys_in
from echoplane.store._part import Entry, MappedPart, RemotePart
from echoplane.store.schema import INFO_FILE, PART_GLOB, StoreInfo, StoreRow, decode_info, digest, read_info


class StoreReader:
    """The cines of one store, in the order of their keys.

    The order does not depend on how the store came to be: how many workers, how many interruptions.

    Parameters
    ----------
    path : str or Path
        Folder, or a URL that fsspec understands (``s3://bucket/store``, ``memory://store``).
    checked : bool
        Compare every cine with its checksum when it is first read, so that no wrong picture is taken for a right one;
        False gives out what is there, to look at damage. From object storage, which has checksums of its own, nothing
        is compared, for a few frames would cost the whole cine.

    Raises
    ------
    StoreError
        When there is no store, it is damaged, newer than this version, or holds a cine twice.

    Attributes
    ----------
    info : StoreInfo
    rows : tuple of StoreRow
        One row a cine, sorted by key.
    """

    def __init__(self, path: str | Path, *, checked: bool = True) -> None:
        self.path = str(path)
        self.info, self._parts = _open_remote(self.path) if "://" in self.path else _open_local(Path(path))
        found = [(entry, n) for n, part in enumerate(self._parts) for entry in part.entries()]
        found = _once(found)
        for entry, n in found:
            h, w = entry.shape[1:]
            if (h, w) != (self.info.height, self.info.width):
                raise StoreError(
                    f"{self._parts[n].path}: cine {entry.row.cine!r} has frames of {h} x {w}, the store of "
                    f"{self.info.height} x {self.info.width}; the file is of another store. Take it out."
                )
        self._entries: tuple[tuple[Entry, int], ...] = tuple(found)
        self.rows: tuple[StoreRow, ...] = tuple(entry.row for entry, _ in found)
        # One byte a cine; travels to worker processes with the reader.
        self._trusted = bytearray([not checked or "://" in self.path]) * len(found)
        for one, two in itertools.pairwise(found):
            if one[0].row.cine == two[0].row.cine:
                raise StoreError(
                    f"{self.path}: cine {one[0].row.cine!r} is there twice, each time another: two runs that differ "
                    f"wrote to it at once. Remove {self._parts[one[1]].path} or {self._parts[two[1]].path}, and run "
                    "the command that made the store again."
                )

    @property
    def views(self) -> tuple[str, ...]:
        """Labels in the order that networks list them."""
        return self.info.views

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[StoreRow]:
        return iter(self.rows)

    def frames(self, i: int, indices: Sequence[int] | IntArray | None = None) -> UInt8Array:
        """Read frames of cine number `i`.

        Parameters
        ----------
        i : int
            Number of the cine, as in `rows`.
        indices : sequence of int, optional
            Frame numbers in 0..n_frames-1, in any order, repeats allowed; None for all.

        Returns
        -------
        uint8 array, (len(indices), H, W)
            Without `indices` not to be written to: on disk a view of the memory map. Else a copy of these frames alone.

        Raises
        ------
        IndexError
            When a frame number is outside of the cine.
        StoreError
            When the cine is not what was stored.
        """
        if indices is None:
            self._trust(i)
            entry, number = self._entries[i]
            return self._parts[number].frames(entry)
        out = np.empty((len(indices), self.info.height, self.info.width), np.uint8)
        self.read_into(i, indices, out)
        return out

    def read_into(self, i: int, indices: Sequence[int] | IntArray, out: UInt8Array) -> None:
        """Read frames of cine number `i` into `out`, uint8 (len(indices), H, W); else as :meth:`frames`.

        Raises
        ------
        IndexError
            When the cine has no such frame.
        StoreError
            When the cine is not what was stored.
        """
        self._trust(i)
        entry, number = self._entries[i]
        part = self._parts[number]
        numbers = indices.tolist() if isinstance(indices, np.ndarray) else list(indices)
        if not numbers:
            return
        first, last = min(numbers), max(numbers)
        if first < 0 or last >= entry.shape[0]:
            raise IndexError(f"{self.path}: cine {entry.row.cine!r} has {entry.shape[0]} frames.")
        if isinstance(part, MappedPart):
            frames, first = part.frames(entry), 0
        else:
            frames = part.frames(entry, first, last + 1)
        for place, wanted in zip(out, numbers, strict=True):
            place[...] = frames[wanted - first]

    def find(self, cine: str) -> int:
        """Return the number of a cine by its key.

        Raises
        ------
        StoreError
            When it is not in the store.
        """
        import bisect

        i = bisect.bisect_left(self.rows, cine, key=lambda row: row.cine)
        if i == len(self.rows) or self.rows[i].cine != cine:
            raise StoreError(f"{self.path}: no cine {cine!r}.")
        return i

    def verify(self) -> list[str]:
        """Compare every cine with its checksum; return the keys of those that differ."""
        return [row.cine for i, row in enumerate(self.rows) if not self._is_right(i)]

    def damage(self, i: int) -> str:
        """Return the part file with cine number `i`, where the cine is not what was stored there; else ``""``."""
        self._trusted[i] = self._trusted[i] or self._is_right(i)
        return "" if self._trusted[i] else str(self._parts[self._entries[i][1]].path)

    def _is_right(self, i: int) -> bool:
        entry, number = self._entries[i]
        return digest(self._parts[number].frames(entry)) == entry.row.sha256

    def _trust(self, i: int) -> None:
        if not self._trusted[i] and (part := self.damage(i)):
            raise StoreError(
                f"{part}: cine {self.rows[i].cine!r} is damaged: not what was stored. Remove this file, and run the "
                "command that made the store again; where its source is gone, `echoplane data repair` keeps what is "
                "whole. `echoplane data report` names all such cines."
            )

    def gone(self) -> tuple[str, ...]:
        """Return the keys of cines that were stored and are there no more, for their part file is gone; sorted."""
        data = _read_remote(self.path) if "://" in self.path else _read_local(Path(self.path))
        missing = keys_in(data).difference(row.cine for row in self.rows)
        if missing:  # gone, or stored since this reader was opened
            missing.difference_update(row.cine for row in StoreReader(self.path).rows)
        return tuple(sorted(missing))

    def loss(self) -> str:
        """Say in a sentence or two what :meth:`gone` finds; empty when nothing is gone."""
        gone = self.gone()
        if not gone:
            return ""
        many = f"{len(gone)} cines are" if len(gone) > 1 else "1 cine is"
        return (
            f"{self.path}: {many} gone with the part file, for example {gone[0]!r}. Run the command that made the "
            "store again; where its source is gone, `echoplane data repair` makes the store do without."
        )


def losses(stores: Iterable[StoreReader]) -> tuple[str, ...]:
    """Return :meth:`StoreReader.loss` of each store of which cines are gone, each sentence once."""
    return tuple(dict.fromkeys(loss for store in stores if (loss := store.loss())))


def open_stores(paths: str | Path | Iterable[str | Path], *, checked: bool = True) -> list[StoreReader]:
    """Open several stores that are to be used together; `checked` as for :class:`StoreReader`.

    Raises
    ------
    StoreError
        When a cine key is in two of them, or their frames differ in size.
    """
    readers = [StoreReader(path, checked=checked) for path in each_path(paths)]
    seen: dict[str, str] = {}
    for reader in readers:
        size, first = (reader.info.height, reader.info.width), readers[0]
        if size != (first.info.height, first.info.width):
            raise StoreError(
                f"{reader.path}: frames are {size[0]} x {size[1]}, those of {first.path} are "
                f"{first.info.height} x {first.info.width}; prepare both by one recipe."
            )
        for row in reader.rows:
            if row.cine in seen:
                raise StoreError(
                    f"cine {row.cine!r} is in {seen[row.cine]} and in {reader.path}. If they are different recordings, "
                    "prepare the stores from a folder above, so that the names of their files differ."
                )
            seen[row.cine] = reader.path
    return readers


def _once(found: list[tuple[Entry, int]]) -> list[tuple[Entry, int]]:
    """Sort by key, and leave out what is there once more: two runs that do the same may have written side by side."""
    found.sort(key=lambda pair: pair[0].row.cine)
    return [pair for n, pair in enumerate(found) if not n or pair[0].row != found[n - 1][0].row]


def _open_local(path: Path) -> tuple[StoreInfo, Sequence[MappedPart | RemotePart]]:
    return read_info(path), [MappedPart(part) for part in sorted(path.glob(PART_GLOB))]


def _read_local(path: Path) -> bytes:
    ledger = path / LEDGER_FILE
    return ledger.read_bytes() if ledger.exists() else b""


def _read_remote(url: str) -> bytes:
    filesystem, root = need("fsspec", "train", "read a store from object storage").core.url_to_fs(url)
    ledger = f"{root.rstrip('/')}/{LEDGER_FILE}"
    data: bytes = filesystem.cat_file(ledger) if filesystem.exists(ledger) else b""
    return data


def _open_remote(url: str) -> tuple[StoreInfo, Sequence[MappedPart | RemotePart]]:
    fsspec = need("fsspec", "train", "read a store from object storage")
    filesystem, root = fsspec.core.url_to_fs(url)
    root = root.rstrip("/")
    try:
        info = decode_info(filesystem.cat_file(f"{root}/{INFO_FILE}"), f"{url}/{INFO_FILE}")
    except FileNotFoundError as error:
        raise StoreError(f"{url}: is not a clip store (no {INFO_FILE} in it).") from error
    return info, [RemotePart(filesystem, name) for name in sorted(filesystem.glob(f"{root}/{PART_GLOB}"))]
