"""EV9V: nine views as folders of frames, CC BY 4.0.

Written from the public description of the data set, not run on the real one: ``labels.csv`` (``names,labels``),
``train.txt``, ``validation.txt`` and ``test.txt`` with one video name a line, ``Images/<video>/frame_000001.jpg``.
The split of the data set is by patient; which patients, it does not say. Its page gives contradicting long names for
the codes, so look at ``data/tables/ev9v.csv`` before trusting a short-axis level.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
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
    """List the videos of ``labels.csv`` with their given split; one that is in no list has none."""
    del options
    table = need_file(root, "labels.csv")
    home = table.parent
    lists = _lists(home)
    lines = read_table(table, ["names", "labels"])
    rows, failures = [], []
    for video in _unlabelled(lists, [line["names"] for line in lines], table):
        folder = safe_below(home / "Images", video)
        reason = f"Is named in {lists[video]} and not in {table.name}."
        failures.append(Failure(key_of(folder, root) if folder else video, "missing", reason))
    for line in lines:
        video = line["names"]
        folder = safe_below(home / "Images", video) if video else None
        frames = _frames(folder) if folder else []
        if folder is None or not frames:
            key = key_of(folder, root) if folder else video
            failures.append(Failure(key, "missing", f"Is named in {table.name} and has no frames under Images/."))
            continue
        key = key_of(folder, root)
        item = SourceItem(key, folder, "frames", tuple(frames))
        split = _PARTS[lists[video]] if video in lists else ""
        rows.append(ManifestRow(key, item, line["labels"], split=split))
    return Manifest(tuple(rows), tuple(failures))


def _lists(home: Path) -> dict[str, str]:
    """Return for each video of the split the list that names it."""
    lists: dict[str, str] = {}
    for file, part in _PARTS.items():
        if not (home / file).is_file():
            continue
        text, _ = read_table_text(home / file, "a list of videos")
        for video in map(str.strip, text.splitlines()):
            if video and lists.setdefault(video, file) != file:
                raise DataError(f"{home / file}: video {video!r} is in {_PARTS[lists[video]]} and in {part}.")
    return lists


def _unlabelled(lists: dict[str, str], labelled: Sequence[str], table: Path) -> list[str]:
    """Return the videos of the lists that the table lacks.

    Raises
    ------
    DataError
        When it lacks them all: they are spelled in another way, and the split would be lost.
    """
    known = set(labelled)
    missing = [video for video in lists if video not in known]
    if labelled and missing and len(missing) == len(lists):
        raise DataError(
            f"{table}: names none of the {len(lists)} videos of {', '.join(sorted(set(lists.values())))}. It has "
            f"{labelled[0]!r}, {lists[missing[0]]} has {missing[0]!r}; spell them alike, or remove the lists if they "
            "are of other data."
        )
    return missing


def _frames(folder: Path) -> list[str]:
    there = os.path.isdir(folder)  # noqa: PTH112 -- Path.is_dir() raises for names that are too long
    found = [(int(m[1]), p.name) for p in (folder.iterdir() if there else ()) if (m := _FRAME.fullmatch(p.name))]
    return [name for _, name in sorted(found)]


LAYOUT = Layout(
    "ev9v", "EV9V: labels.csv, train/validation/test.txt, Images/<video>/frame_000001.jpg", read, "EV9V (CC BY 4.0)"
)
