"""Cines out as films and pictures: what ``echoplane export`` does."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from echoplane._files import absolute_name, each_path, nothing_to_read, safe_name
from echoplane.errors import EchoplaneError, PrepareError, ReadError, RefusedError, UnreadableError, UsageError
from echoplane.pipelines._cine_writers import (
    FORMATS,
    PICTURE_FORMATS,
    VIDEO_FORMATS,
    kept_of,
    only_frames,
    write_pictures,
    write_video,
)
from echoplane.pipelines._own_films import without_own
from echoplane.pipelines.export_table import ExportTable
from echoplane.prepare.deidentify import content_name, mask_outside, require_sure, without_writing
from echoplane.prepare.sector import find_sector
from echoplane.records import Cine, InOrderReader, Sector, Status, UInt8Array
from echoplane.sources.discover import discover
from echoplane.sources.guard import reading
from echoplane.sources.item import SourceItem
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.metaimage import samples_beside
from echoplane.sources.open import open_cine
from echoplane.sources.sniff import named_format

#: Frames a second of a film whose source does not say.
DEFAULT_FPS = 25.0
#: Bytes of frames decoded at once: bounds the memory whatever the cine's length.
_AT_ONCE = 64 * 1024 * 1024
#: What the system says where it takes no output at all: a full disk, or one that is read only.
_NO_OUTPUT = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS})


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """How to export.

    Attributes
    ----------
    kind : str
        ``mp4``, ``avi``, ``gif``, ``png`` or ``jpg`` (the last two: a folder of numbered pictures); empty takes the
        ending of the output, or ``mp4``.
    color : bool
        R, G, B instead of grey.
    mask : bool
        Black out everything outside the ultrasound sector.
    accept_guess : bool
        Mask by the best guess where the sector is not found surely; else such a cine is not exported.
    keep_names : bool
        Name the output after the input, not after its content.
    fps : float or None
        Frames a second for cines that do not say; None takes 25.
    overwrite : bool
        Replace what an earlier export wrote.
    follow_links, group_frames : bool
        See :func:`echoplane.sources.discover.discover`.
    limits : Limits
    """

    kind: str = ""
    color: bool = False
    mask: bool = True
    accept_guess: bool = False
    keep_names: bool = False
    fps: float | None = None
    overwrite: bool = False
    follow_links: bool = False
    group_frames: bool = True
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.kind and self.kind not in FORMATS:
            raise UsageError(f"format {self.kind!r}: expected one of {', '.join(FORMATS)}.")
        if self.fps is not None and not (np.isfinite(self.fps) and 0 < self.fps <= 1000):
            raise UsageError(f"fps {self.fps!r}: expected frames a second, above 0 and up to 1000.")


@dataclass(frozen=True, slots=True)
class ExportRow:
    """How one input ended.

    Attributes
    ----------
    file : str
        As given by the user.
    status : Status
        ``ok``, or why nothing was written.
    output : str
        The file or folder written, or that is there already; empty where there is none.
    n_frames : int
    fps : float or None
        As written.
    masked : bool
    sector : Sector or None
        The one that was masked with.
    reasons : tuple of str
    seconds : float
    """

    file: str
    status: Status
    output: str = ""
    n_frames: int = 0
    fps: float | None = None
    masked: bool = False
    sector: Sector | None = None
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportRun:
    """How a run ended: rows by status, and whether it was interrupted."""

    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def files(self) -> int:
        """How many inputs there were."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """How many of them should have given something and did not; what holds no picture is no failure."""
        return self.files - self.written - self.counts.get(str(Status.NOT_IMAGE), 0)

    @property
    def written(self) -> int:
        """How many outputs there are."""
        return self.counts.get(str(Status.OK), 0)


def export(
    paths: str | Path | Iterable[str | Path],
    output: str | Path,
    settings: ExportSettings | None = None,
    *,
    table: str | Path | None = None,
    on_start: Callable[[int], None] = lambda total: None,
    on_row: Callable[[ExportRow], None] = lambda row: None,
) -> ExportRun:
    """Write cines as films or pictures, masked unless asked otherwise.

    Parameters
    ----------
    paths : str, Path or iterable of them
        Files and folders.
    output : str or Path
        With one input, a file ending in ``.mp4``, ``.avi`` or ``.gif``; else a folder, made when missing. Where it lies
        in a folder that is read, films named after their content there are no input, for an earlier export wrote them.
    settings : ExportSettings
    table : str or Path, optional
        A CSV file for the rows, written one by one; with ``overwrite`` it replaces what is there.
    on_start : callable
        Told how many cines there are.
    on_row : callable
        Given each row, in order, after it was written.

    Returns
    -------
    ExportRun
        Also after an interrupt (Ctrl-C), with what was done until then.

    Raises
    ------
    UsageError
        Nothing found; several inputs for one output file; an ending that contradicts the format; a table that is there
        already, or is an input or the output.
    OSError
        When the output cannot be written at all: the disk is full or read only. What was exported before is kept.
    """
    settings = settings or ExportSettings()
    given = list(each_path(paths))
    found = discover(given, follow_links=settings.follow_links, group_frames=settings.group_frames)
    items = without_own(found, output, given)
    if not items:
        raise nothing_to_read(given)
    place = _Place.choose(Path(output), settings, len(items))
    place.inputs.update(_identity(file) for item in items for file in (item.path, *_files_of(item)))
    place.refuse_table(table)
    started, counts, interrupted = time.perf_counter(), Counter[str](), False
    with ExportTable.opened(table, overwrite=settings.overwrite) as written:
        on_start(len(items))
        try:
            for item in items:
                row = _export_one(item, place, settings)
                counts[str(row.status)] += 1
                if written is not None:
                    written.write(row)
                on_row(row)
        except KeyboardInterrupt:
            interrupted = True  # what is done is whole; the caller is told
    return ExportRun(dict(counts), time.perf_counter() - started, interrupted)


@dataclass(slots=True)
class _Place:
    """Where the next output goes."""

    path: Path
    kind: str
    single: bool
    taken: set[str] = field(default_factory=set)
    inputs: set[tuple[int, int] | None] = field(default_factory=set)

    @classmethod
    def choose(cls, output: Path, settings: ExportSettings, count: int) -> _Place:
        ending = output.suffix.lower().lstrip(".")
        single = ending in VIDEO_FORMATS and not output.is_dir()
        if single and count > 1:
            raise UsageError(
                f"{count} cines for the one file {output}: give a folder (a name without {output.suffix})."
            )
        if single and settings.kind and settings.kind != ending:
            raise UsageError(f"{output} ends in .{ending}, and the format asked for is {settings.kind}.")
        if not single and not output.exists() and named_format(output.name):
            raise UsageError(
                f"{output}: {output.suffix} is not written as one file. End the name in .mp4, .avi or .gif, "
                f"or give a folder (--to png or --to jpg for pictures)."
            )
        if not single and output.exists() and not output.is_dir():
            raise UsageError(f"{output}: is a file; give a folder, or a name ending in .mp4, .avi or .gif.")
        return cls(output, settings.kind or (ending if single else "mp4"), single)

    def refuse_table(self, table: str | Path | None) -> None:
        """Raise UsageError where the table would be written over an input or the output."""
        if table is None:
            return
        if _identity(Path(table)) in self.inputs - {None}:
            raise UsageError(f"{table}: is one of the inputs; write the table elsewhere.")
        if self.single and absolute_name(table) == absolute_name(self.path):
            raise UsageError(f"{table}: is the output; write the table elsewhere.")

    def target(self, item: SourceItem, settings: ExportSettings) -> Path:
        """Return the output for an item; two items never share one."""
        if self.single:
            return self.path
        name = safe_name(_stem(item)) if settings.keep_names else content_name(_files_of(item), item.source)
        free, number = name, 1
        while free.casefold() in self.taken:
            number += 1
            free = f"{name}_{number}"
        self.taken.add(free.casefold())
        return self.path / (free if self.kind in PICTURE_FORMATS else f"{free}.{self.kind}")


def _export_one(item: SourceItem, place: _Place, settings: ExportSettings) -> ExportRow:
    """Export one cine; whatever is wrong with it becomes its row."""
    started = time.perf_counter()
    try:
        cine = open_cine(item, limits=settings.limits)
        target = place.target(item, settings)
        _require_free(target, item.source, place.inputs, settings)
        sector = _sector(cine, settings)
        fps = cine.fps or settings.fps or DEFAULT_FPS
        _write(cine, sector, target, place.kind, fps, settings.color)
    except _TakenError as error:
        return ExportRow(item.source, Status.REFUSED, str(target), reasons=(error.sentence,), seconds=_since(started))
    except (ReadError, PrepareError) as error:
        return ExportRow(item.source, Status(error.status), reasons=(error.sentence,), seconds=_since(started))
    except EchoplaneError as error:
        return ExportRow(item.source, Status.REFUSED, reasons=(str(error),), seconds=_since(started))
    pictures, every = place.kind in PICTURE_FORMATS, kept_of(place.kind, fps)
    return ExportRow(
        item.source,
        Status.OK,
        output=str(target),
        n_frames=-(-cine.n_frames // every),
        fps=None if pictures else fps / every,
        masked=sector is not None,
        sector=sector,
        reasons=(*_remarks(cine, sector, place.kind, fps), *cine.notes),
        seconds=_since(started),
    )


def frames_out(cine: Cine, sector: Sector | None, *, color: bool) -> Iterator[UInt8Array]:
    """Yield the frames of a cine in order, masked, some at a time: uint8 (n, H, W), or (n, H, W, 3) with `color`.

    Raises
    ------
    ReadError
        When a frame cannot be decoded.
    """
    count = max(1, _AT_ONCE // (cine.height * cine.width * (3 if color else 1)))
    for frames in _parts(cine, count, color):
        yield frames if sector is None else mask_outside(frames, sector)


def _parts(cine: Cine, count: int, color: bool) -> Iterator[UInt8Array]:
    if isinstance(cine.reader, InOrderReader):
        yield from cine.reader.parts(count, color=color)
        return
    for start in range(0, cine.n_frames, count):
        yield cine.reader.read(range(start, min(start + count, cine.n_frames)), color=color)


def _write(cine: Cine, sector: Sector | None, target: Path, kind: str, fps: float, color: bool) -> None:
    try:
        with reading(target, "Cannot be written"):
            target.parent.mkdir(parents=True, exist_ok=True)
            parts = frames_out(cine, sector, color=color)
            if kind in PICTURE_FORMATS:
                write_pictures(target, parts, kind=kind)
            else:
                write_video(target, parts, kind=kind, fps=fps, height=cine.height, width=cine.width, color=color)
    except UnreadableError as error:
        code = (error.__cause__.errno or 0) if isinstance(error.__cause__, OSError) else 0
        # An older file that others own, or that a program holds open, is no reason to leave out all others.
        is_closed = code == errno.EACCES and not os.access(target.parent, os.W_OK)
        if error.path != str(target) or not (is_closed or code in _NO_OUTPUT):
            raise
        # No fault of this cine, and all that follow would end like it, after the work of reading them.
        raise OSError(code, os.strerror(code), str(target)) from error


def _sector(cine: Cine, settings: ExportSettings) -> Sector | None:
    if not settings.mask:
        return None
    sector = find_sector(cine)
    if settings.accept_guess:
        return sector
    require_sure(sector, cine.n_frames, cine.source, cine.kind)
    return without_writing(cine, sector)


class _TakenError(RefusedError):
    """The output of a cine is there already."""


def _require_free(
    target: Path, source: str, inputs: AbstractSet[tuple[int, int] | None], settings: ExportSettings
) -> None:
    if not target.exists():
        return
    if _identity(target) in inputs:
        raise RefusedError(source, f"{target.name} is one of the inputs; it is not replaced.", "Write elsewhere.")
    if not settings.overwrite:
        raise _TakenError(source, f"{target.name} is there already.", "--overwrite replaces it.")
    if target.is_dir() and not only_frames(target):
        raise RefusedError(source, f"{target} holds other files than exported frames; it is not replaced.")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what is one for all names of a file, also in capital letters where the disk takes them for the same."""
    try:
        mark = path.stat()
    except (OSError, ValueError):
        return None  # there is no such file; it becomes a row of its own
    return mark.st_dev, mark.st_ino


