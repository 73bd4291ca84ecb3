"""Splits by patient, stratified by view, in a file that travels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echoplane._files import csv_mark, read_table_text, text_cell, text_of_cell, write_csv
from echoplane.data.groups import Groups, group_rows
from echoplane.data.leaks import check_leaks, raise_leaks
from echoplane.errors import DataError, UsageError
from echoplane.store import StoreRow

TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")
#: Largest share of the cines in question that goes to one side: the other one needs some too.
MOST = 0.95
COLUMNS = ("cine", "part", "fold", "group", "label")


@dataclass(frozen=True, slots=True)
class SplitRow:
    """Where one cine belongs.

    Attributes
    ----------
    cine : str
        Key of the cine in its store.
    part : str
        ``"train"``, ``"validation"`` or ``"test"``; in a split into folds ``"train"`` for all that is not test.
    fold : int or None
        Number of the fold that validates on this cine; None without folds and for test cines.
    group : str
        Name of its group, to be read by people and by the leak check.
    label : str
        Its view, to be read by people.
    """

    cine: str
    part: str
    fold: int | None = None
    group: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """Which cines train, validate and test: names, not numbers, so that it holds on another machine.

    Attributes
    ----------
    rows : tuple of SplitRow
        Sorted by cine.
    """

    rows: tuple[SplitRow, ...]

    @property
    def folds(self) -> int:
        """How many folds; 0 for a plain train/validation/test split."""
        return 1 + max((row.fold for row in self.rows if row.fold is not None), default=-1)

    def cines(self, part: str, fold: int | None = None) -> tuple[str, ...]:
        """Return the keys of one part.

        Parameters
        ----------
        part : {"train", "validation", "test"}
        fold : int, optional
            Needed for ``train`` and ``validation`` of a split into folds: cines of this fold validate, those of all
            other folds train.

        Raises
        ------
        UsageError
            Unknown part, a fold that is not there, or a missing one.
        """
        if part not in PARTS:
            raise UsageError(f"part {part!r}: use one of {', '.join(PARTS)}.")
        if part == TEST or self.folds == 0:
            if fold is not None and self.folds == 0:
                raise UsageError(f"fold {fold}: this split has no folds.")
            return tuple(row.cine for row in self.rows if row.part == part)
        if fold is None or not 0 <= fold < self.folds:
            raise UsageError(f"fold {fold}: this split has folds 0 to {self.folds - 1}; name one.")
        return tuple(
            row.cine for row in self.rows if row.fold is not None and (row.fold == fold) == (part == VALIDATION)
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return cines by part (or ``"fold 3"``) and view, for a table."""
        table: dict[str, dict[str, int]] = {}
        for row in self.rows:
            line = table.setdefault(row.part if row.fold is None else f"fold {row.fold}", {})
            line[row.label] = line.get(row.label, 0) + 1
        return dict(sorted(table.items()))

    def save(self, path: str | Path) -> None:
        """Write a CSV with the columns cine, part, fold, group, label."""
        rows = [(row.cine, row.part, "" if row.fold is None else row.fold, row.group, row.label) for row in self.rows]
        write_csv(path, [COLUMNS, *(map(text_cell, row) for row in rows)])

    @staticmethod
    def load(path: str | Path) -> Split:
        """Read a split file; the columns ``group`` and ``label`` may be missing.

        Raises
        ------
        DataError
            When the file or a column is missing, or a value is not understood; the message names file and line.
        """
        text, first = read_table_text(path, "a split file")
        try:
            mark = csv_mark(text.partition("\n")[0])
            reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark)
            numbered = ((reader.line_num + first - 1, line) for line in reader)
            # Spreadsheets write the empty rows below a table too, as nothing but separators.
            lines = [(number, line) for number, line in numbered if any(map(_is_filled, line.values()))]
        except csv.Error as error:
            raise DataError(f"{path}: cannot be read as a split file ({error}).") from error
        if not lines or not {"cine", "part"} <= lines[0][1].keys():
            raise DataError(f"{path}: is no split file; it needs lines below a header 'cine,part,fold'.")
        rows = [_read_row(line, f"{path}:{number}") for number, line in lines]
        if len({row.cine for row in rows}) < len(rows):
            raise DataError(f"{path}: names a cine twice.")
        return Split(tuple(sorted(rows, key=lambda row: row.cine)))


def _is_filled(cell: object) -> bool:
    return isinstance(cell, str) and bool(cell.strip())


