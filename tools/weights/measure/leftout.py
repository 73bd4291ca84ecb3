"""Probabilities of models that did not see the cine's group: a CSV, or a predictions file of the package.

The CSV has the columns ``cine``, ``group``, ``truth`` and one column of probabilities a label, in any order.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echoplane.errors import DataError
from echoplane.metrics.predictions import Predictions

FIXED = ("cine", "group", "truth")
#: Rows may miss 1 by this much: files are written with few digits.
TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """Probabilities of labelled cines.

    Attributes
    ----------
    labels : tuple of str
        Of the columns (K).
    cines, groups, truths : tuple of str
        (V,).
    p : float64 array, (V, K)
        Rows sum to 1.
    answers : Predictions or None
        The logits behind them, where all came with logits.
    """

    labels: tuple[str, ...]
    cines: tuple[str, ...]
    groups: tuple[str, ...]
    truths: tuple[str, ...]
    p: npt.NDArray[np.float64]
    answers: Predictions | None = None


def load(paths: Sequence[Path], keep: Collection[str] | None = None) -> LeftOut:
    """Read and join left-out probabilities.

    Parameters
    ----------
    paths : sequence of Path
        CSV files, ``.npz`` files of :class:`echoplane.metrics.predictions.Predictions`, or folders of runs, whose
        ``validation.npz`` holds what they answered on the cines they did not train on.
    keep : collection of str, optional
        Cines to keep; a run's file holds phantoms too.

    Raises
    ------
    DataError
        For a missing column, a row that is no distribution, labels that differ, or a cine that is there twice.
    """
    parts = [_kept(_one(path / "validation.npz" if path.is_dir() else path), keep) for path in paths]
    labels = parts[0].labels
    for path, part in zip(paths, parts, strict=True):
        if set(part.labels) != set(labels):
            raise DataError(f"{path}: has the labels {sorted(part.labels)}, {paths[0]} has {sorted(labels)}.")
    cines = tuple(cine for part in parts for cine in part.cines)
    twice = [cine for cine, count in Counter(cines).items() if count > 1]
    if twice:
        raise DataError(f"{paths[0]}: the cine {twice[0]!r} is there twice; average the models first.")
    orders = [[part.labels.index(label) for label in labels] for part in parts]
    answers = [part.answers for part in parts]
    whole = [a for a in answers if a is not None and a.views == labels]
    return LeftOut(
        labels,
        cines,
        tuple(group for part in parts for group in part.groups),
        tuple(truth for part in parts for truth in part.truths),
        np.concatenate([part.p[:, order] for part, order in zip(parts, orders, strict=True)]),
        Predictions.concatenate(whole) if len(whole) == len(parts) else None,
    )


def _kept(found: LeftOut, keep: Collection[str] | None) -> LeftOut:
    if keep is None:
        return found
    rows = [i for i, cine in enumerate(found.cines) if cine in keep]

    def of(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names[i] for i in rows)

    answers = found.answers.take(rows) if found.answers else None
    return LeftOut(found.labels, of(found.cines), of(found.groups), of(found.truths), found.p[rows], answers)


def _one(path: Path) -> LeftOut:
    if path.suffix == ".npz":
        found = Predictions.load(path)
        truths = tuple(found.views[y] for y in found.y_true)
        return LeftOut(found.views, found.cines, found.groups, truths, found.cine_probabilities(), found)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows, header = list(reader), list(reader.fieldnames or [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
    missing = [name for name in FIXED if name not in header]
    labels = tuple(name for name in header if name not in FIXED)
    if missing or len(labels) < 2:
        raise DataError(f"{path}: has the columns {header}; needs {', '.join(FIXED)} and a column for each label.")
    p = np.array([_distribution(row, labels, f"{path}, line {n}") for n, row in enumerate(rows, 2)]).reshape(
        -1, len(labels)
    )
    cines = tuple(row["cine"] for row in rows)
    return LeftOut(labels, cines, tuple(row["group"] for row in rows), tuple(row["truth"] for row in rows), p)


def _distribution(row: dict[str, str], labels: Sequence[str], where: str) -> npt.NDArray[np.float64]:
    try:
        values = np.array([float(row[label]) for label in labels])
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: a probability is no number ({error}).") from error
    total = values.sum()
    if not np.isfinite(values).all() or values.min() < 0 or abs(total - 1) > TOLERANCE:
        raise DataError(f"{where}: the probabilities sum to {total:.4f}, expected 1.")
    return np.asarray(values / total)
