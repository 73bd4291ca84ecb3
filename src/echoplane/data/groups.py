"""Which cines must never be parted: those of one patient, and copies of one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from echoplane.metrics.predictions import CINE, PATIENT, STUDY
from echoplane.store import StoreRow


@dataclass(frozen=True, slots=True)
class Groups:
    """Cines sorted into groups that stay on one side of every split.

    Attributes
    ----------
    of : tuple of int
        Group number of each row, numbered from 0 by first appearance.
    names : tuple of str
        A name for each group, ``"patient p1"``, ``"study s3"`` or ``"cine a.dcm"``.
    known_by : tuple of str
        For each row what the grouping rests on: ``"patient"``, ``"study"`` or ``"cine"``.
    """

    of: tuple[int, ...]
    names: tuple[str, ...]
    known_by: tuple[str, ...]

    def warning(self) -> str:
        """Return one sentence when a patient is not known for every cine, else an empty string."""
        counts = Counter(self.known_by)
        parts = []
        if counts[STUDY]:
            parts.append(f"{counts[STUDY]} cines have no patient and are grouped by study")
        if counts[CINE]:
            parts.append(
                f"{counts[CINE]} cines have neither patient nor study and stand alone, so two cines of one person "
                "may land on two sides"
            )
        return f"{'; '.join(parts)}." if parts else ""


def group_rows(rows: Sequence[StoreRow], together: Iterable[tuple[str, str]] = ()) -> Groups:
    """Group cines by patient; by study where the patient is not known; else each cine alone.

    Cines of equal content (equal checksum) are one group whatever their patient, and so are the pairs in
    `together`. A cine without a patient joins all cines of its study.

    Parameters
    ----------
    rows : sequence of StoreRow
    together : iterable of (str, str)
        Keys of cines that must not be parted, for example near-duplicates.
    """
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(i: int, j: int) -> None:
        i, j = root(i), root(j)
        parent[max(i, j)] = min(i, j)

    first: dict[tuple[str, str], int] = {}
    orphans = {row.study for row in rows if not row.group and row.study}
    for i, row in enumerate(rows):
        keys = [("content", row.sha256), (PATIENT, row.group)]
        if row.study in orphans:
            keys.append((STUDY, row.study))
        for kind, value in keys:
            if value:
                join(first.setdefault((kind, value), i), i)
    number = {row.cine: i for i, row in enumerate(rows)}
    for one, two in together:
        if one in number and two in number:
            join(number[one], number[two])

    order: dict[int, int] = {}
    of = tuple(order.setdefault(root(i), len(order)) for i in range(len(rows)))
    known_by = tuple(group_of(row)[1] for row in rows)
    return Groups(of, tuple(group_name(rows[i]) for i in order), known_by)


def group_of(row: StoreRow) -> tuple[str, str]:
    """Return the patient of a cine, or else its study, or else itself; and which of these it is."""
    if row.group:
        return row.group, PATIENT
    return (row.study, STUDY) if row.study else (row.cine, CINE)


def group_name(row: StoreRow) -> str:
    """Return what the group of a cine is called where the cine is the first of it, for example ``"patient p1"``."""
    name, known_by = group_of(row)
    return f"{known_by} {name}"
