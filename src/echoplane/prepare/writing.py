"""Writing that a mask would let through: names, clocks and marks beside the picture, or on it.

The search for the sector asks which fan fits best, on small frames; a name beside the picture may make a wider one fit
as well. For an export the question is another one: is anything left that can be read? So frames are looked at in full
size here, for strokes: thin, bright, and standing still while the picture moves.
"""

from __future__ import annotations

import cv2
import numpy as np

from echoplane.prepare.sector import locate, spread
from echoplane.prepare.sector_evidence import ENOUGH_FRAMES, ground_level, like_text
from echoplane.records import BoolArray, Cine, Sector, UInt8Array

#: Frames of more than twice so many pixels on their longer side are decoded reduced, where the decoder can.
LONGER_SIDE = 800
#: Strokes are so much brighter than what lies on both sides of them, and change by no more than that.
BRIGHT, STILL = 56, 24
#: Strokes are thinner than this fraction of the height of the frame.
THIN = 1 / 75
#: Where less than this fraction of the picture moves, strokes cannot be told from it.
LIVE, MOVES = 0.05, 24
#: A part of its own is small where it covers less than this fraction of the largest; its pixels are this bright.
SMALL_PART, LIT = 0.05, 40
#: A letter or two cover more than so many squares as thick as strokes.
SOME = 6
#: Lines have so many separate strokes at least, are so many times as long as high and as strokes are thick, and
#: so much of them is strokes: speckle that stands still is sparser.
STROKES, LONG, LONG_IN_STROKES, DENSE = 5, 2, 4, 0.13
#: More than this fraction of what moves may not be lost to a tighter sector.
LOST = 0.05


def looked_at(cine: Cine) -> UInt8Array:
    """Decode the frames in which writing is looked for: a few, grey, spread over the cine; uint8 (T, h, w)."""
    reduce = next((r for r in (8, 4, 2) if max(cine.height, cine.width) >= 2 * r * LONGER_SIDE), 1)
    return cine.reader.read(spread(cine.n_frames), reduce=reduce)


def tightened(frames_THW: UInt8Array, cine: Cine, sector: Sector) -> Sector | None:
    """Look for the sector once more, without what looks like writing.

    Parameters
    ----------
    frames_THW : uint8 array, (T, h, w)
        As of :func:`looked_at`.
    cine : Cine
    sector : Sector
        As it was found with the writing.

    Returns
    -------
    Sector or None
        The one without writing, where the other one shows some that it does not; else the one given. None where the
        one without is no sector, or loses a part of the picture: then nobody knows where the picture ends.
    """
    if not _tells(frames_THW, _inside(frames_THW, cine, sector)):
        return sector
    written = _written(frames_THW)
    ground = np.uint8(ground_level(frames_THW.min(axis=0)))
    again = locate(np.where(written, ground, frames_THW), cine).sector
    before, after = _inside(frames_THW, cine, sector), _inside(frames_THW, cine, again)
    if np.count_nonzero(written & before & ~after) < SOME * _thickness(frames_THW) ** 2:
        return sector
    moving = _moving(frames_THW) & before
    lost = np.count_nonzero(moving & ~after) > LOST * np.count_nonzero(moving)
    return None if lost or not again.is_confident else again


def lines_inside(frames_THW: UInt8Array, cine: Cine, sector: Sector) -> int:
    """Count the lines of writing that stand on the picture itself; frames as of :func:`looked_at`."""
    inside = _inside(frames_THW, cine, sector)
    if not _tells(frames_THW, inside):
        return 0
    strokes = _strokes(frames_THW) & inside
    thick = _thickness(frames_THW)
    joined = cv2.morphologyEx(strokes.view(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 2 * thick + 1), np.uint8))
    count, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    found: list[bool] = []
    for x, y, width, height, _ in boxes[1:count].tolist():
        if width < max(LONG_IN_STROKES * thick, LONG * height):
            continue
        box = np.s_[max(y - 3, 0) : y + height + 3, max(x - 3, 0) : x + width + 3]
        separate, _ = cv2.connectedComponents(strokes[box].view(np.uint8))
        dense = strokes[box].mean() >= DENSE
        found.append(separate > STROKES and bool(dense) and _like_text(frames_THW[:1, *box]))
    return sum(found)


def _written(frames_THW: UInt8Array) -> BoolArray:
    """Mark strokes that stand still, and small parts beside the picture that look like text, as running clocks do."""
    thick = _thickness(frames_THW)
    wide = np.ones((thick, 2 * thick + 1), np.uint8)
    joined = cv2.morphologyEx(_strokes(frames_THW).view(np.uint8), cv2.MORPH_CLOSE, wide)
    written = joined.view(np.bool_).copy()
    ground = ground_level(frames_THW.min(axis=0))
    lit = (frames_THW.max(axis=0) > ground + LIT).view(np.uint8)
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(lit, cv2.MORPH_CLOSE, wide))
    largest = max((area for *_, area in boxes[1:count].tolist()), default=0)
    for part, (x, y, width, height, area) in enumerate(boxes[:count].tolist()):
        if part == 0 or area >= SMALL_PART * largest or height > 8 * thick:
            continue
        box = np.s_[max(y - 2, 0) : y + height + 2, max(x - 2, 0) : x + width + 2]
        if _like_text(frames_THW[::3, *box]):
            written |= parts == part
    return cv2.dilate(written.view(np.uint8), wide).view(np.bool_)


def _strokes(frames_THW: UInt8Array) -> BoolArray:
    low, high = frames_THW.min(axis=0), frames_THW.max(axis=0)
    side = _thickness(frames_THW)
    thin = low - cv2.morphologyEx(low, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    # Also brighter than the ground: what is thin is so by darkness around it.
    found: BoolArray = (thin >= BRIGHT) & (low >= ground_level(low) + BRIGHT) & (high - low <= STILL)
    return found


def _thickness(frames_THW: UInt8Array) -> int:
    """Return the side of the smallest square that no stroke fills, odd."""
    height: int = frames_THW.shape[1]
    return max(3, 2 * round(height * THIN / 2) + 1)


def _like_text(box_THW: UInt8Array) -> bool:
    return like_text(np.ascontiguousarray(box_THW), np.ones(box_THW.shape[1:], bool))


def _moving(frames_THW: UInt8Array) -> BoolArray:
    moving: BoolArray = frames_THW.max(axis=0) - frames_THW.min(axis=0) > MOVES
    return moving


def _tells(frames_THW: UInt8Array, inside: BoolArray) -> bool:
    """Whether what stands still can be told from the picture: there are frames enough, and the picture moves."""
    if len(frames_THW) < ENOUGH_FRAMES or not inside.any():
        return False
    return bool(_moving(frames_THW)[inside].mean() >= LIVE)


def _inside(frames_THW: UInt8Array, cine: Cine, sector: Sector) -> BoolArray:
    height, width = frames_THW.shape[1:]
    return sector.mask(height, width, height / cine.height)
