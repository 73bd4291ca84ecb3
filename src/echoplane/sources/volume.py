"""NIfTI and MetaImage cines, and NumPy files.

**The rule for axes.** NIfTI and MetaImage store the fastest axis first, and we take what they say: the first axis is
the columns from left to right, the second the rows from top to bottom, the last the frames. CAMUS cines come out
upright so. (Libraries that hand out the array in storage order, columns first, show the same file lying on its side;
a file written from such an array by mistake needs ``transpose=True``.) Directions and origins are not looked at.

==========================  ========================================
axes                        what it is
==========================  ========================================
(x, y)                      a still
(x, y, n)                   a cine of n frames, or a volume, see below
(x, y, 1, t)                a cine of t frames
(x, y, z, t) and more       a volume in time: kind ``VOLUME``
==========================  ========================================

Three axes are a volume when the header gives the third the very spacing of the first two (other than 1) and there are
at least 64 slices: time has no reason to be as long as a pixel is wide. A volume's frames are its slices.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.records import Cine, CineKind
from echoplane.sources.guard import reading
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.mapped import copied
from echoplane.sources.metaimage import read_metaimage
from echoplane.sources.nifti import read_nifti
from echoplane.sources.npy import ScaledArrayReader, open_numpy
from echoplane.sources.samples import VolumeFile
from echoplane.sources.scaling import Scaling, choose_scaling, spread

#: Fewer slices than this are taken as frames, whatever their spacing.
_MIN_SLICES = 64
_CAMUS_NAME = re.compile(r".*_(2CH|4CH)_.*\.(nii|nii\.gz|mhd)", re.IGNORECASE)
_PLAUSIBLE_FPS = (0.5, 1000.0)


def open_volume(
    path: Path, kind: str, *, source: str = "", limits: Limits = DEFAULT_LIMITS, transpose: bool = False
) -> Cine:
    """Open a volume or array file. Packed files (``.nii.gz``) are held in memory, the others stay on disk.

    Parameters
    ----------
    path : Path
    kind : str
        ``"nifti"``, ``"nifti_gz"``, ``"metaimage"``, ``"npy"`` or ``"npz"``.
    source : str
        Name shown in results; default: the path.
    limits : Limits
    transpose : bool
        Swap rows and columns, for files written with their axes swapped.

    Raises
    ------
    UnreadableError
        When the file is damaged, shorter than its header says, or its data file is not where it should be.
    UnsupportedError
        For shapes and sample types that are no cine.
    RefusedError
        When it is bigger than the limits, or points at files outside of its folder.
    """
    name = source or str(path)
    if kind in ("npy", "npz"):
        return open_numpy(path, kind, source=name, limits=limits)
    with reading(name, "The volume file is damaged"):
        file = read_metaimage(path, name, limits) if kind == "metaimage" else read_nifti(path, name, limits)
        frames, is_volume, notes = _as_frames(file)
        if transpose:
            frames = np.swapaxes(frames, 1, 2)
            notes += ("Rows and columns were swapped, as asked.",)
        scaling = _scaling(file, frames, name)
    x, y = (*file.spacing, 1.0, 1.0)[:2]
    fps, fps_source = _frame_rate(file, path)
    still = len(frames) == 1
    return Cine(
        source=name,
        reader=ScaledArrayReader(frames, scaling, name),
        n_frames=len(frames),
        height=frames.shape[1],
        width=frames.shape[2],
        fps=None if still else fps,
        fps_source="" if still else fps_source,
        kind=CineKind.VOLUME if is_volume else CineKind.STILL if still else CineKind.B_MODE,
        spacing_mm=None if x == y == 1 else ((x, y) if transpose else (y, x)),
        notes=(scaling.note, *notes) if scaling.note else notes,
        facts={
            "format": kind,
            "samples": str(file.samples.dtype),
            "axes": " x ".join(map(str, file.samples.shape[: len(file.spacing)][::-1])),
            "color": "yes" if file.color else "grey",
        },
    )


def _as_frames(file: VolumeFile) -> tuple[npt.NDArray[Any], bool, tuple[str, ...]]:
    """Return (T, H, W) or (T, H, W, 3), whether it is a volume, and notes."""
    samples, axes = file.samples, len(file.spacing)
    colors = (3,) if file.color else ()
    shape = samples.shape[:axes]
    if axes < 3:
        return samples.reshape(1, *((1,) * (2 - axes)), *shape, *colors), False, ()
    if axes == 3:
        x, y, z = file.spacing
        cube = max(x, y, z) - min(x, y, z) <= 0.01 * x and abs(x - 1) > 1e-6 and shape[0] >= _MIN_SLICES
        return samples, cube, ("Its slices have the spacing of its pixels: taken as a volume.",) if cube else ()
    times, slices = math.prod(shape[: axes - 3]), shape[axes - 3]
    frames = samples.reshape(times * slices, *shape[-2:], *colors)
    return frames, slices > 1, (f"{times} volumes of {slices} slices each.",) if slices > 1 else ()


def _scaling(file: VolumeFile, frames: npt.NDArray[Any], source: str) -> Scaling:
    """Choose the scaling by what the samples mean, and give it for the samples as they are stored."""
    parts = (copied(frames, [i], source)[0] for i in spread(len(frames)))
    if (file.slope, file.intercept) == (1.0, 0.0):
        return choose_scaling(parts)
    meant = choose_scaling(part * np.float64(file.slope) + file.intercept for part in parts)
    low, high = ((end - file.intercept) / file.slope for end in (meant.low, meant.high))
    return Scaling(low, high, meant.note)


def _frame_rate(file: VolumeFile, path: Path) -> tuple[float | None, str]:
    """Frame rate from the file, or from the ``Info_2CH.cfg`` or ``Info_4CH.cfg`` that CAMUS keeps beside its cines."""
    low, high = _PLAUSIBLE_FPS
    if file.seconds and low <= 1 / file.seconds <= high:
        return 1 / file.seconds, "time step"
    match = _CAMUS_NAME.fullmatch(path.name)
    if not match:
        return None, ""
    info = path.parent / f"Info_{match[1].upper()}.cfg"
    try:
        with info.open(encoding="utf-8", errors="replace") as stream:
            found = re.search(r"^FrameRate\s*:\s*([0-9.]+)\s*$", stream.read(65536), re.MULTILINE)
        rate = float(found[1]) if found else 0.0
    except (OSError, ValueError):
        return None, ""
    return (rate, info.name) if low <= rate <= high else (None, "")
