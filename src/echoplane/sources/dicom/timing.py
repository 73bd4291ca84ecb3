"""Frames a second, from the elements that say so, in the order in which the standard gives them meaning.

FrameIncrementPointer (PS3.3 C.7.6.6) names the element that tells one frame from the next: FrameTime or
FrameTimeVector (PS3.3 C.7.6.5). Without it both are tried. Then CineRate and RecommendedDisplayFrameRate, which are
about showing; then ActualFrameDuration and EffectiveDuration, which are about acquiring.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from statistics import median

from pydicom.datadict import tag_for_keyword

from echoplane.sources.dicom.header import Header

#: Frames a second between which a rate is believed. Slower and faster ones come from wrong units or empty fields.
PLAUSIBLE_FPS = (0.5, 1000.0)
#: Rates that a scanner has. Another one is taken only where no element gives one of these: FrameTime 1 or 1000 is what
#: programs write that do not know it.
PREFERRED_FPS = (4.0, 400.0)
#: Spread of frame times (longest over shortest) above which a note says that frames are uneven.
_UNEVEN = 1.5
#: Steps from which on a vector that grows all the time is believed to hold times.
_ENOUGH = 3
#: Elements that differ by this factor contradict each other; below it one may be of showing, the other of acquiring.
#: With fewer frames than that a duration tells little.
_CONTRADICTS, _JUDGED = 1.8, 8


def read_fps(header: Header, n_frames: int) -> tuple[float | None, str, tuple[str, ...]]:
    """Find the frame rate.

    Parameters
    ----------
    header : Header
    n_frames : int

    Returns
    -------
    fps : float or None
        Frames a second; None where nothing plausible is said, and for a single frame.
    source : str
        The keyword it came from.
    notes : tuple of str
    """
    if n_frames < 2:
        return None, "", ()
    notes: list[str] = []
    spare: tuple[float, str, tuple[str, ...]] | None = None
    for keyword in _order(header):
        if keyword not in header.values or header.values[keyword] in (None, ""):
            continue
        fps = _READERS[keyword](header, n_frames, notes)
        if fps is not None and PREFERRED_FPS[0] <= fps <= PREFERRED_FPS[1]:
            return fps, keyword, (*notes, *_contradictions(header, n_frames, fps, keyword))
        if spare is None and fps is not None and PLAUSIBLE_FPS[0] <= fps <= PLAUSIBLE_FPS[1]:
            spare = fps, keyword, tuple(notes)
        given = header.number(keyword)
        notes.append(f"{keyword} {'' if given is None else f'{given:g} '}gives no plausible frame rate; passed over.")
    notes.append("The header does not say how fast the frames follow each other.")
    return spare or (None, "", tuple(notes))


def _contradictions(header: Header, n_frames: int, fps: float, keyword: str) -> tuple[str, ...]:
    """Name the elements that give quite another rate than the one taken, both being such as a scanner has."""
    if n_frames < _JUDGED:
        return ()
    said = {other: read(header, n_frames, []) for other, read in _READERS.items() if other != keyword}
    others = [
        f"{other} {rate:.3g}"
        for other, rate in said.items()
        if rate is not None
        and PREFERRED_FPS[0] <= rate <= PREFERRED_FPS[1]
        and max(rate, fps) > _CONTRADICTS * min(rate, fps)
    ]
    if not others:
        return ()
    return (f"The header contradicts itself: {keyword} gives {fps:.3g} frames a second, {', '.join(others)}.",)


def _order(header: Header) -> list[str]:
    pointer = {int(tag) for tag in header.numbers("FrameIncrementPointer")}
    names = list(_READERS)
    if tag_for_keyword("FrameTimeVector") in pointer and tag_for_keyword("FrameTime") not in pointer:
        names[:2] = ["FrameTimeVector", "FrameTime"]
    return names


def _from_milliseconds(keyword: str) -> Callable[[Header, int, list[str]], float | None]:
    def read(header: Header, n_frames: int, notes: list[str]) -> float | None:
        value = header.number(keyword)
        return 1000.0 / value if value else None

    return read


def _from_rate(keyword: str) -> Callable[[Header, int, list[str]], float | None]:
    return lambda header, n_frames, notes: header.number(keyword)


def _from_vector(header: Header, n_frames: int, notes: list[str]) -> float | None:
    times = header.numbers("FrameTimeVector")
    if _since_first(times):
        times = (0.0, *(b - a for a, b in itertools.pairwise(times)))
        notes.append("FrameTimeVector holds the times since the first frame, not the steps between frames.")
    steps = [t for t in times[1:] if t > 0]  # the first entry is the time before the first frame: 0
    if not steps:
        return None
    if len(times) != n_frames:
        notes.append(f"FrameTimeVector has {len(times)} entries for {n_frames} frames.")
    if max(steps) > _UNEVEN * min(steps):
        notes.append(f"Frames are uneven in time ({min(steps):g} to {max(steps):g} ms); their median is used.")
    return 1000.0 / median(steps)


def _since_first(times: Sequence[float]) -> bool:
    """Say whether a vector grows with every entry, evenly, from 0 on, as times do and steps between frames never."""
    gaps = [b - a for a, b in itertools.pairwise(times)]
    return len(gaps) >= _ENOUGH and times[0] == 0 and min(gaps) > 0 and max(gaps) <= _UNEVEN * min(gaps)


def _from_duration(header: Header, n_frames: int, notes: list[str]) -> float | None:
    seconds = header.number("EffectiveDuration")
    return n_frames / seconds if seconds else None


_READERS: dict[str, Callable[[Header, int, list[str]], float | None]] = {
    "FrameTime": _from_milliseconds("FrameTime"),
    "FrameTimeVector": _from_vector,
    "CineRate": _from_rate("CineRate"),
    "RecommendedDisplayFrameRate": _from_rate("RecommendedDisplayFrameRate"),
    "ActualFrameDuration": _from_milliseconds("ActualFrameDuration"),
    "EffectiveDuration": _from_duration,
}
