"""How long the pages of an animated PNG or WebP are shown. The chunks that say so are read, and no pixel."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

#: Up to so many milliseconds stand for "as fast as possible": browsers show such pages for a hundred.
_UNSAID = 10
#: Chunks looked at. Pages are cut into some, and only a file that is made to keep a reader busy has more.
_MAX_CHUNKS = 1_000_000


def page_durations(path: Path, kind: str, n_frames: int) -> list[float]:
    """Milliseconds that each page of an animation is shown.

    Parameters
    ----------
    path : Path
    kind : str
        Animations are ``"png"`` and ``"webp"``.
    n_frames : int
        Pages of the animation; the hidden first picture of a PNG is none.

    Returns
    -------
    list of float
        One for each page; empty where the file does not say it of all (another kind, damaged, cut off, gone).
    """
    if kind not in ("png", "webp"):
        return []
    try:
        with path.open("rb") as stream:
            found = list(itertools.islice(_of_png(stream) if kind == "png" else _of_webp(stream), n_frames))
    except OSError:
        return []
    return found if len(found) == n_frames else []


def rate_of(durations: list[float]) -> tuple[float | None, str, tuple[str, ...]]:
    """Frame rate of pages that are shown so many milliseconds, by the rule for videos.

    Parameters
    ----------
    durations : list of float
        Two at least. The last one does not count: no frame follows that could tell whether it was cut.

    Returns
    -------
    fps : float or None
    fps_source : str
        ``"page duration"`` or ``""``.
    notes : tuple of str
        When the frames are not evenly spaced, as where a program merged equal ones into one.
    """
    # Here and not above: stills need no FFmpeg.
    from echoplane.sources.video import frame_rate
    from echoplane.sources.video_index import VideoIndex

    steps = durations[:-1]
    if float(np.median(steps)) <= _UNSAID:
        return None, "", ()
    times = np.cumsum([0.0, *steps]) / 1000
    nothing = np.empty(0, np.int64)
    index = VideoIndex(len(durations), nothing, nothing, {}, times)
    fps, _, notes = frame_rate(index, 1000 * len(steps) / sum(steps), 0.001)
    return fps, "page duration" if fps else "", notes


def _of_png(stream: BinaryIO) -> Iterator[float]:
    for body in _bodies(stream, 8, ">I4s", b"fcTL", 26):
        shown, parts = struct.unpack_from(">HH", body, 20)
        yield 1000 * shown / (parts or 100)


def _of_webp(stream: BinaryIO) -> Iterator[float]:
    for body in _bodies(stream, 12, "<4sI", b"ANMF", 16):
        yield float(int.from_bytes(body[12:15], "little"))


def _bodies(stream: BinaryIO, start: int, layout: str, kind: bytes, size: int) -> Iterator[bytes]:
    """Yield the first bytes of every whole chunk of a kind; `layout` is that of a chunk's head: length and name."""
    stream.seek(start)
    for _ in range(_MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            return
        one, two = struct.unpack(layout, head)
        is_png = isinstance(one, int)
        length, name = (one, two) if is_png else (two, one)
        body = stream.read(min(length, size)) if name == kind else b""
        if len(body) == size:
            yield body
        # A checksum follows in PNG; in WebP chunks begin at even places.
        stream.seek(length - len(body) + (4 if is_png else length % 2), 1)
