"""A label sheet to class folders: what ``echoplane organize`` does."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from echoplane.data.adapters import Options, read_manifest
from echoplane.data.adapters.sheet import places, spellings
from echoplane.data.labels import LabelTable
from echoplane.data.manifest import Failure
from echoplane.data.organize import UNDO_FILE, How, Step, carry_out, make_plan, moved_before, undo_all

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
    """
    undo_file = Path(out) / UNDO_FILE
    moved = moved_before(undo_file, Path(source)) if how == "move" else set()
    labels = labels or LabelTable()
    manifest = read_manifest("sheet", source, Options(sheet, labels), may_be_empty=bool(moved))
    meanings = labels.resolve_all(manifest.given_labels())
    plan = make_plan(manifest, meanings, Path(out), how)
    failures = [failure for failure in plan.failures if not _is_moved(failure, moved, Path(source))]
    before = len(plan.failures) - len(failures)
    done = 0
    if not dry_run:
        on_start(len(plan.steps))
        done, more = carry_out(plan, undo_file, on_step)
        failures += more
        before += len(plan.steps) - done - len(more)
    top = Path(os.path.abspath(out))  # noqa: PTH100 -- as the targets are made, without ".."
    views = Counter(Path(step.target).relative_to(top).parts[0] for step in plan.steps)
    return OrganizeRun(plan.steps, done, tuple(failures), dict(views), undo_file, before)


def _is_moved(failure: Failure, moved: set[str], root: Path) -> bool:
    """Tell whether a file is missing because an earlier run has moved it, so that a stopped run can be repeated."""
    if failure.status != "missing" or not moved:
        return False
    # A study may be "." or nothing: "./clip.dcm", "/clip.dcm".
    for place in places(root, failure.file.lstrip("/")):
        below = place.relative_to(root)
        if any((below.parent / name).as_posix() in moved for name in spellings(below.name)):
            return True
    return False


def undo(file: str | Path, on_step: Callable[[], None] = lambda: None) -> OrganizeRun:
    """Take back what an earlier run did; see :func:`echoplane.data.organize.undo_all`."""
    undone, failures = undo_all(Path(file), on_step)
    return OrganizeRun((), undone, tuple(failures), {}, Path(file))
