"""Training throughput of the reference network on this machine, beside the plain way of doing it.

    python benchmarks/train_throughput.py [--batch 16] [--steps 8] [--rounds 3]

Candidates run one after the other in their own processes (the allocator's settings are the process's), several rounds,
so that all of them meet the same state of the machine. Clips are noise: nothing is learned, only timed. The candidates
add one change at a time; the last is `echoplane train` itself, with augmentation, validation left out.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _markdown

CINES, FRAMES, SIDE = 64, 50, 100
WARM_UP = 2

CANDIDATES = {
    "plain": "fp32, contiguous, pickled clips, DataLoader defaults",
    "channels_last": "plain + channels_last_3d",
    "bf16": "channels_last + bf16 autocast",
    "allocator": "bf16 + raised allocator thresholds",
    "echoplane": "echoplane train (store, light augmentation)",
}


def make_data(folder: Path) -> None:
    import numpy as np

    from echoplane import config
    from echoplane.prepare.recipe import RECIPES
    from echoplane.store import StoreRow, StoreWriter

    rng = np.random.default_rng(0)
    recipe = config.to_mapping(RECIPES["reference"])
    views = ("A2C", "A3C", "A4C", "PSAX-MV", "PSAX-PM", "PSAX-AP")
    (folder / "pickles").mkdir()
    with StoreWriter(folder / "store", recipe=recipe, views=views, height=SIDE, width=SIDE) as writer:
        for n in range(CINES):
            frames = rng.integers(0, 256, (FRAMES, SIDE, SIDE), np.uint8)
            writer.append(frames, StoreRow(f"p{n}/c", label=views[n % 6], group=f"p{n}", fps=50.0))
            for phase in range(5):
                path = folder / "pickles" / f"p{n}_{phase}.pickle"
                path.write_bytes(pickle.dumps(frames[phase::5], pickle.HIGHEST_PROTOCOL))


def _pickles(folder: Path) -> Any:
    """Pickled clips the way they used to be read."""
    import torch
    from torch.utils.data import Dataset

    class Pickles(Dataset):  # type: ignore[type-arg]
        def __init__(self) -> None:
            self.paths = sorted((folder / "pickles").iterdir())

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
            with self.paths[i].open("rb") as stream:
                clip = pickle.load(stream) / 255  # noqa: S301 - files made a moment ago
            return torch.from_numpy(clip).float()[None], i % 6

    return Pickles()


def plain(folder: Path, kind: str, batch: int, steps: int) -> dict[str, float]:
    """The plain loop, with one more of the changes for each later kind."""
    level = list(CANDIDATES).index(kind)
    if level >= 3:
        from echoplane.training.allocator import keep_freed_memory

        assert keep_freed_memory()
    import torch
    from torch.utils.data import DataLoader

    from echoplane.models.registry import build

    torch.manual_seed(0)
    network = build("cnn3d", 6)
    if level >= 1:
        network = network.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loader = DataLoader(_pickles(folder), batch_size=batch, shuffle=True)

    def endless() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield from loader

    batches = endless()
    for n in range(WARM_UP + steps):
        if n <= WARM_UP:
            started, used, waiting = time.perf_counter(), time.process_time(), 0.0
        asked = time.perf_counter()
        clips, labels = next(batches)
        waiting += time.perf_counter() - asked
        if level >= 1:
            clips = clips.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast("cpu", torch.bfloat16, enabled=level >= 2):
            loss = torch.nn.functional.cross_entropy(network(clips), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds = time.perf_counter() - started
    cpu = 1000 * (time.process_time() - used) / (batch * steps)
    return {"clips_per_second": batch * steps / seconds, "waiting": waiting / seconds, "cpu": cpu}


def ours(folder: Path, batch: int, steps: int) -> dict[str, float]:
    from echoplane.pipelines.train import train
    from echoplane.training.events import EpochEnded
    from echoplane.training.recipe import load_recipe

    words = [f"data.stores=[{folder / 'store'}]", f"fit.batch={batch}", "fit.epochs=2", "data.validation=0",
             f"data.epoch_clips={batch * steps}", "augment=light"]  # fmt: skip
    timings: list[tuple[EpochEnded, float]] = []

    def note(event: object) -> None:
        if isinstance(event, EpochEnded):
            timings.append((event, time.process_time()))

    with tempfile.TemporaryDirectory() as run:
        train(load_recipe("reference", words), Path(run) / "run", bundle=False, report=note)
    (_, before), (last, after) = timings
    cpu = 1000 * (after - before) / (batch * steps)
    return {"clips_per_second": last.clips_per_second, "waiting": last.waiting, "cpu": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16, help="clips a step (%(default)s)")
    parser.add_argument("--steps", type=int, default=8, help="steps a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, in turns; the median counts (%(default)s)")
    parser.add_argument(
        "--only", nargs="*", default=list(CANDIDATES), choices=list(CANDIDATES), help="candidates to run (all)"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, folder = args.child[0], Path(args.child[1])
        found = (
            ours(folder, args.batch, args.steps) if kind == "echoplane" else plain(folder, kind, args.batch, args.steps)
        )
        print(json.dumps(found))
        return
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in args.only}
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder))
        for _ in range(args.rounds):
            for kind in args.only:
                command = [sys.executable, __file__, "--batch", str(args.batch), "--steps", str(args.steps),
                           "--child", kind, folder]  # fmt: skip
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                results[kind].append(json.loads(done.stdout.strip().splitlines()[-1]))
    first = statistics.median(r["clips_per_second"] for r in results[args.only[0]])
    rows = []
    for kind, runs in results.items():
        speed = statistics.median(r["clips_per_second"] for r in runs)
        waiting = statistics.median(r["waiting"] for r in runs)
        cpu = statistics.median(r["cpu"] for r in runs)
        rows.append((CANDIDATES[kind], f"{speed:.1f}", f"{speed / first:.2f}", f"{cpu:.0f}", f"{100 * waiting:.1f}%"))
    head = (f"batches of {args.batch}", "clips/s", f"times {args.only[0]}", "CPU, ms a clip", "waiting for data")
    print(f"{_markdown.machine('torch')}\n\n{_markdown.table(head, rows)}")


if __name__ == "__main__":
    main()
