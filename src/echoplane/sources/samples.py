"""Blocks of raw samples on disk, plain or packed, for formats that are a header and an array."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.errors import UnreadableError
from echoplane.sources.limits import Limits


@dataclass(frozen=True, slots=True, eq=False)
class VolumeFile:
    """What a NIfTI or MetaImage file holds.

    Attributes
    ----------
    samples : array
        In storage order, slowest axis first: (n, y, x), and R, G, B last where `color`. May be a memory map.
    spacing : tuple of float
        Millimetres from sample to sample, fastest axis first: (x, y, n). As many as there are axes; 1 where not said.
    color : bool
    seconds : float or None
        From frame to frame, where the file says it.
    slope, intercept : float
        What a sample means: ``slope * sample + intercept``.
    """

    samples: npt.NDArray[Any]
    spacing: tuple[float, ...]
    color: bool = False
    seconds: float | None = None
    slope: float = 1.0
    intercept: float = 0.0


def check_shape(shape: tuple[int, ...], itemsize: int, source: str, limits: Limits) -> None:
    """Refuse shapes (fastest axis first) that are empty or above the limits, before anything is allocated.

    Raises
    ------
    UnreadableError, RefusedError
    """
    if not shape or any(side < 1 for side in shape):
        raise UnreadableError(source, f"The header says {' x '.join(map(str, shape)) or 'no'} samples.")
    limits.check_frame(source, shape[1] if len(shape) > 1 else 1, shape[0])
    limits.check_count(source, math.prod(shape[2:]))
    limits.check_bytes(source, math.prod(shape) * itemsize)


def plain_samples(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, source: str
) -> npt.NDArray[Any]:
    """Map samples that lie unpacked in a file; a negative `offset` counts from the end, -1 meaning "the last ones".

    Raises
    ------
    UnreadableError
        When the file is shorter than that.
    """
    size, needed = path.stat().st_size, math.prod(shape) * dtype.itemsize
    start = size - needed if offset < 0 else offset
    if start < 0 or size < start + needed:
        raise _too_short(source, size - max(start, 0), needed)
    return np.memmap(path, dtype, mode="r", offset=start, shape=shape)


def gzip_samples(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, source: str
) -> npt.NDArray[Any]:
    """Unpack samples from a gzip file, no more than are wanted.

    Raises
    ------
    UnreadableError
        When the file is damaged or ends early.
    """
    needed = math.prod(shape) * dtype.itemsize
    try:
        with gzip.open(path) as stream:
            stream.seek(offset)  # in small pieces, as reading up to there would not be
            data = stream.read(needed)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableError(source, "The packed samples are damaged or cut short.") from error
    if len(data) < needed:
        raise _too_short(source, len(data), needed)
    return np.frombuffer(data, dtype).reshape(shape)


def zlib_samples(packed: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], source: str) -> npt.NDArray[Any]:
    """Unpack samples from a zlib stream, no more than are wanted.

    Raises
    ------
    UnreadableError
        When the stream is damaged or ends early.
    """
    needed = math.prod(shape) * dtype.itemsize
    try:
        data = zlib.decompressobj().decompress(packed, needed)
    except zlib.error as error:
        raise UnreadableError(source, "The packed samples are damaged.") from error
    if len(data) < needed:
        raise _too_short(source, len(data), needed)
    return np.frombuffer(data, dtype).reshape(shape)


def _too_short(source: str, there: int, needed: int) -> UnreadableError:
    return UnreadableError(
        source, f"The header promises {needed:,} bytes of samples, the file has {max(there, 0):,}.", "It was cut short."
    )
