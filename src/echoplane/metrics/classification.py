"""Figures of a classifier, from a confusion matrix or from probabilities.

Letters: S samples, K views. ``y_true`` and ``y_pred`` are integer arrays (S,) with values in 0..K-1; a label of -1
in ``y_true`` means "not among the model's views" and must be left out before these functions are called.

Everything is plain NumPy because the bootstrap calls it thousands of times; the tests hold it against scikit-learn
and torchmetrics.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from echoplane.errors import UsageError
from echoplane.views import Family, family_of

Labels = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def confusion_matrix(y_true: Labels, y_pred: Labels, n_views: int) -> Counts:
    """Count answers: rows are the truth, columns the answer.

    Returns
    -------
    int64 array, (K, K)

    Raises
    ------
    UsageError
        When the arrays differ in length or hold a value outside 0..K-1.
    """
    y_true, y_pred = np.asarray(y_true, dtype=np.int64), np.asarray(y_pred, dtype=np.int64)
    if y_true.shape != y_pred.shape:
        raise UsageError(f"{y_true.size} true labels, but {y_pred.size} answers")
    for name, values in (("true", y_true), ("answered", y_pred)):
        if values.size and (values.min() < 0 or values.max() >= n_views):
            raise UsageError(f"{name} labels reach from {values.min()} to {values.max()}, expected 0 to {n_views - 1}")
    return np.bincount(y_true * n_views + y_pred, minlength=n_views**2).reshape(n_views, n_views)


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """Part over whole, NaN where the whole is zero."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    result: Floats = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
    return result


def accuracy(confusion: Counts) -> float:
    """Share of right answers, in [0, 1]; NaN without samples."""
    return float(_ratio(np.trace(confusion), confusion.sum()))


def recall(confusion: Counts) -> Floats:
    """Share of each view that is found (sensitivity), (K,); NaN for views that do not occur."""
    return _ratio(np.diag(confusion), confusion.sum(axis=1))


def precision(confusion: Counts) -> Floats:
    """Share of each answer that is right, (K,); NaN for answers never given."""
    return _ratio(np.diag(confusion), confusion.sum(axis=0))


def f1(confusion: Counts) -> Floats:
    """Harmonic mean of precision and recall, (K,): 2TP / (2TP + FP + FN); NaN for a view neither seen nor given."""
    return _ratio(2 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def balanced_accuracy(confusion: Counts) -> float:
    """Mean recall of the views that occur, in [0, 1]."""
    found = recall(confusion)
    return float(np.mean(found[~np.isnan(found)])) if confusion.any() else float("nan")


def macro_f1(confusion: Counts) -> float:
    """Mean F1 of the views that occur, in the truth or in the answers."""
    scores = f1(confusion)
    return float(np.mean(scores[~np.isnan(scores)])) if confusion.any() else float("nan")


def cohen_kappa(confusion: Counts) -> float:
    """Agreement beyond chance (Cohen, Educ Psychol Meas 1960;20:37-46), in [-1, 1]; NaN where chance is certain."""
    total = confusion.sum()
    if total == 0:
        return float("nan")
    chance = float(confusion.sum(axis=0) @ confusion.sum(axis=1)) / float(total) ** 2
    return float(_ratio(accuracy(confusion) - chance, 1 - chance))


def auroc(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    """Probability that a positive scores above a negative, ties half (Mann-Whitney), in [0, 1].

    Parameters
    ----------
    positive : bool array, (S,)
    score : float array, (S,)

    Returns
    -------
    float
        NaN when one of the two groups is empty.
    """
    positive, score = np.asarray(positive, dtype=bool), np.asarray(score, dtype=float)
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(size)
    mean_rank = last - (size - 1) / 2
    return float((mean_rank[group][positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def auroc_per_view(y_true: Labels, probabilities: Floats) -> Floats:
    """One view against the rest, (K,); NaN for views that do not occur."""
    return np.array([auroc(np.asarray(y_true) == k, probabilities[:, k]) for k in range(probabilities.shape[1])])


def top_k_accuracy(y_true: Labels, probabilities: Floats, k: int = 2) -> float:
    """Share of samples whose true view is among the k most probable; ties count against the model."""
    if len(y_true) == 0:
        return float("nan")
    own = probabilities[np.arange(len(y_true)), y_true]
    above_or_tied = (probabilities >= own[:, None]).sum(axis=1) - 1
    return float(np.mean(above_or_tied < k))


def family_accuracy(y_true: Labels, y_pred: Labels, views: Sequence[str]) -> float:
    """Share of the apical and short-axis samples whose answer is at least of the right family.

    Samples whose true view is of neither family (PLAX, other, ...) are left out.
    """
    families = np.array([family_of(v) for v in views], dtype=object)
    truth = families[np.asarray(y_true)]
    chosen = (truth == Family.APICAL) | (truth == Family.SHORT_AXIS)
    return float(_ratio((truth == families[np.asarray(y_pred)])[chosen].sum(), chosen.sum()))
