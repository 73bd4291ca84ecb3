"""Samples that stay in their file, laid out by a memory map that is never looked into.

A map is the plain way to say "frame 3 of this file, every second colour, lying on its side". But whoever looks into one
whose file was cut short meanwhile, or whose disk was pulled out, is ended by the system (SIGBUS), and a batch of
thousands with it. So the map only says where bytes lie; they are read as any other file is, and what fails is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.errors import UnreadableError
from echoplane.sources.guard import reading
from echoplane.sources.limits import Limits


def copied(frames: npt.NDArray[Any], wanted: Sequence[int], source: str) -> npt.NDArray[Any]:
    """Copy some of an array's entries out.

    Parameters
    ----------
    frames : array, (T, ...)
        In memory; or a ``numpy.memmap``, or what was made of one by slicing, reshaping, swapping axes.
    wanted : sequence of int
        Indices of the first axis, at least one.
    source : str
        For messages.

    Returns
    -------
    array, (len(wanted), ...)

    Raises
    ------
    UnreadableError
        When the file is gone, or ends before the samples do.
    """
    root = _root(frames)
    if root is None:
        return np.array(frames[list(wanted)])
    out = np.empty((len(wanted), *frames.shape[1:]), frames.dtype)
    first, start = root.ctypes.data, int(root.offset)
    with reading(source, "The samples cannot be read"), Path(str(root.filename)).open("rb") as file:
        for row, index in enumerate(wanted):
            entry = frames[index]
            low = entry.ctypes.data
            size = entry.itemsize + sum((n - 1) * step for n, step in zip(entry.shape, entry.strides, strict=True))
            file.seek(start + low - first)
            data = file.read(size)
            if len(data) < size:
                raise UnreadableError(source, "The file became shorter while it was being read.", "Try again.")
            out[row] = np.ndarray(entry.shape, entry.dtype, data, strides=entry.strides)
    return out


def laid_out(frames: npt.NDArray[Any], source: str, limits: Limits) -> npt.NDArray[Any]:
    """Return frames that can be read one by one: as they are, or in memory where each is strewn over the whole file.

    Raises
    ------
    RefusedError
        When they would have to be held in memory, and are more than the limits allow.
    UnreadableError
        As :func:`copied`.
    """
    if _root(frames) is None or len(frames) == 1 or frames.strides[0] >= max(frames.strides[1:]):
        return frames
    limits.check_bytes(source, frames.nbytes)
    whole: npt.NDArray[Any] = copied(frames[None], [0], source)[0]
    return whole


def _root(frames: npt.NDArray[Any]) -> Any:
    """Return the whole memory map that an array is a part of, or None."""
    root: Any = frames
    while isinstance(root.base, np.ndarray):
        root = root.base
    # One that was sent to another process is of that type, and lies in memory.
    return root if isinstance(root, np.memmap) and root.filename is not None else None
