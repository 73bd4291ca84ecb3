"""How well the sector is found on pictures whose geometry is known: painted screens, and phantom screens.

    python benchmarks/sector_accuracy.py [--painted 160] [--phantoms 112]

Painted screens come from the painter of the tests (it shares no code with the search); phantoms are whole screens with
every look, overlay and compression that they are drawn with. No setting was chosen on their seeds. IoU is of
the mask found with the true one, in full-size pixels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import _markdown
import numpy as np

from echoplane.phantom.clip import render_clip
from echoplane.prepare import find_sector

PAINTER = Path(__file__).parents[1] / "tests" / "prepare"
PAINTED_SEED, PHANTOM_SEED = 910_000, 730_000
VIEWS = ("A2C", "A3C", "A4C", "PSAX-MV", "PSAX-PM", "PSAX-AP", "PLAX")


def painted(count: int) -> Iterator[tuple[str, float]]:
    """Yield shape and IoU of painted screens."""
    sys.path.insert(0, str(PAINTER))
    from conftest import paint_screen

    for seed in range(PAINTED_SEED, PAINTED_SEED + count):
        screen = paint_screen(seed)
        yield str(screen.what["shape"]), iou(find_sector(screen.cine).mask(*screen.truth.shape), screen.truth)


def phantoms(count: int) -> Iterator[tuple[str, float]]:
    """Yield view and IoU of phantom screens."""
    for seed in range(PHANTOM_SEED, PHANTOM_SEED + count):
        view = VIEWS[seed % len(VIEWS)]
        clip = render_clip(view, seed=seed, frames=8)
        cine = clip.to_cine()
        size = cine.height, cine.width
        yield view, iou(find_sector(cine).mask(*size), clip.sector.mask(*size))


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    """Return intersection over union of two masks."""
    return float((found & truth).sum() / (found | truth).sum())


def row(what: str, scores: list[float]) -> list[str]:
    """Return one line of the table."""
    s = np.sort(scores)
    worst = s[: max(len(s) // 10, 1)]
    shares = (f"{np.mean(s >= least):.0%}" for least in (0.95, 0.9))
    return [what, str(len(s)), f"{s.mean():.3f}", f"{np.median(s):.3f}", f"{worst.mean():.3f}", *shares]


def lines(found: Callable[[int], Iterator[tuple[str, float]]], what: str, count: int) -> list[list[str]]:
    """Return the lines of one kind of picture: all, then each part."""
    parts: dict[str, list[float]] = {}
    for name, score in found(count):
        parts.setdefault(name, []).append(score)
    every = [score for scores in parts.values() for score in scores]
    return [row(f"**{what}**", every), *(row(name, scores) for name, scores in parts.items())]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--painted", type=int, default=160, help="painted screens")
    parser.add_argument("--phantoms", type=int, default=112, help="phantom screens")
    given = parser.parse_args()
    head = ("pictures", "cines", "mean IoU", "median", "mean of the worst tenth", "0.95 or more", "0.9 or more")
    rows = lines(painted, "painted screens", given.painted) + lines(phantoms, "phantom screens", given.phantoms)
    print(_markdown.table(head, rows))


if __name__ == "__main__":
    main()
