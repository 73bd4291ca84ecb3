"""EchoNet-Dynamic, EchoNet-Pediatric and EchoNet-LVH: AVI files with a table, research use.

Written from the public descriptions of the data sets, not run on the real ones. None of them says which videos are of
one patient, so that only the split they come with keeps patients apart.

============================  ==========================================  =======================================
set                           table                                       videos
============================  ==========================================  =======================================
EchoNet-Dynamic (A4C)         ``FileList.csv``: FileName, Split           ``Videos/<FileName>.avi``
EchoNet-Pediatric             ``{A4C,PSAX}/FileList.csv``: FileName,      ``{A4C,PSAX}/Videos/<FileName>``
(A4C, PSAX)                   Split (a fold number or TRAIN/VAL/TEST)
EchoNet-LVH (PLAX)            ``MeasurementsList.csv``: HashedFileName,   ``Batch{1..4}/<HashedFileName>.avi``
                              split; several lines a video
============================  ==========================================  =======================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from echoplane.data.adapters._tables import (
    column_split,
    first_file,
    item_of,
    key_of,
    need_file,
    number,
    read_table,
    safe_below,
)
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError

_NAME = ("FileName", "HashedFileName", "File Name")


def read_dynamic(root: Path, options: Options) -> Manifest:
    """List the videos of ``FileList.csv``; all are apical four-chamber."""
    del options
    table = need_file(root, "FileList.csv")
    return _videos(table, root, "A4C", ("Videos",))


def read_pediatric(root: Path, options: Options) -> Manifest:
    """List the videos of both views; the view is the folder."""
    del options
    home = root if any((root / view).is_dir() for view in ("A4C", "PSAX")) else None
    home = home or next((p.parent for p in sorted(root.glob("*/A4C")) + sorted(root.glob("*/PSAX"))), None)
    tables = {view: home / view / "FileList.csv" for view in ("A4C", "PSAX")} if home else {}
    if not any(path.is_file() for path in tables.values()):
        raise DataError(f"{root}: holds neither A4C/FileList.csv nor PSAX/FileList.csv; is this EchoNet-Pediatric?")
    found = [_videos(table, root, view, ("Videos",), folds=True) for view, table in tables.items() if table.is_file()]
    return Manifest(
        tuple(row for part in found for row in part.rows), tuple(failure for part in found for failure in part.failures)
    )


def read_lvh(root: Path, options: Options) -> Manifest:
    """List the videos of ``MeasurementsList.csv``; all are parasternal long axis."""
    del options
    table = need_file(root, "MeasurementsList.csv")
    return _videos(table, root, "PLAX", ("Batch1", "Batch2", "Batch3", "Batch4"))


def _videos(table: Path, root: Path, view: str, folders: tuple[str, ...], *, folds: bool = False) -> Manifest:
    rows: list[ManifestRow] = []
    failures: dict[str, Failure] = {}
    places: dict[str, Path | None] = {}
    for line in read_table(table, [_NAME, "Split"]):
        name = line["FileName"]
        if name not in places:  # EchoNet-LVH has a line for each measurement
            places[name] = first_file(_places(table.parent, folders, name))
        path = places[name]
        if path is None:
            where = " or ".join(f"{folder}/" for folder in folders)
            reason = f"Is named in {key_of(table, root)} and is not in {where}."
            failures[name] = Failure(name, "missing", reason)
            continue
        fold = folds and line["Split"].isdecimal()
        rows.append(
            ManifestRow(
                key_of(path, root),
                item_of(path, root),
                view,
                split="" if fold else column_split(line["Split"], table, "Split"),
                fps=number(line.get("FPS", "")),
                extra={"given_fold": int(line["Split"])} if fold else {},
            )
        )
    conflicts = _fold_conflicts(rows)
    kept = tuple(row for row in rows if row.cine not in conflicts)
    return Manifest(kept, (*failures.values(), *conflicts.values()))


def _fold_conflicts(rows: Sequence[ManifestRow]) -> dict[str, Failure]:
    """Return the cines with two folds, or a fold and a part: what `settle`, which compares parts, does not see."""
    said: dict[str, set[str]] = {}
    for row in rows:
        fold = row.extra.get("given_fold")
        said.setdefault(row.cine, set()).add(row.split if fold is None else f"fold {fold}")
    found = {}
    for key, places in said.items():
        names = sorted(places - {""})
        if len(names) > 1 and any(name.startswith("fold") for name in names):
            reason = f"Is for {' and '.join(map(repr, names))}. Correct that; it is not used."
            found[key] = Failure(key, "label_conflict", reason)
    return found


def _places(home: Path, folders: tuple[str, ...], name: str) -> Iterator[Path]:
    for folder in folders:
        for file in (name, f"{name}.avi"):
            path = safe_below(home, folder, file) if name else None
            if path is not None:
                yield path


_USE = "Stanford, research use agreement"
DYNAMIC = Layout(
    "echonet-dynamic",
    "EchoNet-Dynamic: FileList.csv, Videos/<FileName>.avi",
    read_dynamic,
    f"EchoNet-Dynamic ({_USE})",
)
PEDIATRIC = Layout(
    "echonet-pediatric",
    "EchoNet-Pediatric: A4C/ and PSAX/, each with FileList.csv and Videos/",
    read_pediatric,
    f"EchoNet-Pediatric ({_USE})",
)
LVH = Layout("echonet-lvh", "EchoNet-LVH: MeasurementsList.csv, Batch1..4/*.avi", read_lvh, f"EchoNet-LVH ({_USE})")
