"""What an export shows of names that are drawn on real cines: python benchmarks/names_left.py CLIPS [--seeds N].

A block of four lines, one line, and a running clock above a name are drawn on every cine whose sector is sure: once
beside the sector that it has without them, once on it. A name came through when more than three tenths of its ink are
shown.
"Before" goes by the sector alone, as it is found with the name.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter

import _markdown
import cv2
import numpy as np

from echoplane.errors import EchoplaneError, RefusedError
from echoplane.prepare import find_sector
from echoplane.prepare.deidentify import is_sure, without_writing
from echoplane.prepare.sector import spread
from echoplane.sources.array import cine_from_array
from echoplane.sources.discover import discover
from echoplane.sources.open import open_cine

KINDS = {
    "four lines": ("MUELLER, HANS", "ID 4711-0815", "01.02.1943", "St. Marien Klinik"),
    "one line": ("MUELLER HANS 01.02.1943",),
    "a clock and a name": ("12:03:{second:02}", "MUELLER"),
}
SHOWN = 0.3


def drawn(shape: tuple[int, ...], lines: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    """Return frames of text alone, at a random place and in a random size."""
    _, height, width = shape
    size = rng.uniform(0.4, 0.8) * height / 500
    x, y = int(rng.integers(max(width - 60, 1))), int(rng.integers(12, height - 10))
    thick, grey = (2 if size > 0.9 else 1), int(rng.choice([160, 200, 255]))
    out = np.zeros(shape, np.uint8)
    for second, page in enumerate(out):
        for number, line in enumerate(lines):
            text, place = line.format(second=second), (x, y + round(28 * size * number))
            cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, grey, thick, cv2.LINE_AA)
    return out


def outcome(frames: np.ndarray, ink: np.ndarray) -> tuple[bool, str]:
    """Return whether the sector alone shows the ink, and what an export does."""
    cine = cine_from_array(frames, fps=30)
    sector = find_sector(cine)
    if not is_sure(sector, len(frames)):
        return False, "refused"
    before = bool(sector.mask(*ink.shape)[ink].mean() > SHOWN)
    try:
        kept = without_writing(cine, sector)
    except RefusedError:
        return before, "refused"
    return before, "came through" if kept.mask(*ink.shape)[ink].mean() > SHOWN else "masked"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "clips", nargs="*", default=[os.environ.get("ECHOPLANE_CLIPS", "clips")], help="files and folders"
    )
    parser.add_argument("--seeds", type=int, default=2, help="rounds of random places (%(default)s)")
    arguments = parser.parse_args()
    counts: dict[tuple[str, str], Counter[str]] = {
        (kind, where): Counter() for where in ("beside", "on") for kind in KINDS
    }
    plain: Counter[str] = Counter()
    for number, item in enumerate(discover(arguments.clips)):
        try:
            cine = open_cine(item)
            frames = cine.reader.read(spread(cine.n_frames))
        except EchoplaneError:
            continue
        sector = find_sector(cine_from_array(frames, fps=30))
        if len(frames) < 2 or not is_sure(sector, len(frames)):
            continue
        plain[outcome(frames, np.zeros(frames.shape[1:], bool) | True)[1] == "refused"] += 1
        inside = sector.mask(*frames.shape[1:])
        for seed in range(arguments.seeds):
            rng = np.random.default_rng([seed, number])
            for (kind, where), count in counts.items():
                for _ in range(40):
                    text = drawn(frames.shape, KINDS[kind], rng)
                    ink = text[0] > 100
                    share = inside[ink].mean() if ink.sum() > 80 else 0.5
                    if share < 0.1 if where == "beside" else share > 0.8:
                        before, after = outcome(np.maximum(frames, text), ink)
                        count.update({"cines": 1, "before": before, after: 1})
                        break
    rows = [
        (kind, where, *(str(count[name]) for name in ("cines", "before", "came through", "refused")))
        for (kind, where), count in counts.items()
    ]
    print(_markdown.table(("drawn", "where", "cines", "came through before", "comes through", "refused"), rows))
    print(f"\nOf {plain.total()} cines as they are, {plain[True]} were refused.")


if __name__ == "__main__":
    main()
