"""HMC-QU: apical four- and two-chamber AVI files, research use.

Written from the public description of the data set, not run on the real one: videos anywhere below the folder
(``HMC-QU Echos/*.avi``, or one folder a view). The view is read from the file name, its folder (``4CH``, ``A4C``,
``2CH``, ``A2C``), and ``A4C*.csv`` and ``A2C*.csv``, the spreadsheets of the data set saved as CSV, whose first column
names the videos. Those that name a view have to agree.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from echoplane._files import csv_mark, read_table_text
from echoplane.data.adapters._tables import files_ending, item_of, key_of
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError

_VIEW = re.compile(r"(?<![A-Z0-9])(?:A?([24])CH?|AP([24]))(?![A-Z0-9])", re.IGNORECASE)
_TABLE = re.compile("A[24]C", re.IGNORECASE)
_PATIENT = re.compile(r"(?P<patient>[A-Z]{1,4}\d{3,})", re.IGNORECASE)


def read(root: Path, options: Options) -> Manifest:
    """List the videos, once for each view that is said of them."""
    del options
    videos = files_ending(root, ".avi")
    if not videos:
        raise DataError(f"{root}: holds no .avi files; is this the folder of HMC-QU?")
    listed = _listed(root)
    rows, failures = [], []
    for path in videos:
        key = key_of(path, root)
        above = _views(path.parent.name)
        # A folder of both views says nothing.
        views = _views(path.stem) | listed.get(path.stem.casefold(), set()) | (above if len(above) == 1 else set())
        if not views:
            reason = "Neither its name nor its folder tells the view. Save the spreadsheets as A4C.csv and A2C.csv."
            failures.append(Failure(key, "no_label", reason))
            continue
        patient = _PATIENT.match(path.stem)
        who = patient["patient"].upper() if patient else ""
        rows += [ManifestRow(key, item_of(path, root), view, patient=who) for view in sorted(views)]
    return Manifest(tuple(rows), tuple(failures))


def _views(text: str) -> set[str]:
    return {f"A{match[1] or match[2]}C" for match in _VIEW.finditer(text.replace("_", " "))}


def _listed(root: Path) -> dict[str, set[str]]:
    """Return the views of each name in the spreadsheets."""
    views: dict[str, set[str]] = {}
    for table in files_ending(root, ".csv"):
        if match := _TABLE.match(table.name):
            for name in _first_column(table):
                views.setdefault(Path(name).stem.casefold(), set()).add(match[0].upper())
    return views


def _first_column(table: Path) -> list[str]:
    text, _ = read_table_text(table, "a CSV table")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=csv_mark(text.partition("\n")[0]))
    try:
        return [cells[0].strip() for cells in reader if cells and cells[0].strip()]
    except csv.Error as error:
        raise DataError(f"{table}: cannot be read as a CSV table ({error}).") from error


LAYOUT = Layout("hmc-qu", "HMC-QU: HMC-QU Echos/*.avi, A4C and A2C", read, "HMC-QU (research use)")
