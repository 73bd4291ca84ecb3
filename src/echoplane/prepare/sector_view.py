"""From a fan found in a small frame to a sector in pixels of the full frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from echoplane.prepare.sector_fan import Fan, boundary_points
from echoplane.records import BoolArray, Cine, Sector, SectorKind

#: Scores between which confidence rises from 0 to 1; the best possible score is 1.38.
SCORE_0, SCORE_1 = 0.75, 1.25
#: A fan of which less than this fraction of the boundary is touched gets less confidence.
TOUCHED = 0.5
#: A fan whose top arc is smaller than this fraction of its bottom arc has its apex (almost) in the picture.
APEX_IN_PICTURE = 0.15
#: A frame whose live hull covers this much of it is lit all over.
ALL_OVER = 0.97
#: Confidence in a box of what is live: where the header or a frame lit all over backs it, and where nothing does.
BACKED, GUESSED = 0.6, 0.3


def confidence_of(fan: Fan) -> float:
    """Turn a fan's score, and how much of its boundary was seen, into a confidence in [0, 1]."""
    fits = min(max((fan.score - SCORE_0) / (SCORE_1 - SCORE_0), 0), 1)
    return round(fits * min(fan.touched / TOUCHED, 1), 3)


@dataclass(frozen=True)
class View:
    """From pixels of the part of the small frames that was looked at to pixels of the full frame."""

    rows: int
    scale: tuple[float, float]
    corner: tuple[int, int]
    cine: Cine

    def x(self, x: float) -> float:
        """Full-size column of a small one."""
        return (x + self.corner[0] + 0.5) * self.scale[0] - 0.5

    def y(self, y: float) -> float:
        """Full-size row of a small one."""
        return (y + self.corner[1] + 0.5) * self.scale[1] - 0.5

    def box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[int, int, int, int]:
        """Whole full-size pixels of a half-open box of small pixels, inside the frame, never empty."""
        left, top = round(self.x(x0 - 0.5) + 0.5), round(self.y(y0 - 0.5) + 0.5)
        right, bottom = round(self.x(x1 - 0.5) + 0.5), round(self.y(y1 - 0.5) + 0.5)
        left, top = min(max(left, 0), self.cine.width - 1), min(max(top, 0), self.cine.height - 1)
        return left, top, max(min(right, self.cine.width), left + 1), max(min(bottom, self.cine.height), top + 1)

    def fan(self, fan: Fan, origin: str, flipped: bool = False) -> Sector:
        """Return the sector of a fan; `flipped` when it was found in the picture turned upside down."""
        x0, y0, x1, y1 = fan.box
        y, left, right = fan.y, fan.left, fan.right
        if flipped:
            y0, y1 = self.rows - y1, self.rows - y0
            y, left, right = self.rows - 1 - y, math.pi - right, math.pi - left
        box, confidence = self.box(x0, y0, x1, y1), confidence_of(fan)
        if fan.r1 == 0:
            whole = box == (0, 0, self.cine.width, self.cine.height)
            return Sector(SectorKind.FULL if whole else SectorKind.LINEAR, box, confidence=confidence, origin=origin)
        # The two scales differ by rounding only; radii take their mean.
        mean = math.sqrt(self.scale[0] * self.scale[1])
        kind = SectorKind.PHASED if fan.r0 < APEX_IN_PICTURE * fan.r1 else SectorKind.CURVED
        apex = self.x(fan.x), self.y(y)
        sector = Sector(kind, box, apex, fan.r0 * mean, fan.r1 * mean, left, right, confidence, origin)
        return _tight(sector, Fan(*sector.apex, sector.r0, sector.r1, sector.left, sector.right, sector.box))

    def hull(self, hull: BoolArray, origin: str) -> Sector:
        """Return the box of what is live: all there is when no geometry fits."""
        rows, columns = np.flatnonzero(hull.any(axis=1)), np.flatnonzero(hull.any(axis=0))
        all_over = hull.mean() >= ALL_OVER
        if all_over:
            box = self.box(0, 0, hull.shape[1], hull.shape[0])
        else:
            box = self.box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        return Sector(
            SectorKind.FULL, box, confidence=BACKED if all_over or origin == "dicom" else GUESSED, origin=origin
        )


def _tight(sector: Sector, fan: Fan) -> Sector:
    """Shrink the box to the fan, whose corners and lowest points are in full-size pixels: the crop is made from it."""
    x, y = boundary_points(fan, step=2.0)
    if len(x) == 0:
        return sector
    x0, y0, x1, y1 = sector.box
    left, top = max(x0, math.ceil(float(x.min()))), max(y0, math.ceil(float(y.min())))
    right, bottom = min(x1, math.floor(float(x.max())) + 1), min(y1, math.floor(float(y.max())) + 1)
    return replace(sector, box=(left, top, max(right, left + 1), max(bottom, top + 1)))
