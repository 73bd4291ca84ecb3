"""How sure is a figure? Intervals by resampling patients, and paired comparison of two models.

Clips of one patient are alike, so patients are drawn, not clips (cluster bootstrap).

References
----------
Field, Welsh, Bootstrapping clustered data, J R Stat Soc B 2007;69:369-390.
McNemar, Psychometrika 1947;12:153-157 (here the exact binomial form).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echoplane.errors import UsageError

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its percentile interval; NaN bounds where there is none, and why."""

    value: float
    low: float
    high: float
    level: float = 0.95
    why_none: str = ""

    def points(self, sign: str = "") -> str:
        """Return it in hundredths, as tables show it; `sign` is "+" for differences."""
        if math.isnan(self.low):
            return f"{100 * self.value:{sign}.1f}"
        return f"{100 * self.value:{sign}.1f} ({100 * self.low:{sign}.1f} to {100 * self.high:{sign}.1f})"

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.3f} (no interval: {self.why_none})"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def _draws(groups: npt.NDArray[np.str_], repeats: int, seed: int) -> list[Rows]:
    """Rows of each resample: as many patients as there are, drawn with replacement, with all their rows."""
    names, inverse = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(inverse == g) for g in range(len(names))]
    rng = np.random.default_rng(seed)
    return [np.concatenate([members[g] for g in rng.integers(len(names), size=len(names))]) for _ in range(repeats)]


def _percentiles(values: list[float], value: float, level: float) -> Interval:
    finite = np.asarray(values)[np.isfinite(values)]
    if len(finite) == 0:
        return Interval(value, math.nan, math.nan, level, "not defined for resampled patients")
    low, high = np.percentile(finite, [50 * (1 - level), 50 * (1 + level)])
    return Interval(value, float(low), float(high), level)


def bootstrap(
    figure: Callable[[Rows], float],
    groups: Sequence[str] | npt.NDArray[np.str_],
    repeats: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a figure on all rows, with the interval over resampled patients; NaN bounds where there is only one.

    Parameters
    ----------
    figure : callable
        Takes row numbers (repeats allowed) and returns the figure on these rows; NaN resamples are left out.
    groups : sequence of str, (S,)
        The patient of each row.
    repeats, level, seed
        Number of resamples, coverage of the interval, seed.

    Raises
    ------
    UsageError
        Without any row.
    """
    ids = np.asarray(groups)
    if len(ids) == 0:
        raise UsageError("an interval needs samples, and there are none")
    value = figure(np.arange(len(ids)))
    if len(np.unique(ids)) < 2:  # drawn again and again it is the same, which says nothing about others
        return Interval(value, math.nan, math.nan, level, "too few patients")
    return _percentiles([figure(rows) for rows in _draws(ids, repeats, seed)], value, level)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same samples.

    Attributes
    ----------
    difference : Interval
        Accuracy of the first minus accuracy of the second, interval by patients.
    only_first, only_second : int
        Samples that only one of the two reads right.
    p_value : float
        Exact McNemar test, two-sided; treats samples as independent, so believe the interval first where a
        patient has many.
    cines : int
        Samples compared.
    otherwise : int
        Samples whose true view has another name for the one than for the other: right means different things there.
    """

    difference: Interval
    only_first: int
    only_second: int
    p_value: float
    cines: int
    otherwise: int = 0


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided exact McNemar p-value: both discordant counts are equally likely under no difference."""
    n, smaller = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(smaller + 1)) / 2**n) if n else 1.0


def compare(
    first_right: npt.NDArray[np.bool_],
    second_right: npt.NDArray[np.bool_],
    groups: Sequence[str] | npt.NDArray[np.str_],
    repeats: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare two models, sample by sample.

    Parameters
    ----------
    first_right, second_right : bool array, (S,)
        Whether each model read the sample right, same order.
    groups : sequence of str, (S,)
        Patient of each sample.
    repeats, seed : int
        Of the bootstrap; see :func:`bootstrap`.

    Raises
    ------
    UsageError
        When the two arrays differ in length, or are empty.
    """
    a, b = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if a.shape != b.shape:
        raise UsageError(f"{a.size} answers of the first model, but {b.size} of the second")
    gain = a.astype(float) - b.astype(float)
    difference = bootstrap(lambda rows: float(gain[rows].mean()), groups, repeats, seed=seed)
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    return Comparison(difference, only_first, only_second, mcnemar_p(only_first, only_second), a.size)
