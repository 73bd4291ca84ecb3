"""Networks side by side: what each costs on this processor, and what it is worth.

    python benchmarks/network_pareto.py                           cost only, random weights, a minute
    python benchmarks/network_pareto.py --store store --test test --docs docs

With --store each network is trained by the same recipe (tools/weights/beside.yaml, or --recipe), on the same patients,
for as many clips, and answers the cines of --test, of patients that it neither learned from nor chose an epoch by.
`--set fit.epochs=1 data.epoch_clips=64` shows in minutes that everything runs, and means nothing. Networks are trained
one after the other into folders of --output. Killed or stopped, the same command goes on in the epoch where it was, and
finished networks are not trained again (`make weights` leaves such folders in FOLDER/beside). After each network the
table so far is printed, and written with --docs (docs/network-pareto.md, docs/pictures/network-pareto.svg), so that a
night that was too short is not lost.

Cost: milliseconds of one clip in OpenVINO, one thread, batch 1, the networks taking turns, median; of processor time,
so that other work on the machine does not count. Worth: balanced accuracy by cine over the six main views and `other`,
with a 95 % interval by patient.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from echoplane._files import atomic_write
from echoplane.data.split import Split
from echoplane.metrics.intervals import Comparison, Interval
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.summary import compare_predictions, summarise
from echoplane.models.bundle import Bundle
from echoplane.pipelines.evaluate import verdict
from echoplane.training.recipe import TrainRecipe
from echoplane.views import MAIN_VIEWS, OTHER, Family, family_of

NETWORKS = ["cnn3d", "compact3d-s", "compact3d", "frames2d-resnet18", "frames2d-lenet", "cnn3d-deep"]
RECIPE = Path(__file__).parents[1] / "tools" / "weights" / "beside.yaml"
#: Sentences under the table: which of the two is better?
PAIRS = [("compact3d", "cnn3d"), ("compact3d-s", "cnn3d"), ("cnn3d", "frames2d-resnet18"),
         ("compact3d", "frames2d-resnet18")]  # fmt: skip

Times = dict[str, dict[str, float]]


def cost(names: list[str], n_views: int, clip: tuple[int, ...], rounds: int) -> Times:
    """Return milliseconds by network and precision."""
    import numpy as np
    import torch

    from echoplane.models.export import to_onnx
    from echoplane.models.openvino_core import openvino_core
    from echoplane.models.registry import build

    warnings.simplefilter("ignore")
    core = openvino_core()
    bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precisions = ("f32", "bf16") if bf16 else ("f32",)
    torch.manual_seed(0)
    clips = np.random.default_rng(0).normal(size=(1, 1, *clip)).astype(np.float32)
    requests = {}
    for name in names:
        model = core.read_model(to_onnx(build(name, n_views).eval(), (clip[0], clip[1], clip[2])))
        for precision in precisions:
            settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}
            requests[name, precision] = core.compile_model(model, "CPU", settings).create_infer_request()
    times: dict[tuple[str, str], list[float]] = {key: [] for key in requests}
    for turn in range(rounds + 3):
        for key, request in requests.items():
            # Processor time of the process: on one thread it is the wall clock of an idle machine.
            started = time.process_time()
            request.infer([clips])
            if turn >= 3:
                times[key].append(1000 * (time.process_time() - started))
    return {name: {p: statistics.median(times[name, p]) for p in precisions} for name in names}


def trained(name: str, recipe: Path, args: argparse.Namespace) -> Path:
    """Train a network, or go on, or take what is there; return its run folder."""
    from echoplane.data.split import make_split
    from echoplane.pipelines.train import train
    from echoplane.training.cines import rows_to_split
    from echoplane.training.events import EpochEnded
    from echoplane.training.recipe import load_recipe

    folder: Path = args.output
    if (folder / name / "bundle" / "bundle.json").is_file():
        return folder / name
    common = [f"data.stores=[{args.store}]", *args.set]
    split = args.split or folder / "split.csv"
    if not split.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_split(rows_to_split(load_recipe(str(recipe), common)), validation=0.05, seed=1)[0].save(split)

    def note(event: object) -> None:
        if isinstance(event, EpochEnded):
            score = 100 * event.figures["validation/accuracy"]
            print(f"  {name} epoch {event.epoch + 1}: {score:.1f} %, {event.clips_per_second:.1f} clips/s", flush=True)

    words = [*common, f"network={{name: {name}}}", f"data.split={split}"]
    train(load_recipe(str(recipe), words), folder / name, resume=True, report=note)
    return folder / name


def answers_of(run: Path, test: Path) -> Predictions:
    """Answer the test cines, all labels beside the main views taken together."""
    from echoplane.inference.engine import load_engine
    from echoplane.pipelines.answer import answer_store
    from echoplane.store import StoreReader

    store, bundle = StoreReader(test), Bundle.load(run / "bundle")
    learned = {row.cine for row in Split.load(run / "split.csv").rows}
    assert not learned & {row.cine for row in store.rows}, f"{run} has seen cines of {test}"
    return coarse(answer_store(bundle, load_engine(bundle), [store]).predictions)


def coarse(found: Predictions) -> Predictions:
    """Sum the labels beside the main views into ``other``: their logits as log sum exp."""
    views = (*MAIN_VIEWS, OTHER)
    place = np.array([views.index(v) if v in views else len(MAIN_VIEWS) for v in found.views])
    logits = np.stack([np.logaddexp.reduce(found.logits[:, place == k], axis=1) for k in range(len(views))], axis=1)
    return replace(found, views=views, y_true=place[found.y_true], logits=logits.astype(np.float32))


def worth(predictions: Predictions) -> dict[str, Interval | float]:
    """Return the figures of a network."""
    summary = summarise(predictions, repeats=500)
    recalls = {v.view: v.recall.value for v in summary.per_view if v.recall}

    def mean(family: Family) -> float:
        chosen = [value for view, value in recalls.items() if view in MAIN_VIEWS and family_of(view) is family]
        return statistics.mean(chosen) if chosen else float("nan")

    return {
        "balanced": summary.figures["balanced_accuracy"],
        "apical": mean(Family.APICAL),
        "levels": mean(Family.SHORT_AXIS),
    }


def cost_table(ms: Times) -> list[str]:
    first = next(iter(ms.values()))
    lines = ["| network | f32, ms | bf16, ms | f32, of the first |", "|---|---|---|---|"]
    for name, found in ms.items():
        bf16 = f"{found['bf16']:.2f}" if "bf16" in found else ""
        lines.append(f"| `{name}` | {found['f32']:.2f} | {bf16} | {found['f32'] / first['f32']:.2f} |")
    return lines


def full_table(ms: Times, answers: dict[str, Predictions]) -> list[str]:
    first = next(iter(ms.values()))["f32"]
    lines = [
        "| network | f32, ms | of the first | balanced accuracy, % | apical, % | short-axis levels, % |",
        "|---|---|---|---|---|---|",
    ]
    for name, predictions in answers.items():
        found, cell = worth(predictions), ms[name]["f32"]
        b = found["balanced"]
        assert isinstance(b, Interval)
        lines.append(
            f"| `{name}` | {cell:.2f} | {cell / first:.2f} | {100 * b.value:.1f} ({100 * b.low:.1f} to "
            f"{100 * b.high:.1f}) | {100 * found['apical']:.1f} | {100 * found['levels']:.1f} |"  # type: ignore[operator]
        )
    sentences = [
        f"- {sentence(compare_predictions(answers[one], answers[other]), ms, one, other)}"
        for one, other in PAIRS
        if one in answers and other in answers
    ]
    return [*lines, "", *sentences]


def sentence(found: Comparison, ms: Times, one: str, other: str) -> str:
    """Say which of two networks is better, and its time as a part of the other's; the same one comes first in both."""
    first, second = (other, one) if found.difference.high < 0 else (one, other)
    part = ms[first]["f32"] / ms[second]["f32"]
    return f"{verdict(found, one, other)} {first} takes {part:.2f} of the time of {second}."


