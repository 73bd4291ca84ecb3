"""Find every cine in files and folders of any depth, by name: nothing is opened but DICOMDIRs, and one picture a group.

Every file ends in exactly one item, hidden and system files (``.DS_Store``, ``Thumbs.db``) included; they become rows
that say what they are. Only these do not stand alone: numbered pictures, which are grouped into cines
(:mod:`echoplane.sources.series`), and the data half of a two-file volume (``x.raw`` of ``x.mhd``, ``x.img`` of
``x.hdr``).

The order is the same on every system: paths as given; in a folder first its files, then its folders, both in natural
order (``clip2`` before ``clip10``).
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from echoplane._files import each_path, without_dots
from echoplane.errors import ReadError, RefusedError, UnreadableError
from echoplane.sources.dicomdir import is_dicomdir, listed_items
from echoplane.sources.item import SourceItem, shown
from echoplane.sources.series import Series, find_series
from echoplane.sources.sniff import named_format

#: Data halves of two-file volumes, by the ending of the header half.
_HALVES = {".mhd": (".raw", ".zraw", ".raw.gz"), ".hdr": (".img", ".img.gz")}
#: Formats of pictures that may hold several pages.
_PAGED = frozenset({"png", "webp", "tiff"})
_DIGITS = re.compile(r"(\d+)")


def discover(
    paths: str | Path | Iterable[str | Path], *, follow_links: bool = False, group_frames: bool = True
) -> Iterator[SourceItem]:
    """Yield one item for each cine-to-be, as soon as it is found.

    Parameters
    ----------
    paths : str, Path or iterable of them
        Files, folders, DICOMDIRs, the name of a cine among the numbered pictures of a folder, or patterns such as
        ``study/*.dcm`` where no file of that name is there. A path given twice is listed once.
    follow_links : bool
        Walk into folders behind links too. Without it such a link is an item that says so. Links to files are always
        followed. No folder is ever walked twice, so loops end.
    group_frames : bool
        Take numbered pictures as frames of cines; False makes each a still.

    Yields
    ------
    SourceItem
        What cannot be read (missing, no permission, broken link) is an item with an `error`.

    Raises
    ------
    UsageError
        At an empty path.
    """
    walker = _Walker(follow_links, group_frames)
    folder: Path | None = None
    run: list[tuple[str, str]] = []  # files given one by one (a shell expands *.jpg) are grouped as in a folder
    for path in _expanded(each_path(paths), walker):
        target, parent = Path(path), Path(path).parent
        plain = not _is_folder(target) and os.path.lexists(path) and not is_dicomdir(target.name)
        if run and (not plain or parent != folder):
            yield from walker.files(folder or Path(), run)
            run = []
        folder = parent
        if plain:
            run.append((target.name, shown(path)))
        else:
            yield from walker.given(target, shown(path))
    if run:
        yield from walker.files(folder or Path(), run)


def series_named(place: str | Path) -> SourceItem | None:
    """Return the numbered frames that results call `place` (``folder/patA`` for ``folder/patA_*.jpg``), or None."""
    return _Walker(follow_links=False, group_frames=True).named(Path(place), shown(place))


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key that puts ``clip2`` before ``clip10``, in any script, and never ties."""
    parts = _DIGITS.split(name.casefold())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def _expanded(paths: Iterable[str], walker: _Walker) -> Iterator[str]:
    """Yield each path once; patterns are expanded, as not every shell does it."""
    seen: set[str] = set()
    for path in paths:
        matches = [path]
        if glob.has_magic(path) and not os.path.lexists(path) and walker.named(Path(path), path) is None:
            matches = sorted(glob.glob(path), key=natural_key) or [path]  # noqa: PTH207 -- may be absolute
        for match in matches:
            absolute = without_dots(match)
            if absolute not in seen:
                seen.add(absolute)
                yield match


class _Walker:
    def __init__(self, follow_links: bool, group_frames: bool) -> None:
        self._follow_links = follow_links
        self._group_frames = group_frames
        self._walked: set[tuple[int, int]] = set()
        #: The folder in which a name was looked up last, and its series by their names.
        self._series: tuple[Path, dict[str, SourceItem]] | None = None

    def given(self, path: Path, source: str) -> Iterator[SourceItem]:
        """Items of a path that the user gave and that is no plain file."""
        if _is_folder(path):
            yield from self.folder(path, source)
        elif is_dicomdir(path.name) and os.path.lexists(path):
            try:
                yield from listed_items(path, source)
            except ReadError as error:
                yield SourceItem(source, path, error=error)
        else:
            named = self.named(path, source) if self._group_frames else None
            yield named or _failed(path, source, UnreadableError(source, "There is no such file or folder."))

    def named(self, path: Path, source: str) -> SourceItem | None:
        """Return the item of a series by the name that results give it; its folder is listed once for many names."""
        if (named_format(path.name) and "*" not in path.name) or not _is_folder(path.parent):
            return None  # a missing file, and no reason to list a folder that may be huge
        folder = shown(path.parent)
        if self._series is None or self._series[0] != path.parent:
            found = _Walker(follow_links=False, group_frames=True).listed(path.parent, folder)
            self._series = path.parent, {item.source: item for item in found if item.format == "frames"}
        # Results may hold the name as it was written out for bytes that are no text.
        names = (_join(folder, path.name), os.path.join(folder, path.name))  # noqa: PTH118
        return next((replace(self._series[1][name], source=source) for name in names if name in self._series[1]), None)

    def listed(self, folder: Path, source: str) -> Iterator[SourceItem]:
        """Items of the files that lie in a folder itself."""
        try:
            files, _, _ = _listing(folder)
        except OSError:
            return
        yield from self.files(folder, [(file, _join(source, file)) for file in files])

    def folder(self, top: Path, source: str) -> Iterator[SourceItem]:
        """Items of a folder and of everything below it."""
        waiting = [(top, source.rstrip("/\\") or source)]
        while waiting:
            path, name = waiting.pop()
            try:
                if self._walked_before(path):
                    if path.is_symlink():
                        reason = "Is a link to a folder that was listed already (perhaps a loop)."
                        yield _failed(path, name, RefusedError(name, reason))
                    continue
                files, folders, links = _listing(path)
            except OSError as error:
                yield _failed(path, name, UnreadableError(name, f"The folder cannot be listed: {_why(error)}."))
                continue
            yield from self.files(path, [(file, _join(name, file)) for file in files])
            for link in () if self._follow_links else links:
                reason = "Is a link to a folder; such links are not followed."
                where = _join(name, link)
                yield _failed(
                    path / link,
                    where,
                    RefusedError(where, reason, "Give its target (or, where there is that option, --follow-links)."),
                )
            below = sorted(folders + (links if self._follow_links else []), key=natural_key, reverse=True)
            waiting.extend((path / folder, _join(name, folder)) for folder in below)

    def _walked_before(self, folder: Path) -> bool:
        mark = folder.stat()
        if not mark.st_ino:
            return False  # a file system that does not number its folders
        key = (mark.st_dev, mark.st_ino)
        known = key in self._walked
        self._walked.add(key)
        return known

    def files(self, folder: Path, files: list[tuple[str, str]]) -> Iterator[SourceItem]:
        """Items of the files of one folder, given as (name, source), in the order given."""
        sources = dict(files)
        halves = _halves(sources)
        halves |= _halves_beside(folder, (name for name in sources if name not in halves))
        named, _ = find_series(sources) if self._group_frames else ([], None)
        series = [one for one in named if not _of_stacks(folder, one)]
        labels = _labels(folder, series, sources)
        first = {one.files[0]: one for one in series}
        framed = {file for one in series for file in one.files}
        starts = _starts(series, sources)
        for name, source in sources.items():
            if name in starts:
                one = first[starts[name]]
                yield SourceItem(_beside(source, labels[one.pattern]), folder, "frames", one.files)
            elif name not in framed and name not in halves.values():
                half = halves.get(name)
                yield _plain(folder / name, source, (name, half) if half else ())
                if is_dicomdir(name):
                    yield from _missing(folder / name, source)


def _of_stacks(folder: Path, series: Series) -> bool:
    """Tell whether the files of a series hold many pages each: cines with numbers, not the frames of one.

    One of them is looked at, for a folder may hold thousands of series.
    """
    first = series.files[0]
    if named_format(first) not in _PAGED:
        return False
    from echoplane.sources.picture import is_stack

    return is_stack(folder / first)


def _listing(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Names of the files, the folders, and the links to folders, each in natural order."""
    files: list[str] = []
    folders: list[str] = []
    links: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_symlink():
                (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
            else:
                (links if _is_folder(entry) else files).append(entry.name)
    return sorted(files, key=natural_key), sorted(folders, key=natural_key), sorted(links, key=natural_key)


def _is_folder(place: os.DirEntry[str] | Path) -> bool:
    try:
        return place.is_dir()
    except OSError:
        return False  # a link to itself or an impossible name; it fails with its reason when it is opened


def _plain(path: Path, source: str, files: tuple[str, ...]) -> SourceItem:
    try:
        broken = path.is_symlink() and not path.exists()
    except OSError:
        broken = True
    if broken:
        return _failed(path, source, UnreadableError(source, "Is a link whose target is not there."))
    return SourceItem(source, path, "", files)


def _missing(path: Path, source: str) -> Iterator[SourceItem]:
    """Items of the files that a DICOMDIR lists and that are lost; the others are met on the way."""
    try:
        listed = listed_items(path, source)
    except ReadError:
        return  # its own item will say so
    yield from (item for item in listed if item.error is not None)


def _halves(names: Iterable[str]) -> dict[str, str]:
    """Map the header half of each two-file volume to its data half."""
    lower = {name.lower(): name for name in names}
    found = {}
    for small, name in lower.items():
        for ending, others in _HALVES.items():
            stem = small.removesuffix(ending)
            data = next((lower[stem + other] for other in others if stem + other in lower), None)
            if stem != small and data is not None:
                found[name] = data
    return found


def _halves_beside(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Find the data half on disk where only the header half was given."""
    found = {}
    for name in names:
        for ending, others in _HALVES.items():
            if name.lower().endswith(ending):
                halves = [name[: -len(ending)] + other for other in others]
                there = [half for half in halves if (folder / half).is_file()]
                found.update({name: there[0]} if there else {})
    return found


def _labels(folder: Path, series: list[Series], names: Iterable[str]) -> dict[str, str]:
    """Name each series shortly, or by its full pattern where two would share a name, or a file or folder has it.

    A folder of that name may hold a series without one, which is called as its folder.
    """
    taken = {*names, *(one.name for one in series if one.name and _is_folder(folder / one.name))}
    counts: dict[str, int] = {}
    for one in series:
        counts[one.name] = counts.get(one.name, 0) + 1
    return {one.pattern: one.name if counts[one.name] == 1 and one.name not in taken else one.pattern for one in series}


def _starts(series: list[Series], names: Iterable[str]) -> dict[str, str]:
    """Map the file at which each series is listed (the first met) to the file of its first frame."""
    owner = {file: one.files[0] for one in series for file in one.files}
    starts: dict[str, str] = {}
    done: set[str] = set()
    for name in names:
        frame = owner.get(name)
        if frame is not None and frame not in done:
            done.add(frame)
            starts[name] = frame
    return starts


def _join(folder: str, name: str) -> str:
    return os.path.join(folder, shown(name))  # noqa: PTH118 -- text for users: Path would drop a leading "./"


def _beside(source: str, label: str) -> str:
    """Name a series by the folder of one of its files."""
    folder = os.path.dirname(source)  # noqa: PTH120 -- text for users
    return os.path.join(folder, shown(label)) if label else folder or "."  # noqa: PTH118


def _failed(path: Path, source: str, error: ReadError) -> SourceItem:
    return SourceItem(source, path, error=error)


def _why(error: OSError) -> str:
    return "permission denied" if isinstance(error, PermissionError) else error.strerror or "the system refuses"
