"""Text must not matter: the same cines with and without overlays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from echoplane.metrics.intervals import compare
from echoplane.models.bundle import Bundle
from echoplane.prepare.sector import find_sector
from echoplane.records import Cine, Sector
from echoplane.sources.open import open_cine
from measure import phantoms
from measure.development import Clip
from measure.overlays import KINDS, Sheet, draw, painted
from measure.reader import Reader, coarse
from measure.results import Ledger, Row, Say, identity, percent, points, quiet, ranged, save, share, table


def measure(bundle: Bundle, out: Path, clips: list[Clip], cines: int = 630, say: Say = quiet) -> Row:
    """Answer for phantoms and development clips with every kind of overlay; write ``text.json`` and its table."""
    ledger = Ledger(out / "text.rows.jsonl", {"bundle": identity(bundle), "kinds": KINDS})
    reader = Reader(bundle)
    for number in range(cines):
        unit = f"phantom {number:04d}"
        if unit not in ledger:
            rec = phantoms.recording(number)
            frames, fps = phantoms.picture_cine(rec, reader.facts.sampling)
            cine, sector = phantoms.as_cine(frames, fps), rec.framing.sector(rec.fan)
            ledger.add(unit, _answers(reader, cine, sector, rec.view, phantoms.patient_name(number), number))
            say(f"text: phantom {number + 1} of {cines}")
    for number, clip in enumerate(clips):
        unit = f"clip {clip.file}"
        if unit not in ledger:
            cine = open_cine(clip.path)
            ledger.add(unit, _answers(reader, cine, find_sector(cine), clip.view, clip.group, number))
            say(f"text: clip {number + 1} of {len(clips)}")
    wanted = {f"phantom {n:04d}" for n in range(cines)} | {f"clip {c.file}" for c in clips}
    rows = [row for row in ledger.rows() if row["cine"] in wanted]
    facts = {
        "bundle": identity(bundle),
        "phantom": [_kind([r for r in rows if r["cine"].startswith("phantom")], kind) for kind in KINDS],
        "clips": [_kind([r for r in rows if r["cine"].startswith("clip")], kind) for kind in KINDS],
    }
    save(out, "text", facts, markdown(facts))
    return facts


def _answers(reader: Reader, cine: Cine, sector: Sector, view: str, group: str, seed: int) -> list[Row]:
    made: list[Row] = []
    for kind in ("none", *KINDS):
        sheet = (
            draw(kind, cine.height, cine.width, sector, view, seed)
            if kind != "none"
            else Sheet.of(cine.height, cine.width)
        )
        found = reader.cine(painted(cine, sheet))
        made.append({"kind": kind, "truth": coarse(view), "group": group, **found.row()})
    return made


def _kind(rows: list[Row], kind: str) -> Row:
    before = {row["cine"]: row for row in rows if row["kind"] == "none"}
    pairs = [(before[row["cine"]], row) for row in rows if row["kind"] == kind]
    if not pairs:
        return {"kind": kind, "cines": 0}
    groups = [a["group"] for a, _ in pairs]
    right_before = np.array([a["best"] == a["truth"] for a, _ in pairs])
    right_after = np.array([b["best"] == b["truth"] for _, b in pairs])
    gain = compare(right_after, right_before, groups, repeats=1000).difference
    return {
        "kind": kind,
        "cines": len(pairs),
        "accuracy_before": float(right_before.mean()),
        "accuracy_after": float(right_after.mean()),
        "change": {"value": gain.value, "low": gain.low, "high": gain.high},
        "answers_changed": share([a["best"] != b["best"] for a, b in pairs], groups),
        "offered_changed": share([_offered(a) != _offered(b) for a, b in pairs], groups),
        "largest_move": max(abs(a["main"] - b["main"]) for a, b in pairs),
    }


def _offered(row: Row) -> str:
    return str(row["best"]) if row["status"] == "ok" else str(row["status"])


def markdown(facts: Row) -> str:
    """Return the table."""
    lines = []
    for where, words in (("phantom", "phantoms"), ("clips", "development clips")):
        for row in facts[where]:
            if not row["cines"]:
                continue
            change = row["change"]
            # Clips that were trained on have no accuracy worth telling; how far answers move is told all the same.
            moved = (
                ""
                if where == "clips"
                else f"{points(change['value'], 2)} ({points(change['low'])} to {points(change['high'])})"
            )
            lines.append(
                (
                    f"{words}, overlays {row['kind']}",
                    row["cines"],
                    moved,
                    ranged(row["answers_changed"]),
                    ranged(row["offered_changed"]),
                    percent(row["largest_move"]),
                )
            )
    header = (
        "what",
        "cines",
        "change of accuracy, points",
        "forced answers that change",
        "rows that change",
        "largest move of a probability",
    )
    return table(header, lines)
