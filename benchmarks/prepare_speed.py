"""What finding the sector, preparing and gathering cost on a 60-frame 800 x 600 JPEG 4:2:2 cine, on one thread.

    python benchmarks/prepare_speed.py [--rounds 15]

Steps are interleaved over the rounds; the median round counts, in milliseconds of processor time. "bare decode" reads
the same frames at the same reduction and does nothing else: the floor. Two cines: the real A4C that pydicom ships,
enlarged (dim, so that three levels of light are tried), and a phantom clip.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import _markdown
import cv2
import numpy as np
from pydicom import examples

from echoplane.phantom.clip import render_clip
from echoplane.prepare import RECIPES, find_sector, prepare
from echoplane.prepare.sector import probe_reduction, spread
from echoplane.records import Cine
from echoplane.sampling import RULES, gather, plan
from echoplane.sources.open import open_cine

#: OpenCV's flags for grey decoding at 1, 1/2, 1/4 and 1/8 of the size.
FLAGS = {1: 0, 2: 16, 4: 32, 8: 64}


class JpegReader:
    """JPEG frames in memory, decoded grey at reduced scale."""

    def __init__(self, frames: np.ndarray) -> None:
        sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
        self.coded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90, *sampling])[1] for frame in frames]

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> np.ndarray:
        return np.stack([cv2.imdecode(self.coded[i], FLAGS[reduce]) for i in indices])


def real_cine() -> Cine:
    small = open_cine(str(examples.get_path("ybr_color")))
    frames = small.reader.read([i % small.n_frames for i in range(60)], color=True)
    large = np.stack([cv2.resize(frame[..., ::-1], (800, 600), interpolation=cv2.INTER_CUBIC) for frame in frames])
    return Cine("pydicom's ybr_color, enlarged", JpegReader(large), 60, 600, 800, 30.0)


def phantom_cine() -> Cine:
    clip = render_clip("A4C", seed=4, frames=60, size=(600, 800))
    color = clip.frames if clip.frames.ndim == 4 else np.repeat(clip.frames[..., None], 3, axis=3)
    return Cine("phantom", JpegReader(color[..., ::-1]), 60, 600, 800, clip.fps)


def measure(cine: Cine, rounds: int) -> None:
    recipe, rule = RECIPES["default"], RULES["default"]
    needed = plan(cine.n_frames, cine.fps, rule).needed
    reduction = probe_reduction(cine.height, cine.width)
    sector = find_sector(cine)
    prepared = prepare(cine, recipe, needed, sector)
    probes = [needed[i] for i in spread(len(needed))]
    steps: dict[str, Callable[[], object]] = {
        "plan": lambda: plan(cine.n_frames, cine.fps, rule),
        f"bare decode of {len(needed)} frames": lambda: cine.reader.read(needed, reduce=reduction),
        f"bare decode of {len(probes)} frames": lambda: cine.reader.read(probes, reduce=reduction),
        "find_sector, its decoding included": lambda: find_sector(cine, needed),
        "prepare, sector given": lambda: prepare(cine, recipe, needed, sector),
        "prepare, sector found too": lambda: prepare(cine, recipe, needed),
        "gather": lambda: gather(prepared, plan(cine.n_frames, cine.fps, rule)),
    }
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            took[name].append(1000 * (time.process_time() - start))
    head = f"{cine.source}: {cine.n_frames} frames {cine.width} x {cine.height}, sector {sector.kind.value}"
    rows = [(name, f"{statistics.median(values):.2f}", f"{min(values):.2f}") for name, values in took.items()]
    print(f"{_markdown.table((head, 'median, ms', 'best, ms'), rows)}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="rounds, in turns; the median counts (%(default)s)")
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    print(f"{_markdown.machine('opencv-python-headless')}\n", flush=True)
    for cine in (real_cine(), phantom_cine()):
        measure(cine, rounds)


if __name__ == "__main__":
    main()
