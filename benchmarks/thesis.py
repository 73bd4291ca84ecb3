"""The thesis experiment from its one recipe file, on phantom hearts: in folds by patient, or once in full.

    python benchmarks/thesis.py -o thesis --patients 60 --folds 1 --docs docs     as the recipe says; over an hour
    python benchmarks/thesis.py -o thesis --patients 60 --docs docs               ten folds of that: a night
    python benchmarks/thesis.py -o thesis --patients 4 -k 2 --set fit.epochs=1 fit.batch=8

Renders six cines of main views a patient (50 frames at 50 a second, prepared to the 100x100 pixels of the thesis),
trains `reference.yaml` on them, and fills docs/thesis.md: confusion matrices for single clips, summed
probabilities and majority vote, accuracies with intervals by patient, and how much is lost when the frames are
shuffled, reversed, frozen. Always the last epoch's weights answer, so that none is chosen by the cines that count. The
page names every setting that was changed from the recipe, and every figure in it is of one run. Killed or stopped, the
same command goes on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import _markdown

from echoplane._files import atomic_write
from echoplane.metrics.intervals import Interval
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.summary import Summary
from echoplane.phantom.dataset import DatasetPlan
from echoplane.pipelines.crossvalidate import Matrix, count_folds, crossvalidate
from echoplane.pipelines.evaluate import evaluate
from echoplane.pipelines.phantom import write_dataset
from echoplane.pipelines.train import train
from echoplane.prepare.recipe import RECIPES
from echoplane.store import StoreReader
from echoplane.training.order_test import OrderEffect, order_effects, order_test
from echoplane.training.recipe import TrainRecipe, load_recipe
from echoplane.views import MAIN_VIEWS

#: As many frames as five interleaved clips of ten need, a second long.
FRAMES, FPS = 50, 50.0
SIZE = (100, 100)


def render(folder: Path, patients: int, jobs: int) -> None:
    """Render cines of every main view; a patient's views are drawn, so some come twice and some not at all."""
    plan = DatasetPlan(
        patients * len(MAIN_VIEWS), seed=43, frames=FRAMES, fps=FPS, view_weights=dict.fromkeys(MAIN_VIEWS, 1.0)
    )
    recipe = replace(RECIPES["default"], name="thesis-phantom", size=SIZE)

    def note(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            print(f"rendered {done} of {total}", flush=True)

    write_dataset(folder, plan, jobs=jobs, recipe=recipe, progress=note)


def watch(event: object) -> None:
    from echoplane.training.events import EpochEnded, FoldStarted

    if isinstance(event, FoldStarted):
        print(f"fold {event.fold + 1} of {event.folds}{': done before' if event.resumed else ''}", flush=True)
    elif isinstance(event, EpochEnded):
        score = 100 * event.figures["validation/accuracy"]
        print(
            f"  epoch {event.epoch + 1}: {score:.1f} % of cines right, {event.clips_per_second:.0f} clips/s", flush=True
        )


def matrix(counts: Sequence[Sequence[int]], views: Sequence[str]) -> str:
    rows = []
    for k, (view, line) in enumerate(zip(views, counts, strict=True)):
        right = f"{100 * line[k] / sum(line):.0f} %" if sum(line) else ""
        rows.append((view, *(str(n) for n in line), right))
    return _markdown.table(("truth \\ answer", *views, "right"), rows)


def share(figure: Interval) -> str:
    interval = "" if math.isnan(figure.low) else f" ({100 * figure.low:.1f} to {100 * figure.high:.1f})"
    return f"{100 * figure.value:.1f} %{interval}"


@dataclass(frozen=True)
class Found:
    """What networks said of cines that they were not trained on."""

    summary: Summary
    counts: dict[str, Matrix]
    orders: Sequence[OrderEffect]
    history: Sequence[dict[str, float]] = ()


def in_folds(recipe: TrainRecipe, folder: Path, folds: int) -> Found:
    found = crossvalidate(recipe, folder, folds, orders=True, report=watch)
    return Found(found.summary, found.confusions["all"], found.orders)


def once(recipe: TrainRecipe, folder: Path) -> Found:
    run = train(recipe, folder, resume=folder.exists(), bundle=False, report=watch).result
    assert run.data.validation
    answers: dict[str, Predictions] = order_test(run.network, run.data.validation, run.data.prepare, run.data.views)
    held_out = answers["recorded"]
    return Found(
        evaluate(held_out, recipe.name).summary, count_folds(held_out)["all"], order_effects(answers), run.history
    )


def order_rows(effects: Sequence[OrderEffect], views: Sequence[str]) -> list[tuple[str, ...]]:
    rows = []
    for effect in effects:
        lost, p = "", ""
        if effect.against:
            d = effect.against.difference
            lost = f"{100 * d.value:.1f} ({100 * d.low:.1f} to {100 * d.high:.1f})"
            p = f"{effect.against.p_value:.2g}"
        recalls = (f"{100 * effect.recall[view]:.0f} %" if view in effect.recall else "" for view in views)
        rows.append((effect.order, f"{100 * effect.accuracy:.1f} %", lost, p, *recalls))
    return rows


def curve(history: Sequence[dict[str, float]]) -> list[str]:
    """Every tenth epoch, and the first and the last."""
    if not history:
        return []
    shown = sorted({0, len(history) - 1, *range(9, len(history), 10)})
    rows = [
        (f"{i + 1}", f"{line['train/loss']:.3f}", f"{line['validation/loss']:.3f}",
         f"{100 * line['validation/accuracy']:.1f} %")
        for i in shown for line in [history[i]]
    ]  # fmt: skip
    return [_markdown.table(("epoch", "loss, training", "loss, validation", "cines right"), rows), ""]


def page(found: Found, recipe: TrainRecipe, args: argparse.Namespace) -> str:
    s, settings = found.summary, args.set
    changed = f" with {', '.join(f'`{word}`' for word in settings)}" if settings else ""
    words = f" --patients {args.patients} --folds {args.folds}{' --set ' if settings else ''}{' '.join(settings)}"
    how = f"{args.folds} folds by patient" if args.folds > 1 else "one split by patient"
    seen = "rendered patients" if args.folds > 1 else "rendered patients that it was not trained on"
    ways = (
        ("accuracy_clips", "single clips"),
        ("accuracy", "summed probabilities"),
        ("accuracy_votes", "majority vote"),
        ("balanced_accuracy", "balanced, by cine"),
    )
    matrices = (("clips", "Single clips"), ("sums", "Summed probabilities"), ("votes", "Majority vote"))
    return "\n".join(
        [
            f"    python benchmarks/thesis.py -o thesis{words} --docs docs",
            "",
            f"`reference.yaml`{changed}: {recipe.network.name}, {recipe.fit.epochs} epochs, batches of "
            f"{recipe.fit.batch}, {how}. {s.cines} cines ({s.clips} clips) of {s.patients} {seen}. "
            f"{_markdown.machine('torch', 'lightning')}.",
            "",
            _markdown.table(
                ("held out", "right (95 % by patient)"), [(name, share(s.figures[key])) for key, name in ways]
            ),
            "",
            *curve(found.history),
            *(line for key, title in matrices
              for line in (f"### {title}", "", matrix(found.counts[key], s.views), "")),
            "### Order of the frames",
            "",
            "The same clips, answered with their frames as recorded, shuffled, reversed, and frozen at the middle one.",
            "",
            _markdown.table(
                ("frames", "right", "lost, points (95 % by patient)", "p", *s.views), order_rows(found.orders, s.views)
            ),
        ]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("thesis"), help="store and runs")
    parser.add_argument("--patients", type=int, default=60, help="six cines each")
    parser.add_argument("-k", "--folds", type=int, default=10, help="1: the recipe's own split, trained once")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes that render")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe to change, key=value")
    parser.add_argument("--docs", type=Path, help="folder of thesis.md, which is filled in; printed as well")
    args = parser.parse_args()
    store = args.output / "store"
    render(store, args.patients, args.jobs)
    # A probe that went a little far shows some of a view that is not asked for: that share is left out.
    strays = {name for row in StoreReader(store).rows for name in (row.label, *row.shares)} - set(MAIN_VIEWS)
    left_out = ", ".join(f'{label}: ""' for label in sorted(strays))
    words = [f"data.stores=[{store}]", f"views=[{', '.join(MAIN_VIEWS)}]", f"labels={{{left_out}}}"]
    recipe = load_recipe("reference", [*words, "fit.monitor=last", *args.set])
    if args.folds == 1:
        found = once(recipe, args.output / "run")
    else:
        found = in_folds(recipe, args.output / "crossval", args.folds)
    text = page(found, recipe, args)
    print(text)
    if args.docs:
        docs = args.docs / "thesis.md"
        filled = _markdown.filled(docs, "folds" if args.folds > 1 else "once", text)
        with atomic_write(docs) as stream:
            stream.write(filled)


if __name__ == "__main__":
    main()
