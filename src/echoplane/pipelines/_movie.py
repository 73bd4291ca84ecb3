"""Moving pictures to files: MP4, GIF, WebP."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from echoplane._files import naming
from echoplane.errors import UsageError
from echoplane.records import UInt8Array

#: Endings that :func:`write_movie` knows.
MOVIES = (".mp4", ".gif", ".webp")

#: Frames a second. Browsers show frames that are shorter than two hundredths of a second for ten.
FASTEST_GIF = 50


def write_movie(path: Path, frames: Iterable[UInt8Array], fps: float) -> None:
    """Write frames one by one; nothing is left behind when it fails.

    Parameters
    ----------
    path : Path
        Ends in ``.mp4`` (H.264), ``.gif`` or ``.webp``.
    frames : iterable of uint8 arrays, (H, W, 3)
        R, G, B; all of one size, even for ``.mp4``.
    fps : float
        Frames a second, above 0. GIF counts in hundredths of a second, so its frames last 3, 3, 4, 3, ... of them
        where 30 a second are asked for; above 50 a second, where browsers slow down, frames are left out.

    Raises
    ------
    UsageError
        For another ending.
    OSError
        As the system says it, with `path` for its file.
    """
    if path.suffix.lower() not in MOVIES:
        raise UsageError(f"{path}: moving pictures end in {', '.join(MOVIES)}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix.lower()}")
    try:
        if path.suffix.lower() == ".mp4":
            _mp4(partial, frames, fps)
        else:
            _pillow(partial, frames, fps)
        partial.replace(path)
    except OSError as error:
        raise naming(error, path, partial) from error
    finally:
        partial.unlink(missing_ok=True)


def _mp4(path: Path, frames: Iterable[UInt8Array], fps: float) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast"}
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _pillow(path: Path, frames: Iterable[UInt8Array], fps: float) -> None:
    from PIL import Image

    gif = path.suffix == ".gif"
    every = max(1, math.ceil(fps / FASTEST_GIF)) if gif else 1
    pictures = [Image.fromarray(frame) for n, frame in enumerate(frames) if n % every == 0]
    if gif:
        # One palette for all frames, so that colours do not flicker.
        palette = pictures[len(pictures) // 2].quantize(256)
        pictures = [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    last = ticks(len(pictures), fps / every, 10 if gif else 1)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=last, loop=0)


def ticks(count: int, fps: float, unit_ms: int = 1) -> list[int]:
    """Return how long each frame lasts, milliseconds: multiples of a unit whose sum keeps the true time.

    Parameters
    ----------
    count : int
        Frames.
    fps : float
        Frames a second, above 0.
    unit_ms : int
        Formats count in this.
    """
    ends = [round(n * 1000 / fps / unit_ms) for n in range(count + 1)]
    return [max(1, after - before) * unit_ms for before, after in itertools.pairwise(ends)]
