"""Sets of views that hold the true one as often as the user asks.

Split conformal prediction with the score ``1 - p(view)`` (least ambiguous sets, LAC). On samples exchangeable with the
calibration samples, the set at level ``1 - a`` holds the true view with probability at least ``1 - a``; with
thresholds for each class, so for each view.

References
----------
Sadinle, Lei, Wasserman, Least Ambiguous Set-Valued Classifiers, J Am Stat Assoc 2019;114:223-234.
Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005 (class-conditional: Mondrian).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echoplane.errors import UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConformalSets:
    """Thresholds for one level.

    Attributes
    ----------
    level : float
        Wanted coverage, in (0, 1).
    thresholds : tuple of float
        A view k is in the set when ``1 - p_k <= threshold``; one value for all views, or K values.
    samples : int
        How many calibration samples stand behind it.
    """

    level: float
    thresholds: tuple[float, ...]
    samples: int

    def contains(self, probabilities: Floats) -> npt.NDArray[np.bool_]:
        """Return which views are in the set, (..., K), for probabilities (..., K)."""
        # A hair of tolerance, so that a threshold taken from a sample admits that sample after a JSON round trip.
        return np.asarray(1 - np.asarray(probabilities) <= np.asarray(self.thresholds) + 1e-12)


def _quantile(scores: Floats, level: float) -> float:
    """Return the ceil((n + 1) level)-th smallest score, or infinity when n is too small to promise that level."""
    rank = int(np.ceil((len(scores) + 1) * level - 1e-9))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else float("inf")


def fit_conformal(
    y_true: npt.NDArray[np.integer], probabilities: Floats, level: float, per_view: bool = False
) -> ConformalSets:
    """Find the thresholds for a level.

    Parameters
    ----------
    y_true : int array, (S,)
    probabilities : float array, (S, K)
        Of samples the network and its calibration did not see, one a patient where patients are what is exchangeable.
    level : float
        Wanted coverage, in (0, 1).
    per_view : bool
        Promise the coverage for each view by itself. A view with fewer than ``level / (1 - level)`` samples (9 for
        0.9, 99 for 0.99) is then in every set (threshold 1), since nothing less can be promised.

    Raises
    ------
    UsageError
        For a level outside (0, 1), or no samples.
    """
    if not 0 < level < 1:
        raise UsageError(f"coverage level is {level}, expected between 0 and 1, for example 0.95")
    y_true = np.asarray(y_true)
    if len(y_true) == 0:
        raise UsageError("conformal thresholds need calibration samples, and there are none")
    score = 1 - probabilities[np.arange(len(y_true)), y_true]
    if per_view:
        found = [_quantile(score[y_true == k], level) for k in range(probabilities.shape[1])]
    else:
        found = [_quantile(score, level)]
    return ConformalSets(level, tuple(min(t, 1.0) for t in found), len(y_true))


def coverage(sets: ConformalSets, y_true: npt.NDArray[np.integer], probabilities: Floats) -> tuple[float, float]:
    """Return the share of sets that hold the true view, and the mean number of views in a set."""
    inside = sets.contains(probabilities)
    return float(inside[np.arange(len(y_true)), y_true].mean()), float(inside.sum(axis=1).mean())
