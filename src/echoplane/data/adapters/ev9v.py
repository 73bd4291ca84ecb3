"""EV9V: nine views as folders of frames, CC BY 4.0.

Written from the public description of the data set, not run on the real one: ``labels.csv`` (``names,labels``),
``train.txt``, ``validation.txt`` and ``test.txt`` with one video name a line, ``Images/<video>/frame_000001.jpg``.
The split of the data set is by patient; which patients, it does not say. Its page gives contradicting long names for
the codes, so look at ``data/tables/ev9v.csv`` before trusting a short-axis level.
"""

from __future__ import annotations

import re
from pathlib import Path

from echoplane._files import read_table_text
from echoplane.data.adapters._tables import key_of, need_file, read_table, safe_below
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError
from echoplane.sources.item import SourceItem

_PARTS = {"train.txt": "train", "validation.txt": "validation", "test.txt": "test"}
_FRAME = re.compile(r"frame_(\d+)\.(?:jpe?g|png)", re.IGNORECASE)


def read(root: Path, options: Options) -> Manifest:
    """List the videos of ``labels.csv`` with their given split."""
    del options
    table = need_file(root, "labels.csv")
    home = table.parent
    parts = _given_parts(home)
    rows, failures = [], []
    for line in read_table(table, ["names", "labels"]):
        video = line["names"]
        folder = safe_below(home / "Images", video) if video else None
        frames = _frames(folder) if folder else []
        if folder is None or not frames:
            key = key_of(folder, root) if folder else video
            failures.append(Failure(key, "missing", f"Is named in {table.name} and has no frames under Images/."))
            continue
        key = key_of(folder, root)
        item = SourceItem(key, folder, "frames", tuple(frames))
        rows.append(ManifestRow(key, item, line["labels"], split=parts.get(video, "")))
    return Manifest(tuple(rows), tuple(failures))


def _given_parts(home: Path) -> dict[str, str]:
    parts: dict[str, str] = {}
    for file, part in _PARTS.items():
        if not (home / file).is_file():
            continue
        text, _ = read_table_text(home / file, "a list of videos")
        for video in map(str.strip, text.splitlines()):
            if video and parts.setdefault(video, part) != part:
                raise DataError(f"{home / file}: video {video!r} is in {parts[video]} and in {part}.")
    return parts


def _frames(folder: Path) -> list[str]:
    found = [
        (int(m[1]), p.name) for p in (folder.iterdir() if folder.is_dir() else ()) if (m := _FRAME.fullmatch(p.name))
    ]
    return [name for _, name in sorted(found)]


LAYOUT = Layout(
    "ev9v", "EV9V: labels.csv, train/validation/test.txt, Images/<video>/frame_000001.jpg", read, "EV9V (CC BY 4.0)"
)
