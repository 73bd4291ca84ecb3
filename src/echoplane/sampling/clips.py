"""Plan which frames make which clip, then gather the prepared frames into clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from echoplane.errors import TooShortError, UsageError
from echoplane.records import BoolArray, IntArray, PreparedCine, SamplingPlan, UInt8Array
from echoplane.sampling.rule import SamplingRule

#: A frame is empty when its mean grey is below this fraction of that of the cine's bright frames (90th percentile). In
#: cines of the heart the darkest frame has at least 0.6 of it; black lead-ins and title pages have less than 0.1.
EMPTY, BRIGHT = 0.25, 90.0

#: Rates of which a beating heart is recorded, frames a second. Below, one beat is two or three pictures; above, no
#: scanner that shows a whole sector. Files that say so were slowed down, hurried, or filled in by a program.
LIKELY_FPS = (4.0, 150.0)

#: A cine that would last less than this share of a clip is spread over one instead: nobody keeps a third of a beat, so
#: its rate is doubtful. Played again and again it looks like flutter, which networks take for no picture of the heart;
#: slowed down it is answered as before.
TOO_BRIEF = 0.5


def plan(n_frames: int, fps: float | None, rule: SamplingRule, *, source: str = "") -> SamplingPlan:
    """Decide which frames make which clip, before anything is decoded.

    With N = ``rule.frames`` and k = ``rule.step``, for a cine of T frames:

    - ``every_kth``: ``floor(T / (N k))`` windows that follow each other from frame 0; window w gives k clips, clip p
      being the frames ``w N k + p + i k`` for i in 0..N-1. What is left over at the end is not used.
    - ``sliding``: clips start at 0, ``stride``, 2 ``stride``, ... as long as they fit; clip s is ``s + i k``.
    - ``seconds``: frame i of a clip is the one nearest to ``start + i seconds / N``. Clips are spread evenly from the
      first start to the last one that fits, overlapping by about a half, or less where `max_clips` is reached. A rate
      that is not said, or that no scanner has (:data:`LIKELY_FPS`), is ``rule.assumed_fps``; a cine that would then
      last less than half of a clip (:data:`TOO_BRIEF`) gives one clip, its frames spread evenly over it. Both with a
      note.

    Where that gives more than ``rule.max_clips``, so many of them are kept, evenly spread. No clip is given twice.

    Parameters
    ----------
    n_frames : int
        Frames in the cine, at least 1.
    fps : float or None
        Frames a second; used by ``seconds`` only.
    rule : SamplingRule
    source : str
        The file, for the message of the error.

    Returns
    -------
    SamplingPlan
        Rising frame numbers within each clip, except under the policy ``loop``. A cine of one frame gives one clip
        of that frame, whatever the policy.

    Raises
    ------
    UsageError
        When `n_frames` is below 1.
    TooShortError
        When the cine (of more than one frame) is shorter than one clip and the policy is ``refuse``.
    """
    if n_frames < 1:
        raise UsageError(f"n_frames {n_frames}: a cine has at least one frame.")
    if n_frames == 1:
        note = f"A still: its one frame was repeated {rule.frames} times."
        return SamplingPlan(np.zeros((1, rule.frames), np.int64), short_policy="hold", notes=(note,))
    rate, notes = _usable_rate(fps, rule) if rule.kind == "seconds" else (0.0, ())
    if rule.short != "refuse" and n_frames < TOO_BRIEF * rule.seconds * rate:
        return _spread(n_frames, rate, rule, notes)
    offsets = _clip_offsets(rate, rule)
    span = int(offsets.max()) + 1
    starts = _starts(n_frames, span, rule)
    short = ""
    if n_frames < span:
        short = rule.short
        if short == "refuse":
            remedy = "Choose the policy 'loop' or 'hold' to have it answered all the same."
            if n_frames == rule.frames:  # its frames were chosen already: played again they would be chosen twice
                remedy += (
                    " Where it is a clip already, as `data import-legacy` stores them, train with the rule "
                    f"{{kind: sliding, frames: {n_frames}, stride: {n_frames}, max_clips: 1}} (docs/data.md)."
                )
            raise TooShortError(source, f"Has {n_frames} frames, and the sampling rule needs {span}.", remedy)
        how = "played again from the start" if short == "loop" else "its last frame held"
        notes = (*notes, f"Has {n_frames} frames, fewer than the {span} of a clip: {how}.")
    indices = (starts[:, None, None] + offsets[None]).reshape(-1, rule.frames)
    indices = indices % n_frames if short == "loop" else np.minimum(indices, n_frames - 1)
    indices = _thin(_distinct(indices), rule.max_clips)
    return SamplingPlan(indices, short_policy=short, notes=notes)


def without_empty(frames_PHW: UInt8Array, numbers: Sequence[int], plan: SamplingPlan) -> SamplingPlan:
    """Leave out clips that hold an empty frame, where others hold none.

    Films begin with black frames or a title page, and scanners store cines whose buffer was not full.

    Parameters
    ----------
    frames_PHW : uint8 array, (P, H, W)
        Prepared frames.
    numbers : sequence of int
        Which frames of the cine they are, P of them.
    plan : SamplingPlan

    Returns
    -------
    SamplingPlan
        With a note, where clips were left out; as it was, where every clip or none holds an empty frame.
    """
    empty = _are_empty(frames_PHW)
    kept: BoolArray = np.asarray(np.isin(plan.indices, np.asarray(numbers, np.int64)[~empty]).all(axis=1))
    if kept.all() or not kept.any():
        return plan
    left_out = np.count_nonzero(~kept)
    note = f"{left_out} of {len(kept)} clips left out: frames without a picture (black, or a title)."
    return replace(plan, indices=plan.indices[kept], notes=(*plan.notes, note))


def frames_with_picture(n_frames: int, read: Callable[[Sequence[int]], UInt8Array]) -> tuple[int, int]:
    """Return where the picture of a cine begins and ends, without the empty frames before and behind it.

    Parameters
    ----------
    n_frames : int
    read : callable
        Gives prepared frames, uint8 (P, H, W), by their numbers. Three are asked for, and all where these say that the
        first or the last is empty.

    Returns
    -------
    (int, int)
        The first frame that is not empty, and one more than the last.
    """
    ends = _are_empty(read([0, n_frames // 2, n_frames - 1]))
    if not ends[[0, -1]].any():
        return 0, n_frames
    full = np.flatnonzero(~_are_empty(read(range(n_frames))))
    return int(full[0]), int(full[-1]) + 1


def _are_empty(frames_PHW: UInt8Array) -> BoolArray:
    """Tell which frames are much darker than the bright ones among them, (P,); never all."""
    grey = frames_PHW.mean(axis=(1, 2))
    empty: BoolArray = grey < EMPTY * np.percentile(grey, BRIGHT)
    return empty


def gather(prepared: PreparedCine, plan: SamplingPlan) -> UInt8Array:
    """Put prepared frames together into clips, upright where the picture is upside down.

    Parameters
    ----------
    prepared : PreparedCine
        Holds at least the frames ``plan.needed``.
    plan : SamplingPlan

    Returns
    -------
    uint8 array, (C, N, H, W)

    Raises
    ------
    UsageError
        When a frame that the plan needs was not prepared.
    """
    have = np.asarray(prepared.indices, np.int64)
    rows = np.searchsorted(have, plan.indices)
    found = rows < len(have)
    if not found.all() or not (have[rows] == plan.indices).all():
        missing = sorted(set(plan.needed) - set(prepared.indices))
        raise UsageError(f"the plan needs frames that were not prepared: {missing[:5]}.")
    clips = prepared.frames[rows]
    return clips[..., ::-1, :] if prepared.sector.upside_down else clips


def _clip_offsets(rate: float, rule: SamplingRule) -> IntArray:
    """Frame numbers of the clips of one window, (clips, N), counted from the window's start."""
    steps = np.arange(rule.frames, dtype=np.int64)
    if rule.kind == "every_kth":
        return np.arange(rule.step, dtype=np.int64)[:, None] + steps * rule.step
    if rule.kind == "sliding":
        return (steps * rule.step)[None]
    # Half up, so that the same distance from a frame always goes the same way.
    offsets: IntArray = np.floor(steps * (rate * rule.seconds / rule.frames) + 0.5).astype(np.int64)[None]
    return offsets