def plot(ms: Times, answers: dict[str, Predictions], path: Path) -> None:
    """Draw worth against cost, as a vector picture."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    for number, (name, predictions) in enumerate(answers.items()):
        b, x = worth(predictions)["balanced"], ms[name]["f32"]
        assert isinstance(b, Interval)
        error = [[100 * (b.value - b.low)], [100 * (b.high - b.value)]]
        axes.errorbar(x, 100 * b.value, yerr=error, fmt="o", capsize=3, color=f"C{number}")
        axes.annotate(name, (x, 100 * b.value), xytext=(6, 6), textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50, 100, 200) if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("ms a clip, OpenVINO f32, one thread")
    axes.set_ylabel("balanced accuracy by cine, %\n(95 % interval by patient)")
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "echoplane", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(path, metadata={"Date": None})


def page(
    args: argparse.Namespace, recipe: TrainRecipe, ms: Times, answers: dict[str, Predictions], clip: Iterable[int]
) -> str:
    from echoplane.store import StoreReader

    some = next(iter(answers.values()))
    fit, clips = recipe.fit.epochs, recipe.data.epoch_clips
    missing = [name for name in args.networks if name not in answers]
    lines = [
        "# Networks: worth against cost",
        "",
        f"    python benchmarks/network_pareto.py --networks {' '.join(args.networks)} \\",
        f"        --store {Path(args.store).name} --test {args.test.name} --docs docs",
        "",
        f"Recipe `{args.recipe.name}` for all, {fit} epochs"
        + (f" of {clips} clips" if clips else "")
        + (f", {' '.join(args.set)}" if args.set else "")
        + f"; {StoreReader(args.store).info.origin or Path(args.store).name}. Measured on {len(some.cines)} cines of "
        f"{len(set(some.groups))} other patients, which neither trained nor chose an epoch. Clip "
        f"{'x'.join(map(str, clip))}, OpenVINO, one thread, batch 1, in turns; milliseconds of processor time. The "
        "sentences are about accuracy, six views and other, each cine alike.",
        "",
        "![worth against cost](pictures/network-pareto.svg)",
        "",
        *full_table(ms, answers),
        *(["", f"Not trained yet: {', '.join(missing)}."] if missing else []),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=NETWORKS, help="the first is what the others are held against")
    parser.add_argument(
        "--clip",
        type=int,
        nargs=3,
        default=[10, 112, 112],
        metavar=("N", "H", "W"),
        help="frames, rows and columns, for networks that are not trained (%(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=30, help="rounds, in turns; the median counts (%(default)s)")
    parser.add_argument("--store", help="train on this store too")
    parser.add_argument("--test", type=Path, help="store of other patients, of the same picture size, to answer")
    parser.add_argument(
        "--recipe", type=Path, default=RECIPE, help="training recipe of all networks (tools/weights/beside.yaml)"
    )
    parser.add_argument("--split", type=Path, help="default: 5 %% of the patients choose the epoch")
    parser.add_argument("--set", nargs="*", default=[], help="further settings of the recipe, key=value")
    parser.add_argument("-o", "--output", type=Path, default=Path("pareto"), help="run folders")
    parser.add_argument("--docs", type=Path, help="write the page and the picture into this folder")
    args = parser.parse_args()
    if not args.store:
        ms = cost(args.networks, len(MAIN_VIEWS), tuple(args.clip), args.rounds)
        print("\n".join([f"Clip {'x'.join(map(str, args.clip))}, OpenVINO, one thread, batch 1.", "", *cost_table(ms)]))
        return
    if args.test is None:
        parser.error("--store needs --test: a store of patients that were not trained on.")
    from echoplane.training.recipe import load_recipe

    recipe = load_recipe(str(args.recipe), [f"data.stores=[{args.store}]", *args.set])
    answers: dict[str, Predictions] = {}
    times: Times = {}
    for name in args.networks:
        run = trained(name, args.recipe, args)
        clip = Bundle.load(run / "bundle").facts.clip_shape
        if not times:
            times = cost(args.networks, len(recipe.views), clip, args.rounds)
        answers[name] = answers_of(run, args.test)
        text = page(args, recipe, times, answers, clip)
        print("\n".join(full_table(times, answers)), flush=True)
        if args.docs:
            plot(times, answers, args.docs / "pictures" / "network-pareto.svg")
            with atomic_write(args.docs / "network-pareto.md") as stream:
                stream.write(text)


if __name__ == "__main__":
    main()
