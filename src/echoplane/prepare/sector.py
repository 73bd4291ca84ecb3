"""Where the ultrasound picture lies in the frame: from the header where it says so, else from the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from echoplane.prepare.sector_evidence import (
    ENOUGH_FRAMES,
    FAINT,
    FROZEN,
    LIT,
    LIT_SMALL,
    LIVE_PART,
    SMALL,
    Evidence,
    Part,
    beside_frozen,
    beside_page,
    between_panels,
    filmed,
    like_text,
    lit_and_moving,
    regions,
)
from echoplane.prepare.sector_fan import Fan
from echoplane.prepare.sector_fit import ALMOST_LEVEL, fit
from echoplane.prepare.sector_letters import without_letters
from echoplane.prepare.sector_region import plausible_boxes
from echoplane.prepare.sector_view import GUESSED, View
from echoplane.records import BoolArray, Cine, Sector, SectorKind, UInt8Array

#: Frames looked at, spread over the cine.
FRAMES = 8
#: Longer side of the small frames that are looked at, pixels.
SIDE = 320
#: A decoded frame is never reduced below this, pixels of the longer side.
LEAST_SIDE = 256
#: From this score on no other level of light is tried.
GOOD = 1.12
#: The faintest level of light, near that of noise, is tried only below this score.
POOR = 1.07
#: A level of light at which the hull of what is lit covers more than this fraction of the frame shows noise.
NOISY = 0.85
#: What a fan loses for the dim live pixels it leaves out, per fraction of them.
LEFT_OUT = 1.0
#: Light this near a fan may be the fan's own, smeared by compression: a square of twice so many pixels, plus one.
SMEAR = np.ones((9, 9), np.uint8)
#: When a fan leaves out this fraction of what is live, there is a second panel.
PANEL = 0.2
#: Below this score, or this fraction of touched boundary where the frame does not end it, the fit is not believed, and
#: the box of what is live is taken instead.
BELIEVED, BELIEVED_TOUCHED = 0.9, 0.25
#: Letters that hang on to the picture are looked for below this score, and taken for such where a fan fits so much
#: better without them.
UNSPOILT, LETTERS_GAIN = 1.27, 0.02
#: How much better a fan must fit upside down before it is taken that way.
FLIP_GAIN = 0.1
#: A picture whose hull covers this fraction of the frame has no ground around it to tell its sides from.
FILLED = 0.9
#: The fan of a panel reaches over into the other one by no more than this fraction, and its apex lies no further above
#: it than this fraction of its height.
REACHES_OVER, FAR_APEX = 0.22, 0.25
#: A fan of which no more than this fraction lies in the other panel keeps to one.
RIM = 0.05
#: The note where a panel was chosen.
TWO_PANELS = "The screen holds more than one live panel; the one with most motion was used."


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
        part, corner = beside_page(small) or beside_frozen(small) or (small, (0, 0))
        panel, notes, seen = _panel(part)
        corner = corner[0] + (panel[1].start or 0), corner[1] + (panel[0].start or 0)
        found = _from_pixels(part[:, *panel], cine, scale, corner, "pixels", seen)
        found = replace(found, notes=tuple(dict.fromkeys((*found.notes, *notes))))
        return replace(found, sector=_doubted_if_text(found.sector, small, scale[0]))
    x0, y0, x1, y1 = boxes[0]
    found = _from_pixels(small[:, y0:y1, x0:x1], cine, scale, (x0, y0), "dicom")
    if len(boxes) > 1:
        note = f"The screen holds {len(boxes)} B-mode panels; the one with most motion was used."
        return Located(found.sector, (*found.notes, note))
    return found


def _panel(small_THW: UInt8Array) -> tuple[Part, tuple[str, ...], _Seen | None]:
    """Return the panel in which most moves, and a note, where two fans fill the screen; else all of it.

    Also what was seen on the whole screen, where that was looked at and stays whole: to look twice costs twice.
    """
    whole: _Seen | None = None
    for parts in between_panels(small_THW):
        whole = whole or _look(small_THW)
        if _lies_in_one(whole, parts):
            break
        motion = [int(np.count_nonzero(lit_and_moving(small_THW[:, *part])[1])) for part in parts]
        live, other = parts[:: -1 if motion[1] > motion[0] else 1]
        if not _holds_a_fan(small_THW, live, other):
            continue
        # A frozen one need not look like a fan: a single frame of it has dark parts.
        if len(small_THW) >= ENOUGH_FRAMES and min(motion) <= FROZEN * max(motion):
            return live, (), None
        if _holds_a_fan(small_THW, other, live):
            return live, (TWO_PANELS,), None
    return (slice(None), slice(None)), (), whole


def _lies_in_one(seen: _Seen | None, parts: tuple[Part, Part]) -> bool:
    """Say whether the fan found on the whole screen keeps to one panel: cutting the screen might then cut its rim."""
    if seen is None or seen.fan.r1 == 0 or not _believed(seen.fan):
        return False
    mask = _rasterised(seen.fan, seen.everything.live.shape)
    return min(int(np.count_nonzero(mask[part])) for part in parts) <= RIM * int(np.count_nonzero(mask))


def _holds_a_fan(small_THW: UInt8Array, part: Part, other: Part) -> bool:
    """Say whether a part shows a fan of its own; a piece of one leans, reaches over, or has its apex elsewhere."""
    rows, columns = part
    seen = _look(small_THW[:, rows, columns])
    if seen is None or seen.fan.r1 == 0 or not _believed(seen.fan):
        return False
    fan, (height, width) = seen.fan, seen.everything.live.shape
    if abs(math.degrees(fan.left + fan.right)) > ALMOST_LEVEL or fan.y < -FAR_APEX * height:
        return False
    # With its box opened towards the other part: how much of it would lie there?
    (top, left), (rows_all, columns_all) = (rows.start or 0, columns.start or 0), small_THW.shape[1:]
    x0, y0, x1, y1 = fan.box
    x0, y0 = -left if left else x0, -top if top else y0
    x1, y1 = x1 if left + width == columns_all else columns_all, y1 if top + height == rows_all else rows_all
    x = np.arange(columns_all, dtype=np.float32)[None] - left
    mask = replace(fan, box=(x0, y0, x1, y1)).inside(x, np.arange(rows_all, dtype=np.float32)[:, None] - top)
    return int(np.count_nonzero(mask[other])) <= REACHES_OVER * int(np.count_nonzero(mask))


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


def _shrink(frames_THW: UInt8Array) -> UInt8Array:
    height, width = frames_THW.shape[1:]
    ratio = max(height, width) / SIDE
    if ratio <= 1:
        return frames_THW
    size = max(round(width / ratio), 1), max(round(height / ratio), 1)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames_THW])


def _from_pixels(
    small_THW: UInt8Array,
    cine: Cine,
    scale: tuple[float, float],
    corner: tuple[int, int],
    origin: str,
    seen: _Seen | None = None,
) -> Located:
    seen = seen or _look(small_THW)
    if seen is None:
        frame = (0, 0, cine.width, cine.height)
        return Located(Sector(SectorKind.FULL, frame, confidence=0.0, origin="none"), ("Nothing is lit.",))
    view = View(small_THW.shape[1], scale, corner, cine)
    # Where the picture fills the frame no side is seen, and a shadow or a wall passes for one.
    if not _believed(seen.fan) and seen.everything.hull.mean() < FILLED:
        turned = _look(np.ascontiguousarray(small_THW[:, ::-1]))
        if turned is not None and turned.fan.r1 > 0 and turned.fan.score > seen.fan.score + FLIP_GAIN:
            note = (
                "The picture is upside down (its apex points to the bottom of the frame); it is answered turned around."
            )
            return Located(view.fan(turned.fan, origin, flipped=True), (note,))
    notes = _panel_notes(seen)
    if _believed(seen.fan):
        return Located(view.fan(seen.fan, origin), notes)
    return Located(view.hull(seen.everything.hull, origin), notes)


@dataclass(frozen=True)
class _Seen:
    """The best fan, and all that is live at the level of light at which it was found."""

    fan: Fan
    everything: Evidence


def _look(small_THW: UInt8Array) -> _Seen | None:
    """Find the best fan; where letters hang on to the picture, also without them."""
    seen = _at_levels_of_light(small_THW)
    if seen is None or seen.fan.score >= UNSPOILT:
        return seen
    cleaned = without_letters(small_THW)
    again = None if cleaned is None else _at_levels_of_light(cleaned)
    return again if again is not None and again.fan.score > seen.fan.score + LETTERS_GAIN else seen


def _at_levels_of_light(small_THW: UInt8Array) -> _Seen | None:
    """Try one level of light after the other until a fan fits well; None when nothing is ever lit."""
    tried: list[_Seen] = []
    score = -math.inf
    for level in LIT if max(small_THW.shape[1:]) >= SMALL else LIT_SMALL:
        if score >= (POOR if level == FAINT else GOOD) or (level == FAINT and filmed(small_THW)):
            break
        found = regions(small_THW, level)
        seen = [_Seen(fit(evidence), found[-1]) for evidence in found]
        # One fan that holds all the parts beats one that holds the largest: two panels do not fit into a fan.
        tried += seen[-1:] if seen and seen[-1].fan.score >= GOOD else seen
        score = max((each.fan.score for each in tried), default=-math.inf)
    if len({id(seen.everything) for seen in tried}) < 2:
        return max(tried, key=lambda seen: seen.fan.score, default=None)
    # What is dim but lives must not lie outside, unless so much is lit at that level that it is the ground's noise.
    dimmest = max((seen.everything for seen in tried), key=lambda everything: np.count_nonzero(everything.live))
    if dimmest.hull.mean() > NOISY:
        return max(tried, key=lambda seen: seen.fan.score)
    return max(tried, key=lambda seen: seen.fan.score - LEFT_OUT * _left_out(seen.fan, dimmest))


def _left_out(fan: Fan, everything: Evidence) -> float:
    """Fraction of what is live that lies outside a fan, and not just beside it, where compression smears light."""
    inside = cv2.dilate(_rasterised(fan, everything.live.shape).astype(np.uint8), SMEAR).astype(bool)
    return int(np.count_nonzero(everything.live & ~inside)) / max(int(np.count_nonzero(everything.live)), 1)


def _rasterised(fan: Fan, shape: tuple[int, ...]) -> BoolArray:
    return fan.inside(np.arange(shape[1], dtype=np.float32)[None], np.arange(shape[0], dtype=np.float32)[:, None])


def _believed(fan: Fan) -> bool:
    return fan.score >= BELIEVED and fan.touched >= BELIEVED_TOUCHED


def _panel_notes(seen: _Seen) -> tuple[str, ...]:
    """Say so where another large live part lies outside the fan."""
    if _left_out(seen.fan, seen.everything) < PANEL:
        return ()
    return (TWO_PANELS,)
