"""Open anything: look at the content, choose the reader, refuse with a sentence what is not read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from echoplane.errors import NotImageError, ReadError, RefusedError, UnreadableError, UnsupportedError
from echoplane.records import Cine
from echoplane.sources.colour import with_colour_noticed
from echoplane.sources.guard import reading
from echoplane.sources.item import SourceItem, item_of
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.sniff import ENDINGS, PICTURES, SYSTEM_FILES, VIDEOS, named_format, sniff

__all__ = ["SourceItem", "open_cine"]

_ARCHIVES = {
    "zip": "ZIP",
    "gzip": "gzip",
    "tar": "tar",
    "7z": "7-Zip",
    "rar": "RAR",
    "bzip2": "bzip2",
    "xz": "xz",
    "zstd": "Zstandard",
}
_NOT_IMAGES = {
    "text": "a text file",
    "pdf": "a PDF document",
    "document": "an office document",
    "sound": "a sound recording",
    "database": "a database",
    "program": "a program",
    "system": "a file that the operating system left behind",
}
_UNSUPPORTED = {
    "heic": ("a HEIC or AVIF picture", "Convert it to PNG or JPEG."),
    "jpeg2000": ("a bare JPEG 2000 picture", "Convert it to PNG, or give the DICOM file it came from."),
    "hdf5": ("an HDF5 file", "Save its frames as a NumPy .npy array (T, H, W)."),
    "mat": ("a MATLAB file", "Save its frames as a NumPy .npy array (T, H, W)."),
    "nrrd": ("an NRRD file", "Convert it to NIfTI or MetaImage."),
}


class _Opener(Protocol):
    def __call__(self, path: Path, kind: str, *, source: str, limits: Limits) -> Cine: ...


def open_cine(place: str | Path | SourceItem | npt.NDArray[Any], *, limits: Limits = DEFAULT_LIMITS) -> Cine:
    """Open one cine; its frames stay on disk until they are asked for.

    Parameters
    ----------
    place : str, Path, SourceItem or array
        A file of any kind that is read, whatever its name; a folder with the numbered frames of one cine; such a
        cine among others in a folder, by the name that results give it (``folder/patA``); an item of
        :func:`echoplane.sources.discover.discover`; or a uint8 array (T, H, W) or (T, H, W, 3).
    limits : Limits
        Sizes above which a file is refused.

    Returns
    -------
    Cine

    Raises
    ------
    ReadError
        Always one of its kinds: ``UnreadableError`` (missing, damaged, empty), ``UnsupportedError`` (a kind that is not
        read), ``NotImageError`` (a text, a report), ``RefusedError`` (an archive, an absurd size),
        ``NoFramesError``.
    UsageError
        For an array of another dtype or shape, and for what is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> open_cine(np.zeros((60, 300, 400), np.uint8)).n_frames
    60
    """
    if isinstance(place, np.ndarray):
        from echoplane.sources.array import cine_from_array

        return with_colour_noticed(cine_from_array(place))
    item = item_of(place)
    if item.error is not None:
        # A fresh copy: an exception raised twice would gather tracebacks.
        raise type(item.error)(item.error.path, item.error.reason, item.error.fix)
    with reading(item.source):
        return _open_item(item, limits)


def _open_item(item: SourceItem, limits: Limits) -> Cine:
    if item.format == "frames":
        from echoplane.sources.frames import open_frames

        return with_colour_noticed(open_frames(item.path, item.files, source=item.source, limits=limits))
    if item.path.is_dir():
        return _open_folder(item, limits)
    if not item.path.exists():
        from echoplane.sources.discover import series_named

        series = series_named(item.path)
        if series is not None:
            return _open_item(dataclasses.replace(series, source=item.source), limits)
    kind = sniff(item.path, item.source)
    opener = _opener(kind)
    if opener is None:
        raise _why_not(item, kind)
    cine = opener(item.path, kind, source=item.source, limits=limits)
    if kind != "dicom":
        cine = with_colour_noticed(cine)
    return _with_name_noted(cine, item.path.name, kind)


def _open_folder(item: SourceItem, limits: Limits) -> Cine:
    from echoplane.sources.discover import discover

    inside = []
    for found in discover([item.path]):
        if _left_behind(found):
            continue
        inside.append(found)
        if len(inside) > 1:
            raise UnsupportedError(
                item.source, "Is a folder that holds more than one file or cine.", "Give the one that is meant."
            )
    if not inside:
        raise UnreadableError(item.source, "Is an empty folder.")
    return open_cine(dataclasses.replace(inside[0], source=item.source), limits=limits)


def _left_behind(item: SourceItem) -> bool:
    """Tell whether an item is the operating system's: Thumbs.db, or the ._x.png that a Mac adds to x.png."""
    if item.path.name.lower() in SYSTEM_FILES:
        return True
    if item.error is not None:
        return False
    try:
        return sniff(item.path / item.files[0] if item.format == "frames" else item.path, item.source) == "system"
    except ReadError:
        return False  # said when it is opened


def _opener(kind: str) -> _Opener | None:
    """Return the function that opens a format; its module is imported now and not before."""
    if kind == "dicom":
        return _dicom
    if kind in VIDEOS:
        return _video
    if kind in PICTURES:
        from echoplane.sources.images import open_image

        return open_image
    if kind in ENDINGS:
        from echoplane.sources.volume import open_volume

        return open_volume
    return None


def _dicom(path: Path, kind: str, *, source: str, limits: Limits) -> Cine:
    from echoplane.sources.dicom import open_dicom

    del kind
    return open_dicom(path, source=source, limits=limits)


def _video(path: Path, kind: str, *, source: str, limits: Limits) -> Cine:
    from echoplane.sources.video import open_video

    return open_video(path, kind, source=source, limits=limits)


def _why_not(item: SourceItem, kind: str) -> ReadError:
    """Return the error for a format that is not opened."""
    if kind in _ARCHIVES:
        return RefusedError(
            item.source, f"Is a {_ARCHIVES[kind]} archive; archives are not opened.", "Unpack it and give the folder."
        )
    if kind == "pickle":
        return RefusedError(
            item.source,
            "Is a Python pickle, which can run any program when it is opened.",
            "Save its frames as a NumPy .npy array (T, H, W).",
        )
    if kind in _NOT_IMAGES:
        return NotImageError(item.source, f"Is {_NOT_IMAGES[kind]} and holds no picture.")
    if kind in _UNSUPPORTED:
        what, fix = _UNSUPPORTED[kind]
        return UnsupportedError(item.source, f"Is {what}, which is not read here.", fix)
    claimed = named_format(item.path.name)
    if claimed:
        return UnreadableError(
            item.source, f"Is named like {_label(claimed)}, but does not begin like one.", "It is probably damaged."
        )
    return NotImageError(item.source, "Is of no kind that is known here; it begins like no picture, video or DICOM.")


def _with_name_noted(cine: Cine, name: str, kind: str) -> Cine:
    """Note when the ending of the name promises another format than the content is."""
    claimed = named_format(name)
    if not claimed or claimed == kind:
        return cine
    note = f"Is named like {_label(claimed)}, but is {_label(kind)}; it was read as what it is."
    return dataclasses.replace(cine, notes=(*cine.notes, note))


def _label(kind: str) -> str:
    return f"{kind.upper().replace('_', '.')} ({ENDINGS[kind][0]})"
