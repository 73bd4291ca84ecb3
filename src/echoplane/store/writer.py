"""Append prepared cines to a store; a kill at any moment leaves a whole store."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from echoplane._files import atomic_write
from echoplane.errors import StoreError
from echoplane.records import UInt8Array
from echoplane.store._ledger import LEDGER_FILE, append_keys, keys_in
from echoplane.store._part import MappedPart, part_name, write_part
from echoplane.store.schema import (
    INFO_FILE,
    PART_GLOB,
    StoreInfo,
    StoreRow,
    check_row,
    decode_info,
    digest,
    encode_info,
    read_info,
)

#: A part is written when it holds this many bytes: few files, and little to do again after a kill.
PART_BYTES = 64 * 2**20
#: ... or when its oldest cine has waited this long, so that a slow source loses seconds and not hours.
PART_SECONDS = 30.0
#: A half-written part that nobody touched for so long is a killed writer's.
STALE_SECONDS = 3600.0


class StoreWriter:
    """Create a store, or go on with one.

    Parameters
    ----------
    path : str or Path
        Folder of the store; made when missing.
    recipe : mapping
        The prepare recipe as plain data (``config.to_mapping(recipe)``).
    views : sequence of str
        Labels in the order that networks list them.
    height, width : int
        Size of the frames, pixels.
    origin : str
        Name and licence of the data in one line.
    part_bytes, part_seconds : float
        When to write out a part.
    clock : callable
        Seconds, for `part_seconds`; tests give their own.

    Raises
    ------
    StoreError
        When the folder holds something else, a store of another recipe or size, or a damaged store.

    Notes
    -----
    Several processes may append to one folder at once, each with its own writer, as long as no two append the
    same cine. Appended cines are on disk after :meth:`flush` or :meth:`close` (or leaving the ``with`` block
    without an exception); before that they are in memory and a kill means to append them again.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with StoreWriter(folder, recipe={}, views=["A4C"], height=4, width=4) as writer:
    ...     writer.append(np.zeros((3, 4, 4), np.uint8), StoreRow("p1/a.dcm", label="A4C", group="p1"))
    """

    def __init__(
        self,
        path: str | Path,
        *,
        recipe: Mapping[str, Any],
        views: Sequence[str],
        height: int,
        width: int,
        origin: str = "",
        part_bytes: float = PART_BYTES,
        part_seconds: float = PART_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = Path(path)
        # Through JSON, as it is kept: tuples become lists, and a second run finds the same recipe.
        plain = msgspec.json.decode(msgspec.json.encode(dict(recipe)))
        self.info = StoreInfo(recipe=plain, views=tuple(views), height=height, width=width, origin=origin)
        self._limits = (part_bytes, part_seconds)
        self._clock = clock
        self._waiting: dict[str, tuple[UInt8Array, StoreRow]] = {}
        self._bytes = 0
        self._since = 0.0
        self._number = 0
        self.keys: set[str] = set()
        self._open()

    def _open(self) -> None:
        file = self.path / INFO_FILE
        before = file.read_bytes() if file.exists() else b""
        if before:
            self.info = _agree(decode_info(before, str(file)), self.info, str(self.path))
        elif self.path.exists() and any(not p.name.startswith(".") for p in self.path.iterdir()):
            raise StoreError(f"{self.path}: is not empty and not a clip store; choose an empty or new folder.")
        if before != encode_info(self.info):
            self._write_info()
        self._sweep()
        for part in sorted(self.path.glob(PART_GLOB)):
            self.keys.update(entry.row.cine for entry in MappedPart(part).entries())
            self._number += 1
        ledger = self.path / LEDGER_FILE
        listed = keys_in(ledger.read_bytes()) if ledger.exists() else set()
        if unlisted := self.keys - listed:  # of an older store, or of a writer killed between part and line
            append_keys(ledger, unlisted)

    def _write_info(self) -> None:
        with atomic_write(self.path / INFO_FILE, "wb") as stream:
            stream.write(encode_info(self.info))

    def use_secret(self, fingerprint: str) -> None:
        """Say with which secret patients are hashed from now on.

        Parameters
        ----------
        fingerprint : str
            See :func:`echoplane.data.secrets.fingerprint`.

        Raises
        ------
        StoreError
            When those who are there already were hashed with another: one patient would count as two.
        """
        if self.info.secret == fingerprint:
            return
        now = _agree(read_info(self.path), self.info, str(self.path))  # with the views that other writers have added
        if now.secret not in ("", fingerprint):
            raise StoreError(f"{self.path}: another run hashes its patients with another secret.")
        self.info = dataclasses.replace(now, secret=fingerprint)
        self._write_info()

    def _sweep(self) -> None:
        """Remove what a killed writer left half written; not what another may be writing now."""
        for file in self.path.glob(f".{PART_GLOB[:5]}*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > STALE_SECONDS:
                    file.unlink()

    def __contains__(self, cine: str) -> bool:
        """Whether a cine of this key is already in the store (written or waiting)."""
        return cine in self.keys

    def __len__(self) -> int:
        return len(self.keys)

    def append(self, frames: UInt8Array, row: StoreRow) -> None:
        """Add one cine.

        Parameters
        ----------
        frames : uint8 array, (T, H, W)
            Copied, so the caller may reuse the array.
        row : StoreRow
            `n_frames` and `sha256` are filled in here.

        Raises
        ------
        StoreError
            When the key is already there or the frames do not fit the store.
        """
        check_row(row, frames, self.info)
        if row.cine in self.keys:
            raise StoreError(f"{self.path}: cine {row.cine!r} is already in the store.")
        row = dataclasses.replace(row, n_frames=len(frames), sha256=digest(frames))
        if not self._waiting:
            self._since = self._clock()
        self._waiting[row.cine] = (frames.copy(), row)
        self.keys.add(row.cine)
        self._bytes += frames.nbytes
        part_bytes, part_seconds = self._limits
        if self._bytes >= part_bytes or self._clock() - self._since >= part_seconds:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one more part."""
        if self._waiting:
            write_part(self.path / part_name(self._number), self._waiting)
            # Before anything else can fail or be interrupted, for closing writes what still waits.
            written, self._waiting, self._bytes, self._number = self._waiting, {}, 0, self._number + 1
            append_keys(self.path / LEDGER_FILE, written)

    def close(self) -> None:
        """Write what waits."""
        self.flush()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whole cines are worth keeping also when the block ends by an error or Ctrl-C.
        self.close()


def _agree(old: StoreInfo, new: StoreInfo, where: str) -> StoreInfo:
    for name in ("recipe", "height", "width"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            raise StoreError(
                f"{where}: the store was made with {name} {before!r}, not {now!r}. "
                "Use another folder, or the same settings."
            )
    views = (*old.views, *(view for view in new.views if view not in old.views))
    return dataclasses.replace(old, views=views, origin=old.origin or new.origin)
