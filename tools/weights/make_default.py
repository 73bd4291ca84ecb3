"""Turn a finished run into the bundle that ships: tools/weights/make_default.py RUN PHANTOM REAL OUT.

Calibrates on the phantom patients that the run held out, measures on the real development clips (never trained on),
and writes bundle and card from these figures. Nothing in the card is typed in by hand.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from echoplane.inference.decide import decide
from echoplane.inference.engine import load_engine
from echoplane.metrics.intervals import bootstrap
from echoplane.models.bundle import CARD_NAME, Bundle
from echoplane.models.bundle_facts import DataUse, Metric
from echoplane.pipelines.answer import answer_store
from echoplane.pipelines.calibrate import CalibrateRecipe, calibrate
from echoplane.sampling.clips import plan
from echoplane.store.reader import StoreReader
from echoplane.views import MAIN_VIEWS, Family, family_of

ON_PHANTOM = "phantom patients held out of training"
ON_REAL = "real development clips (labels read by eye, not by a clinician), none of them trained on"


def held_out(run: Path) -> set[str]:
    with (run / "split.csv").open(newline="", encoding="utf-8") as stream:
        return {row["cine"] for row in csv.DictReader(stream) if "validation" in row.values()}


def real_answers(bundle: Bundle, store: StoreReader) -> list[tuple[str, str, str, float]]:
    """(true label, group, best label, probability) of every real clip."""
    engine, facts = load_engine(bundle), bundle.facts
    found = []
    for i, row in enumerate(store.rows):
        indices = plan(row.n_frames, row.fps, facts.sampling, source=row.cine).indices
        clips = facts.recipe.normalise(store.frames(i, indices.ravel()))
        logits = engine.run(clips.reshape(len(indices), 1, indices.shape[1], *clips.shape[1:]))
        answer = decide(logits, facts)
        found.append((row.label, row.group, answer.best_view, answer.probabilities[answer.best_view]))
    return found


def metric(name: str, rows: list[tuple[bool, str]], on: str) -> Metric | None:
    if not rows:
        return None
    right = np.array([r for r, _ in rows], dtype=float)
    groups = [g for _, g in rows]
    found = bootstrap(lambda r: float(right[r].mean()), groups)
    return Metric(name, found.value, found.low, found.high, on, cines=len(rows), groups=len(set(groups)))


def real_metrics(rows: list[tuple[str, str, str, float]]) -> list[Metric]:
    made = []
    for view in MAIN_VIEWS:
        made.append(metric(f"recall {view}", [(b == t, g) for t, g, b, _ in rows if t == view], ON_REAL))
    both = (Family.APICAL, Family.SHORT_AXIS)
    families = [(family_of(b) == family_of(t), g) for t, g, b, _ in rows if family_of(t) in both and t != "A5C"]
    made.append(metric("apical against short axis", families, ON_REAL))
    others = [(b not in MAIN_VIEWS, g) for t, g, b, _ in rows if t not in (*MAIN_VIEWS, "PSAX")]
    made.append(metric("other views not taken for a main view", others, ON_REAL))
    return [m for m in made if m]


def main(run: Path, phantom: Path, real: Path, out: Path) -> None:
    bundle, store, clips = Bundle.load(run / "bundle"), StoreReader(phantom), StoreReader(real)
    keep = held_out(run)
    predictions = answer_store(bundle, load_engine(bundle), [store], lambda row: row.cine in keep).predictions
    for precision in (0.9, 0.8, 0.7, None):
        made, report = calibrate(bundle, predictions, CalibrateRecipe(precision=precision), ON_PHANTOM)
        if report.reached:
            break
    # Less than even odds is never offered as an answer, whatever the phantoms say.
    lowest = max(made.facts.thresholds.min_probability, 0.5)
    members = {name: made.read(name) for name in made.facts.members}
    facts = replace(made.facts, thresholds=replace(made.facts.thresholds, min_probability=lowest))
    bundle = Bundle.create(facts, members)
    p = predictions.cine_probabilities(bundle.facts.calibration)
    right = p.argmax(axis=1) == predictions.y_true
    main_rows = [i for i, y in enumerate(predictions.y_true) if predictions.views[y] in MAIN_VIEWS]
    metrics = [
        metric("accuracy, all labels", list(zip(right, predictions.groups, strict=True)), ON_PHANTOM),
        metric("accuracy, six main views", [(bool(right[i]), predictions.groups[i]) for i in main_rows], ON_PHANTOM),
    ]
    metrics += real_metrics(real_answers(bundle, clips))
    trained = [r for r in store.rows if r.cine not in keep]
    name, licence, patients = "echoplane phantom", "Apache-2.0", len({r.group for r in trained})
    data = (
        DataUse(name, licence, "training", len(trained), patients, "rendered"),
        DataUse(name, licence, "validation, calibration", len(keep), len(set(predictions.groups)), "other patients"),
    )
    notes = (
        "First weights, from a short training on early phantom hearts alone; better ones are to come.",
        "Many real clips are misread; see the metrics. Not a medical device.",
    )
    facts = replace(bundle.facts, name="default", data=data, metrics=tuple(m for m in metrics if m), notes=notes,
                    licence="Apache-2.0")  # fmt: skip
    card = ["# Default weights", "", *notes, "", f"Network {facts.network.name}, {len(trained)} phantom cines.",
            "", "| figure | value | from | to | cines | patients | on |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    card += [
        f"| {m.name} | {m.value:.2f} | {m.low:.2f} | {m.high:.2f} | {m.cines} | {m.groups} | {m.on} |"
        for m in facts.metrics
    ]
    card += ["", f"Calibration on {ON_PHANTOM}: expected calibration error {report.ece_before:.3f} before, "
             f"{report.ece_after:.3f} after, measured on patients left out of the fit.", "",
             f"Below a probability of {lowest:.2f} the answer is 'unsure'.", "",
             "The real clips are of few patients and sources. Do not use these weights for diagnosis.", ""]  # fmt: skip
    text = "\n".join(card)
    Bundle.create(facts, {**members, CARD_NAME: text.encode()}).save(out)
    print(text)


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:5]))
