"""Does calibration keep its promises on patients that it did not see? ECE, coverage of the sets, precision of answers.

    echoplane phantom dataset held-out --clips 3000 --seed 12 --recipe default
    python benchmarks/calibration.py --test held-out -o docs/calibration-kept.md
    python benchmarks/calibration.py --test store --split run/split.csv --bundle run/bundle

The bundle answers all cines once. Then, again and again, the patients are cut into two halves by chance; temperature,
prediction sets and threshold are fitted on one half, as `echoplane calibrate` does, and measured on the other. The
table gives the mean over the cuts, and between which values 90 % of the cuts lie.

ECE has a floor: measured on few cines, honest probabilities miss too. "ECE by chance" is what these very probabilities
would show if they were exactly right; below it nothing can be told, and only more cines lower it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import _markdown
import numpy as np
import numpy.typing as npt

from echoplane.inference.engine import load_engine
from echoplane.metrics.calibration import expected_calibration_error
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts
from echoplane.pipelines.answer import answer_store, rows_in
from echoplane.pipelines.calibrate import CalibrateRecipe, fit
from echoplane.pipelines.promises import endings
from echoplane.store import open_stores

LEVELS = (0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Line:
    """One figure, over the cuts."""

    name: str
    wanted: str
    value: str
    low: str
    high: str


def halves(predictions: Predictions, rng: np.random.Generator) -> tuple[Predictions, Predictions]:
    groups = np.array(predictions.groups)
    names = rng.permutation(np.unique(groups))
    first = np.isin(groups, names[: len(names) // 2])
    return predictions.take(np.flatnonzero(first)), predictions.take(np.flatnonzero(~first))


def _drawn(p: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw truths that the probabilities (S, K) are exactly right about."""
    return (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(max=p.shape[1] - 1)


def one_cut(
    fitted_on: Predictions, held: Predictions, facts: BundleFacts, precision: float, rng: np.random.Generator
) -> dict[str, float]:
    """Return every figure of one cut, by name; what is not defined is NaN."""
    y, before = held.y_true, held.cine_probabilities()
    found = {"ECE before": expected_calibration_error(y, before)}
    for method, beside in (("temperature", ""), ("vector", " vector")):
        recipe = CalibrateRecipe(method=method, levels=LEVELS, precision=precision)  # type: ignore[arg-type]
        fitted = fit(fitted_on, recipe, facts)
        p = held.cine_probabilities(fitted.calibration)
        found[f"ECE {method}"] = expected_calibration_error(y, p)
        found[f"floor {method}"] = float(np.mean([expected_calibration_error(_drawn(p, rng), p) for _ in range(10)]))
        for sets in fitted.conformal:
            inside = sets.contains(p)
            found[f"coverage {sets.level:g}{beside}"] = float(inside[np.arange(len(y)), y].mean())
            found[f"size {sets.level:g}{beside}"] = float(inside.sum(axis=1).mean())
        if beside:
            continue  # the rest is measured for the method that `calibrate` takes by itself
        by_view = fit(fitted_on, CalibrateRecipe(levels=LEVELS, per_view=True, precision=None), facts)
        for sets in by_view.conformal:
            inside = sets.contains(held.cine_probabilities(by_view.calibration))
            held_true = inside[np.arange(len(y)), y]
            found[f"by view {sets.level:g}"] = float(np.mean([held_true[y == k].mean() for k in np.unique(y)]))
            found[f"size by view {sets.level:g}"] = float(inside.sum(axis=1).mean())
        ends = endings(held, fitted)
        # Where no threshold reaches the precision nothing is promised.
        answered = (ends != "unsure") & (fitted.thresholds.min_probability > 0)
        found["answered"] = float(answered.mean())
        found["right of answered"] = float(np.mean(ends[answered] == "right")) if answered.any() else float("nan")
    return found


def lines(cuts: list[dict[str, float]], precision: float) -> list[Line]:
    def line(name: str, key: str, wanted: str, show: Callable[[float], str]) -> Line:
        values: npt.NDArray[np.float64] = np.array([cut[key] for cut in cuts])
        values = values[np.isfinite(values)]
        if not len(values):
            return Line(name, wanted, "not reached", "", "")
        low, high = np.percentile(values, [5, 95])
        return Line(name, wanted, show(float(values.mean())), show(float(low)), show(float(high)))

    def share(value: float) -> str:
        return f"{100 * value:.1f} %"

    def plain(value: float) -> str:
        return f"{value:.3f}"

    made = [
        line("ECE, uncalibrated", "ECE before", "", plain),
        line("ECE, temperature", "ECE temperature", "<= 0.02", plain),
        line("... ECE by chance", "floor temperature", "", plain),
        line("ECE, vector scaling", "ECE vector", "", plain),
        line("... ECE by chance", "floor vector", "", plain),
    ]
    for level in LEVELS:
        made += [
            line(f"sets for {level:.0%} hold the true view", f"coverage {level:g}", f"{level:.0%} +- 1", share),
            line("... views in a set", f"size {level:g}", "", plain),
            line("... by vector scaling, hold it", f"coverage {level:g} vector", f">= {level:.0%}", share),
            line("... views in a set", f"size {level:g} vector", "", plain),
            line(f"sets for {level:.0%} of each view, mean of views", f"by view {level:g}", f">= {level:.0%}", share),
            line("... views in a set", f"size by view {level:g}", "", plain),
        ]
    return [
        *made,
        line("right of those answered", "right of answered", f"{precision:.0%}", share),
        line("answered", "answered", "", share),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", help="default: the one that ships")
    parser.add_argument("--test", nargs="+", required=True, help="stores with patients the network was not trained on")
    parser.add_argument("--split", help="only these rows: FILE.csv (its validation cines), FILE.csv:test, or a name")
    parser.add_argument("--precision", type=float, default=0.95, help="wanted share of right answers")
    parser.add_argument(
        "--cuts", type=int, default=100, help="how often the patients are cut into halves (%(default)s)"
    )
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; printed as well")
    args = parser.parse_args()
    bundle = Bundle.load(args.bundle)
    stores = open_stores(args.test)
    predictions = answer_store(bundle, load_engine(bundle), stores, rows_in(args.split)).predictions
    rng = np.random.default_rng(0)
    cuts = [one_cut(*halves(predictions, rng), bundle.facts, args.precision, rng) for _ in range(args.cuts)]
    names = " ".join(Path(path).name for path in args.test)
    options = "".join(f" --{n} {Path(v).name}" for n, v in (("split", args.split), ("bundle", args.bundle)) if v)
    rows = [(row.name, row.wanted, row.value, row.low, row.high) for row in lines(cuts, args.precision)]
    text = "\n".join(
        [
            "# Does calibration keep its promises?",
            "",
            f"    python benchmarks/calibration.py --test {names}{options}",
            "",
            f"Bundle {bundle.name} ({bundle.hash[:12]}, {bundle.facts.network.name}); {len(predictions.cines)} cines "
            f"of {len(set(predictions.groups))} patients, cut into halves {args.cuts} times: fitted on one, measured "
            "on the other. ECE by chance: what exactly right probabilities would show on as many cines.",
            "",
            _markdown.table(("on patients left out of the fit", "wanted", "mean", "from", "to"), rows),
            "",
        ]
    )
    _markdown.show(text, args.output)


if __name__ == "__main__":
    main()
