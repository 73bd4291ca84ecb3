"""Cines kept as numbered pictures in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from echoplane.errors import NoFramesError, NotImageError, UnreadableError
from echoplane.records import Cine, CineKind, UInt8Array
from echoplane.sources.guard import checked_request, reading
from echoplane.sources.images import read_jpeg
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.picture import (
    PictureHeader,
    decode_page,
    deep_samples,
    header_of,
    holds_several,
    opened_picture,
    white_is_zero,
)
from echoplane.sources.scaling import Scaling, choose_scaling, spread
from echoplane.sources.series import gap_notes, split_name
from echoplane.sources.sniff import PICTURES, sniff


class FramesReader:
    """One picture file a frame, decoded on request.

    Parameters
    ----------
    folder : Path
    files : sequence of str
        File names in `folder`, in order.
    kind : str
        Format of all of them, for example ``"jpeg"``.
    source : str
    limits : Limits
    size : (int, int)
        Height and width, upright.
    scaling : Scaling
        For pictures of more than 8 bits.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[str],
        kind: str,
        source: str,
        limits: Limits,
        size: tuple[int, int],
        scaling: Scaling,
    ) -> None:
        self._folder, self._files, self._kind, self._source, self._limits = folder, tuple(files), kind, source, limits
        self._size, self._scaling = size, scaling

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Decode frames; see :class:`echoplane.records.FrameReader`. Only JPEG comes at reduced size.

        Raises
        ------
        UsageError
            For frame numbers that are not there.
        UnreadableError
            When a frame is damaged, gone, or of another size than the first.
        """
        wanted = checked_request(indices, len(self._files), reduce)
        scale = reduce if self._kind == "jpeg" else 1
        shape = tuple(-(-side // scale) for side in self._size) + ((3,) if color else ())
        out = np.empty((len(wanted), *shape), np.uint8)
        for number in sorted(set(wanted)):
            picture = self._one(self._files[number], color=color, reduce=scale)
            if picture.shape != shape:
                raise UnreadableError(self._source, f"Frame {self._files[number]} is not of the size of the first.")
            out[[row for row, i in enumerate(wanted) if i == number]] = picture
        return out

    def _one(self, file: str, *, color: bool, reduce: int) -> UInt8Array:
        path = self._folder / file
        with reading(self._source, f"Frame {file} cannot be read"):
            if self._kind == "jpeg":
                return read_jpeg(path, self._source, self._limits, color=color, reduce=reduce)
            with opened_picture(path, self._kind, self._source, self._limits) as image:
                return decode_page(image, color=color, scaling=self._scaling)


def open_frames(
    folder: Path, files: Sequence[str], *, source: str = "", fps: float | None = None, limits: Limits = DEFAULT_LIMITS
) -> Cine:
    """Open numbered pictures as one cine. The headers of all are read, the pixels of none.

    Parameters
    ----------
    folder : Path
    files : sequence of str
        File names in `folder`, in the order of the frames.
    source : str
        Name shown in results; default: the folder.
    fps : float, optional
        Pictures do not know their frame rate; None leaves it unknown.
    limits : Limits

    Raises
    ------
    NoFramesError
        When there is no file.
    NotImageError
        When the files are not the user's but the operating system's.
    UnreadableError
        When the pictures differ in size, format or depth, or one is damaged or gone, or holds several pictures itself.
    RefusedError
        When there are more, or bigger, pictures than the limits allow.
    """
    name = source or str(folder)
    if not files:
        raise NoFramesError(name, "There are no frames.")
    limits.check_count(name, len(files))
    kind = sniff(folder / files[0], name)
    if kind == "system":  # a Mac puts a ._x.png beside every x.png on foreign disks
        raise NotImageError(name, "Are files that the operating system left behind, and hold no picture.")
    if kind not in PICTURES:
        raise UnreadableError(name, f"Frame {files[0]} is no picture, whatever its name says.")
    first = _header(folder, files[0], kind, name, limits)
    for file in files[1:]:
        header = _header(folder, file, kind, name, limits)
        if (header.height, header.width) != (first.height, first.width):
            raise UnreadableError(
                name,
                f"Frame {file} is {header.width} x {header.height} pixels, "
                f"{files[0]} is {first.width} x {first.height}.",
                "They are probably not frames of one cine; put each cine into a folder of its own.",
            )
        if header.samples != first.samples:
            raise UnreadableError(
                name,
                f"Frame {file} holds {header.samples}, {files[0]} {first.samples}: which brightness of the one is "
                "which of the other is not known.",
                "Save all frames with 8 bits.",
            )
    scaling = _scaling(folder, files, kind, name, limits) if first.deep else Scaling()
    numbers = [parts[1] for parts in map(split_name, files) if parts is not None]
    notes = first.notes + ((scaling.note,) if scaling.note else ()) + gap_notes(numbers)
    return Cine(
        source=name,
        reader=FramesReader(folder, files, kind, name, limits, (first.height, first.width), scaling),
        n_frames=len(files),
        height=first.height,
        width=first.width,
        fps=fps,
        fps_source="given" if fps else "",
        kind=CineKind.STILL if len(files) == 1 else CineKind.B_MODE,
        notes=notes,
        facts={"format": f"numbered {kind} pictures", "pixels": first.mode, "color": "yes" if first.color else "grey"},
    )


def _header(folder: Path, file: str, kind: str, source: str, limits: Limits) -> PictureHeader:
    try:
        with opened_picture(folder / file, kind, source, limits) as image:
            header = header_of(image, source)
            if holds_several(image):
                raise UnreadableError(
                    source,
                    "It holds several pictures itself: it is a cine of its own, not one frame of another.",
                    "Open each file by itself: give --stills (in Python group_frames=False), or its own path.",
                )
            return header
    except UnreadableError as error:
        raise UnreadableError(source, f"Frame {file}: {error.reason}", error.fix) from error


def _scaling(folder: Path, files: Sequence[str], kind: str, source: str, limits: Limits) -> Scaling:
    parts, white_is_low = [], False
    for number in spread(len(files)):
        with opened_picture(folder / files[number], kind, source, limits) as image:
            parts.append(deep_samples(image))
            white_is_low = white_is_zero(image)
    with reading(source, "The pictures cannot be scaled to 8 bits"):
        return choose_scaling(parts, white_is_low=white_is_low)
