"""Frame rates that stand beside a file, in a label sheet or a table, where the file says its own."""

from __future__ import annotations

from echoplane.data.manifest import ManifestRow
from echoplane.records import Cine

#: Rates that differ by a smaller share are one: tables round them.
SAME = 0.02


def other_rate(cine: Cine, row: ManifestRow) -> str:
    """Say it where a file plays at another rate than what lies beside it says; else return an empty string."""
    if not cine.fps or not row.fps or abs(row.fps / cine.fps - 1) <= SAME:
        return ""
    return f"Plays at {cine.fps:.4g} frames a second by its file, which counts, and at {row.fps:.4g} by its table."


def other_rates(count: int) -> tuple[str, ...]:
    """Say of how many cines that is so; nothing where it is so of none."""
    if not count:
        return ()
    return (
        f"The frame rate of {count} cines is another in their files than beside them; the files' counts, and the notes "
        "of these cines say so.",
    )
