"""What each group of nuisances is worth: the same network, trained on phantoms with a group switched off.

    python benchmarks/phantom_ablation.py OUT --real REAL_STORE [--clips 3000] [--epochs 10]

REAL_STORE is what tools/weights/real_store.py makes of the development clips. Every configuration gets its own
phantoms (same seed), the same network, steps and seed, and is measured on the same phantoms with everything on (other
patients) and on the real clips, none of which it was trained on. Stopped, it goes on where it was. The table goes to
OUT/ablation.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from echoplane.views import MAIN_VIEWS, Family, family_of

if TYPE_CHECKING:
    from echoplane.models.bundle import Bundle
    from echoplane.store.reader import StoreReader

SIDE, FRAMES = 80, 8
NETWORK = "frames2d-resnet18"
GROUPS = ("acoustics", "screen", "pose", "disease")
OTHERS = ("PLAX", "PSAX-AV", "A5C", "SC4C", "SC-IVC", "SSN", "DOPPLER", "M-MODE", "NOISE")
LABELS = {"RV-A4C": "A4C", "PSAX": ["PSAX-MV", "PSAX-PM", "PSAX-AP"]}
Row = tuple[str, str, str]  # truth, answer, group
Share = Callable[[list[Row]], float]


def render(folder: Path, nuisances: tuple[str, ...], clips: int, seed: int, jobs: int) -> Path:
    from echoplane.phantom.dataset import DatasetPlan
    from echoplane.pipelines.phantom import write_dataset
    from echoplane.prepare.recipe import RECIPES

    recipe = replace(RECIPES["default"], size=(SIDE, SIDE))
    # Eight frames a second for just over a second: what the network looks at, and nothing else.
    plan = DatasetPlan(clips=clips, seed=seed, frames=FRAMES + 1, fps=8.0, nuisances=nuisances)
    write_dataset(folder, plan, jobs=jobs, recipe=recipe)
    return folder


def train(store: Path, folder: Path, epochs: int, seed: int, network: str = NETWORK) -> Bundle:
    from echoplane import config
    from echoplane.models.bundle import Bundle
    from echoplane.pipelines.train import train as run
    from echoplane.training.recipe import TrainRecipe

    if not (folder / "bundle" / "bundle.json").is_file():
        recipe = {
            "name": folder.name,
            "seed": seed,
            "views": [*MAIN_VIEWS, *OTHERS],
            "labels": LABELS,
            "data": {
                "stores": [{"path": str(store), "use": "train"}],
                "sampling": {"kind": "seconds", "frames": FRAMES, "seconds": 1.0, "max_clips": 1},
                "balance": 0.3,
            },
            "network": {"name": network},
            "optimizer": {"lr": 2e-3, "weight_decay": 0.02},
            "schedule": {"warmup": 0.5},
            "loss": {"label_smoothing": 0.05},
            "fit": {"epochs": epochs, "clip_gradient": 1.0, "ema": 0.99},
            "augment": "default",
        }
        run(config.from_mapping(TrainRecipe, recipe, folder.name), folder, resume=True)
    return Bundle.load(folder / "bundle")


def answers(bundle: Bundle, store: StoreReader, seconds_only: bool) -> list[Row]:
    from echoplane.errors import TooShortError
    from echoplane.inference.engine import load_engine
    from echoplane.sampling.clips import plan

    engine, facts, found = load_engine(bundle), bundle.facts, []
    rule = facts.sampling if seconds_only else replace(facts.sampling, max_clips=4)
    for number, row in enumerate(store.rows):
        try:
            indices = plan(row.n_frames, row.fps, rule, source=row.cine).indices
        except TooShortError:
            continue
        frames = shrunk(store.frames(number, indices.ravel()))
        clips = facts.recipe.normalise(frames).reshape(len(indices), 1, FRAMES, SIDE, SIDE)
        logits = engine.run(clips)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        summed = (odds / odds.sum(axis=1, keepdims=True)).sum(axis=0)
        found.append((row.label, facts.vocabulary[int(summed.argmax())], row.group))
    return found


def shrunk(frames: np.ndarray) -> np.ndarray:
    import cv2

    if frames.shape[1:] == (SIDE, SIDE):
        return frames
    return np.stack([cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in frames])


def recall(view: str) -> Share:
    return lambda rows: float(np.mean([answer == truth for truth, answer, _ in rows if truth == view]))


def six(rows: Sequence[Row]) -> float:
    return float(np.mean([answer == truth for truth, answer, _ in rows if truth in MAIN_VIEWS]))


def families(rows: Sequence[Row]) -> float:
    both = (Family.APICAL, Family.SHORT_AXIS)
    kept = [(t, a) for t, a, _ in rows if family_of(t) in both and t not in ("A5C", "PSAX-AV")]
    return float(np.mean([family_of(t) == family_of(a) for t, a in kept]))


def short_axis(rows: Sequence[Row]) -> float:
    levels = ("PSAX", "PSAX-MV", "PSAX-PM", "PSAX-AP")
    return float(np.mean([answer in levels for truth, answer, _ in rows if truth in levels]))


def balanced(rows: list[Row]) -> float:
    """Four best-covered labels: A2C, A3C, A4C, short axis of any level."""
    return float(np.mean([recall("A2C")(rows), recall("A3C")(rows), recall("A4C")(rows), short_axis(rows)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for stores and runs; a second call goes on there")
    parser.add_argument(
        "--real", type=Path, required=True, help="store of real clips to measure on, from tools/weights/real_store.py"
    )
    parser.add_argument("--clips", type=int, default=3000, help="phantom clips to train on, for each row (%(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each network (%(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="networks for each configuration")
    parser.add_argument("--network", default=NETWORK, help="one that learns from few clips")
    parser.add_argument("--jobs", type=int, default=1, help="processes that render (%(default)s)")
    given = parser.parse_args()
    from echoplane.store.reader import StoreReader

    out: Path = given.out
    test = StoreReader(render(out / "test", GROUPS, 600, 99, given.jobs))
    real = StoreReader(given.real)
    configurations = {"everything on": GROUPS, **{f"without {g}": tuple(x for x in GROUPS if x != g) for g in GROUPS}}
    configurations["everything off"] = ()
    lines = [
        "| phantoms | six views, phantoms | A2C | A3C | A4C | short axis | balanced | short axis against apical |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, nuisances in configurations.items():
        place = out / name.replace(" ", "-")
        store = render(place / "store", nuisances, given.clips, 7, given.jobs)
        each = []
        for seed in range(given.seeds):
            kept = place / f"answers-{seed}.json"
            if not kept.is_file():
                bundle = train(store, place / f"run-{seed}", given.epochs, seed, given.network)
                found = {"phantom": answers(bundle, test, True), "real": answers(bundle, real, False)}
                kept.write_text(json.dumps(found))
            each.append(json.loads(kept.read_text()))
        columns: list[tuple[str, Share]] = [
            ("phantom", six), ("real", recall("A2C")), ("real", recall("A3C")), ("real", recall("A4C")),
            ("real", short_axis), ("real", balanced), ("real", families),
        ]  # fmt: skip
        cells = [f"{np.mean([share(found[on]) for found in each]):.2f}" for on, share in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    (out / "ablation.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
