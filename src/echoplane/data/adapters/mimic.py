"""MIMIC-IV-ECHO: DICOM files by patient and study, with soft view labels from a second table; credentialed access.

Written from the public description of the data sets, not run on the real ones: ``echo-record-list.csv`` with
``subject_id,study_id,acquisition_datetime,dicom_filepath``; view labels from ECHOVIEW, given as ``--sheet``: a CSV
with the DICOM's path or name in one column and a probability in each of the others. Without it the cines are stored
without labels.
"""

from __future__ import annotations

from pathlib import Path

from echoplane.data.adapters._tables import (
    is_file,
    item_of,
    key_of,
    need_file,
    number,
    read_numbered,
    read_table,
    safe_below,
)
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError

_NAME = ("dicom_filepath", "filename", "file", "dicom", "dicom_id")
_NOT_VIEWS = {"subject_id", "study_id", "acquisition_datetime", "predicted_view", "view", "split"}
#: Probabilities may miss 1 by the rounding of their digits.
_TOLERANCE = 0.05


def read(root: Path, options: Options) -> Manifest:
    """List the records, with the probabilities of ``--sheet`` as soft labels."""
    table = need_file(root, "echo-record-list.csv")
    shares, conflicts = _probabilities(options.sheet) if options.sheet else ({}, {})
    rows, failures = [], []
    for line in read_table(table, ["subject_id", "study_id", "dicom_filepath"]):
        path = safe_below(table.parent, line["dicom_filepath"])
        if path is None or not is_file(path):
            name = line["dicom_filepath"]
            failures.append(Failure(name, "missing", f"Is named in {table.name} and is not there."))
            continue
        if path.stem in conflicts:
            failures.append(Failure(key_of(path, root), "label_conflict", conflicts[path.stem]))
            continue
        soft = shares.get(path.stem, {})
        if shares and not soft:
            assert options.sheet is not None
            reason = f"Has no line in {options.sheet.name}."
            failures.append(Failure(key_of(path, root), "no_label", reason))
            continue
        rows.append(
            ManifestRow(
                key_of(path, root),
                item_of(path, root),
                given_shares=soft,
                patient=line["subject_id"],
                study=line["study_id"],
            )
        )
    return Manifest(tuple(rows), tuple(failures))


def _probabilities(table: Path) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Return for each DICOM's name, without folder and ending, its view probabilities above 0.

    The second mapping says of the names with two lines that contradict each other which lines these are.
    """
    found: dict[str, dict[str, float]] = {}
    places: dict[str, int] = {}
    conflicts: dict[str, str] = {}
    for place, line in read_numbered(table, [_NAME]):
        name = line.pop("dicom_filepath")
        values = {view: number(text) for view, text in line.items() if view and view.casefold() not in _NOT_VIEWS}
        shares = {view: value for view, value in values.items() if value is not None}
        if min(shares.values(), default=-1) < 0 or abs(sum(shares.values()) - 1) > _TOLERANCE:
            raise DataError(
                f"{table}:{place}: the probabilities of {name!r} sum to {sum(shares.values()):.3f}, expected 1; "
                f"columns taken as views: {', '.join(shares) or 'none'}."
            )
        total = sum(shares.values())
        shares = {view: value / total for view, value in shares.items() if value > 0}
        stem = Path(name).stem
        if found.setdefault(stem, shares) != shares:
            lines = f"{table.name}:{places[stem]} and {table.name}:{place}"
            conflicts[stem] = f"Has different probabilities in {lines}. Correct that; it is not used."
        places.setdefault(stem, place)
    return found, conflicts


LAYOUT = Layout(
    "mimic-iv-echo",
    "MIMIC-IV-ECHO: echo-record-list.csv, files/p10/...; --sheet: table of view probabilities",
    read,
    "MIMIC-IV-ECHO (PhysioNet credentialed)",
)
