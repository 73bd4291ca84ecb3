"""From a label sheet to class folders, as a plan that can be shown, carried out, and undone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from echoplane._files import absolute_name, safe_name, sha256
from echoplane.data.labels import SKIP
from echoplane.data.manifest import Failure, Manifest
from echoplane.errors import DataError, ReadError
from echoplane.sources.item import shown
from echoplane.sources.sniff import sniff

How = Literal["copy", "link", "move"]
UNDO_FILE = "organize-undo.jsonl"

#: Windows' code for "a required privilege is not held", which it says of links.
_NO_RIGHT_TO_LINK = 1314


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
            failures.append(Failure(row.cine, "left_out", f"Its label {row.given_label!r} is left out."))
            continue
        try:
            name = _with_ending(row.item.path)
        except ReadError as error:
            failures.append(Failure(row.cine, error.status, error.sentence))
            continue
        target = out / safe_name(view) / (safe_name(row.study) if row.study else "") / safe_name(name)
        step = Step(how, os.path.abspath(row.item.path), os.path.abspath(target))  # noqa: PTH100 -- keeps links
        folded = step.target.casefold()
        if folded in steps:
            reason = f"Would get the same name as {shown(steps[folded].source)}: {shown(step.target)}."
            failures.append(Failure(row.cine, "name_conflict", reason))
        else:
            steps[folded] = step
    return Plan(tuple(steps.values()), tuple(failures))


def _with_ending(path: Path) -> str:
    kind = sniff(path, shown(path))
    return path.name if kind != "dicom" or path.suffix.lower() in (".dcm", ".dicom", ".ima") else f"{path.name}.dcm"


def carry_out(plan: Plan, undo: Path, on_step: Callable[[], None] = lambda: None) -> tuple[int, list[Failure]]:
    """Do the steps; each is written to the undo file before it is done.

    A target that is there already with the same content is left, so that a stopped run can be repeated.

    Returns
    -------
    done : int
        Files copied, linked or moved now.
    failures : list of Failure
        Files that could not be, with the reason.
    """
    failures: list[Failure] = []
    done = 0
    undo.parent.mkdir(parents=True, exist_ok=True)
    with undo.open("a", encoding="utf-8") as log:
        for step in plan.steps:
            try:
                if not _is_done(step):
                    log.write(json.dumps(asdict(step)) + "\n")
                    log.flush()
                    os.fsync(log.fileno())
                    _do(step)
                    done += 1
            except OSError as error:
                why = error.strerror or type(error).__name__
                if getattr(error, "winerror", None) == _NO_RIGHT_TO_LINK:
                    why += "; turn on Windows' developer mode, or use --how copy"
                failures.append(
                    Failure(shown(step.source), "error", f"Could not be put to {shown(step.target)}: {why}.")
                )
            on_step()
    return done, failures


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
        return
    if step.how == "move" and not target.exists():
        try:
            source.rename(target)
            return
        except OSError:
            pass  # on another disk: copied, then removed
    half = target.with_name(f".{target.name[:80]}.half")
    shutil.copyfile(source, half)
    with contextlib.suppress(OSError):  # disks without rights (WSL, USB sticks, shares) refuse them
        shutil.copystat(source, half)
    half.replace(target)
    if step.how == "move":
        source.unlink()


def moved_before(undo: Path, root: Path) -> set[str]:
    """Return the files that an earlier run has moved away from below `root`, as paths below it with ``/``.

    Raises
    ------
    DataError
        When the undo file is there and cannot be read.
    """
    if not undo.exists():
        return set()
    top, moved = Path(absolute_name(root)), set()
    for step in _read(undo):
        source = Path(step.source)
        if step.how == "move" and not source.exists() and os.path.lexists(step.target) and top in source.parents:
            moved.add(source.relative_to(top).as_posix())
    return moved


def undo_all(undo: Path, on_step: Callable[[], None] = lambda: None) -> tuple[int, list[Failure]]:
    """Take back what an undo file lists, last first; files changed since are left and named.

    Returns
    -------
    undone : int
    failures : list of Failure

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    steps = list(_read(undo))
    failures, undone, folders = [], 0, set()
    for step in reversed(steps):
        try:
            undone += _undo(step)
        except OSError as error:
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
    target.with_name(f".{target.name[:80]}.half").unlink(missing_ok=True)
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
    else:
        if source.exists():
            raise OSError(0, "there is a file again where it came from")
        source.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(target, source)
    return True


def _read(undo: Path) -> Iterator[Step]:
    try:
        lines = undo.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{undo}: cannot be read as an undo file ({error}).") from error
    for number, line in enumerate(lines, 1):
        try:
            yield Step(**json.loads(line))
        except (ValueError, TypeError) as error:
            if number == len(lines):
                return  # the last line, cut off by a kill: its step was not begun
            raise DataError(f"{undo}:{number}: is damaged ({type(error).__name__}).") from None


def _remove_empty(folders: Iterable[Path], top: Path) -> None:
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        while folder != top and top in folder.parents and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
