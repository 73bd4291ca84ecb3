"""Copy a store with smaller pictures: python tools/weights/shrink.py STORE OUT SIDE.

Early epochs learn as much from small pictures, and cost half (progressive resizing). A stopped copy goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from echoplane.store.reader import StoreReader
from echoplane.store.writer import StoreWriter


def main(source: Path, out: Path, side: int) -> None:
    store = StoreReader(source)
    info = store.info
    recipe = {**info.recipe, "size": [side, side]}
    with StoreWriter(out, recipe=recipe, views=store.views, height=side, width=side, origin=info.origin) as writer:
        for number, row in enumerate(store.rows):
            if row.cine in writer:
                continue
            frames = store.frames(number, np.arange(row.n_frames))
            small = [cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames]
            writer.append(np.stack(small), row)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
