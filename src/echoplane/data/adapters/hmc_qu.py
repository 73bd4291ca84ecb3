"""HMC-QU: apical four- and two-chamber AVI files, research use.

Written from the public description of the data set, not run on the real one: videos anywhere below the folder
(``HMC-QU Echos/*.avi``, or one folder a view). The view is read from the file name or its folder (``4CH``, ``A4C``,
``2CH``, ``A2C``); for names that do not tell it, from ``A4C*.csv`` and ``A2C*.csv``, the spreadsheets of the data set
saved as CSV, whose first column names the videos.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from echoplane._files import csv_mark
from echoplane.data.adapters._tables import item_of, key_of
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError

_VIEW = re.compile(r"(?<![A-Z0-9])(?:A?([24])CH?|AP([24]))(?![A-Z0-9])", re.IGNORECASE)
_PATIENT = re.compile(r"(?P<patient>[A-Z]{1,4}\d{3,})", re.IGNORECASE)


def read(root: Path, options: Options) -> Manifest:
    """List the videos."""
    del options
    videos = sorted(path for path in root.rglob("*") if path.suffix.lower() == ".avi")
    if not videos:
        raise DataError(f"{root}: holds no .avi files; is this the folder of HMC-QU?")
    listed = _listed(root)
    rows, failures = [], []
    for path in videos:
        key = key_of(path, root)
        view = _view(path.stem) or listed.get(path.stem.casefold(), "") or _view(path.parent.name)
        if not view:
            reason = "Neither its name nor its folder tells the view. Save the spreadsheets as A4C.csv and A2C.csv."
            failures.append(Failure(key, "no_label", reason))
            continue
        patient = _PATIENT.match(path.stem)
        rows.append(ManifestRow(key, item_of(path, root), view, patient=patient["patient"].upper() if patient else ""))
    return Manifest(tuple(rows), tuple(failures))


def _view(text: str) -> str:
    match = _VIEW.search(text.replace("_", " "))
    return f"A{match[1] or match[2]}C" if match else ""


def _listed(root: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for view in ("A4C", "A2C"):
        for table in sorted(root.rglob(f"{view}*.csv")):
            with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
                mark = csv_mark(stream.readline())
                stream.seek(0)
                for cells in csv.reader(stream, delimiter=mark):
                    if cells and cells[0].strip():
                        names[Path(cells[0].strip()).stem.casefold()] = view
    return names


LAYOUT = Layout("hmc-qu", "HMC-QU: HMC-QU Echos/*.avi, A4C and A2C", read, "HMC-QU (research use)")
