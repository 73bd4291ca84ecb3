"""Frames of many clips in one folder a view: ``<root>/<view>/<clip>_<n>.jpg``.

The layout of the reference project: the number after the last underscore counts the frames, what stands before it
names the clip.
"""

from __future__ import annotations

import re
from pathlib import Path

from echoplane.data.adapters.folders import view_folders
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.sources.item import SourceItem, shown
from echoplane.sources.sniff import SYSTEM_FILES

_FRAME = re.compile(r"(?P<clip>.+)_(?P<number>\d{1,18})\.(?:jpe?g|png|bmp|tiff?)", re.IGNORECASE)


def read(root: Path, options: Options) -> Manifest:
    """List the clips; a clip may have any number of frames, one included."""
    del options
    folders, failures = view_folders(root)
    rows = []
    for folder in folders:
        clips: dict[str, list[tuple[int, str]]] = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            below = path.relative_to(folder).as_posix()
            match = _FRAME.fullmatch(below)
            if match:
                clips.setdefault(match["clip"], []).append((int(match["number"]), path.name))
            elif path.name.lower() not in SYSTEM_FILES:
                reason = "Is not named <clip>_<number>.jpg as the frames of this layout are."
                failures.append(Failure(f"{folder.name}/{shown(below)}", "no_label", reason))
        for clip, frames in clips.items():
            key = f"{folder.name}/{shown(clip)}"
            files = tuple(name for _, name in sorted(frames))
            rows.append(ManifestRow(key, SourceItem(key, (folder / clip).parent, "frames", files), folder.name))
    return Manifest(tuple(rows), tuple(failures))


LAYOUT = Layout("frames", "<view>/<clip>_<n>.jpg: the frames of all clips of a view in one folder", read)
