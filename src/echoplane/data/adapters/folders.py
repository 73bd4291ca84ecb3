"""One folder a view: ``<root>/<view>/.../<clip>.{dcm,avi,mp4,gif,...}``, or numbered pictures there."""

from __future__ import annotations

from pathlib import Path

from echoplane.data.adapters._tables import is_file, key_of
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.data.organize import UNDO_FILE
from echoplane.errors import DataError
from echoplane.sources.discover import discover
from echoplane.sources.item import SourceItem, shown
from echoplane.sources.sniff import SYSTEM_FILES
from echoplane.store.schema import INFO_FILE


def view_folders(root: Path) -> tuple[list[Path], list[Failure]]:
    """Return the view folders, and the files beside them as failures.

    Hidden folders are none, nor are clip stores: the one that is being made may lie below the data.

    Raises
    ------
    DataError
        When there is no folder.
    """
    entries = sorted(root.iterdir()) if root.is_dir() else []
    folders = [
        path for path in entries if path.is_dir() and not path.name.startswith(".") and not is_file(path / INFO_FILE)
    ]
    if not folders:
        raise DataError(f"{root}: holds no folders; this layout wants one folder a view, for example {root}/A4C/.")
    beside = [
        Failure(shown(path.name), "no_label", "Lies beside the view folders, so it has no label.")
        for path in entries
        if path.is_file() and path.name.lower() not in {*SYSTEM_FILES, UNDO_FILE} and not path.name.startswith(".")
    ]
    return folders, beside


def read(root: Path, options: Options) -> Manifest:
    """List the cines of all view folders; the folder's name is the label.

    Everything below a view folder counts, however deep. Numbered pictures are cines
    (:mod:`echoplane.sources.series`).
    """
    del options
    folders, failures = view_folders(root)
    rows = []
    for folder in folders:
        for item in discover(folder):
            if item.path.name.lower() in SYSTEM_FILES:
                continue
            key = _key(item, root)
            rows.append(ManifestRow(key, SourceItem(key, item.path, item.format, item.files, item.error), folder.name))
    return Manifest(tuple(rows), tuple(failures))


def _key(item: SourceItem, root: Path) -> str:
    """Return the item's name as users see it, below the root."""
    start = shown(root).rstrip("/\\")
    source = item.source.replace("\\", "/")
    below = source.removeprefix(start.replace("\\", "/")).lstrip("/")
    return below or key_of(item.path, root)


LAYOUT = Layout("folders", "<view>/<clip>.{dcm,avi,mp4,gif,...}: one folder a view", read)
