"""Of two panels on one screen, the one to look at."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from echoplane.prepare.sector_colour import Colour
from echoplane.prepare.sector_evidence import (
    ENOUGH_FRAMES,
    FROZEN,
    Part,
    beside_frozen,
    between_panels,
    lit_and_moving,
)
from echoplane.prepare.sector_judge import ALMOST_LEVEL
from echoplane.prepare.sector_look import Seen, believed, left_out, look, rasterised
from echoplane.prepare.sector_region import Box
from echoplane.records import UInt8Array

#: The fan of a panel reaches over into the other one by no more than this fraction, and its apex lies no further above
#: it than this fraction of its height.
REACHES_OVER, FAR_APEX = 0.22, 0.25
#: A fan whose one side is lost in the dark seems to lean: so many degrees pass where it fits so much better than what
#: was seen on the whole screen, and its apex lies so far from the sides of its panel (half a fan has it at the cut).
LEANS, CLEARER, AMID = 25, 0.05, 0.25
#: No probe opens further than this, degrees: below a dark band, the rest of a fan may seem to.
OPENS_AT_MOST = 120
#: A fan of which no more than this fraction lies in the other panel keeps to one.
RIM = 0.05
#: When a fan leaves out this fraction of what is live, there is a second panel.
PANEL = 0.2
#: A fan about the middle of the screen, touched along so much of its boundary, is one picture, half of it in shadow.
ONE_PICTURE = 0.6


def live_half(small_THW: UInt8Array) -> tuple[UInt8Array, tuple[int, int]] | None:
    """Cut out the live half of a screen, as :func:`beside_frozen`, but not half of one fan: shadow stands still."""
    found = beside_frozen(small_THW)
    whole = None if found is None else look(small_THW)
    if whole is None or whole.fan.r1 == 0 or not believed(whole.fan):
        return found
    width = small_THW.shape[2]
    if not (1 - AMID) * width / 2 <= whole.fan.x <= (1 + AMID) * width / 2:
        return found
    side_by_side = any(columns.stop is not None for (_, columns), _ in between_panels(small_THW))
    return found if side_by_side and whole.fan.touched < ONE_PICTURE else None


def choose_panel(small_THW: UInt8Array, colour: Colour) -> tuple[Part, tuple[str, ...], Seen | None]:
    """Return the panel to look at, and a note, where two fans fill the screen; else all of it.

    The one without colour Doppler, if only one has it; else the one in which most moves. Also what was seen on the
    whole screen, where that was looked at and stays whole: to look twice costs twice.
    """
    whole: Seen | None = None
    for parts in between_panels(small_THW):
        whole = whole or look(small_THW)
        motion = [int(np.count_nonzero(lit_and_moving(small_THW[:, *part])[1])) for part in parts]
        frozen = len(small_THW) >= ENOUGH_FRAMES and min(motion) <= FROZEN * max(motion)
        if whole is not None and (keeps_to := _keeps_to_one(whole, parts)):
            live, other = keeps_to
            second = not frozen and left_out(whole.fan, whole.everything) >= PANEL
            if second and colour.in_first_only(live, other) and _holds_a_fan(small_THW, other, live, whole):
                return other, (_beside_colour(_side(other, live)),), None
            break
        live, other = parts[:: -1 if motion[1] > motion[0] else 1]
        if not _holds_a_fan(small_THW, live, other, whole):
            continue
        # A frozen one need not look like a fan: a single frame of it has dark parts.
        if frozen:
            return live, (), None
        if _holds_a_fan(small_THW, other, live, whole):
            if colour.in_first_only(live, other):
                return other, (_beside_colour(_side(other, live)),), None
            return live, (_two_panels(_side(live, other)),), None
    return (slice(None), slice(None)), (), whole


def choose_box(small_THW: UInt8Array, boxes: list[Box], colour: Colour) -> tuple[Box, tuple[str, ...]]:
    """Return the box of the header to look at, and a note where there is more than one.

    The one without colour Doppler, if only one of the two in which most moves has it; else the one in which most moves.

    Parameters
    ----------
    small_THW : uint8 array, (T, h, w)
    boxes : list of tuple of int
        (x0, y0, x1, y1) in small pixels, the one with most motion first; at least one.
    colour : Colour
    """
    if len(boxes) == 1:
        return boxes[0], ()
    parts = [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in boxes[:2]]
    motion = [int(np.count_nonzero(lit_and_moving(small_THW[:, *part])[1])) for part in parts]
    if not _overlap(*boxes[:2]) and motion[1] > FROZEN * motion[0] and colour.in_first_only(*parts):
        return boxes[1], (_beside_colour(_side(parts[1], parts[0])),)
    which = f"the {_side(*parts)} one, with most motion," if len(boxes) == 2 else "the one with most motion"
    return boxes[0], (f"The screen holds {len(boxes)} B-mode panels; {which} was used.",)


def panel_notes(seen: Seen) -> tuple[str, ...]:
    """Say so, and which one was used, where another large live part lies outside of a fan."""
    if left_out(seen.fan, seen.everything) < PANEL:
        return ()
    inside = rasterised(seen.fan, seen.everything.live.shape)
    if not inside.any():
        return ()
    (y, x), (other_y, other_x) = (np.argwhere(part).mean(axis=0) for part in (inside, seen.everything.live & ~inside))
    return (_two_panels(_towards(x - other_x, y - other_y)),)


def _beside_colour(which: str) -> str:
    return f"The screen holds a B-mode panel beside one with colour Doppler; the B-mode panel ({which}) was used."


def _two_panels(which: str) -> str:
    return f"The screen holds more than one live panel; the {which} one, with most motion, was used."


def _side(one: Part, other: Part) -> str:
    """Say where a part lies, seen from another one."""
    down, across = ((a.start or 0) - (b.start or 0) for a, b in zip(one, other, strict=True))
    return _towards(across, down)


def _towards(across: float, down: float) -> str:
    if abs(across) >= abs(down):
        return "left" if across < 0 else "right"
    return "upper" if down < 0 else "lower"


def _overlap(one: Box, other: Box) -> bool:
    return all(max(one[i], other[i]) < min(one[i + 2], other[i + 2]) for i in (0, 1))


def _keeps_to_one(seen: Seen, parts: tuple[Part, Part]) -> tuple[Part, Part] | None:
    """Return the parts, the one first that the fan found on the whole screen keeps to: cutting might cut its rim.

    None where it lies in both, or is not believed.
    """
    if seen.fan.r1 == 0 or not believed(seen.fan):
        return None
    mask = rasterised(seen.fan, seen.everything.live.shape)
    first, second = (int(np.count_nonzero(mask[part])) for part in parts)
    if min(first, second) > RIM * int(np.count_nonzero(mask)):
        return None
    return parts if first > second else (parts[1], parts[0])


def _holds_a_fan(small_THW: UInt8Array, part: Part, other: Part, whole: Seen | None) -> bool:
    """Say whether a part shows a fan of its own; a piece of one leans, reaches over, or has its apex elsewhere."""
    rows, columns = part
    seen = look(small_THW[:, rows, columns])
    if seen is None or seen.fan.r1 == 0 or not believed(seen.fan):
        return False
    fan, (height, width) = seen.fan, seen.everything.live.shape
    clearer = whole is not None and fan.score >= whole.fan.score + CLEARER
    most = LEANS if clearer and AMID * width <= fan.x <= (1 - AMID) * width else ALMOST_LEVEL
    if abs(math.degrees(fan.left + fan.right)) > most or fan.y < -FAR_APEX * height:
        return False
    if math.degrees(fan.right - fan.left) > OPENS_AT_MOST:
        return False
    # With its box opened towards the other part: how much of it would lie there?
    (top, left), (rows_all, columns_all) = (rows.start or 0, columns.start or 0), small_THW.shape[1:]
    x0, y0, x1, y1 = fan.box
    x0, y0 = -left if left else x0, -top if top else y0
    x1, y1 = x1 if left + width == columns_all else columns_all, y1 if top + height == rows_all else rows_all
    x = np.arange(columns_all, dtype=np.float32)[None] - left
    mask = replace(fan, box=(x0, y0, x1, y1)).inside(x, np.arange(rows_all, dtype=np.float32)[:, None] - top)
    return int(np.count_nonzero(mask[other])) <= REACHES_OVER * int(np.count_nonzero(mask))
