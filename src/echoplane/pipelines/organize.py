"""A label sheet to class folders: what ``echoplane organize`` does."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from echoplane._files import absolute_name, safe_name, without_dots
from echoplane._locks import held
from echoplane.data.adapters import Options, read_manifest
from echoplane.data.adapters.sheet import places, spellings
from echoplane.data.labels import SKIP, LabelTable
from echoplane.data.manifest import Failure
from echoplane.data.organize import (
    UNDO_FILE,
    How,
    Plan,
    Step,
    carry_out,
    done_before,
    elsewhere,
    make_plan,
    moved_from,
    undo_all,
)
from echoplane.sources.item import shown

__all__ = ["OrganizeRun", "organize", "undo"]


@dataclass(frozen=True, slots=True)
class OrganizeRun:
    """How a run ended.

    Attributes
    ----------
    steps : tuple of Step
        What was planned.
    done : int
        Files copied, linked or moved (or taken back) now; 0 in a dry run.
    failures : tuple of Failure
    views : mapping of str to int
        Planned files by view.
    undo : Path
        The undo file.
    before : int
        Files that were where they belong already; those that an earlier run has moved are not among the steps.
    """

    steps: tuple[Step, ...]
    done: int
    failures: tuple[Failure, ...]
    views: Mapping[str, int]
    undo: Path
    before: int = 0

    @property
    def failed(self) -> int:
        """Files that could not be dealt with, those left out on purpose not counted."""
        return sum(failure.status != "left_out" for failure in self.failures)


def organize(
    source: str | Path,
    out: str | Path,
    *,
    sheet: Path | None = None,
    labels: LabelTable | None = None,
    how: How = "copy",
    dry_run: bool = False,
    on_start: Callable[[int], None] = lambda total: None,
    on_step: Callable[[], None] = lambda: None,
) -> OrganizeRun:
    """Put the files of a label sheet into one folder a view, ``<out>/<view>/<study>/<file>``.

    Without a study, the folders below `source` that a file lies in stand for it.

    Parameters
    ----------
    source : str or Path
        Folder of the studies.
    out : str or Path
        Gets the view folders and ``organize-undo.jsonl``.
    sheet : Path, optional
        The label sheet; the only text table in `source` when left out.
    labels : LabelTable, optional
    how : {"copy", "link", "move"}
    dry_run : bool
        Plan only; nothing is written.

    Raises
    ------
    DataError
        No sheet, or one that cannot be read.
    UnknownLabelsError
        Labels that nobody knows; nothing was touched.
    UsageError
        Another run sorts into `out`, or takes back what was.
    """
    undo_file = Path(out) / UNDO_FILE
    with contextlib.nullcontext() if dry_run else held(undo_file, _busy(undo_file)):
        return _organize(source, out, undo_file, sheet, labels or LabelTable(), how, dry_run, on_start, on_step)


def _busy(undo_file: Path) -> str:
    return f"{undo_file.parent}: another run is sorting into this folder, or taking back. Wait until it ends."


def _organize(
    source: str | Path,
    out: str | Path,
    undo_file: Path,
    sheet: Path | None,
    labels: LabelTable,
    how: How,
    dry_run: bool,
    on_start: Callable[[int], None],
    on_step: Callable[[], None],
) -> OrganizeRun:
    earlier = done_before(undo_file)
    moved = moved_from(earlier, Path(source)) if how == "move" else {}
    manifest = read_manifest("sheet", source, Options(sheet, labels), may_be_empty=bool(moved))
    gone = [(failure, _moved_to(failure, moved, Path(source))) for failure in manifest.failures]
    given = Counter(failure.given_label for failure, target in gone if target and failure.given_label)
    meanings = labels.resolve_all(Counter(manifest.given_labels()) + given)
    plan = make_plan(manifest, meanings, Path(out), how)
    top = Path(without_dots(out))  # as the targets are made
    there = [failure for failure, target in gone if target]
    misplaced = [
        elsewhere(failure.file, target, undo_file)
        for failure, target in gone
        if target
        and (view := meanings.get(failure.given_label, SKIP)) != SKIP
        and safe_name(view) != _view_folder(target, top)
    ]
    before = len(there) - len(misplaced)
    steps, more = _apart(plan.steps, earlier, undo_file, Path(absolute_name(source)))
    failures = [*(failure for failure in plan.failures if failure not in there), *misplaced, *more]
    plan, done = Plan(steps, plan.failures), 0
    if not dry_run:
        on_start(len(plan.steps))
        done, more = carry_out(plan, undo_file, on_step)
        failures += more
        before += len(plan.steps) - done - len(more)
    views = Counter(_view_folder(step.target, top) for step in plan.steps)
    return OrganizeRun(plan.steps, done, tuple(failures), dict(views), undo_file, before)


def _apart(
    steps: tuple[Step, ...], earlier: list[Step], undo_file: Path, root: Path
) -> tuple[tuple[Step, ...], list[Failure]]:
    """Part the steps from those of files that an earlier run has put somewhere else: they would have two views."""
    targets: dict[str, set[str]] = {}
    for step in earlier:
        targets.setdefault(step.source, set()).add(step.target)
    kept, failures = [], []
    for step in steps:
        others = sorted(targets.get(step.source, set()) - {step.target})
        if others:
            path = Path(step.source)
            below = path.relative_to(root) if root in path.parents else path
            failures.append(elsewhere(shown(below), others[0], undo_file))
        else:
            kept.append(step)
    return tuple(kept), failures


def _view_folder(target: str, top: Path) -> str:
    path = Path(target)
    return path.relative_to(top).parts[0] if top in path.parents else ""


def _moved_to(failure: Failure, moved: Mapping[str, str], root: Path) -> str:
    """Return where an earlier run moved a missing file, so that a stopped run can be repeated; empty: none did."""
    if failure.status != "missing" or not moved:
        return ""
    # A study may be "." or nothing: "./clip.dcm", "/clip.dcm".
    for place in chain(places(root, failure.file), places(root, failure.file.lstrip("/"))):
        below = place.relative_to(root)
        for name in spellings(below.name):
            if target := moved.get((below.parent / name).as_posix()):
                return target
    return ""


def undo(file: str | Path, on_step: Callable[[], None] = lambda: None) -> OrganizeRun:
    """Take back what an earlier run did; see :func:`echoplane.data.organize.undo_all`.

    Raises
    ------
    UsageError
        When another run sorts into the folder of the undo file, or takes back.
    """
    with held(Path(file), _busy(Path(file))) if Path(file).exists() else contextlib.nullcontext():
        undone, failures = undo_all(Path(file), on_step)
    return OrganizeRun((), undone, tuple(failures), {}, Path(file))
