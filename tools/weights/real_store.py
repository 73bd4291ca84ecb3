"""Prepare the real development clips into a store: python tools/weights/real_store.py CLIPS OUT.

CLIPS holds INDEX.csv (file, view, group, kind, licence, source, label_by, ...) and the files. Every clip is prepared
with the default recipe, the one that prediction uses. Stills are repeated to a second of film, as prediction does.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from echoplane import config
from echoplane.prepare.frames import prepare
from echoplane.prepare.recipe import RECIPES
from echoplane.sources.open import open_cine
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter

#: INDEX.csv says OTHER for Doppler and M-mode screens, and SUBCOSTAL for both subcostal views.
LABELS = {"OTHER": "DOPPLER", "SUBCOSTAL": "SC4C"}


def main(clips: Path, out: Path) -> None:
    recipe = RECIPES["default"]
    with (clips / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    views = sorted({LABELS.get(r["view"], r["view"]) for r in rows})
    height, width = recipe.size
    origin = (
        "real development clips; MIT and Apache-2.0; labels read by eye, not by a clinician, unless the source says"
    )
    with StoreWriter(
        out, recipe=config.to_mapping(recipe), views=views, height=height, width=width, origin=origin
    ) as w:
        for row in rows:
            if row["file"] in w:
                continue
            cine = open_cine(str(clips / row["file"]))
            prepared = prepare(cine, recipe, range(cine.n_frames))
            frames = prepared.frames if cine.n_frames > 1 else np.repeat(prepared.frames, 16, axis=0)
            label = LABELS.get(row["view"], row["view"])
            w.append(
                frames,
                StoreRow(row["file"], label=label, group=row["group"], source=row["file"], given_label=row["view"],
                         fps=cine.fps if cine.n_frames > 1 else 16.0, n_frames=len(frames), sector=prepared.sector,
                         crop=prepared.crop, notes=(*cine.notes, *prepared.notes),
                         extra={"licence": row["licence"], "origin": row["source"], "kind": row["kind"]}),
            )  # fmt: skip
            print(row["file"], label, len(frames), prepared.sector.kind, f"{prepared.sector.confidence:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
