"""Results that survive an interruption: a ledger of finished units, then one JSON file and one table a question."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from echoplane import config
from echoplane._files import atomic_write
from echoplane.metrics.intervals import bootstrap
from echoplane.models.bundle import CARD_NAME, Bundle
from echoplane.phantom.recording import DRAWING

Row = dict[str, Any]
Say = Callable[[str], None]


#: Parts of a bundle's description that say nothing about its answers.
TOLD = ("name", "data", "metrics", "notes", "licence", "created", "made_by", "members", "calibrated_on")


def identity(bundle: Bundle) -> str:
    """Return a hash of all that decides an answer; a new card or note leaves it as it is."""
    facts = {k: v for k, v in config.to_mapping(bundle.facts).items() if k not in TOLD}
    members = {name: m.sha256 for name, m in bundle.facts.members.items() if name != CARD_NAME}
    text = json.dumps([facts, members], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def quiet(words: str) -> None:
    """Say nothing."""


class Ledger:
    """Rows of finished units (a cine, a clip), appended one line a unit, so that a run can be taken up again.

    A file written for another `key` (other weights, other settings), or with phantoms drawn otherwise, is thrown away.
    """

    def __init__(self, path: Path, key: Row) -> None:
        self.path = path
        key = {"drawing": DRAWING, **key}
        self._units: dict[str, list[Row]] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        parsed = [line for line in map(_parsed, lines) if line]
        if parsed and parsed[0].get("key") == key:
            self._units = {line["unit"]: line["rows"] for line in parsed[1:]}
        with atomic_write(path) as stream:
            stream.write(json.dumps({"key": key}) + "\n")
            stream.writelines(_line(unit, rows) for unit, rows in self._units.items())

    def __contains__(self, unit: str) -> bool:
        return unit in self._units

    def add(self, unit: str, rows: list[Row]) -> None:
        """Note a finished unit."""
        self._units[unit] = rows
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(_line(unit, rows))

    def rows(self) -> list[Row]:
        """Return all rows, each with its unit under ``cine``."""
        return [{"cine": unit, **row} for unit, rows in self._units.items() for row in rows]


def _line(unit: str, rows: list[Row]) -> str:
    return json.dumps({"unit": unit, "rows": plain(rows)}) + "\n"


def _parsed(line: str) -> Row | None:
    try:
        found = json.loads(line)
    except json.JSONDecodeError:  # the line that an interruption cut
        return None
    return found if isinstance(found, dict) else None


def plain(value: Any) -> Any:
    """Turn NumPy numbers into Python's, and what is not finite into None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def save(out: Path, name: str, facts: Row, text: str) -> None:
    """Write ``name.json``, which drawing of phantoms it was measured with, and ``name.md``."""
    facts = {"drawing": DRAWING, **facts}
    with atomic_write(out / f"{name}.json") as stream:
        stream.write(json.dumps(plain(facts), indent=1) + "\n")
    with atomic_write(out / f"{name}.md") as stream:
        stream.write(text)


def of_today(facts: Row | None) -> bool:
    """Tell whether a measure shows phantoms as they are drawn and named now; the first drawing did not say so."""
    return facts is not None and facts.get("drawing", 1) == DRAWING


def load(out: Path, name: str) -> Row | None:
    """Read ``name.json``, or None where it was not measured."""
    path = out / f"{name}.json"
    found: Row | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


def share(right: Iterable[bool], groups: Sequence[str], repeats: int = 1000) -> Row:
    """Return a share with its interval over resampled groups."""
    return figure(np.array(list(right), dtype=float), groups, lambda x: float(x.mean()), repeats)


def figure(values: Any, groups: Sequence[str], how: Callable[[Any], float], repeats: int = 1000) -> Row:
    """Return any figure of rows with its interval over resampled groups."""
    if len(groups) == 0:
        return {"value": None, "low": None, "high": None, "cines": 0, "groups": 0}
    found = bootstrap(lambda rows: how(values[rows]), groups, repeats)
    counts = {"cines": len(groups), "groups": len(set(groups))}
    made: Row = plain({"value": found.value, "low": found.low, "high": found.high, **counts})
    return made


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the first column is text, the others are figures."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as per cent, or a dash."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def points(value: float | None, digits: int = 1) -> str:
    """Return a difference of shares in points, with its sign, or a dash."""
    return "-" if value is None else f"{100 * value + 0.0:+.{digits}f}"


def ranged(found: Row | None, digits: int = 1) -> str:
    """Return ``93.1 % (90.2 to 95.5)``."""
    if not found or found["value"] is None:
        return "-"
    low, high = (100 * v if v is not None else math.nan for v in (found["low"], found["high"]))
    return f"{percent(found['value'], digits)} ({low:.{digits}f} to {high:.{digits}f})"
