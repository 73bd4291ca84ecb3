"""Letters that touch the picture: bright, standing still, and hanging on to what moves.

Everything here works on small frames, in their own pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from echoplane.prepare.sector_evidence import (
    ENOUGH_FRAMES,
    LIT,
    MOVING,
    connected_parts,
    ground_level,
    like_text,
    without_thin,
)
from echoplane.records import UInt8Array

#: Letters are somewhere so much brighter than the ground, all the time; the picture's dim rim is not.
BRIGHT = 56
#: So near to what moves, pixels, letters may tremble, for compression smears.
SMEARED = 2
#: What has more than this fraction of its surroundings in the moving picture lies in it, and does not hang on to it.
HELD = 0.6
#: All letters together cover at least this fraction of the frame: fewer bend nothing. A word covers so many pixels.
LEAST, WORD = 0.004, 12
#: Letters and their soft edges.
EDGES = np.ones((5, 5), np.uint8)


def without_letters(frames_THW: UInt8Array) -> UInt8Array | None:
    """Paint letters that touch the moving picture from outside in the ground's grey.

    Parameters
    ----------
    frames_THW : uint8 array, (T, h, w)

    Returns
    -------
    uint8 array, (T, h, w)
        None where nothing looks like such letters, and with frames too few to tell.
    """
    if len(frames_THW) < ENOUGH_FRAMES:
        return None
    high, low = frames_THW.max(axis=0), frames_THW.min(axis=0)
    ground = ground_level(low)
    side = 2 * SMEARED + 1
    moving = (high - low > MOVING * LIT[0]).view(np.uint8)
    near = cv2.dilate(moving, np.ones((side, side), np.uint8)).view(np.bool_)
    still = without_thin(high > ground + LIT[0]) & ~near
    bright = still & (low >= ground + BRIGHT)
    if np.count_nonzero(bright) < WORD:
        return None
    _, moving_parts, areas = connected_parts(near.view(np.uint8))
    picture = moving_parts == areas.argmax()
    count, parts, areas = connected_parts(still.view(np.uint8))
    letters = np.zeros(still.shape, np.uint8)
    for part in np.flatnonzero((areas >= WORD) & (np.bincount(parts[bright], minlength=count) > 0)):
        own = (parts == part).view(np.uint8)
        x, y, width, height = cv2.boundingRect(own)
        box = np.s_[max(y - 3, 0) : y + height + 3, max(x - 3, 0) : x + width + 3]
        around = (cv2.dilate(own[box], EDGES) > 0) & (own[box] == 0)
        held = int(np.count_nonzero(picture[box] & around)) / max(int(np.count_nonzero(around)), 1)
        if 0 < held <= HELD and like_text(frames_THW[:1, *box], np.ones(around.shape, bool)):
            letters |= own
    painted = cv2.dilate(letters, EDGES).view(np.bool_)
    if np.count_nonzero(painted) < LEAST * painted.size:
        return None
    return np.where(painted, np.uint8(ground), frames_THW)
