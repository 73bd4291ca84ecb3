"""Real development clips: confusion, recall by view, families, what abstaining buys."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echoplane.inference.classifier import ViewClassifier
from echoplane.metrics.intervals import compare
from echoplane.metrics.selective import area_under_risk_coverage, risk_coverage
from echoplane.models.bundle import Bundle
from echoplane.records import Status, ViewResult
from echoplane.views import MAIN_VIEWS, OTHER, Family, family_of
from measure.leftout import LeftOut
from measure.reader import Reading, coarse, from_probabilities
from measure.results import Row, Say, figure, identity, percent, points, quiet, ranged, save, share, table

FAMILIES = (Family.APICAL, Family.SHORT_AXIS)
LONG_APICAL = ("A2C", "A3C", "A4C")
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
#: A short axis of no stated level: right or wrong cannot be said of its level.
LEVEL_UNKNOWN = "PSAX"


@dataclass(frozen=True, slots=True)
class Clip:
    """One row of INDEX.csv."""

    path: Path
    file: str
    view: str
    group: str
    licence: str
    still: bool


def read_index(folder: Path) -> list[Clip]:
    """Read the development clips' list; empty where there is none."""
    if not (folder / "INDEX.csv").is_file():
        return []
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        return [
            Clip(folder / r["file"], r["file"], r["view"], r["group"], r["licence"], r["kind"] == "still")
            for r in csv.DictReader(stream)
        ]


def measure(
    bundle: Bundle,
    out: Path,
    clips: list[Clip],
    left_out: LeftOut | None = None,
    seen: bool = False,
    sources: LeftOut | None = None,
    against: dict[str, LeftOut] | None = None,
    say: Say = quiet,
) -> Row:
    """Answer for every clip, or take left-out probabilities; write ``development.json`` and its tables.

    Parameters
    ----------
    bundle, out, clips
    left_out : LeftOut, optional
        Probabilities of models that did not see the clip's group. These are then what is reported.
    seen : bool
        The bundle was trained on these clips: without `left_out` nothing is reported but where it came from.
    against : dict of str to LeftOut, optional
        Left-out probabilities of other networks, for the paired difference.
    sources : LeftOut, optional
        Probabilities of models that saw no clip of the clip's whole source: reported beside.
    """
    facts: Row = {
        "bundle": identity(bundle),
        "seen": seen,
        "clips": len(clips),
        "groups": len({c.group for c in clips}),
        "licences": dict(Counter(c.licence for c in clips)),
        "views": dict(Counter(c.view for c in clips)),
    }
    if left_out is not None:
        facts["how"] = "by models that saw no clip of the same group"
        rows = from_table(left_out, bundle, clips)
    elif seen:
        facts["how"] = "not reported: these weights were trained on the clips, and no left-out predictions are there"
        rows = []
    else:
        facts["how"] = "by these weights, which were trained on none of the clips"
        rows = predicted(bundle, clips, say)
    facts["rows"] = rows
    facts.update(figures(rows) if rows else {})
    facts["against"] = [
        _against(name, from_table(found, bundle, clips), rows) for name, found in (against or {}).items()
    ]
    facts["sources"] = figures(from_table(sources, bundle, clips)) if sources else None
    facts["example"] = example(bundle)
    save(out, "development", facts, markdown(facts))
    return facts


def from_table(found: LeftOut, bundle: Bundle, clips: list[Clip]) -> list[Row]:
    """Return left-out probabilities as rows; cines that are none of the clips (phantoms) are passed over."""
    views = {clip.file: (clip.view, clip.group) for clip in clips}
    rows = []
    # The bundle's thresholds are for probabilities calibrated as the bundle does it.
    fits = found.answers is not None and found.answers.views == bundle.facts.vocabulary == found.labels
    calibrated = found.answers.cine_probabilities(bundle.facts.calibration) if fits and found.answers else found.p
    for cine, p in zip(found.cines, calibrated, strict=True):
        if cine in views:
            # A store spells OTHER, SUBCOSTAL and PSAX by labels of the vocabulary; what the list says counts.
            view, group = views[cine]
            rows.append(
                {"cine": cine, "group": group, "truth": view, **from_probabilities(p, found.labels, bundle.facts).row()}
            )
    return rows


def predicted(bundle: Bundle, clips: list[Clip], say: Say) -> list[Row]:
    """Answer for clips that the bundle was not trained on, as the product does."""
    classifier = ViewClassifier.load(bundle, threads=1, jobs=1, include_stills=True)
    rows = []
    for number, clip in enumerate(clips, 1):
        found = result_reading(classifier.predict(clip.path), bundle)
        rows.append({"cine": clip.file, "group": clip.group, "truth": clip.view, **found.row()})
        say(f"development: clip {number} of {len(clips)}")
    return rows


