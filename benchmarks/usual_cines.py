"""File to view against the floor on many cines: one alone may be an easy or a hard one.

    python benchmarks/usual_cines.py                       24 phantoms, four of each main view
    python benchmarks/usual_cines.py --clips clips/        real cines beside them ($ECHOPLANE_CLIPS, where that is set)

Every cine is made the work of predict_speed.py: 60 frames 800 x 600 (shorter ones repeated, others resized with bars),
JPEG 4:2:2 in a DICOM file. Phantoms name their region, as scanners do; of the others nobody knows it. One thread; floor
and echoplane take turns, and each cine counts with its medians. The floor is that of predict_speed.py: decoding the
frames and running the clips that echoplane looked at, mirror images left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import _bundles
import _cines
import _markdown
import cv2
import numpy as np
from predict_speed import floor, interleaved

from echoplane.errors import EchoplaneError
from echoplane.inference.classifier import ViewClassifier
from echoplane.models.bundle import Bundle
from echoplane.phantom.clip import render_clip
from echoplane.sources.discover import discover
from echoplane.sources.open import open_cine
from echoplane.views import MAIN_VIEWS

FRAMES, WIDTH, HEIGHT = 60, 800, 600
CLIPS = [os.environ["ECHOPLANE_CLIPS"]] if os.environ.get("ECHOPLANE_CLIPS") else []


def phantoms(count: int, folder: Path) -> Iterator[Path]:
    """Write phantom cines, the views in turns."""
    for number in range(count):
        clip = render_clip(MAIN_VIEWS[number % len(MAIN_VIEWS)], 9000 + number, frames=FRAMES, size=(HEIGHT, WIDTH))
        x0, y0, x1, y1 = (round(edge) for edge in clip.sector.box)
        box = max(x0, 0), max(y0, 0), min(x1, WIDTH) - 1, min(y1, HEIGHT) - 1
        yield _cines.write_frames(folder / "phantom.dcm", as_work(clip.frames), clip.fps, box)


def real(places: Sequence[str], folder: Path) -> Iterator[Path]:
    """Write real cines of the size of the work."""
    for item in discover(places):
        try:
            cine = open_cine(item)
        except EchoplaneError:
            continue
        if cine.n_frames > 1:  # a still has one clip
            frames = cine.reader.read(range(min(cine.n_frames, FRAMES)), color=True)
            yield _cines.write_frames(folder / "real.dcm", as_work(frames), cine.fps or _cines.FPS, None)


def as_work(frames: np.ndarray) -> np.ndarray:
    """Return 60 R, G, B frames 800 x 600 of frames (T, H, W) or (T, H, W, 3) of any size, its proportions kept."""
    if frames.ndim == 3:
        frames = np.repeat(frames[..., None], 3, axis=3)
    height, width = frames.shape[1:3]
    scale = min(WIDTH / width, HEIGHT / height)
    inner = round(width * scale), round(height * scale)
    left, top = (WIDTH - inner[0]) // 2, (HEIGHT - inner[1]) // 2
    out = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for target, number in zip(out, np.arange(FRAMES) % len(frames), strict=True):
        target[top : top + inner[1], left : left + inner[0]] = cv2.resize(frames[number], inner)
    return out


def row(name: str, files: Iterator[Path], bundle: Bundle, rounds: int) -> tuple[str, ...]:
    """Measure one kind of cine, after the other."""
    classifier = ViewClassifier.load(bundle, threads=1)
    floors, ours, ratios, few = [], [], [], 0
    for path in files:
        result = classifier.predict(path)
        few += len(result.clip_probabilities) <= 2
        ways = {"floor": floor(path, bundle, 1, result.frames_used), "ours": partial(classifier.predict, path)}
        got = interleaved(ways, rounds)
        floors.append(1e3 * got["floor"])
        ours.append(1e3 * got["ours"])
        ratios.append(got["ours"] / got["floor"])
    low, high = np.quantile(ratios, [0.1, 0.9])
    return (
        name, str(len(ratios)), str(few), f"{statistics.median(floors):.1f}", f"{statistics.median(ours):.1f}",
        f"{statistics.median(ratios):.2f}", f"{low:.2f} to {high:.2f}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", help="default: the one that ships")
    parser.add_argument("--clips", nargs="*", default=CLIPS, help="files and folders of real cines")
    parser.add_argument("--phantoms", type=int, default=24, help="how many (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds a cine, in turns (%(default)s)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        where, said = _bundles.chosen(arguments.bundle, folder)
        bundle = Bundle.load(where)
        rows = [row("phantoms", phantoms(arguments.phantoms, folder), bundle, arguments.rounds)]
        if arguments.clips:
            rows.append(row("real cines", real(arguments.clips, folder), bundle, arguments.rounds))
    head = ("cines", "number", "two clips were enough", "floor, ms", "echoplane, ms", "echoplane / floor", "8 of 10")
    print(f"{_markdown.machine('openvino')}; {said}\n\n{_markdown.table(head, rows)}")


if __name__ == "__main__":
    main()
