"""From a label sheet to class folders, as a plan that can be shown, carried out, and undone."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from echoplane._files import absolute_name, name_target, put_whole, safe_name, sha256, without_dots
from echoplane.data._transfer import clear_halves, copy, move
from echoplane.data.labels import SKIP
from echoplane.data.manifest import NO_VIEW, Failure, Manifest, ManifestRow
from echoplane.errors import DataError, ReadError
from echoplane.sources.item import shown
from echoplane.sources.sniff import sniff

How = Literal["copy", "link", "move"]
UNDO_FILE = "organize-undo.jsonl"

#: Windows' code for "a required privilege is not held", which it says of links.
_NO_RIGHT_TO_LINK = 1314
#: What no later step can do better.
_DISK_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
#: How every record begins; in a path the quotes would have backslashes in front.
_RECORD = b'{"how": '


@dataclass(frozen=True, slots=True)
class Step:
    """One file: from `source` to `target`, both absolute."""

    how: How
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    steps : tuple of Step
    failures : tuple of Failure
        Lines of the sheet that cannot be followed, and those left out on purpose.
    """

    steps: tuple[Step, ...]
    failures: tuple[Failure, ...]


def make_plan(manifest: Manifest, meanings: Mapping[str, str], out: Path, how: How) -> Plan:
    """Plan ``<out>/<view>/<study>/<file>``, with ``.dcm`` added to DICOM files that lack it.

    Without a study, the folders that the file lies in stand for it.

    Parameters
    ----------
    manifest : Manifest
        Of a label sheet.
    meanings : mapping of str to str
        Given label to view or ``"skip"``.
    out : Path
    how : {"copy", "link", "move"}
    """
    failures = list(manifest.failures)
    steps: dict[str, Step] = {}
    for row in manifest.rows:
        view = meanings.get(row.given_label, SKIP)
        if view == SKIP:
            reason = f"Its label {row.given_label!r} is left out." if row.given_label else NO_VIEW
            failures.append(Failure(row.cine, "left_out", reason))
            continue
        try:
            name = _with_ending(row.item.path)
        except ReadError as error:
            failures.append(Failure(row.cine, error.status, error.sentence))
            continue
        target = out.joinpath(safe_name(view), *_folders(row), safe_name(name))
        step = Step(how, without_dots(row.item.path), without_dots(target))
        folded = step.target.casefold()
        if folded in steps:
            reason = f"Would get the same name as {shown(steps[folded].source)}: {shown(step.target)}."
            failures.append(Failure(row.cine, "name_conflict", reason))
        else:
            steps[folded] = step
    return Plan(tuple(steps.values()), tuple(failures))


def _folders(row: ManifestRow) -> list[str]:
    return [safe_name(folder) for folder in ([row.study] if row.study else PurePosixPath(row.cine).parent.parts)]


def _with_ending(path: Path) -> str:
    kind = sniff(path, shown(path))
    return path.name if kind != "dicom" or path.suffix.lower() in (".dcm", ".dicom", ".ima") else f"{path.name}.dcm"


def carry_out(plan: Plan, undo: Path, on_step: Callable[[], None] = lambda: None) -> tuple[int, list[Failure]]:
    """Do the steps; each is written to the undo file before it is done. Its lock is the caller's to hold.

    A target that is there already with the same content is left, so that a stopped run can be repeated.

    Returns
    -------
    done : int
        Files copied, linked or moved now.
    failures : list of Failure
        Files that could not be, with the reason.

    Raises
    ------
    OSError
        When the disk is full, or the undo file cannot be written; names the file. What was done has its record.
    """
    failures: list[Failure] = []
    done = 0
    undo.parent.mkdir(parents=True, exist_ok=True)
    _mend(undo)
    undo.touch()
    clear_halves(step.target for step in plan.steps)
    for step in plan.steps:
        try:
            is_done = _is_done(step)
        except OSError as error:
            failures.append(_not_done(step, error))
            on_step()
            continue
        if not is_done:
            _record(undo, step)
            try:
                _do(step)
                done += 1
            except OSError as error:
                _stop_if_full(error, step.target)
                failures.append(_not_done(step, error))
        on_step()
    return done, failures


