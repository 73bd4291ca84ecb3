"""NIfTI and MetaImage cines, through SimpleITK (extra ``volume``), and NumPy files.

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

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane._optional import need
from echoplane.errors import NoFramesError, RefusedError, UnreadableError, UnsupportedError
from echoplane.records import Cine, CineKind
from echoplane.sources.array import cine_from_array
from echoplane.sources.guard import reading
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.npy import open_numpy
from echoplane.sources.scaling import choose_scaling

_READERS = {"nifti": "NiftiImageIO", "nifti_gz": "NiftiImageIO", "metaimage": "MetaImageIO"}
#: Fewer slices than this are taken as frames, whatever their spacing.
_MIN_SLICES = 64
_CAMUS_NAME = re.compile(r".*_(2CH|4CH)_.*\.(nii|nii\.gz|mhd)", re.IGNORECASE)


def open_volume(
    path: Path, kind: str, *, source: str = "", limits: Limits = DEFAULT_LIMITS, transpose: bool = False
) -> Cine:
    """Open a volume or array file. It is read whole, so its size counts against ``limits.max_bytes``.

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
    MissingExtraError
        When SimpleITK is not installed.
    """
    name = source or str(path)
    if kind in ("npy", "npz"):
        return open_numpy(path, kind, source=name, limits=limits)
    samples, spacing = _read(path, kind, name, limits)
    frames, is_volume, notes = _as_frames(samples, spacing, name)
    if transpose:
        frames = np.swapaxes(frames, 1, 2)
        notes += ("Rows and columns were swapped, as asked.",)
    limits.check_frame(name, *frames.shape[1:3])
    limits.check_count(name, len(frames))
    with reading(name, "The samples cannot be scaled to 8 bits"):
        scaling = choose_scaling([frames])
        pixels = np.ascontiguousarray(scaling.apply(frames))
    x, y = spacing[:2]
    fps, fps_source = _camus_rate(path)
    return cine_from_array(
        pixels,
        fps,
        name,
        fps_source=fps_source,
        kind=CineKind.VOLUME if is_volume else None,
        spacing_mm=None if x == y == 1 else ((x, y) if transpose else (y, x)),
        notes=(scaling.note, *notes) if scaling.note else notes,
        facts={"format": kind, "samples": str(samples.dtype), "axes": " x ".join(map(str, samples.shape[::-1]))},
    )


def _read(path: Path, kind: str, source: str, limits: Limits) -> tuple[npt.NDArray[Any], tuple[float, ...]]:
    """Return the samples in SimpleITK's order (slowest axis first), and the spacing, fastest axis first."""
    if kind == "metaimage":
        _check_metaimage(path, source)
    sitk = need("SimpleITK", "volume", f"read {path.suffix} files")
    sitk.ProcessObject.GlobalWarningDisplayOff()
    with reading(source, "The volume file is damaged"):
        reader = sitk.ImageFileReader()
        reader.SetImageIO(_READERS[kind])
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
            size, parts = reader.GetSize(), reader.GetNumberOfComponents()
            if any(side < 1 for side in size):
                raise UnreadableError(source, f"The header says {' x '.join(map(str, size))} samples.")
            limits.check_frame(source, int(size[1]) if len(size) > 1 else 1, int(size[0]))
            limits.check_bytes(source, 8 * parts * int(np.prod([int(side) for side in size], dtype=object)))
            samples = sitk.GetArrayFromImage(reader.Execute())
        except RuntimeError as error:
            raise UnreadableError(
                source, "The volume file is damaged, or its name ends wrongly.", _fix(kind)
            ) from error
        if parts > 1 and parts != 3:
            raise UnsupportedError(source, f"Has {parts} values a pixel; one (grey) or three (R, G, B) are read.")
        spacing = tuple(float(step) for step in reader.GetSpacing())
    return samples, spacing + (1.0,) * (2 - len(spacing))


def _fix(kind: str) -> str:
    return "Its ending must be .nii, .nii.gz or .hdr." if kind.startswith("nifti") else "Is its data file complete?"


def _as_frames(
    samples: npt.NDArray[Any], spacing: tuple[float, ...], source: str
) -> tuple[npt.NDArray[Any], bool, tuple[str, ...]]:
    """Return (T, H, W) or (T, H, W, 3), whether it is a volume, and notes."""
    axes = len(spacing)
    rgb = samples.ndim == axes + 1
    shape = samples.shape[:axes]
    if axes == 2:
        return samples[None], False, ()
    if axes == 3:
        x, y, z = spacing
        cube = max(x, y, z) - min(x, y, z) <= 0.01 * x and abs(x - 1) > 1e-6 and shape[0] >= _MIN_SLICES
        return samples, cube, ("Its slices have the spacing of its pixels: taken as a volume.",) if cube else ()
    times, slices = int(np.prod(shape[: axes - 3])), shape[axes - 3]
    if not times or not slices:
        raise NoFramesError(source, "There are no frames.")
    frames = samples.reshape(times * slices, *shape[-2:], *((3,) if rgb else ()))
    return frames, slices > 1, (f"{times} volumes of {slices} slices each.",) if slices > 1 else ()


def _check_metaimage(path: Path, source: str) -> None:
    """Refuse headers that point at other folders, or at lists of files: a header is data, not an order."""
    with reading(source):
        with path.open("rb") as stream:
            head = stream.read(65536).decode("latin-1")
        fields: Mapping[str, str] = {
            key.strip().lower(): value.strip()
            for key, sign, value in (line.partition("=") for line in head.splitlines()[:200])
            if sign
        }
        data = fields.get("elementdatafile", "")
        if not data:
            raise UnreadableError(source, "The MetaImage header does not say where the data are (ElementDataFile).")
        if data.upper() == "LOCAL":
            return
        if data.upper().startswith("LIST") or "%" in data:
            raise UnsupportedError(source, "The MetaImage data are spread over several files.", "Write one .mha file.")
        if re.search(r"[/\\:]", data) or data in ("..", "."):
            raise RefusedError(source, "The MetaImage header points at a file outside of its folder.")
        if not (path.parent / data).is_file():
            raise UnreadableError(source, f"The data file {data} is not beside the header.", "Copy both files.")


def _camus_rate(path: Path) -> tuple[float | None, str]:
    """Frame rate from the ``Info_2CH.cfg`` or ``Info_4CH.cfg`` that CAMUS keeps beside its cines."""
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
    return (rate, info.name) if 0.5 <= rate <= 1000 else (None, "")