def _read_row(line: Mapping[str, str | None], where: str) -> SplitRow:
    cine, part, fold = line["cine"] or "", line["part"] or "", line.get("fold") or ""
    if not cine or part not in PARTS or (fold and not fold.isdecimal()):
        raise DataError(f"{where}: cine {cine!r}, part {part!r}, fold {fold!r}; part is one of {', '.join(PARTS)}.")
    group, label = text_of_cell(line.get("group") or ""), text_of_cell(line.get("label") or "")
    return SplitRow(text_of_cell(cine), part, int(fold) if fold else None, group, label)


def make_split(
    rows: Sequence[StoreRow],
    *,
    folds: int = 0,
    validation: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    given: bool = True,
    together: Iterable[tuple[str, str]] = (),
    store_of: Mapping[str, str] | None = None,
) -> tuple[Split, tuple[str, ...]]:
    """Split cines by patient, with the views spread evenly.

    Parameters
    ----------
    rows : sequence of StoreRow
        The order does not matter.
    folds : int
        0 for train/validation(/test), or the number of folds of a cross-validation, at least 2.
    validation, test : float
        Shares of the cines, in [0, 1); `validation` is not used with folds.
    seed : int
        Another seed, another split; the same seed, the same split on every machine.
    given : bool
        Keep to ``row.split`` where the data set gives one: its test cines stay test, and its training and validation
        cines too, unless folds are asked for, which are made of both. Stores without such cines give their share.
    together : iterable of (str, str)
        Keys of cines that must not be parted.
    store_of : mapping of str to str, optional
        Which store each cine is of, by its key; all of one when left out.

    Returns
    -------
    split : Split
    warnings : tuple of str
        What to know: cines without a patient, views with too few patients.

    Raises
    ------
    UsageError
        When the shares or the number of folds make no sense.
    DataError
        When there are fewer groups than sides.
    LeakError
        When the given split has one patient on two sides.

    Notes
    -----
    Groups are dealt one after the other, the largest first, each to the side that is then closest to its share of
    every view. scikit-learn's StratifiedGroupKFold does the same for equal folds and hard
    labels; here sides may be of any size and labels may be shares.
    """
    if folds < 0 or folds == 1:
        raise UsageError(f"{folds} folds: use 0 for none, or at least 2.")
    if not (0 <= validation < 1 and 0 <= test < 1 and (folds or validation + test < 1)):
        raise UsageError(f"validation {validation} and test {test}: shares in [0, 1), below 1 together.")
    if seed < 0:
        raise UsageError(f"seed {seed}: use 0 or more.")
    rows = sorted(rows, key=lambda row: row.cine)
    groups = group_rows(rows, together)
    parts: list[str] = [row.split if given else "" for row in rows]
    stores = [(store_of or {}).get(row.cine, "") for row in rows]
    gave = {part: {store for store, p in zip(stores, parts, strict=True) if p == part} for part in PARTS}
    if given and any(parts):
        _refuse_given_leaks(rows, groups, parts, store_of)
        _spread_given(groups, parts)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 20261]))
    _fill(rows, groups, parts, TEST, test, rng, [store in gave[TEST] for store in stores])
    numbers: list[int | None] = [None] * len(rows)
    if folds:
        inside = [i for i, part in enumerate(parts) if part != TEST]
        for i, fold in zip(inside, _deal(rows, groups, inside, [1 / folds] * folds, rng), strict=True):
            parts[i], numbers[i] = TRAIN, fold
    else:
        _fill(rows, groups, parts, VALIDATION, validation, rng, [store in gave[VALIDATION] for store in stores])
        parts = [part or TRAIN for part in parts]
    split = Split(
        tuple(
            SplitRow(row.cine, parts[i], numbers[i], groups.names[groups.of[i]], row.top_label())
            for i, row in enumerate(rows)
        )
    )
    check_leaks(split, rows)
    return split, tuple(text for text in (groups.warning(), *_thin_views(rows, groups, split)) if text)


def _refuse_given_leaks(
    rows: Sequence[StoreRow], groups: Groups, parts: Sequence[str], store_of: Mapping[str, str] | None
) -> None:
    sides: dict[int, dict[str, str]] = {}
    for i, part in enumerate(parts):
        if part not in ("", *PARTS):
            raise DataError(f"cine {rows[i].cine!r}: given part {part!r}; known: {', '.join(PARTS)}.")
        if part:
            sides.setdefault(groups.of[i], {}).setdefault(part, rows[i].cine)
    leaks = {groups.names[g]: found for g, found in sides.items() if len(found) > 1}
    raise_leaks(leaks, "the split the data came with", rows, store_of)


