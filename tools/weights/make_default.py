"""Turn a finished run into the bundle that ships: tools/weights/make_default.py RUN PHANTOM REAL OUT [options].

RUN is the folder of the run (its ``bundle`` and ``split.csv``), PHANTOM and REAL the stores it was trained on; ``-``
for REAL where there is none.
Calibrates on phantom patients that the run held out, together with left-out answers on real clips where they are
given, measures, and writes bundle and card from these figures. Nothing in the card is typed in by hand. Figures on real
clips that were trained on come only from models that did not see the clip's group (``--left-out``).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measure import card, command, cost, development, leftout
from measure.leftout import LeftOut
from measure.results import load, save

from echoplane.data.split import TRAIN, VALIDATION, Split
from echoplane.inference.engine import load_engine
from echoplane.metrics.calibration import expected_calibration_error
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.selective import threshold_for_precision
from echoplane.models.bundle import CARD_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts, DataUse, Metric
from echoplane.pipelines.answer import answer_store, rows_in
from echoplane.pipelines.calibrate import (
    CalibrateRecipe,
    CalibrationReport,
    as_decided,
    calibrate,
)
from echoplane.pipelines.calibrate_mirror import mirror_known, mirror_margin
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow

ON_PHANTOM = "phantom patients held out of training"
ON_REAL = "real clips, answered by models that saw no clip of the same group"
#: Wanted share of right answers among those offered: the first that can be reached while so many are answered.
PRECISIONS = (0.95, 0.9, 0.8, 0.7, None)
NOTE = "Trained on phantom hearts and few real clips; see the card. Not a medical device."
ENOUGH = 0.5
#: Less than even odds is never offered as an answer.
LEAST = 0.5


def calibrated(bundle: Bundle, phantoms: Predictions, left_out: LeftOut | None) -> tuple[Bundle, dict[str, Any]]:
    """Calibrate, and say on what and how good it is."""
    joint, on = phantoms, ON_PHANTOM
    real = None
    if left_out is not None and left_out.answers is not None and left_out.labels == bundle.facts.vocabulary:
        real = left_out.answers
        joint = Predictions.concatenate([thinned(phantoms, len(real.cines)), real])
        on = f"{ON_PHANTOM} and, as many, {ON_REAL}"
    made, report = bundle, None
    for precision in PRECISIONS:
        made, report = calibrate(bundle, joint, CalibrateRecipe(precision=precision), on)
        if report.reached and (report.answered or 0.0) >= ENOUGH:
            break
    assert isinstance(report, CalibrationReport)
    # Phantoms are easier: what is promised must hold for the real clips by themselves, too.
    least = max(made.facts.thresholds.min_probability, LEAST, threshold(real, made.facts))
    limits = replace(made.facts.thresholds, min_probability=least)
    members = {name: made.read(name) for name in made.facts.members}
    made = Bundle.create(replace(made.facts, thresholds=limits), members)
    parts = [(words, part) for words, part in ((ON_PHANTOM, phantoms), (ON_REAL, real)) if part is not None]
    return made, {
        "on": on, "cines": report.cines, "patients": report.patients, "before": report.ece_before,
        "after": report.ece_after, "coverage": {k: list(v) for k, v in report.coverage.items()},
        "parts": [
            {"on": words, "before": expected_calibration_error(part.y_true, part.cine_probabilities()),
             "after": expected_calibration_error(part.y_true, part.cine_probabilities(made.facts.calibration))}
            for words, part in parts
        ],
    }  # fmt: skip


def threshold(real: Predictions | None, facts: BundleFacts) -> float:
    """Return the probability from which on the first precision wanted holds for real clips; 0 where there are none.

    Of what is offered: a main view, or that it is none of them, which is what the labels beside come to together.
    """
    if real is None:
        return 0.0
    p, wanted = real.cine_probabilities(facts.calibration), PRECISIONS[0]
    assert wanted is not None
    return threshold_for_precision(*as_decided(p, real.y_true, facts), wanted) or 0.0


def both_ways(runs: list[Path], store: StoreReader) -> tuple[Predictions, Predictions]:
    """Return what runs answer to the cines they held out: as drawn, and turned around."""

    def answers(mirrored: bool) -> Predictions:
        parts = []
        for run in runs:
            bundle, held = Bundle.load(run / "bundle"), rows_in(str(run / "split.csv"))
            parts.append(answer_store(bundle, load_engine(bundle), [store], held, mirrored=mirrored).predictions)
        return Predictions.concatenate(parts)

    return answers(False), answers(True)


def thinned(predictions: Predictions, count: int) -> Predictions:
    """Return so many cines, spread evenly over the patients, so that phantoms do not outvote real clips."""
    order = np.argsort(np.array(predictions.groups), kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]
    return predictions.take(np.unique(rows))


def data_uses(stores: list[StoreReader], split: Split, left_out: bool, before: int = 0) -> tuple[DataUse, ...]:
    """Return each source with its licence and how many of its cines were used for what.

    `before` is how many phantoms an earlier stage was trained on, of which the stores are not at hand.
    """
    side = {cine: part for part in (TRAIN, VALIDATION) for cine in split.cines(part)}
    found: dict[tuple[str, str, str, str], list[StoreRow]] = {}
    for store in stores:
        for row in store.rows:
            part = side.get(row.cine)
            if part:
                found.setdefault((*_origin(row), part), []).append(row)
    made = []
    for (name, licence, note, part), rows in found.items():
        use = "training" if part == TRAIN else "validation, calibration"
        if left_out and name != "echoplane phantom" and part == TRAIN:
            use = "training; calibration by left-out models"
        if name == "echoplane phantom" and part == TRAIN and before > len(rows):
            note += f"; {before} in an earlier stage"
        made.append(DataUse(name, licence, use, len(rows), len({r.group for r in rows}), note))
    return tuple(made)


def _origin(row: StoreRow) -> tuple[str, str, str]:
    if "licence" in row.extra:
        return str(row.extra.get("origin", "real clips")), str(row.extra["licence"]), "labels read by eye"
    return "echoplane phantom", "Apache-2.0", "rendered"


def stages(run: Path) -> Iterator[dict[str, Any]]:
    """Yield what each stage of the training was, the first one first."""
    recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    before = Path((recipe.get("network") or {}).get("weights") or "")
    told = before.with_suffix(".json") if before.is_file() else None
    before = before.parent if before.is_file() else before
    if told and told.is_file():  # weights without their runs, as phantom-only.safetensors
        yield from json.loads(told.read_text(encoding="utf-8"))
    elif before.name and (before / "recipe.yaml").is_file():
        yield from stages(before)
    bundle = Bundle.load(run / "bundle")
    n, h, w = bundle.facts.clip_shape
    fit, optimizer = recipe.get("fit", {}), recipe.get("optimizer", {})
    yield {
        "name": recipe.get("name", ""), "cines": len(Split.load(run / "split.csv").cines(TRAIN)), "frames": n,
        "size": f"{h} x {w}", "epochs": fit.get("epochs"), "batch": fit.get("batch"), "lr": optimizer.get("lr"),
        "seed": facts.get("seed"), "commit": str(facts.get("git", ""))[:12], "processor": facts.get("processor", ""),
        "torch": facts.get("packages", {}).get("torch", ""),
    }  # fmt: skip


def soup(run: Path) -> int:
    """Return of how many runs the weights are the mean."""
    path = run / "soup.json"
    return len(json.loads(path.read_text(encoding="utf-8"))["runs"]) if path.is_file() else 1


def metrics(out: Path) -> tuple[Metric, ...]:
    """Return the figures that the bundle carries, from the measures."""
    phantom, real = load(out, "phantom") or {}, load(out, "development") or {}
    on_phantom = "phantom patients never used"
    on_real = ON_REAL if real.get("seen") else "real development clips, none of them trained on"
    wanted = [(phantom, "accuracy", "accuracy, six views and other", on_phantom),
              (phantom, "accuracy_main", "accuracy, six main views", on_phantom),
              (real, "accuracy", "accuracy, six views and other", on_real),
              (real, "family", "apical against short axis", on_real),
              (real, "apical_balanced", "A2C, A3C, A4C balanced", on_real)]  # fmt: skip
    found = [(name, facts.get(key), on) for facts, key, name, on in wanted]
    found += [(f"recall {label}", row, on_real) for label, row in real.get("recall", {}).items()]
    return tuple(
        Metric(name, row["value"], row["low"], row["high"], on, cines=row["cines"], groups=row["groups"])
        for name, row, on in found
        if row and row["value"] is not None and row["low"] is not None
    )


def main() -> int:
    """Make the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("run", "phantom", "real", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--name", default="default", help="name of the bundle (%(default)s)")
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="other phantoms that were trained on")
    parser.add_argument("--measures", type=Path, help="folder of the measures; default: RUN/measures")
    command.add_options(parser)
    options = parser.parse_args()
    run, out = options.run, options.measures or options.run / "measures"
    bundle, split = Bundle.load(run / "bundle"), Split.load(run / "split.csv")
    stores = [StoreReader(path) for path in (options.phantom, options.real) if str(path) != "-"]
    used = [*stores, *map(StoreReader, options.more)]
    clips = development.read_index(options.clips)
    held = set(split.cines(VALIDATION))
    options.seen = options.seen or not {c.file for c in clips}.isdisjoint(split.cines(TRAIN))
    answers = answer_store(bundle, load_engine(bundle), stores[:1], lambda row: row.cine in held).predictions
    # Whether the answer for a short axis of unknown level is right nobody can say.
    known = {c.file for c in clips if c.view != development.LEVEL_UNKNOWN}
    left_out = leftout.load(options.left_out, known) if options.left_out else None
    made, calibration = calibrated(bundle, answers, left_out)
    # Real clips look mirrored more often than phantoms: the margin must hold for them by themselves, too.
    networks = [path for path in options.left_out or [] if (path / "bundle").is_dir()]
    pairs = [both_ways([run], stores[0]), *([both_ways(networks, stores[1])] if networks else [])]
    margin = max(mirror_margin(made.facts, *pair) for pair in pairs)
    limits = replace(made.facts.thresholds, mirror_margin=margin)
    known = [mirror_known(replace(made.facts, thresholds=limits), *pair) for pair in pairs]
    limits = replace(limits, mirror_known=min((each for each in known if each is not None), default=None))
    before = max(int(stage["cines"]) for stage in stages(run))
    facts = replace(made.facts, name=options.name, thresholds=limits, licence="Apache-2.0",
                    data=data_uses(used, split, bool(left_out), before), notes=(NOTE,))  # fmt: skip
    members = {name: made.read(name) for name in facts.members if name != CARD_NAME}
    made = Bundle.create(facts, members)
    save(out, "about", {
        "name": facts.name, "network": facts.network.name, "parameters": cost.parameters(made),
        "licence": facts.licence,
        "clip_shape": list(facts.clip_shape), "vocabulary": list(facts.vocabulary), "answers": list(facts.answers),
        "min_probability": facts.thresholds.min_probability, "data": [asdict(d) for d in facts.data],
        "stages": list(stages(run)), "soup": soup(run), "calibration": calibration,
    }, "")  # fmt: skip
    command.run(made, out, options)
    members[CARD_NAME] = card.build(out, options.pictures).encode()
    made = Bundle.create(replace(facts, metrics=metrics(out)), members)
    size = sum(member.size for member in made.facts.members.values())
    if size > cost.LIMIT_MB * 1e6:
        print(f"{size / 1e6:.1f} MB: more than the {cost.LIMIT_MB} MB that may ship; nothing was written.")
        return 1
    made.save(options.out)
    print(f"{options.out}: {size / 1e6:.2f} MB; card and measures from {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
