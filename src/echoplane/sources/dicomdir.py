"""DICOMDIR: the directory of a DICOM medium, and where the files it lists lie (PS3.3 F.3, PS3.10 section 8)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from echoplane.errors import ReadError, RefusedError, UnreadableError
from echoplane.sources.guard import reading
from echoplane.sources.item import SourceItem, shown

#: A directory of a full DVD is some megabytes; it is read into memory.
MAX_BYTES = 256 * 1024 * 1024


def is_dicomdir(name: str) -> bool:
    """Tell by its name, which the standard fixes (PS3.10 8.6), in either case."""
    return name.upper() == "DICOMDIR"


def listed_items(path: Path, source: str) -> list[SourceItem]:
    """Return one item for each file that a DICOMDIR lists, in its order.

    Files that are missing, or named so that they would lie outside of the medium, come back as items with an error.

    Raises
    ------
    UnreadableError
        When the DICOMDIR is damaged or is none.
    RefusedError
        When it is absurdly big.
    """
    folder, root = path.parent, os.path.dirname(source)  # noqa: PTH120 -- `source` is text for users, not a path
    names = _Names()
    items = []
    for parts in _file_ids(path, source):
        label = "/".join((root, *parts)) if root else "/".join(parts)
        error = _refused(label, parts)
        found = None if error else names.resolve(folder, parts)
        if found is None:
            error = error or UnreadableError(label, f"Is listed in {path.name}, but is not there.", "Copy all files.")
            items.append(
                SourceItem(label, folder.joinpath(*parts) if error.status == "unreadable" else path, "", (), error)
            )
        else:
            items.append(SourceItem(shown(found) if not root else label, found))
    return items


def _file_ids(path: Path, source: str) -> list[tuple[str, ...]]:
    import pydicom
    from pydicom.errors import InvalidDicomError

    from echoplane.sources.dicom.failures import quiet

    with reading(source, "The DICOMDIR is damaged"):
        if path.stat().st_size > MAX_BYTES:
            raise RefusedError(source, f"The DICOMDIR is bigger than {MAX_BYTES >> 20} MiB.")
        with quiet():
            try:
                dataset = pydicom.dcmread(path)
            except InvalidDicomError as error:
                raise UnreadableError(source, "Is named DICOMDIR, but is no DICOM file.") from error
            found = [_parts(record.get("ReferencedFileID")) for record in dataset.get("DirectoryRecordSequence") or ()]
    files = list(dict.fromkeys(parts for parts in found if parts))
    if not files:
        raise UnreadableError(source, "The DICOMDIR lists no file.", "Give the folder instead.")
    return files


def _parts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    # One component a level (PS3.10 8.2), but some write the whole path as one, with the separators of their system.
    components = (value,) if isinstance(value, str) else tuple(value)
    return tuple(part.strip() for component in components for part in re.split(r"[/\\]", str(component)))


def _refused(label: str, parts: tuple[str, ...]) -> ReadError | None:
    """Refuse names that reach outside of the medium: they are data, and may have been written to do harm."""
    if any(not part.strip(". ") or ":" in part or "\0" in part for part in parts):
        return RefusedError(label, "Is listed in the DICOMDIR under a name that may lie outside of its folder.")
    return None


class _Names:
    """Find files whose case, or ISO 9660 version (``;1``), changed when the medium was copied."""

    def __init__(self) -> None:
        self._listings: dict[Path, dict[str, str]] = {}

    def resolve(self, folder: Path, parts: tuple[str, ...]) -> Path | None:
        exact = folder.joinpath(*parts)
        if exact.is_file():
            return exact
        place = folder
        for part in parts:
            name = self._listing(place).get(part.casefold())
            if name is None:
                return None
            place = place / name
        return place if place.is_file() else None

    def _listing(self, folder: Path) -> dict[str, str]:
        if folder not in self._listings:
            try:
                names = sorted(path.name for path in folder.iterdir())
            except OSError:
                names = []
            self._listings[folder] = {name.split(";")[0].rstrip(".").casefold(): name for name in names}
        return self._listings[folder]
