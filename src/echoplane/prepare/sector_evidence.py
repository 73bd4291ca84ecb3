"""What is lit and what moves: from a few frames to the outline of the ultrasound picture.

Everything here works on small frames, in their own pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from echoplane.records import BoolArray, FloatArray, IntArray, UInt8Array

#: The lowest level of light, near that of noise.
FAINT = 2
#: Grey levels above the background from which a pixel counts as lit, in the order in which they are tried: usual,
#: for dim pictures on clean black, for pictures on a noisy ground, for sides that are all but lost in the dark.
LIT = (10, 4, 24, FAINT)
#: In small frames a block of 8 x 8 pixels, over which JPEG spreads light, is a large part of the picture: the other way
#: round there, if the longer side is shorter than so many pixels.
LIT_SMALL, SMALL = (24, 10, 4), 200
#: Change between frames from which a pixel counts as moving, in units of the level from which it counts as lit.
MOVING = 1.2
#: The background is one level that fills at least this fraction of the frame: a dark level, or a brighter one.
BACKGROUNDS = ((48, 0.03), (128, 0.15))
#: A page (of a browser, of slides) is one level that touches the frame's border, stands still within so many grey
#: levels, and fills at least this fraction of the frame.
FLAT, PAGE = 4, 0.15
#: On a filmed screen black is at least so bright.
FILMED = 8
#: A half of the screen in which no more than this fraction of what is lit changes is frozen (a trace may run below it).
FROZEN = 0.05
#: With fewer frames than this, half a heart may stand still by chance.
ENOUGH_FRAMES = 6
#: A part beside the page that is smaller than this fraction of the frame is no picture.
PICTURE = 0.05
#: Parts smaller than this fraction of the main part are taken for text and marks: where all that is left moves, and
#: in a still, where motion cannot tell them apart.
SMALL_PART, SMALL_STILL_PART = 0.004, 0.08
#: In a still, a part is text if less than this fraction of it is lit.
DENSE = 0.8
#: A part belongs to the live picture if at least this fraction of it moves.
LIVE_PART = 0.15
#: Where too little moves to go by, a moving pixel still counts so many lit ones: of two like panels one is frozen.
LITTLE_MOTION = 5
#: From black to white in one step is what letters do: a step counts that is a larger part of the range of greys than
#: STEP; one that is larger than a TICK is a change at all. In text more than this share of all changes are such steps
#: (measured: 0.28 and more, also small, large, grey, blurred and compressed text; real cines 0.09 at most).
STEP, TICK, TEXT = 1 / 3, 0.06, 0.17
#: A part larger than this fraction of the main part may be a second panel; smaller ones are torn-off pieces.
PANEL = 0.3
#: Between two panels, in the middle of all that is lit (so far from its ends), the column or row that is lit least
#: holds no more than this fraction of what the fullest on either side does.
MIDDLE, VALLEY = 0.3, 0.5

#: Rows and columns of a part of the small frames.
Part: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A region that may be (part of) the sector.

    Attributes
    ----------
    live : bool array, (H, W)
        Lit pixels of the region; dark holes and dents are normal.
    stray : bool array, (H, W)
        Lit pixels of small live parts outside the region: pieces that darkness may have torn off.
    outline : float32 array, (P, 2)
        x, y of the outermost pixels of `live`, about one pixel apart.
    on_frame : bool array, (P,)
        Outline points where the frame itself ends.
    hull : bool array, (H, W)
        Convex hull of `live`, filled.
    """

    live: BoolArray
    stray: BoolArray
    outline: FloatArray
    on_frame: BoolArray
    hull: BoolArray


def beside_page(frames_THW: UInt8Array) -> tuple[UInt8Array, tuple[int, int]] | None:
    """Cut out the picture on a page that is brighter than the picture's own ground.

    In a recorded screen or on a slide the page is lit and may touch the sector, which it is no part of.

    Returns
    -------
    frames : uint8 array, (T, h, w)
        The part beside the page in which most moves (the largest, in a still). Where the page fills its corners, as
        around a fan without a ground of its own, it is as dark as the picture's darkness.
    corner : tuple of int
        x, y of its first pixel.

    None where there is no page.
    """
    high, low = frames_THW.max(axis=0), frames_THW.min(axis=0)
    border = np.concatenate([low[0], low[-1], low[:, 0], low[:, -1]])
    level = int(np.bincount(border, minlength=256).argmax())
    if level <= LIT[0]:
        return None
    alike = ((low >= max(level - FLAT, 0)) & (high <= level + FLAT)).view(np.uint8)
    _, labels = cv2.connectedComponents(alike, connectivity=4)
    at_border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    page = np.isin(labels, at_border[at_border > 0])
    if page.mean() < PAGE or page.all() or level <= (ground := ground_level(low[~page])) + LIT[0]:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~page).view(np.uint8), connectivity=4)
    change = np.bincount(labels[(high - low > MOVING * LIT[0]) & ~page], minlength=count)
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[0] = 0
    x0, y0, width, height, area = stats[int((change if change.any() else areas).argmax())]
    # Pixels beside the page are a mixture of both.
    x0, y0, x1, y1 = x0 + 1, y0 + 1, x0 + width - 1, y0 + height - 1
    if area < PICTURE * page.size or x1 <= x0 or y1 <= y0:
        return None
    box = slice(y0, y1), slice(x0, x1)
    return np.where(page[box], np.uint8(ground), frames_THW[:, *box]), (int(x0), int(y0))


