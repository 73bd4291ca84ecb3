"""Are pictures turned upside down found to be so, and answered as they are when upright?

    python benchmarks/upside_down.py CLIPS...      every third cine that is answered with a view; a minute

Each cine is answered as it is, with its rows from the bottom up, and so once more with nothing turned back.
"""

from __future__ import annotations

import argparse
from collections import Counter
from unittest.mock import patch

import _markdown
import numpy as np

from echoplane.errors import EchoplaneError
from echoplane.inference.classifier import ViewClassifier
from echoplane.records import Sector, Status, ViewResult
from echoplane.sources.discover import discover
from echoplane.sources.open import open_cine

#: Cines of more frames take memory that nobody needs here.
MOST_FRAMES = 400


def turned(result: ViewResult) -> bool:
    return result.sector is not None and result.sector.upside_down


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", help="files and folders")
    parser.add_argument("--every", type=int, default=3, help="look at every n-th file")
    args = parser.parse_args()
    classifier = ViewClassifier.load(threads=1)
    counts: Counter[str] = Counter()
    for item in list(discover(args.clips))[:: args.every]:
        try:
            cine = open_cine(item)
        except EchoplaneError:
            continue
        if cine.n_frames > MOST_FRAMES:
            continue
        upright = classifier.predict(cine)
        if upright.status is not Status.OK:
            continue
        frames = np.ascontiguousarray(cine.reader.read(range(cine.n_frames))[:, ::-1])
        found = classifier.predict(frames, fps=cine.fps)
        with patch.object(Sector, "upside_down", False):
            left = classifier.predict(frames, fps=cine.fps)
        counts["cines answered upright"] += 1
        counts["upright, taken for upside down"] += turned(upright)
        counts["upside down, found to be so"] += turned(found)
        counts["upside down, same answer"] += found.view == upright.view
        counts["upside down, same answer with nothing turned back"] += left.view == upright.view
    print(_markdown.table(("what", "cines"), [(name, str(number)) for name, number in counts.items()]))


if __name__ == "__main__":
    main()