def _remarks(cine: Cine, sector: Sector | None, kind: str, fps: float) -> tuple[str, ...]:
    remarks = []
    if sector is None:
        remarks.append("Not masked: text that is burned into the picture was exported too.")
    if cine.fps is None and kind not in PICTURE_FORMATS and cine.n_frames > 1:
        remarks.append(f"The frame rate is not known; {fps:g} frames a second were written.")
    if (every := kept_of(kind, fps)) > 1:
        remarks.append(f"A GIF shows at most 50 pictures a second: one frame in {every} was kept.")
    if kind == "mp4" and (cine.height % 2 or cine.width % 2):
        remarks.append("The last row or column was doubled, as MP4 needs even sides.")
    return tuple(remarks)


def _files_of(item: SourceItem) -> list[Path]:
    """Return the files that make up a cine, the samples of a MetaImage header among them, whatever they are called."""
    files = item.all_files
    beside = samples_beside(item.path) if item.path.suffix.lower() == ".mhd" else None
    return files if beside is None or beside in files else [*files, beside]


def _stem(item: SourceItem) -> str:
    name = Path(item.source).name
    if item.format == "frames":
        return name
    stem = Path(name).stem
    return stem[:-4] if stem.lower().endswith(".nii") else stem


def _since(started: float) -> float:
    return time.perf_counter() - started
