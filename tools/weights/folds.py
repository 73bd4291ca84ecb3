"""Splits for training on phantoms and real clips: python tools/weights/folds.py RUN REAL OUT.

RUN is the run on phantoms, whose held-out patients stay held out. The real clips are dealt into five folds, by group,
so that each view's groups spread evenly; then into one fold for each source, since clips of one source look alike.
OUT gets one split file for each: `group-0.csv` ..., `source-handheld.csv` ..., and `all.csv`, which trains on all.
"""

from __future__ import annotations

import sys
from pathlib import Path

from echoplane.data.split import TRAIN, VALIDATION, Split, SplitRow, make_split
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow

FOLDS = 5
#: Sources of fewer clips than this are left out together.
FEW = 15


def source_of(row: StoreRow) -> str:
    return row.cine.split("/")[0]


def main(run: Path, real: Path, out: Path) -> None:
    phantoms, rows = Split.load(run / "split.csv").rows, StoreReader(real).rows
    out.mkdir(parents=True, exist_ok=True)

    def write(name: str, left_out: set[str]) -> None:
        mine = [SplitRow(r.cine, VALIDATION if r.cine in left_out else TRAIN, None, r.group, r.label) for r in rows]
        Split(tuple(sorted((*phantoms, *mine), key=lambda r: r.cine))).save(out / f"{name}.csv")

    folds, _ = make_split(rows, folds=FOLDS, seed=1)
    for k in range(FOLDS):
        write(f"group-{k}", set(folds.cines(VALIDATION, k)))
    counts: dict[str, list[str]] = {}
    for row in rows:
        counts.setdefault(source_of(row), []).append(row.cine)
    few = [cine for cines in counts.values() if len(cines) < FEW for cine in cines]
    for source, cines in counts.items():
        if len(cines) >= FEW:
            write(f"source-{source}", set(cines))
    write("source-few", set(few))
    write("all", set())


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]))
