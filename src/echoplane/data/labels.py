"""From the labels of a data set to the views of the vocabulary, through a table that people edit.

The table is a CSV with the columns ``given`` (as the data set spells it) and ``label`` (a view of the vocabulary, or
``skip`` to leave such cines out on purpose); further columns are for notes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from echoplane._files import csv_mark, read_table_text, text_cell, text_of_cell, write_csv
from echoplane.errors import DataError
from echoplane.views import VIEWS, find_view, suggest

SKIP = "skip"
_KNOWN = {view.label for view in VIEWS}
#: Unknown labels shown in a message; the table has them all.
SHOWN = 20


class UnknownLabelsError(DataError):
    """Labels that neither the table nor the vocabulary knows; `template` has them with suggestions."""

    def __init__(self, unknown: Mapping[str, int], template: Mapping[str, str]) -> None:
        self.unknown = dict(unknown)
        self.template = dict(template)
        lines = [f"  {given!r} ({count} cines){suggest(given)}" for given, count in list(self.unknown.items())[:SHOWN]]
        more = f"\n  and {len(self.unknown) - SHOWN} more" if len(self.unknown) > SHOWN else ""
        are, they_are = ("label is", "it is") if len(self.unknown) == 1 else ("labels are", "they are")
        super().__init__(
            f"{len(self.unknown)} {are} not known:\n"
            + "\n".join(lines)
            + more
            + f"\nSay in a table what {they_are} (columns given,label; 'skip' leaves its cines out), and give it as "
            "--labels."
        )


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Given label to view.

    Attributes
    ----------
    entries : mapping of str to str
        Given label (compared without regard to case and outer spaces) to view or ``"skip"``.
    """

    entries: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def load(path: str | Path) -> LabelTable:
        """Read a table.

        Raises
        ------
        DataError
            When the file or a column is missing, a line has no label, a label is not in the vocabulary, or a given
            label stands twice with two meanings; the message names file and line.
        """
        text, first = read_table_text(path, "a label table")
        return _parse(text, str(path), first)

    @staticmethod
    def of_layout(layout: str) -> LabelTable:
        """Return the table that comes with a layout; empty where the vocabulary is enough."""
        file = resources.files("echoplane.data") / "tables" / f"{layout}.csv"
        return _parse(file.read_text(encoding="utf-8"), file.name) if file.is_file() else LabelTable()

    def over(self, other: LabelTable) -> LabelTable:
        """Return a table in which this one has the last word."""
        return LabelTable({**other.entries, **self.entries})

    def resolve(self, given: str) -> str | None:
        """Return the view or ``"skip"``; None when it is not known.

        What the table does not have is looked up in the vocabulary (:func:`echoplane.views.find_view`).
        """
        found = self.entries.get(_key(given))
        if found is not None:
            return found
        view = find_view(given)
        return view.label if view else None

    def resolve_all(self, given: Mapping[str, int]) -> dict[str, str]:
        """Return the meaning of every label.

        Parameters
        ----------
        given : mapping of str to int
            Label to number of cines.

        Raises
        ------
        UnknownLabelsError
            When some are not known.
        """
        meanings = {label: self.resolve(label) for label in given}
        unknown = {label: given[label] for label, meaning in meanings.items() if meaning is None}
        if unknown:
            template = {label: meaning or _guess(label) for label, meaning in meanings.items()}
            raise UnknownLabelsError(unknown, template)
        return {label: meaning for label, meaning in meanings.items() if meaning is not None}


def save_table(meanings: Mapping[str, str], path: str | Path, counts: Mapping[str, int] | None = None) -> None:
    """Write given label, view (and number of cines) as a table that :meth:`LabelTable.load` reads."""
    rows = [(text_cell(given), label, (counts or {}).get(given, "")) for given, label in sorted(meanings.items())]
    write_csv(path, [("given", "label", "cines"), *rows])


def _parse(text: str, where: str, first: int = 1) -> LabelTable:
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=csv_mark(text.partition("\n")[0]))
    lines.fieldnames = [name.strip().casefold() for name in lines.fieldnames or ()]
    if not {"given", "label"} <= set(lines.fieldnames):
        raise DataError(f"{where}: a label table needs the header 'given,label', found {lines.fieldnames}.")
    entries: dict[str, str] = {}
    for line in lines:
        number = lines.line_num + first - 1
        given, label = text_of_cell((line["given"] or "").strip()), (line["label"] or "").strip()
        if not given and not label:
            continue
        meaning = SKIP if label.casefold() == SKIP else _vocabulary(label)
        if not given or meaning is None:
            raise DataError(
                f"{where}:{number}: {given!r} is given the label {label!r}{suggest(label) or '.'} "
                f"Use 'skip', or one of {', '.join(view.label for view in VIEWS)}."
            )
        if entries.setdefault(_key(given), meaning) != meaning:
            raise DataError(f"{where}:{number}: {given!r} stands twice, as {entries[_key(given)]} and as {meaning}.")
    return LabelTable(entries)


def _vocabulary(label: str) -> str | None:
    if label in _KNOWN:
        return label
    view = find_view(label)
    return view.label if view else None


def _guess(label: str) -> str:
    """Return the nearest view's label, to be checked by a person; empty where nothing is near."""
    near = suggest(label).partition("'")[2].rpartition("'")[0]
    view = find_view(near) if near else None
    # "apical 6" is near to "apical 4", and something else.
    alike = re.findall(r"\d", label) == re.findall(r"\d", near)
    return view.label if view and alike else ""


def _key(given: str) -> str:
    return given.strip().casefold()


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels in the order of the vocabulary."""
    found = set(labels)
    return tuple(view.label for view in VIEWS if view.label in found)