def _not_done(step: Step, error: OSError) -> Failure:
    why = error.strerror or type(error).__name__
    if getattr(error, "winerror", None) == _NO_RIGHT_TO_LINK:
        why += "; turn on Windows' developer mode, or use --how copy"
    return Failure(shown(step.source), "error", f"Could not be put to {shown(step.target)}: {why}.")


def _stop_if_full(error: OSError, target: str) -> None:
    if error.errno in _DISK_FULL:
        # Of a copy the system names the two files, the half one among them, which is gone by now.
        raise OSError(error.errno, error.strerror, shown(target)) from error


def _record(undo: Path, step: Step) -> None:
    """Append a step to the undo file, all of it or nothing, and wait until the disk has it."""
    with undo.open("ab", buffering=0) as log:
        before = log.tell()
        try:
            put_whole(log, json.dumps(asdict(step)) + "\n", undo)
            os.fsync(log.fileno())
        except BaseException as error:
            with contextlib.suppress(OSError):
                log.truncate(before)  # else the next record would be glued to the torn one
            if isinstance(error, OSError):
                name_target(error, undo)
            raise


def _mend(undo: Path) -> None:
    """Make an undo file end with a whole line.

    A record that was torn by a kill or a full disk is cut off: its step was not begun, for that waits for the record.
    """
    text = undo.read_bytes() if undo.exists() else b""
    end = text.rfind(b"\n") + 1
    if end == len(text):
        return
    with undo.open("r+b", buffering=0) as log:
        if _steps_of(text[end:])[0]:  # whole but for its end: an editor may have taken that away
            log.seek(0, os.SEEK_END)
            put_whole(log, "\n", undo)
        else:
            log.truncate(end)


def _is_done(step: Step) -> bool:
    source, target = Path(step.source), Path(step.target)
    if not os.path.lexists(target):
        return False
    if step.how == "move" and not source.exists():
        return True
    if source.exists() and not target.is_symlink() and source.samefile(target):
        return True  # it lies where it belongs
    if target.is_symlink() and step.how == "link" and _leads_to(target) == step.source:
        return True
    if step.how != "link" and not target.is_symlink() and sha256(source) == sha256(target):
        # To be moved, it was copied before: by a copy, or by a move across disks that was stopped between its halves.
        return step.how != "move"
    raise FileExistsError(17, "another file is there already")


def _leads_to(link: Path) -> str:
    # Windows puts a mark in front of what a link holds.
    return os.readlink(link).removeprefix("\\\\?\\")  # noqa: PTH115


