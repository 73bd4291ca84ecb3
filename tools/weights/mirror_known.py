"""Fit up to which energy the weights that ship need not ask for a mirror image: mirror_known.py STORE [STORE ...].

Network, calibration and all other limits stay as they are. The stores hold labelled cines prepared as the weights take
them, phantoms that nothing was fitted on among them:

    echoplane phantom dataset phantoms --clips 1200 --seed 991 --frames 48 --fps 16 --recipe default
    python tools/weights/real_store.py CLIPS real
    python tools/weights/mirror_known.py phantoms real

Of several stores the lowest energy counts: with it the fewest cines go unasked.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from measure import card

from echoplane.inference.engine import load_engine
from echoplane.models.bundle import Bundle
from echoplane.pipelines.answer import answer_store
from echoplane.pipelines.calibrate_mirror import mirror_known
from echoplane.store.reader import StoreReader


def main() -> None:
    """Fit, and write the weights anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", type=Path, nargs="+", help="labelled stores, prepared as the weights take them")
    bundle = Bundle.load(None)
    engine, found = load_engine(bundle), []
    for path in parser.parse_args().stores:
        store = [StoreReader(path)]
        drawn, turned = (answer_store(bundle, engine, store, mirrored=way).predictions for way in (False, True))
        known = mirror_known(bundle.facts, drawn, turned)
        print(f"{path}: {len(turned.cines)} cines, {'too few are noticed' if known is None else f'{known:.3f}'}")
        found += [] if known is None else [known]
    if not found:
        raise SystemExit("Too few mirrored cines are noticed; nothing was written. Give more cines.")
    limits = replace(bundle.facts.thresholds, mirror_known=min(found))
    members = {name: bundle.read(name) for name in bundle.facts.members}
    made = Bundle.create(replace(bundle.facts, thresholds=limits), members)
    made.save(card.HOME)
    print(f"{card.HOME}: {made.hash[:12]}")


if __name__ == "__main__":
    main()