def beside_frozen(frames_THW: UInt8Array) -> tuple[UInt8Array, tuple[int, int]] | None:
    """Cut out the live half of a screen whose other half shows about as much and stands still.

    Panels that touch make one lit part, so a frozen one is not seen to be a part of its own.

    Returns
    -------
    tuple or None
        The frames of that half, and its upper left corner (x, y); None where no half is frozen, or the frames are too
        few to tell.
    """
    if len(frames_THW) < ENOUGH_FRAMES:
        return None
    lit, moving = lit_and_moving(frames_THW)
    width = lit.shape[1]
    halves = (slice(0, width // 2), slice(width // 2, width))
    area = [int(np.count_nonzero(lit[:, half])) for half in halves]
    change = [int(np.count_nonzero(moving[:, half])) / max(n, 1) for half, n in zip(halves, area, strict=True)]
    live = int(change[1] > change[0])
    alike = min(area) >= PANEL * max(area) and min(area) >= PICTURE * lit.size
    if not alike or change[live] < LIVE_PART or change[1 - live] > FROZEN:
        return None
    return frames_THW[:, :, halves[live]], (halves[live].start, 0)


def between_panels(frames_THW: UInt8Array) -> Iterator[tuple[Part, Part]]:
    """Cut what may be two panels in two, where least is lit: between two fans lies a valley, also where they touch.

    Yields
    ------
    pair of pairs of slices
        Rows and columns of either part: left and right, then upper and lower.
    """
    lit, _ = lit_and_moving(frames_THW)
    solid = without_thin(lit)
    for axis in (1, 0):
        counts = np.count_nonzero(solid, axis=1 - axis)
        at = _valley(counts)
        if at:
            one, two = (slice(0, at), slice(at, len(counts)))
            every = slice(None)
            yield ((every, one), (every, two)) if axis else ((one, every), (two, every))


def _valley(counts: IntArray) -> int:
    """Return where a profile is lowest in its middle, 0 where there is no valley with much on both sides of it."""
    filled = np.flatnonzero(counts)
    if len(filled) == 0:
        return 0
    first, last = int(filled[0]), int(filled[-1])
    start, end = (round(first + share * (last - first)) for share in (MIDDLE, 1 - MIDDLE))
    if end <= start:
        return 0
    lowest = np.flatnonzero(counts[start:end] == counts[start:end].min()) + start
    at = int(lowest[len(lowest) // 2])
    areas = int(counts[:at].sum()), int(counts[at:].sum())
    deep = counts[at] <= VALLEY * min(counts[:at].max(initial=0), counts[at:].max(initial=0))
    return at if deep and min(areas) >= max(PANEL * max(areas), 1) else 0


def lit_and_moving(frames_THW: UInt8Array, level: int = LIT[0]) -> tuple[BoolArray, BoolArray]:
    """Say which pixels are ever lit, and which change; both bool (H, W).

    A single frame moves nowhere.
    """
    high, low = frames_THW.max(axis=0), frames_THW.min(axis=0)
    background = ground_level(low)
    lit = high > background + level
    if background > level:
        lit |= low < background - level
    moving = (high - low) > MOVING * level
    return lit | moving, moving


def filmed(frames_THW: UInt8Array) -> bool:
    """Tell whether the ground is so bright that the screen was filmed: it has noise of its own, and letters tremble."""
    return ground_level(frames_THW.min(axis=0)) >= FILMED


def like_text(frames_THW: UInt8Array, inside: BoolArray) -> bool:
    """Tell whether what lies inside is letters on a plain ground, as a page of a report is, and no ultrasound.

    Lines that scroll or are replaced fill a shape that lives, and may even open like a fan; but speckle runs through
    all greys, and letters leap from one end to the other.
    """
    if not inside.any():
        return False
    mask = np.where(inside, np.uint8(255), np.uint8(0))
    counts = np.sum([_histogram(frame, mask) for frame in frames_THW], axis=0).cumsum()
    darkest, brightest = np.searchsorted(counts, [0.01 * counts[-1], 0.99 * counts[-1]])
    span = max(int(brightest - darkest), 1)
    least, step = (math.floor(part * span) for part in (TICK, STEP))  # whole numbers: bytes are compared with bytes
    changes = steps = 0
    for one, two in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        both = mask[one] & mask[two]
        for frame in frames_THW if both.size else ():  # a picture of one row has no neighbours that way
            change = cv2.absdiff(frame[one], frame[two]) & both
            changes += int(np.count_nonzero(change > least))
            steps += int(np.count_nonzero(change > step))
    return bool(steps > TEXT * changes)


def _histogram(picture: UInt8Array, mask: UInt8Array | None = None) -> IntArray:
    """Count the pixels of each of 256 levels, where a mask is not zero."""
    return cv2.calcHist([picture], [0], mask, [256], [0, 256]).ravel().astype(np.int64)


def ground_level(low: UInt8Array) -> int:
    """Return the grey level of the ground: one level, dark or not, that fills a part of the darkest of all frames."""
    counts = _histogram(low.reshape(1, -1))
    for darkest, least in BACKGROUNDS:
        level = int(counts[: darkest + 1].argmax())
        if counts[max(level - 1, 0) : level + 2].sum() > least * low.size:
            return level
    # A frame that is lit all over has no background; then black is as good as any.
    return 0


def regions(frames_THW: UInt8Array, level: int = LIT[0]) -> list[Evidence]:
    """Find the regions that may be the sector, the likeliest first.

    Returns
    -------
    list of Evidence
        Empty when nothing is lit. First the part with most motion (most area in a still), then, if there are more live
        parts, all of them together, for a sector that darkness tears into pieces.
    """
    lit, moving = lit_and_moving(frames_THW, level)
    solid = without_thin(lit)
    solid, moves = _without_still_parts(solid, moving)
    size = max(lit.shape)
    reach = 2 * round(size / 160) + 1
    closed = cv2.morphologyEx(solid.view(np.uint8), cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, labels, areas = connected_parts(closed.view(np.uint8))
    if count < 2:
        return []
    motion = np.bincount(labels[moving & solid], minlength=count).astype(float)
    motion[0] = 0
    weight = motion if moves else areas + LITTLE_MOTION * motion
    main = int(weight.argmax())
    alike = weight >= (SMALL_PART if moves else SMALL_STILL_PART) * weight[main]
    if not moves:
        # Letters leave more gaps than speckle does.
        filled = np.bincount(labels[solid], minlength=count)
        alike &= (filled >= DENSE * areas) | (areas >= PANEL * areas[main])
    elif filmed(frames_THW):
        # Letters on a screen that is filmed by hand tremble, and seem to live.
        small = np.flatnonzero(alike & (areas < PANEL * areas[main]))
        alike[small] = [not like_text(frames_THW[::3], _around(labels == part)) for part in small]
    alike[main] = True
    stray = alike & (areas < PANEL * areas[main])
    everything = _evidence(alike[labels], np.zeros_like(solid), solid)
    if np.count_nonzero(alike) == 1:
        return [everything]
    return [_evidence(labels == main, stray[labels], solid), everything]


def connected_parts(picture: UInt8Array) -> tuple[int, IntArray, IntArray]:
    """Return the number of connected parts, the ground among them; labels (H, W); and areas, 0 for the ground."""
    # OpenCV's own statistics of the parts take longer than finding them.
    count, found = cv2.connectedComponents(picture, connectivity=8)
    labels = found.astype(np.int64)
    areas = np.bincount(labels.ravel(), minlength=count)
    areas[0] = 0
    return count, labels, areas


def _around(part: BoolArray) -> BoolArray:
    """Mark the box around a part: letters are told from speckle by the ground that they stand on."""
    x0, y0, width, height = cv2.boundingRect(part.view(np.uint8))
    box = np.zeros(part.shape, bool)
    box[max(y0 - 1, 0) : y0 + height + 1, max(x0 - 1, 0) : x0 + width + 1] = True
    return box


def without_thin(lit: BoolArray) -> BoolArray:
    """Drop lines, letters and dots: what a 5 x 5 square does not fit into, but keep the corners next to it."""
    pixels = cv2.morphologyEx(lit.view(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    opened = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    near = cv2.dilate(opened, np.ones((5, 5), np.uint8))
    kept: BoolArray = lit & (near > 0)
    return kept


def _without_still_parts(solid: BoolArray, moving: BoolArray) -> tuple[BoolArray, bool]:
    """Drop parts that do not move while others do: text, bars, logos, a frozen second panel.

    Also says whether enough moves to go by: in a still, a frozen cine or a very short one it does not.
    """
    count, labels, areas = connected_parts(solid.view(np.uint8))
    motion = np.bincount(labels[moving & solid], minlength=count)
    alive = (motion >= LIVE_PART * areas) & (areas > 0)
    if not alive.any() or areas[alive].sum() < PANEL * areas.max():
        return solid, False
    return solid & alive[labels], True


def _evidence(region: BoolArray, stray: BoolArray, solid: BoolArray) -> Evidence:
    height, width = region.shape
    contours, _ = cv2.findContours(region.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(contours)[:, 0, :]
    hull = np.zeros(region.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    x, y = points.T
    on_frame = (x <= 1) | (x >= width - 2) | (y <= 1) | (y >= height - 2)
    return Evidence(region & solid, stray & solid, points.astype(np.float32), on_frame, hull.view(np.bool_))
