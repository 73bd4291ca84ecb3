"""Make a damaged store usable again: keep every cine that is whole, and no longer miss those that are lost.

Nothing is deleted: a damaged part stays in the folder under a name that no reader looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from echoplane.errors import StoreError, UsageError
from echoplane.records import UInt8Array
from echoplane.store._ledger import LEDGER_FILE, keys_in, write_keys
from echoplane.store._part import Entry, MappedPart, part_name, write_part
from echoplane.store.schema import PART_GLOB, StoreRow, digest, read_info

#: What is put before the name of a part that is no longer read.
ASIDE = "damaged-"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did.

    Attributes
    ----------
    kept : int
        Cines in the store now.
    lost : tuple of str
        Keys of the cines that the store held once and holds no more, sorted.
    aside : tuple of Path
        Damaged parts, as they are called now.
    """

    kept: int
    lost: tuple[str, ...]
    aside: tuple[Path, ...]


def repair(path: str | Path) -> Repaired:
    """Keep what is whole in a store's parts, set damaged ones aside, and list only the cines that are there.

    Parameters
    ----------
    path : str or Path
        Folder of a store. No other command may be writing to it.

    Returns
    -------
    Repaired

    Raises
    ------
    StoreError
        When it is no store, or a part cannot be read for a reason that may pass (rights, a disk that fails).
    UsageError
        For a store in object storage.
    """
    if "://" in str(path):
        raise UsageError(f"{path}: only a store on a disk can be repaired; copy it to one first.")
    folder = Path(path)
    info = read_info(folder)
    size = info.height, info.width
    held: set[str] = set()
    met: set[str] = set()
    damaged: list[Path] = []
    for file in sorted(folder.glob(PART_GLOB)):
        entries, right = _look(file, size)
        met.update(entry.row.cine for entry in entries)
        if entries and len(right) == len(entries):
            held.update(right)
        else:
            damaged.append(file)
    aside = []
    for number, file in enumerate(damaged):
        _, right = _look(file, size)  # again, for parts do not fit into memory together
        # First the copy, then the old part: a kill in between leaves whole cines twice, which harms nobody.
        if new := {key: found for key, found in right.items() if key not in held}:
            write_part(folder / part_name(number), new)
            held.update(new)
        aside.append(file.rename(file.with_name(ASIDE + file.name)))
    ledger = folder / LEDGER_FILE
    met.update(keys_in(ledger.read_bytes()) if ledger.exists() else ())
    lost = tuple(sorted(met - held))
    if lost or aside:
        write_keys(ledger, held)
    return Repaired(len(held), lost, tuple(aside))


def _look(file: Path, size: tuple[int, int]) -> tuple[list[Entry], dict[str, tuple[UInt8Array, StoreRow]]]:
    """Return all cines that a part says it holds, and those that are what was stored.

    A part is 64 MiB, so it fits into memory.
    """
    part, length = MappedPart(file), file.stat().st_size
    try:
        entries = part.entries(cut_off=True)
    except StoreError:  # the header itself
        return [], {}
    right: dict[str, tuple[UInt8Array, StoreRow]] = {}
    for entry in entries:
        t, h, w = entry.shape
        if entry.start + t * h * w <= length and (h, w) == size:
            frames = part.frames(entry).copy()  # the file is renamed afterwards
            if digest(frames) == entry.row.sha256:
                right[entry.row.cine] = (frames, entry.row)
    return entries, right