def _spread_given(groups: Groups, parts: list[str]) -> None:
    """Cines without a given part follow their group."""
    known = {groups.of[i]: part for i, part in enumerate(parts) if part}
    parts[:] = [known.get(groups.of[i], "") for i in range(len(parts))]


def _fill(
    rows: Sequence[StoreRow],
    groups: Groups,
    parts: list[str],
    part: str,
    share: float,
    rng: np.random.Generator,
    settled: Sequence[bool],
) -> None:
    """Give `part` its `share` of all cines that are not settled, out of those that may still go there."""
    if share <= 0 or all(settled):
        return
    bound = {group for group, is_settled in zip(groups.of, settled, strict=True) if is_settled}
    free = [
        i for i, p in enumerate(parts) if groups.of[i] not in bound and (not p or (part == VALIDATION and p == TRAIN))
    ]
    # Some may be in the part with their patient's cines of a store that is settled.
    unsettled = [p for p, is_settled in zip(parts, settled, strict=True) if not is_settled]
    wanted = share * len(unsettled) - unsettled.count(part)
    if any(settled) and (wanted <= 0 or len({groups.of[i] for i in free}) < 2):
        return  # one patient cannot be parted, and the part has cines of other stores
    share = min(wanted / max(len(free), 1), MOST)
    for i, side in zip(free, _deal(rows, groups, free, [share, 1 - share], rng), strict=True):
        if side == 0:
            parts[i] = part


def _deal(
    rows: Sequence[StoreRow], groups: Groups, chosen: Sequence[int], shares: Sequence[float], rng: np.random.Generator
) -> list[int]:
    """Return the side of each chosen row."""
    views = sorted({view for i in chosen for view in (rows[i].shares or {rows[i].label: 1.0})})
    column = {view: k for k, view in enumerate(views)}
    members = sorted({groups.of[i] for i in chosen})
    if not members:
        raise DataError("there is no cine to split: the stores are empty, or none of their cines has a view in use.")
    if len(members) < len(shares):
        patients = "1 patient" if len(members) == 1 else f"{len(members)} patients"
        elsewhere = len(set(groups.of)) - len(members)
        beside = f", beside {elsewhere} whose part is settled" if elsewhere else ""
        raise DataError(
            f"the cines are of {patients}{beside}, which cannot be dealt to {len(shares)} sides: a patient is never "
            "parted. Ask for fewer folds or no validation cines, add other patients, or, where these cines are of more "
            "patients than that, say whose each one is (`echoplane prepare --patients`)."
        )
    counts = np.zeros((len(members), len(views)))
    place = {group: g for g, group in enumerate(members)}
    for i in chosen:
        for view, weight in (rows[i].shares or {rows[i].label: 1.0}).items():
            counts[place[groups.of[i]], column[view]] += weight
    # Every view weighs the same, however rare it is; the large groups are dealt first, those of about one
    # size (a factor of two) in an order that the seed draws.
    scaled = counts / np.maximum(counts.sum(axis=0), 1e-9)
    order = rng.permutation(len(members))
    order = order[np.argsort(-np.floor(np.log2(scaled[order].sum(axis=1) + 1e-12)), kind="stable")]
    filled = np.zeros((len(shares), len(views)))
    side_of = np.full(len(members), -1)
    for step, g in enumerate(order):
        # What the sum over sides and views of filled^2 / share grows by; it is least when all sides fill evenly.
        cost = ((2 * filled + scaled[g]) * scaled[g] / np.asarray(shares)[:, None]).sum(axis=1)
        empty = np.setdiff1d(np.arange(len(shares)), side_of)
        if len(empty) == len(order) - step:  # as many groups left as sides still without one
            cost[np.setdiff1d(np.arange(len(shares)), empty)] = np.inf
        side_of[g] = int(np.argmin(cost))
        filled[side_of[g]] += scaled[g]
    return [int(side_of[place[groups.of[i]]]) for i in chosen]


def _thin_views(rows: Sequence[StoreRow], groups: Groups, split: Split) -> list[str]:
    sides = max(split.folds, len({row.part for row in split.rows}))
    people: dict[str, set[int]] = {}
    for i, row in enumerate(rows):
        people.setdefault(row.top_label(), set()).add(groups.of[i])
    return [
        f"View {view!r}: {len(found)} patient{'s'[: len(found) > 1]}, fewer than the {sides} sides of the split."
        for view, found in sorted(people.items())
        if view and len(found) < sides
    ]
