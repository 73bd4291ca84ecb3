"""TMED-2: single frames of 112 x 112 pixels with a view label, research use.

Written from the public description of the data set, not run on the real one: PNG files anywhere below the folder, and
one CSV with the columns ``query_key`` (the picture's name) and ``view_label``. Names like ``27s1_5.png`` are taken as
patient 27, study 27s1, picture 5. Where pictures in several folders have one name, the table has to name the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from echoplane._files import read_table_text
from echoplane.data.adapters._tables import column_split, files_ending, item_of, key_of, read_table
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError

_KEY = re.compile(r"(?P<study>(?P<patient>\d+)s\d+)_\d+", re.IGNORECASE)


def read(root: Path, options: Options) -> Manifest:
    """List the labelled pictures."""
    table = options.sheet or _table(root)
    pictures: dict[str, list[Path]] = {}
    for path in files_ending(root, ".png"):
        pictures.setdefault(path.stem, []).append(path)
    rows, failures = [], []
    for line in read_table(table, ["query_key", "view_label"]):
        found = _meant(line["query_key"], pictures)
        if not found:
            failures.append(Failure(line["query_key"], "missing", f"Is named in {table.name} and is not there."))
            continue
        if len(found) > 1:
            failures += _ambiguous([key_of(path, root) for path in found], table)
            continue
        path = found[0]
        match = _KEY.fullmatch(path.stem)
        rows.append(
            ManifestRow(
                key_of(path, root),
                item_of(path, root),
                line["view_label"],
                patient=match["patient"] if match else "",
                study=match["study"] if match else "",
                split=column_split(line.get("split", ""), table, "split"),
                still=True,
            )
        )
    odd = {failure.file for failure in failures}  # named by one line with its folder, and by another without
    return Manifest(tuple(row for row in rows if row.cine not in odd), tuple(dict.fromkeys(failures)))


def _meant(key: str, pictures: Mapping[str, Sequence[Path]]) -> Sequence[Path]:
    """Return the pictures that a name may mean; of several those whose folder and ending it gives as well."""
    parts = Path(key).parts
    name = parts[-1] if parts else ""
    found = pictures.get(name[:-4] if name.lower().endswith(".png") else name, [])
    return [path for path in found if path.parts[-len(parts) :] == parts] or found


def _ambiguous(keys: Sequence[str], table: Path) -> list[Failure]:
    reason = f"Several pictures have this name: {' and '.join(keys)}. Name the folder in {table.name}; it is not used."
    return [Failure(key, "label_conflict", reason) for key in keys]


def _table(root: Path) -> Path:
    tables = files_ending(root, ".csv")
    unread = ""
    for table in tables:
        try:
            header = read_table_text(table, "a CSV table")[0].partition("\n")[0].casefold()
        except DataError as error:
            unread = unread or f" {error}"
            continue
        if "query_key" in header and "view_label" in header:
            return table
    names = ", ".join(key_of(table, root) for table in tables[:5]) or "none"
    raise DataError(
        f"{root}: holds no CSV with the columns 'query_key' and 'view_label'; tables found: {names}.{unread}"
    )


LAYOUT = Layout(
    "tmed2", "TMED-2: 112x112 PNG stills and a CSV with query_key,view_label", read, "TMED-2 (research use)"
)
