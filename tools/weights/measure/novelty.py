"""Does it know what it does not know? Main views against cines that show no heart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from echoplane.metrics.classification import auroc
from echoplane.models.bundle import Bundle
from echoplane.sources.open import open_cine
from echoplane.views import MAIN_VIEWS
from measure import phantoms, strangers
from measure.development import Clip
from measure.reader import Reader
from measure.results import Ledger, Row, Say, identity, percent, quiet, save, table

#: What is compared: how much a cine seems to be none of the main views; higher is stranger.
SCORES = {
    "not a main view": "one minus the largest probability of a main view",
    "answers energy": "energy of the logits of the main views",
    "energy": "energy of all logits",
    "max probability": "one minus the largest probability of any label",
}


def measure(bundle: Bundle, out: Path, clips: list[Clip], cines: int = 96, each: int = 12, say: Say = quiet) -> Row:
    """Answer for main views and strangers; write ``novelty.json`` and its table."""
    ledger = Ledger(out / "novelty.rows.jsonl", {"bundle": identity(bundle)})
    reader = Reader(bundle)
    for number in range(cines):
        unit = f"heart {number:04d}"
        if unit not in ledger:
            frames, fps = phantoms.picture_cine(phantoms.recording(number), reader.facts.sampling)
            ledger.add(
                unit, [{"kind": "phantom hearts", "seen": True, **reader.cine(phantoms.as_cine(frames, fps)).row()}]
            )
            say(f"novelty: heart {number + 1} of {cines}")
    main = [c for c in clips if c.view in MAIN_VIEWS and not c.still]
    for clip in main:
        if f"clip {clip.file}" not in ledger:
            ledger.add(
                f"clip {clip.file}", [{"kind": "clips", "seen": True, **reader.cine(open_cine(clip.path)).row()}]
            )
    for name, seen, maker in strangers.kinds():
        for number in range(each):
            unit = f"{name} {number:04d}"
            if unit not in ledger:
                cine = phantoms.as_cine(maker(number), strangers.FPS, name)
                ledger.add(unit, [{"kind": name, "seen": seen, **reader.cine(cine).row()}])
        say(f"novelty: {name}")
    wanted = {f"heart {n:04d}" for n in range(cines)} | {f"clip {c.file}" for c in main}
    wanted |= {f"{name} {n:04d}" for name, _, _ in strangers.kinds() for n in range(each)}
    facts = {
        "bundle": identity(bundle),
        "limit": bundle.facts.thresholds.novelty_limit,
        "novelty": bundle.facts.thresholds.novelty,
        "scores": SCORES,
        **figures([r for r in ledger.rows() if r["cine"] in wanted]),
    }
    save(out, "novelty", facts, markdown(facts))
    return facts


def score(rows: list[Row], name: str) -> np.ndarray:
    """How strange rows are; higher is stranger."""
    if name.endswith("energy"):
        return np.array([r[name.replace(" ", "_")] for r in rows], float)
    return 1 - np.array([r["main" if name == "not a main view" else "most"] for r in rows], float)


def figures(rows: list[Row]) -> Row:
    """AUROC of each score, for all strangers, for those of a kind that training never saw, and by kind."""
    hearts = [r for r in rows if r["kind"] == "phantom hearts"]
    clips = [r for r in rows if r["kind"] == "clips"]
    others = [r for r in rows if r["kind"] not in ("phantom hearts", "clips")]
    names = list(dict.fromkeys(r["kind"] for r in others))

    def against(inside: list[Row], outside: list[Row]) -> Row:
        return {s: _auroc(inside, outside, s) for s in SCORES}

    new = [r for r in others if not r["seen"]]
    return {
        "hearts": {"cines": len(hearts), **_offered(hearts)},
        "clips": {"cines": len(clips), **_offered(clips)},
        "all": {
            "cines": len(others),
            "phantoms": against(hearts, others),
            "clips": against(clips, others),
            **_offered(others),
        },
        "never_seen": {
            "cines": len(new),
            "phantoms": against(hearts, new),
            "clips": against(clips, new),
            **_offered(new),
        },
        "kinds": [
            {
                "kind": name,
                "seen": own[0]["seen"],
                "cines": len(own),
                "phantoms": against(hearts, own),
                "clips": against(clips, own),
                **_offered(own),
            }
            for name in names
            for own in [[r for r in others if r["kind"] == name]]
        ],
    }


def _auroc(inside: list[Row], outside: list[Row], name: str) -> float | None:
    if not inside or not outside:
        return None
    values = np.concatenate([score(inside, name), score(outside, name)])
    return auroc(np.arange(len(values)) >= len(inside), values)


def _offered(rows: list[Row]) -> Row:
    if not rows:
        return {"as_main_view": None, "unsure": None, "other": None}
    found = [r["status"] for r in rows]
    return {
        "as_main_view": found.count("ok") / len(rows),
        "unsure": found.count("unsure") / len(rows),
        "other": found.count("other") / len(rows),
    }


def markdown(facts: Row) -> str:
    """Return the table."""

    def line(words: str, row: Row) -> tuple[object, ...]:
        cells = [_three(row["phantoms"][s]) for s in SCORES]
        return (
            words,
            row["cines"],
            *cells,
            _three(row["clips"]["not a main view"]),
            percent(row["as_main_view"], 0),
            percent(row["unsure"], 0),
            percent(row["other"], 0),
        )

    rows = [line("all strangers", facts["all"]), line("of kinds never trained on", facts["never_seen"])]
    rows += [line(row["kind"] + (" (kind seen in training)" if row["seen"] else ""), row) for row in facts["kinds"]]
    header = (
        "what",
        "cines",
        *(f"AUROC, {s}" for s in SCORES),
        "against the real clips",
        "offered as a main view",
        "unsure",
        "other",
    )
    hearts = facts["hearts"]
    offered, unsure = percent(hearts["as_main_view"], 0), percent(hearts["unsure"], 0)
    note = (
        f"AUROC against {hearts['cines']} phantom cines of the main views, of which {offered} are offered a main view "
        f"and {unsure} are `unsure`; the last AUROC against {facts['clips']['cines']} real clips of the main views.\n"
    )
    return table(header, rows) + "\n" + note


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
