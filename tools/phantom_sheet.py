"""Look at phantom clips beside the development clips, prepared the same way, and print how their statistics differ.

    python tools/phantom_sheet.py --seed 0 -o /some/sheet.png

The real clips come from ``../shared/clips`` next to the repository, or from the folder in ``ECHOPLANE_CLIPS``.
"""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path

from echoplane.pipelines.phantom_sheet import compare, phantom_samples, real_samples, write_sheet

VIEWS = ("A2C", "A3C", "A4C", "PSAX-MV", "PSAX-PM", "PSAX-AP", "PLAX", "PSAX-AV", "A5C", "SC4C")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="draws everything (%(default)s)")
    parser.add_argument("--columns", type=int, default=10, help="clips in a row (%(default)s)")
    parser.add_argument("--side", type=int, default=128, help="pixels of a clip on the sheet (%(default)s)")
    parser.add_argument("--per-view", type=int, default=10, help="phantom clips of each view (%(default)s)")
    parser.add_argument("--views", nargs="*", default=list(VIEWS), help="views to draw (all)")
    parser.add_argument("--no-statistics", action="store_true", help="do not print the figures")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("phantom-sheet.png"), help="picture to write (%(default)s)"
    )
    options = parser.parse_args()
    folder = Path(os.environ.get("ECHOPLANE_CLIPS", Path(__file__).parents[2] / "shared" / "clips"))
    real = real_samples(folder / "INDEX.csv") if (folder / "INDEX.csv").exists() else []
    phantom = phantom_samples(options.views, options.seed, options.per_view)
    random.Random(options.seed).shuffle(real)
    shown = [s for s in real if s.view in options.views or s.view == "PSAX"]
    write_sheet(options.output, shown, phantom, options.columns, options.side)
    print(f"{options.output}: {len(real)} real clips, {len(phantom)} phantom clips")
    if real and not options.no_statistics:
        print(compare(real, phantom))


if __name__ == "__main__":
    main()
