"""Where the ultrasound picture lies in the frame."""

from __future__ import annotations

import numpy as np

from echoplane.records import Cine, Sector, SectorKind

#: Frames looked at, spread over the cine.
FRAMES = 8


def find_sector(cine: Cine) -> Sector:
    """Find the sector from the pixels: first version, the bounding box of what is lit.

    Returns
    -------
    Sector
    """
    numbers = np.unique(np.linspace(0, cine.n_frames - 1, FRAMES).round().astype(int))
    frames = cine.reader.read(numbers.tolist(), reduce=4)
    lit = frames.max(0) > 16
    if not lit.any():
        return Sector(SectorKind.FULL, (0, 0, cine.width, cine.height), origin="none")
    sy, sx = cine.height / lit.shape[0], cine.width / lit.shape[1]
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    box = (int(columns[0] * sx), int(rows[0] * sy), int((columns[-1] + 1) * sx), int((rows[-1] + 1) * sy))
    return Sector(SectorKind.FULL, box, confidence=0.2, origin="pixels")
