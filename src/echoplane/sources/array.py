"""Cines in memory: NumPy arrays as they come from other programs, from the phantom, or from a small file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.errors import UsageError
from echoplane.records import Cine, CineKind, Region, UInt8Array
from echoplane.sources.guard import checked_request
from echoplane.sources.luma import luma, repeated_grey

_ACCEPTED = "uint8 frames of shape (T, H, W), or (T, H, W, 3) with R, G, B last"

#: Rows from which a cine of three columns is taken for a colour picture; less is an example, not a picture.
_HIGH = 16


class ArrayReader:
    """Frames that already lie in memory (or in a memory map).

    Parameters
    ----------
    frames : uint8 array, (T, H, W) grey or (T, H, W, 3) R, G, B
        An axis of a single channel is left out, see :func:`without_channel`. Kept by reference, never written to. A
        ``numpy.memmap`` works too: only the frames asked for are read.

    Raises
    ------
    UsageError
        For another dtype or shape, or an axis of length 0.
    """

    def __init__(self, frames: npt.NDArray[Any]) -> None:
        if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
            kind = frames.dtype if isinstance(frames, np.ndarray) else type(frames).__name__
            raise UsageError(f"Frames are {kind}; expected {_ACCEPTED}. Scale to 0..255 first.")
        frames = without_channel(frames)
        if frames.ndim == 4 and frames.shape[1] == 3 != frames.shape[3]:
            raise UsageError(
                f"Frames have shape {frames.shape}; expected {_ACCEPTED}. "
                "Move the colours: frames.transpose(0, 2, 3, 1)."
            )
        if frames.ndim not in (3, 4) or (frames.ndim == 4 and frames.shape[3] != 3) or 0 in frames.shape:
            raise UsageError(f"Frames have shape {frames.shape}; expected {_ACCEPTED}.")
        self.frames: UInt8Array = frames

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Copy frames out; see :class:`echoplane.records.FrameReader`. Always at full size."""
        wanted = checked_request(indices, len(self.frames), reduce)
        chosen = np.ascontiguousarray(self.frames[wanted])
        if chosen.ndim == 3:
            return repeated_grey(chosen) if color else chosen
        return chosen if color else luma(chosen)


def without_channel(frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Leave out the axis of a single channel: (T, H, W, 1), (T, 1, H, W) and (1, T, H, W) become (T, H, W).

    Other arrays, and those that may be (T, H, W, 3 or 4), come back as they are.
    """
    if frames.ndim == 4 and frames.shape[3] not in (3, 4):
        for axis in (3, 1, 0):
            if frames.shape[axis] == 1:
                return frames.squeeze(axis)
    return frames


def cine_from_array(
    frames: npt.NDArray[Any],
    fps: float | None = None,
    source: str = "array",
    *,
    fps_source: str = "given",
    kind: CineKind | None = None,
    spacing_mm: tuple[float, float] | None = None,
    regions: tuple[Region, ...] = (),
    notes: tuple[str, ...] = (),
    facts: Mapping[str, str] | None = None,
) -> Cine:
    """Make a cine of frames in memory.

    Parameters
    ----------
    frames : uint8 array, (T, H, W) grey or (T, H, W, 3) R, G, B
        Or grey with an axis of one channel, (T, H, W, 1), (T, 1, H, W) or (1, T, H, W).
    fps : float, optional
        Frames a second, above 0.
    source : str
        Name shown in results.
    fps_source : str
        Where `fps` comes from; ignored without `fps`.
    kind : CineKind, optional
        Default: ``STILL`` for one frame, else ``B_MODE``.
    spacing_mm : tuple of float, optional
        (row, column) size of a pixel.
    regions, notes, facts
        As in :class:`echoplane.records.Cine`.

    Raises
    ------
    UsageError
        For another dtype or shape, one R, G, B picture without an axis of frames, or an `fps` that is no number above
        0.

    Examples
    --------
    >>> import numpy as np
    >>> cine = cine_from_array(np.zeros((60, 300, 400), np.uint8), fps=50)
    >>> cine.n_frames, cine.height, cine.width, cine.reader.read([0, 59]).shape
    (60, 300, 400, (2, 300, 400))
    """
    reader = ArrayReader(frames)
    # No scanner's picture is so narrow and yet so high.
    shape = reader.frames.shape
    if len(shape) == 3 and shape[2] in (3, 4) and shape[1] >= _HIGH:
        raise UsageError(
            f"Frames have shape {shape}, which looks like one colour picture; expected {_ACCEPTED}. "
            "Give one picture as frames[None]."
        )
    rate = None if fps is None else _rate(fps)
    n_frames, height, width = shape[:3]
    return Cine(
        source=source,
        reader=reader,
        n_frames=n_frames,
        height=height,
        width=width,
        fps=rate,
        fps_source="" if rate is None else fps_source,
        kind=kind or (CineKind.STILL if n_frames == 1 else CineKind.B_MODE),
        regions=regions,
        spacing_mm=spacing_mm,
        notes=notes,
        facts={"format": "array", "color": "RGB" if reader.frames.ndim == 4 else "grey", **(facts or {})},
    )


def _rate(fps: Any) -> float:
    """Return a frame rate as a float; numbers of NumPy are numbers too, text is none."""
    try:
        rate = math.nan if isinstance(fps, str | bytes) else float(fps)
    except (TypeError, ValueError, OverflowError):
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise UsageError(f"fps is {fps!r}, expected frames a second above 0, or None where it is not known.")
    return rate
