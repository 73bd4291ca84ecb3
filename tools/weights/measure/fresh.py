"""Phantom patients that no training, no choice of an epoch and no calibration has seen: all views."""

from __future__ import annotations

from pathlib import Path

from echoplane.models.bundle import Bundle
from echoplane.phantom.dataset import DatasetPlan, render_planned
from echoplane.sampling.clips import plan
from echoplane.views import MAIN_VIEWS, OTHER, Family, family_of
from measure import phantoms
from measure.reader import Reader, coarse
from measure.results import Ledger, Row, Say, identity, percent, quiet, ranged, save, share, table

#: Labels that recipes fold into another.
SAME_AS = {"RV-A4C": "A4C"}
#: A picture on the border of two views has no right name; a clear one is so much of its own.
CLEAR = 0.8


def measure(bundle: Bundle, out: Path, cines: int = 1440, say: Say = quiet) -> Row:
    """Render, answer, and write ``phantom.json`` and its tables."""
    ledger = Ledger(out / "phantom.rows.jsonl", {"bundle": identity(bundle)})
    reader = Reader(bundle)
    drawn = DatasetPlan(clips=cines, seed=phantoms.SEED)
    for number in range(cines):
        unit = f"{number:04d}"
        if unit in ledger:
            continue
        clip = render_planned(drawn, number, reader.facts.recipe)
        indices = plan(len(clip.frames), clip.fps, reader.facts.sampling).indices
        found = reader.clips(clip.frames[indices])
        own = max(clip.shares.values())
        ledger.add(
            unit,
            [
                {
                    "truth": SAME_AS.get(clip.view, clip.view),
                    "group": drawn.patient_of(number),
                    "own": own,
                    "disease": clip.facts["disease"],
                    **found.row(),
                }
            ],
        )
        if number % 20 == 19:
            say(f"phantom patients: cine {number + 1} of {cines}")
    rows = [row for row in ledger.rows() if int(row["cine"]) < cines]
    facts = {"bundle": identity(bundle), "seed": phantoms.SEED, "clear": CLEAR, **figures(rows)}
    save(out, "phantom", facts, markdown(facts))
    return facts


def figures(rows: list[Row]) -> Row:
    """Return every figure."""

    def of(chosen: list[Row]) -> Row:
        return share([r["best"] == coarse(r["truth"]) for r in chosen], [r["group"] for r in chosen])

    main = [r for r in rows if r["truth"] in MAIN_VIEWS]
    families = (Family.APICAL, Family.SHORT_AXIS)
    cardiac = [r for r in main if family_of(r["truth"]) in families]
    offered = [r for r in rows if r["status"] != "unsure"]
    columns = [*MAIN_VIEWS, OTHER]
    return {
        "cines": len(rows),
        "patients": len({r["group"] for r in rows}),
        "accuracy": of(rows),
        "accuracy_clear": of([r for r in rows if r["own"] >= CLEAR]),
        "accuracy_main": of(main),
        "family": share(
            [family_of(r["label"]) == family_of(r["truth"]) for r in cardiac], [r["group"] for r in cardiac]
        ),
        "recall": {view: of([r for r in rows if coarse(r["truth"]) == view]) for view in columns},
        "precision": {
            view: share([coarse(r["truth"]) == view for r in got], [r["group"] for r in got])
            for view in columns
            for got in [[r for r in rows if r["best"] == view]]
        },
        "answered": share([r["status"] != "unsure" for r in rows], [r["group"] for r in rows]),
        "right_of_answered": of(offered),
        "confusion": counted(rows),
        "labels": {
            label: {"cines": len(own), "as_main_view": sum(r["best"] in MAIN_VIEWS for r in own)}
            for label in sorted({r["truth"] for r in rows} - set(MAIN_VIEWS))
            for own in [[r for r in rows if r["truth"] == label]]
        },
    }


def counted(rows: list[Row]) -> Row:
    """Return how many cines of each main view, and of all others, got which answer."""
    columns = [*MAIN_VIEWS, OTHER]
    counts = [[sum(coarse(r["truth"]) == t and r["best"] == c for r in rows) for c in columns] for t in columns]
    return {"columns": columns, "counts": counts}


def markdown(facts: Row) -> str:
    """Return the tables."""
    named = [
        ("accuracy, six views and other", "accuracy"),
        (f"cines that are clearly one view (share >= {facts['clear']:g})", "accuracy_clear"),
        ("accuracy, six main views", "accuracy_main"),
        ("apical against short axis", "family"),
        ("not `unsure`", "answered"),
        ("right of these", "right_of_answered"),
    ]
    first = table(("figure", "value", "cines"), [(words, ranged(facts[k]), facts[k]["cines"]) for words, k in named])
    return first + "\n" + per_view(facts) + "\n" + confusion(facts)


def per_view(facts: Row) -> str:
    """Return recall and precision by view."""
    rows = [
        (v, ranged(facts["recall"][v]), ranged(facts["precision"][v]), facts["recall"][v]["cines"])
        for v in facts["recall"]
    ]
    return table(("view", "recall", "precision", "cines"), rows)


def confusion(facts: Row) -> str:
    """Return forced answers against the truth."""
    found = facts["confusion"]
    rows = [[t, *counts] for t, counts in zip(found["columns"], found["counts"], strict=True)]
    return table(("truth / answer", *found["columns"]), rows)


def others(facts: Row) -> str:
    """Return how often what is no main view is taken for one."""
    rows = [(label, n["cines"], percent(n["as_main_view"] / n["cines"], 0)) for label, n in facts["labels"].items()]
    return table(("what is shown", "cines", "taken for a main view"), rows)
