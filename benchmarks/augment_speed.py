"""How fast training clips come out of a store, with and without augmentation, on one core.

    python benchmarks/augment_speed.py STORE

Prints, for every augmentation recipe, clips a second out of the data set itself (reading, drawing, applying, batching)
and milliseconds a clip; recipes interleaved, median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time

import _markdown
import cv2

from echoplane.data.augment import AUGMENTS
from echoplane.data.dataset import ClipDataset, ClipSampler, loader
from echoplane.sampling import SamplingRule
from echoplane.store import StoreReader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", help="folder of a clip store")
    parser.add_argument("--clips", type=int, default=1000, help="clips a round (%(default)s)")
    parser.add_argument("--frames", type=int, default=10, help="frames of a clip (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, in turns; the median counts (%(default)s)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    store = StoreReader(options.store)
    rule = SamplingRule("sliding", frames=options.frames, step=2, short="loop")
    per_cine = max(1, options.clips // len(store))
    rates: dict[str, list[float]] = {name: [] for name in AUGMENTS}
    for number in range(options.rounds):
        for name, recipe in AUGMENTS.items():
            dataset = ClipDataset(
                store,
                ("A4C",),
                rule=rule,
                per_cine=per_cine,
                augment=recipe if name != "none" else None,
                labelled=False,
            )
            sampler = ClipSampler(dataset, seed=number)
            started = time.perf_counter()
            clips = sum(len(batch["row"]) for batch in loader(dataset, 16, sampler=sampler))
            rates[name].append(clips / (time.perf_counter() - started))
    height, width = store.info.height, store.info.width
    rows = [(name, f"{statistics.median(v):,.0f}", f"{1000 / statistics.median(v):.2f}") for name, v in rates.items()]
    head = (f"{options.frames} x {height} x {width} clips, {len(store)} cines, no workers", "clips/s", "ms a clip")
    print(f"{_markdown.machine('torch', 'numpy')}\n\n{_markdown.table(head, rows)}")


if __name__ == "__main__":
    main()
