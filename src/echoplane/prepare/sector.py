"""Where the ultrasound picture lies in the frame: from the header where it says so, else from the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from echoplane.prepare.sector_colour import Colour
from echoplane.prepare.sector_evidence import LIVE_PART, beside_page, like_text, lit_and_moving
from echoplane.prepare.sector_fan import Fan
from echoplane.prepare.sector_fit import lost_in_the_dark, usual, usual_beats_box
from echoplane.prepare.sector_look import Seen, believed, look
from echoplane.prepare.sector_panels import choose_box, choose_panel, live_half, panel_notes
from echoplane.prepare.sector_region import plausible_boxes
from echoplane.prepare.sector_view import GUESSED, View
from echoplane.records import Cine, Sector, SectorKind, UInt8Array

#: Frames looked at, spread over the cine.
FRAMES = 8
#: Longer side of the small frames that are looked at, pixels.
SIDE = 320
#: A decoded frame is never reduced below this, pixels of the longer side.
LEAST_SIDE = 256
#: How much better a fan must fit upside down before it is taken that way.
FLIP_GAIN = 0.1
#: A picture whose hull covers this fraction of the frame has no ground around it to tell its sides from.
FILLED = 0.9
#: What is live is looked at as a piece of a fan only where its hull covers no more than this fraction of the frame:
#: Doppler screens cover more.
SMALL_PART_OF_FRAME = 0.6


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
    colour = Colour(cine, (small.shape[1], small.shape[2]), probe_reduction(cine.height, cine.width))
    if not boxes:
        part, corner = beside_page(small) or live_half(small) or (small, (0, 0))
        panel, notes, seen = choose_panel(part, replace(colour, corner=corner))
        corner = corner[0] + (panel[1].start or 0), corner[1] + (panel[0].start or 0)
        found = _from_pixels(part[:, *panel], cine, scale, corner, "pixels", seen)
        found = replace(found, notes=tuple(dict.fromkeys((*found.notes, *notes))))
        return replace(found, sector=_doubted_if_text(found.sector, small, scale[0]))
    (x0, y0, x1, y1), notes = choose_box(small, boxes, colour)
    found = _from_pixels(small[:, y0:y1, x0:x1], cine, scale, (x0, y0), "dicom")
    return replace(found, notes=(*found.notes, *notes))


def _doubted_if_text(sector: Sector, small_THW: UInt8Array, scale: float) -> Sector:
    if sector.kind is SectorKind.FULL or sector.confidence <= GUESSED:
        return sector
    # A few frames tell: a page is text all the time.
    inside = sector.mask(small_THW.shape[1], small_THW.shape[2], 1 / scale)
    if not like_text(small_THW[::3], inside):
        return sector
    # Letters that stand still on a picture that moves are no page.
    moving = inside & lit_and_moving(small_THW)[1]
    if np.count_nonzero(moving) >= LIVE_PART * np.count_nonzero(inside) and not like_text(small_THW[::3], moving):
        return sector
    return replace(sector, confidence=GUESSED)


def _guessed(fan: Fan) -> str:
    opening = round(math.degrees(fan.right - fan.left))
    return f"The sides of the sector lie in the dark; it is taken to open {opening} degrees, as most do."


def _shrink(frames_THW: UInt8Array) -> UInt8Array:
    height, width = frames_THW.shape[1:]
    ratio = max(height, width) / SIDE
    if ratio <= 1:
        return frames_THW
    size = max(round(width / ratio), 1), max(round(height / ratio), 1)
    # Means of whole squares, where such fill the frame, then linear between them: several times faster than means of
    # the exact areas. Linear alone would skip pixels from half the size on.
    square = next(n for n in range(int(ratio), 0, -1) if height % n == width % n == 0)
    if square > 1:
        cells = width // square, height // square
        frames_THW = np.stack([cv2.resize(frame, cells, interpolation=cv2.INTER_AREA) for frame in frames_THW])
    way = cv2.INTER_LINEAR if ratio < 2 * square else cv2.INTER_AREA
    return np.stack([cv2.resize(frame, size, interpolation=way) for frame in frames_THW])


def _from_pixels(
    small_THW: UInt8Array,
    cine: Cine,
    scale: tuple[float, float],
    corner: tuple[int, int],
    origin: str,
    seen: Seen | None = None,
) -> Located:
    seen = seen or look(small_THW)
    if seen is None:
        frame = (0, 0, cine.width, cine.height)
        return Located(Sector(SectorKind.FULL, frame, confidence=0.0, origin="none"), ("Nothing is lit.",))
    view = View(small_THW.shape[1], scale, corner, cine)
    # Where the picture fills the frame no side is seen, and a shadow or a wall passes for one.
    if not believed(seen.fan) and seen.everything.hull.mean() < FILLED:
        turned = look(np.ascontiguousarray(small_THW[:, ::-1]))
        if turned is not None and turned.fan.r1 > 0 and turned.fan.score > seen.fan.score + FLIP_GAIN:
            note = (
                "The picture is upside down (its apex points to the bottom of the frame); it is answered turned around."
            )
            return Located(view.fan(turned.fan, origin, flipped=True), (note,))
    notes = panel_notes(seen)
    if believed(seen.fan):
        wide = usual(seen.everything) if lost_in_the_dark(seen.fan) else None
        if wide is not None:
            return Located(view.fan(wide, origin), (*notes, _guessed(wide)))
        return Located(view.fan(seen.fan, origin), notes)
    if seen.second is not None:
        return Located(view.fan(seen.second, origin), notes)
    if seen.everything.hull.mean() <= SMALL_PART_OF_FRAME and (fan := usual_beats_box(seen.everything)):
        return Located(view.fan(fan, origin), (*notes, _guessed(fan)))
    return Located(view.hull(seen.everything.hull, origin), notes)
