"""Probabilities of models that did not see the cine's group: a CSV, or a predictions file of the package.

The CSV has the columns ``cine``, ``group``, ``truth`` and one column of probabilities a label, in any order.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
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
    """

    labels: tuple[str, ...]
    cines: tuple[str, ...]
    groups: tuple[str, ...]
    truths: tuple[str, ...]
    p: npt.NDArray[np.float64]

    def predictions(self, vocabulary: Sequence[str]) -> Predictions:
        """Return the cines whose truth is in a vocabulary as predictions, one clip a cine, log p for logits.

        Raises
        ------
        DataError
            When the labels are not those of the vocabulary, or no cine is left.
        """
        if set(self.labels) != set(vocabulary):
            raise DataError(f"the probabilities are of {sorted(self.labels)}, the bundle answers {sorted(vocabulary)}.")
        rows = [i for i, truth in enumerate(self.truths) if truth in vocabulary]
        if not rows:
            raise DataError("no cine with a truth that the bundle knows.")
        order = [self.labels.index(label) for label in vocabulary]
        names = list(vocabulary)
        return Predictions(
            views=tuple(vocabulary),
            cines=tuple(self.cines[i] for i in rows),
            groups=tuple(self.groups[i] for i in rows),
            y_true=np.array([names.index(self.truths[i]) for i in rows], np.int64),
            cine_of_clip=np.arange(len(rows)),
            logits=np.log(np.clip(self.p[rows][:, order], 1e-9, None)).astype(np.float32),
            folds=np.zeros(len(rows), np.int64),
            sources=("",) * len(rows),
        )


def load(path: Path) -> LeftOut:
    """Read a CSV, or an ``.npz`` of :class:`echoplane.metrics.predictions.Predictions`.

    Raises
    ------
    DataError
        For a missing column, a cine that is there twice, or a row that is no distribution; names the line.
    """
    if path.suffix == ".npz":
        found = Predictions.load(path)
        truths = tuple(found.views[y] for y in found.y_true)
        return LeftOut(found.views, found.cines, found.groups, truths, found.cine_probabilities())
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
    p = np.array([_distribution(row, labels, f"{path}, line {n}") for n, row in enumerate(rows, 2)]).reshape(-1, len(labels))
    cines = tuple(row["cine"] for row in rows)
    twice = sorted({cine for cine in cines if cines.count(cine) > 1})
    if twice:
        raise DataError(f"{path}: the cine {twice[0]!r} is there twice; average the models first.")
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