def _do(step: Step) -> None:
    source, target = Path(step.source), Path(step.target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if step.how == "link":
        target.symlink_to(source)
    elif step.how == "copy":
        copy(source, target)
    else:
        move(source, target)


def done_before(undo: Path) -> list[Step]:
    """Return what earlier runs did that is still so: their targets are there.

    Raises
    ------
    DataError
        When the undo file is there and cannot be read.
    """
    steps = _read(undo)[0] if undo.exists() else []
    return [step for step in steps if os.path.lexists(step.target)]


def moved_from(steps: Iterable[Step], root: Path) -> dict[str, str]:
    """Return the files that were moved away from below `root`, as paths below it with ``/``, and where they lie."""
    top, moved = Path(absolute_name(root)), {}
    for step in steps:
        source = Path(step.source)
        if step.how == "move" and not source.exists() and top in source.parents:
            moved[source.relative_to(top).as_posix()] = step.target
    return moved


def elsewhere(file: str, target: str, undo: Path) -> Failure:
    """Return why a file that an earlier run put to `target` is not put to where a sheet wants it now."""
    reason = f"An earlier run put it to {shown(target)}; take that back first (echoplane organize --undo {undo})."
    return Failure(file, "elsewhere", reason)


def undo_all(undo: Path, on_step: Callable[[], None] = lambda: None) -> tuple[int, list[Failure]]:
    """Take back what an undo file lists, last first; files changed since are left and named.

    Its lock is the caller's to hold.

    Returns
    -------
    undone : int
    failures : list of Failure
        Files that were left, and lines of the undo file that cannot be read.

    Raises
    ------
    DataError
        When the file cannot be read, or not one of its lines.
    OSError
        When the disk is full; names the file.
    """
    steps, failures = _read(undo)
    if failures and not steps:
        raise DataError(f"{undo}: cannot be read as an undo file (no line of it is a record).")
    clear_halves(place for step in steps for place in (step.target, step.source))
    undone, folders = 0, set()
    for step in reversed(steps):
        try:
            undone += _undo(step)
        except OSError as error:
            _stop_if_full(error, step.source)
            why = error.strerror or str(error)
            failures.append(Failure(shown(step.target), "error", f"Was left as it is: {why}."))
        folders.add(Path(step.target).parent)
        on_step()
    if not failures:
        undo.unlink()
    _remove_empty(folders, Path(absolute_name(undo.parent)))
    return undone, failures


def _undo(step: Step) -> bool:
    source, target = Path(step.source), Path(step.target)
    if not os.path.lexists(target):
        return False  # it was never done, or is undone already
    if step.how == "link":
        if not target.is_symlink():
            raise OSError(0, "it is no link any more")
        if _leads_to(target) != step.source:
            raise OSError(0, "it is a link to another file now")
        target.unlink()
    elif step.how == "copy":
        if not source.exists() or sha256(source) != sha256(target):
            raise OSError(0, "it differs from the file it was copied from")
        target.unlink()
    elif source.exists():
        if source.samefile(target) or sha256(source) != sha256(target):
            raise OSError(0, "there is a file again where it came from")
        target.unlink()  # a move across disks was stopped between its halves
    else:
        source.parent.mkdir(parents=True, exist_ok=True)
        move(target, source)
    return True


def _read(undo: Path) -> tuple[list[Step], list[Failure]]:
    """Return the steps that an undo file lists, and a failure for each line of it that cannot be read."""
    try:
        lines = undo.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{undo}: cannot be read as an undo file ({error}).") from error
    steps, failures = [], []
    for number, line in enumerate(lines, 1):
        found, is_damaged = _steps_of(line)
        steps += found
        if is_damaged and number < len(lines):  # what follows the last line's end was cut off: its step was not begun
            reason = "Cannot be read, and was passed over: if it recorded a step, that was not taken back."
            failures.append(Failure(shown(f"{undo}:{number}"), "error", reason))
    return steps, failures


def _steps_of(line: bytes) -> tuple[list[Step], bool]:
    """Return the steps that a line of an undo file records, and whether it is damaged.

    Earlier versions appended records behind a torn one. That is no damage: the torn one's step was not begun.
    """
    parts = [part for part in re.split(b"(?=" + re.escape(_RECORD) + b")", line) if part.strip()]
    steps = [_step(part) for part in parts]
    is_damaged = any(
        step is None and (part is parts[-1] or part[: len(_RECORD)] != _RECORD[: len(part)])
        for part, step in zip(parts, steps, strict=True)
    )
    return [step for step in steps if step is not None], is_damaged


def _step(record: bytes) -> Step | None:
    try:
        step = Step(**json.loads(record))
    except (ValueError, TypeError):
        return None
    is_whole = step.how in get_args(How) and isinstance(step.source, str) and isinstance(step.target, str)
    return step if is_whole else None


def _remove_empty(folders: Iterable[Path], top: Path) -> None:
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        while folder != top and top in folder.parents and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
