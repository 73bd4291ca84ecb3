"""The leak check: one patient, study or picture on two sides of a split is an error, not a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from echoplane.data.groups import group_rows
from echoplane.errors import DataError, LeakError
from echoplane.store import StoreRow

if TYPE_CHECKING:
    from echoplane.data.split import Split

#: Examples shown in the message.
SHOWN = 5


def check_leaks(
    split: Split,
    rows: Sequence[StoreRow],
    together: Sequence[tuple[str, str]] = (),
    store_of: Mapping[str, str] | None = None,
) -> None:
    """Raise when cines that belong together are parted.

    Parameters
    ----------
    split : Split
        May name cines that `rows` does not have.
    rows : sequence of StoreRow
        What is known about the cines: patient, study, content.
    together : sequence of (str, str)
        Near-duplicates and other pairs that must not be parted.
    store_of : mapping of str to str, optional
        The store of each cine, by its key: patients may be called alike in two of them.

    Raises
    ------
    LeakError
        One group on two sides; the message names groups and cines.
    DataError
        When the split names none of the cines.
    """
    side = {row.cine: row.part if row.fold is None else f"fold {row.fold}" for row in split.rows}
    known = [row for row in rows if row.cine in side]
    if rows and not known:
        raise DataError("the split names none of the cines of the store; it was made for other data.")
    groups = group_rows(known, together)
    sides: dict[int, dict[str, str]] = {}
    for row, group in zip(known, groups.of, strict=True):
        sides.setdefault(group, {}).setdefault(side[row.cine], row.cine)
    raise_leaks({groups.names[g]: found for g, found in sides.items() if len(found) > 1}, "the split", known, store_of)


def raise_leaks(
    leaks: Mapping[str, Mapping[str, str]],
    what: str,
    rows: Sequence[StoreRow] = (),
    store_of: Mapping[str, str] | None = None,
) -> None:
    """Raise LeakError when there are leaks: group name to {side: a cine there}."""
    if not leaks:
        return
    lines = [
        f"  {name}: " + ", ".join(f"{cine!r} in {side}" for side, cine in found.items())
        for name, found in list(leaks.items())[:SHOWN]
    ]
    more = f"\n  and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else ""
    raise LeakError(
        f"{what} parts cines that belong together ({len(leaks)} groups):\n"
        + "\n".join(lines)
        + more
        + "\nA result measured on it would be too good. "
        + (_called_alike(leaks, rows, store_of or {}) or "Split again by patient.")
    )


def _called_alike(leaks: Mapping[str, Mapping[str, str]], rows: Sequence[StoreRow], store_of: Mapping[str, str]) -> str:
    """Say what to do where two stores may have numbered their patients alike; no other split would help there."""
    patient = {row.cine: row.group for row in rows}
    for found in leaks.values():
        cines = list(found.values())
        places = dict.fromkeys(store_of.get(cine, "") for cine in cines)
        if len(places) > 1 and len({patient.get(cine) or cine for cine in cines}) == 1:
            return (
                f"One patient id in two stores ({', '.join(places)}) counts as one person. If it is one, keep all of "
                "these cines on one side; if both stores number their patients from the beginning, prepare one of them "
                "anew with ids that the other does not have (the patient column of its sheet, or `echoplane prepare "
                "--patients` with a pattern that takes in more of the path)."
            )
    return ""