def result_reading(result: ViewResult, bundle: Bundle) -> Reading:
    """Return a row of prediction as a reading; a clip that the network was kept from (Doppler) counts as other."""
    p = result.probabilities
    if not p:
        return Reading(str(result.status), OTHER, str(result.status), 1.0, 0.0, 1.0)
    offered = bundle.facts.answers
    main = max(p[label] for label in offered)
    rest = sum(value for label, value in p.items() if label not in offered)
    best = result.best_view
    return Reading(str(result.status), coarse(best), best, main if best in offered else rest, main, max(p.values()))


def target(view: str) -> str:
    """Return what a clip should be called: a main view, ``other``, or ``PSAX`` of unknown level."""
    return view if view in (*MAIN_VIEWS, LEVEL_UNKNOWN) else OTHER


def given(row: Row) -> str:
    """Return what the product says: a main view, ``other`` or ``unsure``."""
    if row["status"] == Status.OK:
        return str(row["best"])
    return str(Status.UNSURE) if row["status"] == Status.UNSURE else OTHER


def figures(rows: list[Row]) -> Row:
    """Return every figure of answered clips."""
    known = [r for r in rows if target(r["truth"]) != LEVEL_UNKNOWN]
    main = [r for r in known if target(r["truth"]) in MAIN_VIEWS]
    family = [r for r in rows if family_of(r["truth"]) in FAMILIES]
    apical = [r for r in main if r["truth"] in LONG_APICAL]
    wide = [r for r in rows if family_of(r["truth"]) in FAMILIES and r["truth"] not in ("A5C", "PSAX-AV")]
    return {
        "accuracy": _share(known, right),
        "accuracy_main": _share(main, right),
        "balanced_main": _balanced(main),
        "family": _share(family, lambda r: family_of(r["label"]) == family_of(r["truth"])),
        "family_of_main": _share(wide, lambda r: family_of(r["label"]) == family_of(r["truth"])),
        "apical_balanced": _balanced(apical),
        "recall": {
            view: _share([r for r in known if target(r["truth"]) == view], right) for view in (*MAIN_VIEWS, OTHER)
        },
        "answered": _share(known, lambda r: r["status"] != Status.UNSURE),
        "right_of_answered": _share([r for r in known if r["status"] != Status.UNSURE], right),
        "wrong_offers": sum(r["status"] == Status.OK and not right(r) for r in known),
        "confusion": confusion(rows),
        "risk": risk_table(known),
        "ece": _ece(known),
        "misread": [r for r in sorted(known, key=lambda r: -r["probability"]) if not right(r)],
    }


def right(row: Row) -> bool:
    """Whether the forced choice, six views and other, is right."""
    return bool(row["best"] == target(row["truth"]))


def _share(rows: list[Row], test: object) -> Row:
    assert callable(test)
    return share([bool(test(r)) for r in rows], [r["group"] for r in rows])


def _balanced(rows: list[Row]) -> Row:
    truths = np.array([target(r["truth"]) for r in rows])
    good = np.array([right(r) for r in rows])

    def balanced(picked: npt.NDArray[np.int64]) -> float:
        t, g = truths[picked], good[picked]
        return float(np.mean([g[t == view].mean() for view in np.unique(t)])) if len(t) else float("nan")

    return figure(np.arange(len(rows)), [r["group"] for r in rows], balanced)


def confusion(rows: list[Row]) -> Row:
    """Count answers as the product gives them: rows the truth, columns six views, other, unsure."""
    columns = [*MAIN_VIEWS, OTHER, str(Status.UNSURE)]
    truths = [view for view in (*MAIN_VIEWS, LEVEL_UNKNOWN, OTHER) if any(target(r["truth"]) == view for r in rows)]
    counts = [[sum(target(r["truth"]) == t and given(r) == c for r in rows) for c in columns] for t in truths]
    return {"columns": columns, "rows": truths, "counts": counts}


def risk_table(rows: list[Row]) -> Row:
    """Return the error among the surest clips for some shares answered, and the area under the curve."""
    if not rows:
        return {"aurc": None, "points": []}
    sure, good = np.array([r["probability"] for r in rows]), np.array([right(r) for r in rows])
    answered, risk = risk_coverage(sure, good)
    order = np.sort(sure)[::-1]
    made = []
    for wanted in COVERAGES:
        # The first point at which at least so many are answered.
        at = int(np.searchsorted(answered, wanted - 1e-9))
        at = min(at, len(answered) - 1)
        last = order[round(answered[at] * len(order)) - 1]
        made.append({"wanted": wanted, "answered": answered[at], "wrong": risk[at], "from_probability": last})
    return {"aurc": area_under_risk_coverage(sure, good), "points": made}


