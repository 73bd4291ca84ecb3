"""How fast is file to view, against the plain way and against the floor? Ratios within one run.

    python benchmarks/predict_speed.py                 everything, about five minutes
    python benchmarks/predict_speed.py --only latency  one part: latency, thesis, batch, memory, cold

- **plain**: what a script would do: ``pydicom.dcmread(path).pixel_array``, grey and resized frame by frame, the
  bundle's network in torch, eager, f32.
- **floor**: what cannot be left out: libjpeg-turbo's grey half-scale decoding of just the frames the clips need,
  and the OpenVINO forward of the clips alone, of as many as echoplane looked at. No header, no sector, no resizing,
  no answer.
- **echoplane**: ``ViewClassifier.predict(path)``, file to ``ViewResult``.

``thesis`` is the same work for the thesis's network, cnn3d on five clips of ten frames 100 x 100, with random weights
(cost only): ten times the arithmetic of the two clips of the default, so that what surrounds the network weighs less.

The three take turns, so that what else the machine does hits all of them; medians are given. On a machine that others
use too, ``--clock cpu`` counts processor time instead of the time on the wall, for latency on one thread and for cold
processes (it adds up threads, so it bounds from above what a quiet machine needs).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import _bundles
import _cines
import _markdown
import cv2
import numpy as np
import pydicom
from pydicom.encaps import get_frame

from echoplane.inference.classifier import ViewClassifier
from echoplane.inference.engine import load_engine
from echoplane.inference.enough import first_look
from echoplane.models.bundle import Bundle
from echoplane.models.openvino_core import openvino_core
from echoplane.pipelines.calibrate_mirror import without_mirror_margin
from echoplane.pipelines.predict import PredictSettings, predict
from echoplane.prepare import frames
from echoplane.prepare.sector import Located, locate
from echoplane.sampling.clips import plan

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
#: Of the batch: a small archive; starting the processes counts.
FILES = 1000
PARTS = ("latency", "thesis", "batch", "memory", "cold")


def interleaved(
    candidates: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return the median seconds of each candidate; they take turns, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, run in candidates.items():
            started = clock()
            run()
            if number:
                times[name].append(clock() - started)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def plain_way(path: Path, bundle: Bundle, threads: int) -> Callable[[], object]:
    """Return the plain way as a function without arguments."""
    import torch

    from echoplane.models.load import load_network

    network = load_network(bundle)
    facts = bundle.facts

    def run() -> object:
        torch.set_num_threads(threads)
        dataset = pydicom.dcmread(path)
        frames = dataset.pixel_array
        height, width = facts.recipe.size
        grey = np.stack([cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (width, height)) for f in frames])
        clips = grey[plan(len(grey), _cines.FPS, facts.sampling).indices]
        batch = (torch.from_numpy(clips[:, None]).float() / 255 - facts.recipe.mean) / facts.recipe.std
        with torch.no_grad():
            return network(batch).softmax(1).mean(0).argmax()

    return run


def floor(path: Path, bundle: Bundle, threads: int, frames_used: int) -> Callable[[], object]:
    """Return the floor as a function without arguments."""
    engine = load_engine(bundle, threads=threads)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    whole = plan(int(header.NumberOfFrames), 1000 / float(header.FrameTime), bundle.facts.sampling)
    # No more than echoplane looks at: where two clips are enough, two.
    first = first_look(whole, bundle.facts)
    sampling = first if frames_used == len(first.needed) else whole
    data = pydicom.dcmread(path).PixelData
    assert frames_used == len(sampling.needed)
    count = len(sampling.indices)
    clips = np.zeros((count, 1, *bundle.facts.clip_shape), np.float32)
    total = int(sampling.indices.max()) + 1
    streams = [np.frombuffer(get_frame(data, i, number_of_frames=total), np.uint8) for i in sampling.needed]
    pool = ThreadPoolExecutor(threads)

    def decode(stream: np.ndarray) -> object:
        return cv2.imdecode(stream, cv2.IMREAD_REDUCED_GRAYSCALE_2)

    def run() -> object:
        frames = list(map(decode, streams)) if threads == 1 else list(pool.map(decode, streams))
        return frames, engine.run(clips)

    return run


def without_looking(path: Path, bundle: Bundle, threads: int) -> Callable[[], object]:
    """Return echoplane with the sector given, and no mirror image asked for: what no search can do without."""
    classifier = ViewClassifier.load(without_mirror_margin(bundle), threads=threads)
    found: list[Located] = []

    def remembered(*given: Any) -> Located:
        if not found:
            found.append(locate(*given))
        return found[0]

    def run() -> object:
        with mock.patch.object(frames, "locate", remembered):
            return classifier.predict(path)

    return run


def has_bf16() -> bool:
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def latency(folder: Path, bundle: Bundle, rounds: int, clock: str) -> list[str]:
    """Measure file to view, one thread and two."""
    path = _cines.write_jpeg_cine(folder / "jpeg.dcm")
    bare = _cines.write_jpeg_cine(folder / "bare.dcm", regions=False)
    rows = []
    for threads in (1, 2) if clock == "wall" else (1,):
        cv2.setNumThreads(threads)
        classifier = ViewClassifier.load(bundle, threads=threads)
        everything = ViewClassifier.load(bundle, threads=threads, all_clips=True)
        result = classifier.predict(path)
        candidates = {
            "plain": plain_way(path, bundle, threads),
            "floor": floor(path, bundle, threads, result.frames_used),
            "echoplane": partial(classifier.predict, path),
            "bare": partial(classifier.predict, bare),
            "all clips": partial(everything.predict, path),
        }
        candidates["given"] = without_looking(path, bundle, threads)
        if has_bf16():
            candidates["bf16"] = partial(ViewClassifier.load(bundle, threads=threads, precision="bf16").predict, path)
        got = interleaved(candidates, rounds, CLOCKS[clock])
        steps = [classifier.predict(path).seconds for _ in range(rounds)]
        split = ", ".join(f"{s} {1e3 * statistics.median(x[s] for x in steps):.1f}" for s in steps[0])
        name = f"{threads} thread{'s' if threads > 1 else ''}"
        rows += [
            f"| file to view, {name}: plain | {1e3 * got['plain']:.0f} ms | |",
            f"| file to view, {name}: floor | {1e3 * got['floor']:.1f} ms | |",
            f"| file to view, {name}: echoplane | {1e3 * got['echoplane']:.1f} ms ({split}) | |",
            f"| the same without ultrasound regions in the header, {name} | {1e3 * got['bare']:.1f} ms | |",
            f"| the same with `--all-clips`, {name} | {1e3 * got['all clips']:.1f} ms "
            f"(plain / it {got['plain'] / got['all clips']:.1f}) | |",
            f"| plain / echoplane, {name} | {got['plain'] / got['echoplane']:.1f} | >= 20 |",
            f"| echoplane / floor, {name} | {got['echoplane'] / got['floor']:.2f} | <= 1.4 |",
            f"| the same with the sector given and no mirror image asked for, {name} | {1e3 * got['given']:.1f} ms "
            f"({got['given'] / got['floor']:.2f} times the floor) | |",
        ]
        if "bf16" in got:
            times = f"plain / it {got['plain'] / got['bf16']:.1f}"
            rows.append(f"| the same with `--precision bf16`, {name} | {1e3 * got['bf16']:.1f} ms ({times}) | |")
        assert everything.predict(path).frames_used == len(plan(60, _cines.FPS, bundle.facts.sampling).needed)
    return rows


def thesis(folder: Path, bundle: Bundle, rounds: int, clock: str) -> list[str]:
    """Measure file to view with the network, the clips and the picture size of the thesis."""
    del bundle
    path = _cines.write_jpeg_cine(folder / "thesis.dcm")
    bundle = Bundle.load(_bundles.random_bundle("cnn3d", folder, side=100))
    rows = []
    for threads in (1, 2) if clock == "wall" else (1,):
        cv2.setNumThreads(threads)
        classifier = ViewClassifier.load(bundle, threads=threads)
        result = classifier.predict(path)
        assert len(result.clip_probabilities) == 5
        candidates = {
            "plain": plain_way(path, bundle, threads),
            "floor": floor(path, bundle, threads, result.frames_used),
            "echoplane": partial(classifier.predict, path),
        }
        got = interleaved(candidates, rounds, CLOCKS[clock])
        name = f"cnn3d, five clips, {threads} thread{'s' if threads > 1 else ''}"
        rows += [f"| {name}: {way} | {1e3 * got[way]:.0f} ms | |" for way in candidates]
        rows += [
            f"| {name}: plain / echoplane | {got['plain'] / got['echoplane']:.1f} | >= 20 |",
            f"| {name}: echoplane / floor | {got['echoplane'] / got['floor']:.2f} | <= 1.4 |",
        ]
    return rows


def batch(folder: Path, bundle: Bundle, rounds: int, clock: str) -> list[str]:
    """Measure many files, one job against two."""
    del clock, bundle
    files, folder = FILES if rounds > 1 else 4, folder / "batch"
    folder.mkdir()
    first = _cines.write_jpeg_cine(folder / "b0.dcm").read_bytes()
    for i in range(1, files):
        (folder / f"b{i}.dcm").write_bytes(first)
    cv2.setNumThreads(1)
    one, two = (PredictSettings(threads=n, jobs=n) for n in (1, 2))
    got = interleaved(
        {"one": lambda: predict([folder], one), "two": lambda: predict([folder], two, processes=True)},
        rounds=1,
    )
    return [
        f"| batch of {files} files, one job | {files / got['one']:.1f} files/s | |",
        f"| batch of {files} files, two jobs | {files / got['two']:.1f} files/s | |",
        f"| batch on two cores / on one | {got['one'] / got['two']:.2f} | >= 1.8 |",
    ]


# VmHWM, not ru_maxrss: the latter remembers the parent's size from before exec.
_MEMORY = """
import sys
from echoplane.inference.classifier import ViewClassifier
result = ViewClassifier.load(sys.argv[1], threads=2).predict(sys.argv[2])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(result.status, int(peak) // 1024)
"""


def memory(folder: Path, bundle: Bundle, rounds: int, clock: str) -> list[str]:
    """Measure the peak memory of a process that answers for a large uncompressed file, and of one that only loads."""
    del rounds, clock
    raw = _cines.write_raw_cine(folder / "raw.dcm")
    status, peak = _python(_MEMORY, bundle.where, str(raw)).split()
    _, least = _python(_MEMORY, bundle.where, str(folder / "missing")).split()
    size = raw.stat().st_size / 2**20
    raw.unlink()
    return [
        f"| peak memory, 300 frames 1024x768 RGB uncompressed, {size:.0f} MiB ({status}) | {peak} MiB | <= 400 MiB |",
        f"| peak memory, imports and network alone | {least} MiB | |",
    ]


def cold(folder: Path, bundle: Bundle, rounds: int, clock: str) -> list[str]:
    """Measure whole processes: the command, the import of the package, and Python alone."""
    path = _cines.write_jpeg_cine(folder / "cold.dcm")
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}

    def process(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, env=environment, capture_output=True)

    got = interleaved(
        {
            "python": process("-c", "pass"),
            "import": process("-c", "import echoplane"),
            "help": process("-m", "echoplane", "--help"),
            "predict": process("-m", "echoplane", "predict", str(path), "--bundle", bundle.where),
        },
        max(5, rounds // 2),
        time.perf_counter if clock == "wall" else _children_seconds,
    )
    return [
        f"| cold process, `echoplane predict one.dcm` to the printed table | {got['predict']:.2f} s | <= 1.2 s |",
        f"| `import echoplane`, beyond Python's own start | {got['import'] - got['python']:.3f} s | <= 0.2 s |",
        f"| `echoplane --help` | {got['help']:.2f} s | |",
        f"| cold load of the bundle and engine, beyond imports | {_load_seconds(bundle):.3f} s | <= 0.3 s |",
    ]


def _children_seconds() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_LOAD = """
import sys, time
import openvino, echoplane.inference.classifier as c
started = time.perf_counter()
c.ViewClassifier.load(sys.argv[1])
print(time.perf_counter() - started)
"""


def _load_seconds(bundle: Bundle) -> float:
    return statistics.median(float(_python(_LOAD, bundle.where)) for _ in range(5))


def _python(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="File to view: speed and memory.")
    parser.add_argument("--bundle", help="default: the one that ships, or compact3d with random weights")
    parser.add_argument("--rounds", type=int, default=15, help="rounds, in turns; the median counts (%(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this; may be given again")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="for latency and cold")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        where, said = _bundles.chosen(arguments.bundle, folder)
        bundle = Bundle.load(where)
        print(
            f"{_markdown.machine('openvino', 'torch')}; {said}\n\n| what | measured | reach |\n|---|---|---|",
            flush=True,
        )
        for part in arguments.only or PARTS:
            print("\n".join(globals()[part](folder, bundle, arguments.rounds, arguments.clock)), flush=True)


if __name__ == "__main__":
    main()
