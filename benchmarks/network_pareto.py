"""Networks side by side: what each costs on this processor, and what it is worth.

    python benchmarks/network_pareto.py                                   cost only, random weights
    python benchmarks/network_pareto.py --store store -o pareto --epochs 20   train each on the same split, then plot

Cost: milliseconds of one clip in OpenVINO, one thread, batch 1, the networks taking turns, median. Worth: balanced
accuracy
by cine on the validation patients of the store, with a 95 % interval by patient; every network gets the same
recipe, split and number of epochs. Runs that are there already are not trained again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

NETWORKS = ["cnn3d", "cnn3d-deep", "compact3d", "compact3d-s", "frames2d-lenet", "frames2d-resnet18"]
PRECISIONS = ("f32", "bf16")


def cost(names: list[str], clip: tuple[int, int, int], rounds: int) -> dict[str, dict[str, float]]:
    import numpy as np
    import openvino
    import torch

    from echoplane.models.export import to_onnx
    from echoplane.models.registry import build

    warnings.simplefilter("ignore")
    core = openvino.Core()
    torch.manual_seed(0)
    clips = np.random.default_rng(0).normal(size=(1, 1, *clip)).astype(np.float32)
    requests = {}
    for name in names:
        model = core.read_model(to_onnx(build(name, 6).eval(), clip))
        for precision in PRECISIONS:
            settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1}
            requests[name, precision] = core.compile_model(model, "CPU", settings).create_infer_request()
    times: dict[tuple[str, str], list[float]] = {key: [] for key in requests}
    for turn in range(rounds + 3):
        for key, request in requests.items():
            started = time.perf_counter()
            request.infer([clips])
            if turn >= 3:
                times[key].append(1000 * (time.perf_counter() - started))
    return {name: {p: statistics.median(times[name, p]) for p in PRECISIONS} for name in names}


def worth(names: list[str], store: str, folder: Path, epochs: int, words: list[str]) -> dict[str, dict[str, float]]:
    from echoplane.data.split import make_split
    from echoplane.metrics.summary import summarise
    from echoplane.pipelines.train import train
    from echoplane.training.cines import rows_to_split
    from echoplane.training.recipe import load_recipe

    common = [f"data.stores=[{store}]", f"fit.epochs={epochs}", *words]
    split = folder / "split.csv"
    if not split.exists():
        make_split(rows_to_split(load_recipe("compact", common)), validation=0.25, seed=1)[0].save(split)
    found = {}
    for name in names:
        network = f"network={{name: {name}}}"
        recipe = load_recipe("compact", [*common, network, f"data.split={split}"])
        result = train(recipe, folder / name, resume=True, bundle=False).result
        assert result.predictions is not None
        figure = summarise(result.predictions).figures["balanced_accuracy"]
        found[name] = {"value": figure.value, "low": figure.low, "high": figure.high}
        print(f"{name:<18} balanced accuracy {figure}", flush=True)
    return found


def plot(rows: dict[str, dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
    for name, row in rows.items():
        value = row["worth"]
        error = [[100 * (value["value"] - value["low"])], [100 * (value["high"] - value["value"])]]
        axes.errorbar(row["ms"]["f32"], 100 * value["value"], yerr=error, fmt="o", capsize=3)
        axes.annotate(name, (row["ms"]["f32"], 100 * value["value"]), xytext=(6, 6), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_xlabel("ms a clip, OpenVINO f32, one thread")
    axes.set_ylabel("balanced accuracy by cine, %")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--clip", type=int, nargs=3, default=[10, 100, 100], metavar=("N", "H", "W"))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--store")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--set", nargs="*", default=[], help="further settings of the recipe, key=value")
    parser.add_argument("-o", "--output", type=Path, default=Path("pareto"))
    args = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {name: {} for name in args.networks}
    if args.store:
        args.output.mkdir(parents=True, exist_ok=True)
        for name, found in worth(args.networks, args.store, args.output, args.epochs, args.set).items():
            rows[name]["worth"] = found
    first: dict[str, float] | None = None
    print(f"{'network':<18} {'f32 ms':>8} {'bf16 ms':>8} {'of first':>9}   clip {'x'.join(map(str, args.clip))}")
    for name, found in cost(args.networks, tuple(args.clip), args.rounds).items():
        rows[name]["ms"] = found
        first = first or found
        print(f"{name:<18} {found['f32']:8.2f} {found['bf16']:8.2f} {found['f32'] / first['f32']:9.2f}")
    if args.store:
        (args.output / "pareto.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        plot(rows, args.output / "pareto.svg")
        print(f"written: {args.output / 'pareto.svg'}")


if __name__ == "__main__":
    main()