def _ece(rows: list[Row], bins: int = 10) -> float | None:
    if not rows:
        return None
    sure, good = np.array([r["probability"] for r in rows]), np.array([right(r) for r in rows], float)
    which = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(sure[which == b].sum() - good[which == b].sum()) for b in np.unique(which)]
    return float(sum(gaps) / len(rows))


def _against(name: str, found_rows: list[Row], rows: list[Row]) -> Row:
    other = {r["cine"]: r for r in found_rows}
    pairs = [(r, other[r["cine"]]) for r in rows if r["cine"] in other and target(r["truth"]) != LEVEL_UNKNOWN]
    if not pairs:
        return {"name": name, "cines": 0}
    own, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    groups = [r["group"] for r in own]
    found = compare(np.array([right(r) for r in own]), np.array([right(r) for r in theirs]), groups, repeats=1000)
    main = [r for r in theirs if target(r["truth"]) in MAIN_VIEWS]
    gain = found.difference
    return {
        "name": name,
        "cines": len(pairs),
        "accuracy": _share(theirs, right),
        "own": _share(own, right),
        "accuracy_main": _share(main, right),
        "family": _share(
            [r for r in theirs if family_of(r["truth"]) in FAMILIES],
            lambda r: family_of(r["label"]) == family_of(r["truth"]),
        ),
        "apical_balanced": _balanced([r for r in theirs if r["truth"] in LONG_APICAL]),
        "difference": {"value": gain.value, "low": gain.low, "high": gain.high},
        "only_own": found.only_first,
        "only_other": found.only_second,
        "p": found.p_value,
    }


def example(bundle: Bundle) -> Row:
    """Answer for the real A4C cine that pydicom ships."""
    from pydicom import examples

    result = ViewClassifier.load(bundle, threads=1).predict(str(examples.get_path("ybr_color")))
    return {"truth": "A4C", "status": str(result.status), "best": result.best_view, "probability": result.probability}


def markdown(facts: Row) -> str:
    """Return the tables."""
    parts = [f"{facts['clips']} clips of {facts['groups']} groups; how: {facts['how']}.\n"]
    if facts["rows"]:
        parts += [figure_table(facts), confusion_table(facts["confusion"]), risk_markdown(facts["risk"])]
    if facts["sources"]:
        parts += ["By models that saw no clip of the same source:\n", figure_table(facts["sources"])]
    if any(found["cines"] for found in facts["against"]):
        parts.append(against_table(facts["against"]))
    made = facts["example"]
    parts.append(
        f"The A4C cine that pydicom ships: {made['best']} with {made['probability']:.2f} ({made['status']}).\n"
    )
    return "\n".join(parts)


def figure_table(facts: Row) -> str:
    """Return figures with intervals."""
    named = [
        ("accuracy, six views and other", facts["accuracy"]),
        ("accuracy, six main views", facts["accuracy_main"]),
        ("mean recall of the main views that occur", facts["balanced_main"]),
        ("apical against short axis", facts["family"]),
        ("the same without A5C and aortic level", facts["family_of_main"]),
        ("A2C, A3C, A4C balanced", facts["apical_balanced"]),
    ]
    named += [(f"recall {view}", found) for view, found in facts["recall"].items()]
    named += [("not `unsure`", facts["answered"]), ("right of these", facts["right_of_answered"])]
    return table(("figure", "value", "clips", "groups"), [(n, ranged(f), f["cines"], f["groups"]) for n, f in named])


def against_table(found: list[Row]) -> str:
    """Return other networks on the same clips, and the paired difference."""
    rows = []
    for made in found:
        if made["cines"]:
            gap = made["difference"]
            words = f"{points(gap['value'])} ({points(gap['low'])} to {points(gap['high'])})"
            rows.append(
                (made["name"], made["cines"], ranged(made["accuracy"]), words, made["only_own"], made["only_other"])
            )
    header = (
        "network",
        "clips",
        "accuracy, six views and other",
        "these weights minus it, points",
        "only these right",
        "only it right",
    )
    return table(header, rows)


def confusion_table(found: Row) -> str:
    """Return answers as the product gives them."""
    lines: Iterable[list[object]] = ([t, *row] for t, row in zip(found["rows"], found["counts"], strict=True))
    return table(("truth / answer", *found["columns"]), lines)


def risk_markdown(found: Row) -> str:
    """Return the table of risk and coverage."""
    rows = [(percent(p["answered"], 0), percent(p["wrong"]), f"{p['from_probability']:.2f}") for p in found["points"]]
    return table(("answered, the surest first", "wrong of these", "from probability"), rows)
