"""Write the card of the weights that ship anew from measures: tools/weights/recard.py [MEASURES].

For measures that were made again (`measure_all.py`) without training again. MEASURES holds their JSON files
(default: ``log/measures`` beside this file). Network, calibration and thresholds stay as they are.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from make_default import metrics
from measure import card
from measure.command import ROOT

from echoplane.models.bundle import CARD_NAME, Bundle

HERE = Path(__file__).parent


def main() -> int:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "measures", type=Path, nargs="?", default=HERE / "log" / "measures", help="folder (%(default)s)"
    )
    given = parser.parse_args()
    bundle = Bundle.load(None)
    members = {name: bundle.read(name) for name in bundle.facts.members if name != CARD_NAME}
    members[CARD_NAME] = card.build(given.measures, ROOT / "docs" / "pictures").encode()
    Bundle.create(replace(bundle.facts, metrics=metrics(given.measures)), members).save(card.HOME)
    print(f"{card.HOME / CARD_NAME}: written from {given.measures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
