"""Which clips an epoch is made of, where some are to come more often than others; the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from echoplane.errors import DataError
from echoplane.records import FloatArray, IntArray

#: An item is drawn at most so often in one epoch; every repeat is augmented anew.
MOST_REPEATS = 1000


def chances(
    targets_IK: FloatArray, store_of: IntArray, shares: Sequence[float | None], balance: float
) -> npt.NDArray[np.float64]:
    """Return how likely each clip is in an epoch.

    Parameters
    ----------
    targets_IK : float32 array, (I, K)
        Target of each item; views are balanced by their part in it.
    store_of : int64 array, (I,)
        Number of the store of each item.
    shares : sequence of float or None
        Wanted share of the epoch for each store; stores with None divide the rest by their size.
    balance : float
        0 as they occur, 1 every view equally often within its store.

    Returns
    -------
    float64 array, (I,)
        Sums to 1.
    """
    mass = _store_mass(store_of, shares)
    parts = targets_IK / np.maximum(targets_IK.sum(axis=1, keepdims=True), 1e-9)
    result = np.zeros(len(targets_IK))
    for store in np.unique(store_of):
        inside = store_of == store
        frequency = parts[inside].sum(axis=0, dtype=np.float64)
        factor = np.where(frequency > 0, np.maximum(frequency, 1e-9) ** -balance, 0.0)
        weight = parts[inside] @ factor
        result[inside] = mass[store] * weight / weight.sum()
    total: float = result.sum()
    return result / total


def draw_epoch(chance_I: npt.NDArray[np.float64], size: int, seed: int, epoch: int) -> IntArray:
    """Draw the items of one epoch.

    Systematic sampling: an item with the expected count n comes floor(n) or ceil(n) times. With equal chances and
    `size` equal to the number of items this is a permutation.

    Returns
    -------
    int64 array, (size,)
        ``item + len(chance_I) * repeat``, repeat counting from 0.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, 90210])))
    # Items are visited in a random order, so that the fractional parts fall on other items each time.
    visit = rng.permutation(len(chance_I))
    edges = np.cumsum(chance_I[visit]) * size
    edges = edges * (size / edges[-1])
    marks = np.arange(size) + rng.random()
    # Equal chances put edges on whole numbers; rounding errors must not give an item twice.
    counts = np.bincount(np.searchsorted(np.round(edges, 6), marks, side="right").clip(max=len(visit) - 1))
    counts = np.pad(counts, (0, len(visit) - len(counts))).clip(max=MOST_REPEATS)
    repeats = np.concatenate([np.arange(count) for count in counts]) if size else np.zeros(0, np.int64)
    drawn = np.repeat(visit, counts) + len(chance_I) * repeats
    return rng.permutation(drawn).astype(np.int64)


def check_repeats(chance_I: npt.NDArray[np.float64], size: int, remedy: str) -> None:
    """Refuse an epoch in which a clip would come more than :data:`MOST_REPEATS` times.

    Parameters
    ----------
    chance_I : float64 array, (I,)
    size : int
        Clips of an epoch.
    remedy : str
        What to do about it, for the message.

    Raises
    ------
    DataError
    """
    most = float(chance_I.max()) * size
    if most > MOST_REPEATS:
        raise DataError(
            f"one clip would come {most:.0f} times in an epoch of {size}, and {MOST_REPEATS} are the most: its view or "
            f"its store is too rare for that. {remedy}"
        )


def _store_mass(store_of: IntArray, shares: Sequence[float | None]) -> npt.NDArray[np.float64]:
    sizes = np.bincount(store_of, minlength=len(shares)).astype(np.float64)
    given = np.array([np.nan if share is None else share for share in shares])
    free = np.isnan(given) & (sizes > 0)
    mass = np.where(np.isnan(given) | (sizes == 0), 0.0, given)
    if free.any():
        mass[free] = max(1.0 - mass.sum(), 0.0) * sizes[free] / sizes[free].sum()
    return mass
