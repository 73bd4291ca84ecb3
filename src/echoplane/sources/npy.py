"""NumPy files as cines: ``.npy`` read in place, ``.npz`` with one array of frames. Never unpickles.

====================  ==========================================================
shape                 what it is
====================  ==========================================================
(H, W)                a grey still
(H, W, 3), (H, W, 4)  a colour still (R, G, B, and alpha, which is left out)
(T, H, W)             a grey cine
(T, H, W, 1)          a grey cine
(T, H, W, 3 or 4)     a colour cine
(T, 1, H, W)          a grey cine
(1, T, H, W)          a grey cine, as networks want it
====================  ==========================================================

Three axes of which the last is 3 or 4 long are a colour still: no scanner's picture is 3 columns wide.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.errors import NoFramesError, UnreadableError, UnsupportedError
from echoplane.records import Cine, CineKind, UInt8Array
from echoplane.sources.array import ArrayReader, without_channel
from echoplane.sources.guard import checked_request, reading
from echoplane.sources.limits import Limits
from echoplane.sources.mapped import copied, laid_out
from echoplane.sources.scaling import Scaling, choose_scaling, spread

#: Names of the array of frames in an .npz, in this order; else its only array of two axes or more.
_FRAME_NAMES = ("frames", "cine", "video", "images", "arr_0")


class ScaledArrayReader:
    """Frames of any sample type, in memory or in a memory map, scaled when they are read.

    Parameters
    ----------
    frames : array, (T, H, W) or (T, H, W, 3)
    scaling : Scaling
    source : str
        For messages.
    """

    def __init__(self, frames: npt.NDArray[Any], scaling: Scaling, source: str) -> None:
        self._frames, self._scaling, self._source = frames, scaling, source

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Copy frames out; see :class:`echoplane.records.FrameReader`. Always at full size.

        Raises
        ------
        UsageError
            For frame numbers that are not there.
        UnreadableError
            When the file is gone or was cut short since it was opened.
        """
        wanted = checked_request(indices, len(self._frames), reduce)
        if not wanted:
            return np.empty((0, *self._frames.shape[1:3], *((3,) if color else ())), np.uint8)
        chosen = np.ascontiguousarray(self._scaling.apply(copied(self._frames, wanted, self._source)))
        return ArrayReader(chosen).read(range(len(wanted)), color=color)


def open_numpy(path: Path, kind: str, *, source: str, limits: Limits) -> Cine:
    """Open a NumPy file as a cine.

    Parameters
    ----------
    path : Path
    kind : {"npy", "npz"}
    source : str
    limits : Limits

    Raises
    ------
    UnreadableError
        When the file is damaged.
    UnsupportedError
        When it holds Python objects, no frames, or a shape that is not in the table.
    RefusedError
        When it is bigger than the limits.
    """
    with reading(source, "The NumPy file is damaged"):
        if kind == "npy":
            array, fps = _load_npy(path, source), None
        else:
            array, fps = _load_npz(path, source, limits)
        frames = _as_frames(array, source)
        n_frames, height, width = frames.shape[:3]
        limits.check_frame(source, height, width)
        limits.check_count(source, n_frames)
        frames = laid_out(frames, source, limits)
        scaling = choose_scaling(copied(frames, [i], source)[0] for i in spread(n_frames))
    return Cine(
        source=source,
        reader=ScaledArrayReader(frames, scaling, source),
        n_frames=n_frames,
        height=height,
        width=width,
        fps=fps,
        fps_source="fps in the file" if fps else "",
        kind=CineKind.STILL if n_frames == 1 else CineKind.B_MODE,
        notes=(scaling.note,) if scaling.note else (),
        facts={
            "format": kind,
            "samples": str(array.dtype),
            "shape": " x ".join(map(str, array.shape)),
            "color": "yes" if frames.ndim == 4 else "grey",
        },
    )


def _load_npy(path: Path, source: str) -> npt.NDArray[Any]:
    try:
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError as error:
        raise _explained(error, source) from error


def _explained(error: ValueError, source: str) -> UnreadableError | UnsupportedError:
    if "object" in str(error).lower():
        return UnsupportedError(source, "Holds Python objects, which are never loaded.", "Save plain numbers.")
    return UnreadableError(source, "The NumPy file is damaged, or shorter than its header says.")


def _load_npz(path: Path, source: str, limits: Limits) -> tuple[npt.NDArray[Any], float | None]:
    with zipfile.ZipFile(path) as archive:
        sizes = {
            m.filename.removesuffix(".npy"): m.file_size for m in archive.infolist() if m.filename.endswith(".npy")
        }
    with np.load(path, allow_pickle=False) as arrays:
        name = _frames_name(sizes, source)
        limits.check_bytes(source, sizes[name])
        try:
            frames = arrays[name]
            rate = arrays["fps"] if 0 < sizes.get("fps", 0) < 4096 else None
        except ValueError as error:
            raise _explained(error, source) from error
    usable = rate is not None and rate.size == 1 and rate.dtype.kind in "iuf" and 0.5 <= float(rate.item()) <= 1000
    return frames, float(rate.item()) if usable and rate is not None else None


def _frames_name(sizes: dict[str, int], source: str) -> str:
    for name in _FRAME_NAMES:
        if name in sizes:
            return name
    big = [name for name, size in sizes.items() if size > 1024]
    if len(big) != 1:
        raise UnsupportedError(
            source,
            f"Holds {len(sizes)} arrays, and it is not clear which one is the cine.",
            f"Name it {_FRAME_NAMES[0]!r}.",
        )
    return big[0]


def _as_frames(array: npt.NDArray[Any], source: str) -> npt.NDArray[Any]:
    """Return (T, H, W) or (T, H, W, 3) by the table at the top."""
    if array.dtype.kind not in "buif":
        raise UnsupportedError(source, f"Holds samples of type {array.dtype}; booleans, integers and floats are read.")
    if 0 in array.shape:
        raise NoFramesError(source, f"The array is empty (shape {array.shape}).")
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)):
        frames = array[None]
    else:
        frames = without_channel(array)
    if frames.ndim == 4 and frames.shape[3] == 4:
        frames = frames[..., :3]
    if frames.ndim == 3 or (frames.ndim == 4 and frames.shape[3] == 3):
        return frames
    raise UnsupportedError(
        source, f"Has the shape {array.shape}; a cine is (T, H, W), or (T, H, W, 3) with R, G, B last."
    )
