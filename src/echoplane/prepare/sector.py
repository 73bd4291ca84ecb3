"""Where the ultrasound picture lies in the frame: from the header where it says so, else from the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.prepare.sector_evidence import LIT, Evidence, lit_and_moving, regions
from echoplane.prepare.sector_fan import Fan, fit
from echoplane.prepare.sector_region import plausible_boxes
from echoplane.records import BoolArray, Cine, Sector, SectorKind, UInt8Array

#: Frames looked at, spread over the cine.
FRAMES = 8
#: Longer side of the small frames that are looked at, pixels.
SIDE = 320
#: A decoded frame is never reduced below this, pixels of the longer side.
LEAST_SIDE = 256
#: Scores between which confidence rises from 0 to 1; the best possible score is 1.38.
SCORE_0, SCORE_1 = 0.75, 1.25
#: From this score on no other level of light is tried.
GOOD = 1.2
#: A fan of which less than this fraction of the boundary is touched gets less confidence.
TOUCHED = 0.5
#: Below this score the fit is not believed, and the box of what is live is taken instead.
BELIEVED = 1.0
#: A fan whose top arc is smaller than this fraction of its bottom arc has its apex (almost) in the picture.
APEX_IN_PICTURE = 0.15
#: A frame whose live hull covers this much of it is lit all over.
ALL_OVER = 0.97
#: How much better a fan must fit upside down before it is taken that way.
FLIP_GAIN = 0.1


@dataclass(frozen=True)
class Located:
    """A sector, and what was odd about finding it."""

    sector: Sector
    notes: tuple[str, ...] = ()


def find_sector(cine: Cine, indices: Sequence[int] | None = None) -> Sector:
    """Find the ultrasound picture of a cine.

    Parameters
    ----------
    cine : Cine
        Only a handful of its frames is decoded, grey and reduced.
    indices : sequence of int, optional
        Frames to choose from (for example those that will be needed anyway); all when left out.

    Returns
    -------
    Sector
        In full-size pixels. Kind ``FULL`` with low confidence where no geometry fits.

    Raises
    ------
    echoplane.errors.ReadError
        When a frame cannot be decoded.
    """
    among = range(cine.n_frames) if indices is None else sorted({int(i) for i in indices})
    numbers = [among[i] for i in spread(len(among))]
    frames = cine.reader.read(numbers, reduce=probe_reduction(cine.height, cine.width))
    return locate(frames, cine).sector


def spread(count: int, most: int = FRAMES) -> list[int]:
    """Pick at most `most` of `count` positions, evenly, the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(most, count))})


def probe_reduction(height: int, width: int) -> int:
    """Decode reduction, of 1, 2, 4 and 8, that leaves enough pixels to find the sector in."""
    return next((r for r in (8, 4, 2) if max(height, width) >= r * LEAST_SIDE), 1)


def locate(frames_THW: UInt8Array, cine: Cine) -> Located:
    """Find the sector in frames already decoded.

    Parameters
    ----------
    frames_THW : uint8 array, (T, h, w)
        A few grey frames of the cine, at full size or reduced.
    cine : Cine
        For its size and its ultrasound regions.

    Returns
    -------
    Located
    """
    small = _shrink(frames_THW)
    scale = cine.width / small.shape[2], cine.height / small.shape[1]
    boxes = plausible_boxes(cine, lit_and_moving(small), scale)
    if not boxes:
        return _from_pixels(small, cine, scale, (0, 0), "pixels")
    x0, y0, x1, y1 = boxes[0]
    found = _from_pixels(small[:, y0:y1, x0:x1], cine, scale, (x0, y0), "dicom")
    if len(boxes) > 1:
        note = f"The screen holds {len(boxes)} B-mode panels; the one with most motion was used."
        return Located(found.sector, (*found.notes, note))
    return found


def _shrink(frames_THW: UInt8Array) -> UInt8Array:
    height, width = frames_THW.shape[1:]
    ratio = max(height, width) / SIDE
    if ratio <= 1:
        return frames_THW
    size = max(round(width / ratio), 1), max(round(height / ratio), 1)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames_THW])


def _from_pixels(
    small_THW: UInt8Array, cine: Cine, scale: tuple[float, float], corner: tuple[int, int], origin: str
) -> Located:
    seen = _look(small_THW)
    if seen is None:
        frame = (0, 0, cine.width, cine.height)
        return Located(Sector(SectorKind.FULL, frame, confidence=0.0, origin="none"), ("Nothing is lit.",))
    view = _View(small_THW.shape[1], scale, corner, cine)
    if seen.fan.score < BELIEVED:
        turned = _look(np.ascontiguousarray(small_THW[:, ::-1]))
        if turned is not None and turned.fan.r1 > 0 and turned.fan.score > seen.fan.score + FLIP_GAIN:
            note = "The picture is upside down: the fan's apex points to the bottom of the frame."
            return Located(view.fan(turned.fan, origin, flipped=True), (note,))
    notes = _panel_notes(seen)
    if seen.fan.score >= BELIEVED:
        return Located(view.fan(seen.fan, origin), notes)
    return Located(view.hull(seen.everything.hull, origin), notes)


