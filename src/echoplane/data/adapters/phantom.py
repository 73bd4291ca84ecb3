"""Phantom studies as ``echoplane phantom study`` writes them: ``truth.csv`` beside one folder a patient."""

from __future__ import annotations

from pathlib import Path

from echoplane.data.adapters._tables import is_file, item_of, need_file, number, read_numbered, safe_below
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.errors import DataError


def read(root: Path, options: Options) -> Manifest:
    """List the files of ``truth.csv``, with hard and soft labels."""
    del options
    table = need_file(root, "truth.csv")
    rows, failures = [], []
    for place, line in read_numbered(table, ["file", "patient", "study", "view", "shares"]):
        path = safe_below(table.parent, line["file"])
        if path is None or not is_file(path):
            failures.append(Failure(line["file"], "missing", f"Is named in {table.name}:{place} and is not there."))
            continue
        item = item_of(path, root)
        rows.append(
            ManifestRow(
                item.source,
                item,
                line["view"],
                given_shares=_shares(line["shares"], f"{table}:{place}"),
                patient=line["patient"],
                study=line["study"],
            )
        )
    return Manifest(tuple(rows), tuple(failures))


def _shares(text: str, where: str) -> dict[str, float]:
    """Read ``A4C:0.700 A5C:0.300``."""
    shares = {}
    for word in text.split():
        view, _, share = word.rpartition(":")
        value = number(share)
        if not view or value is None or value < 0:
            raise DataError(f"{where}: column 'shares' holds {word!r}; expected view:share.")
        if value > 0:
            shares[view] = value
    return shares


LAYOUT = Layout(
    "phantom", "phantom studies: truth.csv and one folder a patient", read, "echoplane phantom (Apache-2.0)"
)