def _spread(n_frames: int, rate: float, rule: SamplingRule, notes: tuple[str, ...]) -> SamplingPlan:
    indices = np.arange(rule.frames, dtype=np.int64)[None] * n_frames // rule.frames
    note = (
        f"Has {n_frames} frames, which would last {n_frames / rate:.2g} s at {rate:.4g} a second; "
        f"they were spread over a clip of {rule.seconds:g} s."
    )
    return SamplingPlan(indices, short_policy="spread", notes=(*notes, note))


def _usable_rate(fps: float | None, rule: SamplingRule) -> tuple[float, tuple[str, ...]]:
    """Return the rate to sample by, and a note where it is not the one that the file says."""
    if fps is None or not 0 < fps < float("inf"):
        return rule.assumed_fps, (f"No frame rate is given: {rule.assumed_fps:g} frames a second assumed.",)
    if LIKELY_FPS[0] <= fps <= LIKELY_FPS[1]:
        return fps, ()
    return rule.assumed_fps, (
        f"The stated frame rate, {fps:.4g} a second, is none of an echocardiogram: {rule.assumed_fps:g} assumed.",
    )


def _starts(n_frames: int, span: int, rule: SamplingRule) -> IntArray:
    last = max(n_frames - span, 0)
    if rule.kind == "every_kth":
        return np.arange(0, last + 1, span, dtype=np.int64)
    if rule.kind == "sliding":
        return np.arange(0, last + 1, rule.stride, dtype=np.int64)
    count = min(rule.max_clips, last + 1, 1 + -(-2 * last // span))
    return np.floor(np.linspace(0, last, count) + 0.5).astype(np.int64)


def _distinct(indices_CN: IntArray) -> IntArray:
    _, first = np.unique(indices_CN, axis=0, return_index=True)
    return indices_CN[np.sort(first)]


def _thin(indices_CN: IntArray, most: int) -> IntArray:
    if len(indices_CN) <= most:
        return indices_CN
    return indices_CN[np.floor(np.linspace(0, len(indices_CN) - 1, most) + 0.5).astype(np.int64)]
