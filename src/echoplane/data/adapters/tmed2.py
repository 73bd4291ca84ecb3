"""TMED-2: single frames of 112 x 112 pixels with a view label, research use.

Written from the public description of the data set, not run on the real one: PNG files anywhere below the folder, and
one CSV with the columns ``query_key`` (the picture's name) and ``view_label``. Names like ``27s1_5.png`` are taken as
patient 27, study 27s1, picture 5.
"""

from __future__ import annotations

import re
from pathlib import Path

from echoplane.data.adapters._tables import column_split, item_of, key_of, read_table
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError

_KEY = re.compile(r"(?P<study>(?P<patient>\d+)s\d+)_\d+", re.IGNORECASE)


def read(root: Path, options: Options) -> Manifest:
    """List the labelled pictures."""
    table = options.sheet or _table(root)
    pictures = {path.name: path for path in sorted(root.rglob("*.png"))}
    rows, failures = [], []
    for line in read_table(table, ["query_key", "view_label"]):
        name = Path(line["query_key"]).name
        path = pictures.get(name) or pictures.get(f"{name}.png")
        if path is None:
            failures.append(Failure(line["query_key"], "missing", f"Is named in {table.name} and is not there."))
            continue
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
    return Manifest(tuple(rows), tuple(failures))


def _table(root: Path) -> Path:
    tables = sorted(root.rglob("*.csv"))
    for table in tables:
        with table.open(encoding="utf-8-sig", errors="replace") as stream:
            header = stream.readline().casefold()
        if "query_key" in header and "view_label" in header:
            return table
    names = ", ".join(key_of(table, root) for table in tables[:5]) or "none"
    raise DataError(f"{root}: holds no CSV with the columns 'query_key' and 'view_label'; tables found: {names}.")


LAYOUT = Layout(
    "tmed2", "TMED-2: 112x112 PNG stills and a CSV with query_key,view_label", read, "TMED-2 (research use)"
)
