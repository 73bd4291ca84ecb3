"""What is to be looked at before training on a store: each finding a sentence and the cines it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from echoplane.data.duplicates import Pair
from echoplane.data.groups import group_rows
from echoplane.data.leaks import check_leaks
from echoplane.data.secrets import other_secrets
from echoplane.data.split import Split, SplitRow
from echoplane.errors import LeakError
from echoplane.store import StoreReader, StoreRow

#: A view from fewer patients than this cannot be learned and judged.
FEW_PATIENTS = 5


class Level(StrEnum):
    """How much a finding matters."""

    ERROR = "error"  # a result measured on this store would be wrong
    WARNING = "warning"  # should be looked at
    NOTE = "note"  # good to know


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a store.

    Attributes
    ----------
    level : Level
    text : str
        One or two sentences.
    cines : tuple of str
        Keys of the cines it is about; empty when it is about the whole.
    """

    level: Level
    text: str
    cines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewCount:
    """Cines, patients and frames of one view."""

    view: str
    cines: int
    groups: int
    frames: tuple[int, int, int] = field(default=(0, 0, 0))


def count_views(rows: Sequence[StoreRow]) -> list[ViewCount]:
    """Return one line a view, in the order of the vocabulary's names; ``""`` for unlabelled cines.

    `frames` has the least, the middle and the largest number of frames.
    """
    groups = group_rows(rows).of
    by_view: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        by_view.setdefault(row.top_label(), []).append(i)
    lines = []
    for view, members in sorted(by_view.items()):
        frames = sorted(rows[i].n_frames for i in members)
        spread = (frames[0], frames[len(frames) // 2], frames[-1])
        lines.append(ViewCount(view, len(members), len({groups[i] for i in members}), spread))
    return lines


def check(
    stores: Sequence[StoreReader],
    pairs: Sequence[Pair],
    *,
    split: Split | None = None,
    min_frames: int = 10,
) -> list[Finding]:
    """Look for everything that would spoil a training or make its result too good.

    Parameters
    ----------
    stores : sequence of StoreReader
    pairs : sequence of Pair
        From :func:`echoplane.data.duplicates.find_duplicates`.
    split : Split, optional
        Checked for leaks; without it the split that the data came with is.
    min_frames : int
        Shorter cines are named.

    Returns
    -------
    list of Finding
        Errors first.
    """
    rows = [row for store in stores for row in store.rows]
    found: list[Finding] = []
    for store in stores:
        if not store.rows:
            found.append(Finding(Level.ERROR, f"{store.path}: holds no cine."))
        if loss := store.loss():
            found.append(Finding(Level.ERROR, loss))
        damaged = store.verify()
        if damaged:
            found.append(
                Finding(Level.ERROR, f"{_number(len(damaged), 'cine')} damaged: not what was stored.", tuple(damaged))
            )
    found += _copies(pairs)
    found += _leaks(rows, split, [(pair.one.cine, pair.two.cine) for pair in pairs])
    found += _about_cines(rows, min_frames)
    found += _about_all(rows)
    found += [Finding(Level.WARNING, text) for text in other_secrets(stores)]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))


def _copies(pairs: Iterable[Pair]) -> Iterable[Finding]:
    for pair in pairs:
        how = (
            "two cines that are the same, bit for bit"
            if pair.same
            else f"two copies of one recording (likeness {pair.likeness:.2f})"
        )
        cines = (pair.one.cine, pair.two.cine)
        if pair.across_views:
            labels = f"{pair.one.top_label() or 'no label'} and {pair.two.top_label() or 'no label'}"
            yield Finding(Level.ERROR, f"{how.capitalize()}, labelled {labels}.", cines)
        elif pair.across_patients:
            yield Finding(Level.WARNING, f"{how.capitalize()}, not known to be of one patient.", cines)
        else:
            yield Finding(Level.NOTE, f"{how.capitalize()}.", cines)


def _leaks(rows: Sequence[StoreRow], split: Split | None, together: Sequence[tuple[str, str]]) -> Iterable[Finding]:
    given = Split(tuple(SplitRow(row.cine, row.split) for row in rows if row.split))
    chosen = split or given
    if not chosen.rows:
        return
    try:
        check_leaks(chosen, rows, together)
    except LeakError as error:
        yield Finding(Level.ERROR, str(error).replace("the split parts", f"{_name(split)} parts"))


def _name(split: Split | None) -> str:
    return "The split file" if split else "The split that the data came with"


def _about_cines(rows: Sequence[StoreRow], min_frames: int) -> Iterable[Finding]:
    def those(condition: Callable[[StoreRow], bool]) -> tuple[str, ...]:
        return tuple(row.cine for row in rows if condition(row))

    candidates = (
        (Level.WARNING, "without a label", those(lambda row: not row.top_label())),
        (Level.WARNING, "of a single frame", those(lambda row: row.n_frames == 1)),
        (Level.WARNING, f"of fewer than {min_frames} frames", those(lambda row: 1 < row.n_frames < min_frames)),
        (
            Level.NOTE,
            "whose ultrasound sector was not found with confidence",
            those(lambda row: row.sector is not None and not row.sector.is_confident),
        ),
        (Level.NOTE, "that do not say their frame rate", those(lambda row: row.fps is None)),
    )
    return [
        Finding(level, f"{_number(len(cines), 'cine')} {what}.", cines) for level, what, cines in candidates if cines
    ]


def _about_all(rows: Sequence[StoreRow]) -> Iterable[Finding]:
    warning = group_rows(rows).warning()
    if warning:
        yield Finding(Level.WARNING, warning)
    few = [line for line in count_views(rows) if line.view and line.groups < FEW_PATIENTS]
    if few:
        views = ", ".join(f"{line.view} ({line.groups})" for line in few)
        yield Finding(Level.WARNING, f"Views from fewer than {FEW_PATIENTS} patients: {views}.")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
