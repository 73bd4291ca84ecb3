"""The best fan in a few small frames, whatever the level of light at which its sides are seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from echoplane.prepare.sector_evidence import FAINT, LIT, LIT_SMALL, SMALL, Evidence, filmed, regions
from echoplane.prepare.sector_fan import Fan
from echoplane.prepare.sector_fit import fit
from echoplane.prepare.sector_letters import without_letters
from echoplane.records import BoolArray, UInt8Array

#: From this score on no other level of light is tried.
GOOD = 1.12
#: The faintest level of light, near that of noise, is tried only below this score.
POOR = 1.07
#: From this score on, where a dimmer level of light fits better than the one before, no brighter one is tried.
DIMMER = 1.05
#: A level of light at which the hull of what is lit covers more than this fraction of the frame shows noise.
NOISY = 0.85
#: What a fan loses for the dim live pixels it leaves out, per fraction of them.
LEFT_OUT = 1.0
#: A fan that stands in for one that is not believed leaves out no more than this fraction of them.
SPARED = 0.1
#: Light this near a fan may be the fan's own, smeared by compression: a square of twice so many pixels, plus one.
SMEAR = np.ones((9, 9), np.uint8)
#: Below this score, or this fraction of touched boundary where the frame does not end it, the fit is not believed, and
#: the box of what is live is taken instead.
BELIEVED, BELIEVED_TOUCHED = 0.9, 0.25
#: Letters that hang on to the picture are looked for below this score, and taken for such where a fan fits so much
#: better without them.
UNSPOILT, LETTERS_GAIN = 1.27, 0.02


@dataclass(frozen=True)
class Seen:
    """The best fan, and all that is live at the level of light at which it was found.

    `second` is the best fan that is believed, at another level of light, where the best of all is not: a narrow one may
    fit as well as a wide one, and touch next to nothing.
    """

    fan: Fan
    everything: Evidence
    second: Fan | None = None


def look(small_THW: UInt8Array) -> Seen | None:
    """Find the best fan; where letters hang on to the picture, also without them."""
    seen = _at_levels_of_light(small_THW)
    if seen is None or seen.fan.score >= UNSPOILT:
        return seen
    cleaned = without_letters(small_THW)
    again = None if cleaned is None else _at_levels_of_light(cleaned)
    return again if again is not None and again.fan.score > seen.fan.score + LETTERS_GAIN else seen


def _at_levels_of_light(small_THW: UInt8Array) -> Seen | None:
    """Try one level of light after the other until a fan fits well; None when nothing is ever lit."""
    tried: list[Seen] = []
    score, at = -math.inf, 0
    for level in LIT if max(small_THW.shape[1:]) >= SMALL else LIT_SMALL:
        if score >= (POOR if level == FAINT else GOOD) or (level == FAINT and filmed(small_THW)):
            break
        if score >= DIMMER and at < LIT[0] < level:
            continue  # what is dim belongs to the picture
        found = regions(small_THW, level)
        seen = [Seen(fit(evidence), found[-1]) for evidence in found]
        # One fan that holds all the parts beats one that holds the largest: two panels do not fit into a fan.
        tried += seen[-1:] if seen and seen[-1].fan.score >= GOOD else seen
        best = max((each.fan.score for each in tried), default=-math.inf)
        score, at = (best, level) if best > score else (score, at)
    if len({id(seen.everything) for seen in tried}) < 2:
        return max(tried, key=lambda seen: seen.fan.score, default=None)
    # What is dim but lives must not lie outside, unless so much is lit at that level that it is the ground's noise.
    dimmest = max((seen.everything for seen in tried), key=lambda everything: np.count_nonzero(everything.live))
    share = 0.0 if dimmest.hull.mean() > NOISY else LEFT_OUT
    lost = [left_out(seen.fan, dimmest) for seen in tried]
    order = sorted(range(len(tried)), key=lambda i: share * lost[i] - tried[i].fan.score)
    chosen = tried[order[0]]
    if believed(chosen.fan):
        return chosen
    others = (tried[i].fan for i in order if lost[i] <= SPARED)
    return replace(chosen, second=next(filter(believed, others), None))


def left_out(fan: Fan, everything: Evidence) -> float:
    """Fraction of what is live that lies outside a fan, and not just beside it, where compression smears light."""
    inside = cv2.dilate(rasterised(fan, everything.live.shape).astype(np.uint8), SMEAR).astype(bool)
    return int(np.count_nonzero(everything.live & ~inside)) / max(int(np.count_nonzero(everything.live)), 1)


def rasterised(fan: Fan, shape: tuple[int, ...]) -> BoolArray:
    """Mark the pixels inside of a fan, in a picture of some (h, w)."""
    return fan.inside(np.arange(shape[1], dtype=np.float32)[None], np.arange(shape[0], dtype=np.float32)[:, None])


def believed(fan: Fan) -> bool:
    """Say whether a fan fits well enough to be taken for the sector."""
    return fan.score >= BELIEVED and fan.touched >= BELIEVED_TOUCHED
