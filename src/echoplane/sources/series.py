"""Which pictures in a folder are the frames of one cine? Told from their names alone.

A name is split into a head, the last run of digits before the ending, and the ending: ``clip7_012.jpg`` is frame 12 of
``clip7_``. Pictures with one head and one ending in one folder are one cine when there are at least three and not too
many numbers are missing; otherwise each is a still of its own. Frames are in the order of their numbers, so ``_10``
comes after ``_9``, padded with zeros or not. Names do not tell whether
numbered files hold many pages each, as cines of their own: :mod:`echoplane.sources.discover` looks into the first.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from echoplane.sources.sniff import PICTURES, named_format

#: Fewer pictures than this are stills: two pictures of one name are more often end-diastole and end-systole.
MIN_FRAMES = 3
#: At least this share of the numbers, counted in the series' own step, must be there; else the pictures are stills
#: that happen to be numbered.
MIN_FILLED = 0.5

# Digits of every script count as digits, as int() reads them all.
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<number>\d{1,18})\)?(?P<ending>\.[^.]+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Series:
    """The frames of one cine.

    Attributes
    ----------
    name : str
        What is left of the head without its separators (``clip7``); empty where the names are bare numbers.
    pattern : str
        ``clip7_*.jpg``: a name that cannot be confused with another series of the folder.
    files : tuple of str
        File names, in the order of their numbers.
    numbers : tuple of int
        The number in each name, rising.
    """

    name: str
    pattern: str
    files: tuple[str, ...]
    numbers: tuple[int, ...]


def split_name(name: str) -> tuple[str, int, str] | None:
    """Split a picture's file name into head, frame number and ending; None where it has no number or is no picture.

    Examples
    --------
    >>> split_name("clip7_012.JPG")
    ('clip7_', 12, '.JPG')
    >>> split_name("frame_000001.png"), split_name("12.png"), split_name("apex.png"), split_name("clip_3.avi")
    (('frame_', 1, '.png'), ('', 12, '.png'), None, None)
    """
    if named_format(name) not in PICTURES:
        return None
    match = _NUMBERED.fullmatch(name)
    return (match["head"], int(match["number"]), match["ending"]) if match else None


def find_series(names: Iterable[str]) -> tuple[list[Series], list[str]]:
    """Sort the names of one folder into series of frames and the rest.

    Parameters
    ----------
    names : iterable of str
        File names without folder, each once.

    Returns
    -------
    series : list of Series
    rest : list of str
        Every name that is in no series, in the order given.
    """
    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    order: list[tuple[str, tuple[str, str] | None]] = []
    for name in names:
        parts = split_name(name)
        key = (parts[0], parts[2].lower()) if parts else None
        if parts and key:
            groups.setdefault(key, []).append((parts[1], name))
        order.append((name, key))
    found: dict[tuple[str, str], Series] = {}
    for (head, ending), members in groups.items():
        members.sort()
        numbers = tuple(number for number, _ in members)
        if is_series(numbers):
            files = tuple(name for _, name in members)
            found[head, ending] = Series(head.rstrip("_-. ("), f"{head}*{ending}", files, numbers)
    return list(found.values()), [name for name, key in order if key not in found]


def is_series(numbers: Sequence[int]) -> bool:
    """Tell whether rising frame numbers look like a cine: enough of them, and not too many missing."""
    if len(numbers) < MIN_FRAMES:
        return False
    step = _step(numbers)
    return step == 0 or len(set(numbers)) >= MIN_FILLED * ((numbers[-1] - numbers[0]) // step + 1)


def gap_notes(numbers: Sequence[int]) -> tuple[str, ...]:
    """Say what is odd about rising frame numbers: missing or doubled ones, or a step other than one."""
    if len(numbers) < 2:
        return ()
    notes = []
    step = _step(numbers)
    if step > 1:
        notes.append(f"Frame numbers rise by {step}; the frames are taken as they follow each other.")
    missing = (numbers[-1] - numbers[0]) // step + 1 - len(set(numbers)) if step else 0
    if missing:
        places = [f"{a} to {b}" for a, b in itertools.pairwise(numbers) if b - a > step]
        shown = ", ".join(places[:3]) + (", ..." if len(places) > 3 else "")
        notes.append(f"{missing} frame number{'s are' if missing > 1 else ' is'} missing (between {shown}).")
    doubled = len(numbers) - len(set(numbers))
    if doubled:
        notes.append(f"{doubled} frame number{'s occur' if doubled > 1 else ' occurs'} more than once.")
    return tuple(notes)


def _step(numbers: Sequence[int]) -> int:
    return math.gcd(*(b - a for a, b in itertools.pairwise(numbers)))