@dataclass(frozen=True)
class _Seen:
    """The best fan, and all that is live at the level of light at which it was found."""

    fan: Fan
    everything: Evidence


def _look(small_THW: UInt8Array) -> _Seen | None:
    """Try one level of light after the other until a fan fits well; None when nothing is ever lit."""
    best: _Seen | None = None
    for level in LIT:
        found = regions(small_THW, level)
        for evidence in found:
            seen = _Seen(fit(evidence), found[-1])
            if best is None or seen.fan.score > best.fan.score:
                best = seen
        if best is not None and best.fan.score >= GOOD:
            break
    return best


def _confidence(fan: Fan) -> float:
    fits = min(max((fan.score - SCORE_0) / (SCORE_1 - SCORE_0), 0), 1)
    return round(fits * min(fan.touched / TOUCHED, 1), 3)


def _panel_notes(seen: _Seen) -> tuple[str, ...]:
    """Say so where another large live part lies outside the fan."""
    everything = seen.everything.live
    height, width = everything.shape
    inside = seen.fan.inside(np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None])
    if np.count_nonzero(everything & ~inside) < 0.25 * np.count_nonzero(everything & inside):
        return ()
    return ("The screen holds more than one live panel; the one with most motion was used.",)


@dataclass(frozen=True)
class _View:
    """From pixels of the part of the small frames that was looked at to pixels of the full frame."""

    rows: int
    scale: tuple[float, float]
    corner: tuple[int, int]
    cine: Cine

    def x(self, x: float) -> float:
        return (x + self.corner[0] + 0.5) * self.scale[0] - 0.5

    def y(self, y: float) -> float:
        return (y + self.corner[1] + 0.5) * self.scale[1] - 0.5

    def box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[int, int, int, int]:
        """Whole full-size pixels of a half-open box of small pixels, inside the frame, never empty."""
        left, top = round(self.x(x0 - 0.5) + 0.5), round(self.y(y0 - 0.5) + 0.5)
        right, bottom = round(self.x(x1 - 0.5) + 0.5), round(self.y(y1 - 0.5) + 0.5)
        left, top = min(max(left, 0), self.cine.width - 1), min(max(top, 0), self.cine.height - 1)
        return left, top, max(min(right, self.cine.width), left + 1), max(min(bottom, self.cine.height), top + 1)

    def fan(self, fan: Fan, origin: str, flipped: bool = False) -> Sector:
        x0, y0, x1, y1 = fan.box
        y, left, right = fan.y, fan.left, fan.right
        if flipped:
            y0, y1 = self.rows - y1, self.rows - y0
            y, left, right = self.rows - 1 - y, math.pi - right, math.pi - left
        box, confidence = self.box(x0, y0, x1, y1), _confidence(fan)
        if fan.r1 == 0:
            whole = box == (0, 0, self.cine.width, self.cine.height)
            return Sector(SectorKind.FULL if whole else SectorKind.LINEAR, box, confidence=confidence, origin=origin)
        # The two scales differ by rounding only; radii take their mean.
        mean = math.sqrt(self.scale[0] * self.scale[1])
        kind = SectorKind.PHASED if fan.r0 < APEX_IN_PICTURE * fan.r1 else SectorKind.CURVED
        apex = self.x(fan.x), self.y(y)
        sector = Sector(kind, box, apex, fan.r0 * mean, fan.r1 * mean, left, right, confidence, origin)
        return _tight(sector, self.cine)

    def hull(self, hull: BoolArray, origin: str) -> Sector:
        """Return the box of what is live: all there is when no geometry fits."""
        rows, columns = np.flatnonzero(hull.any(axis=1)), np.flatnonzero(hull.any(axis=0))
        all_over = hull.mean() >= ALL_OVER
        if all_over:
            box = self.box(0, 0, hull.shape[1], hull.shape[0])
        else:
            box = self.box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        return Sector(SectorKind.FULL, box, confidence=0.6 if all_over or origin == "dicom" else 0.3, origin=origin)


def _tight(sector: Sector, cine: Cine) -> Sector:
    """Shrink the box to the fan: the crop is made from it."""
    mask = sector.mask(cine.height, cine.width)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return Sector(
        sector.kind, box, sector.apex, sector.r0, sector.r1, sector.left, sector.right, sector.confidence, sector.origin
    )
