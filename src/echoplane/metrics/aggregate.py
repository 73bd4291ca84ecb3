"""From the answers for clips to the answer for a cine: summed probabilities, and votes.

Letters: C clips, K views.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def sum_probabilities(clips_CK: npt.NDArray[np.floating]) -> Floats:
    """Mean of the clips' probabilities (their sum, scaled to add up to 1), (K,)."""
    result: Floats = np.asarray(clips_CK, dtype=float).mean(axis=0)
    return result


def count_votes(clips_CK: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """How many clips choose each view, (K,); a clip that is itself tied votes for the first of its best."""
    return np.bincount(np.asarray(clips_CK).argmax(axis=1), minlength=np.asarray(clips_CK).shape[1])


def majority(votes_K: npt.NDArray[np.integer]) -> tuple[int, ...]:
    """Return the winners of a vote: one view, or all that tie for first, in rising order."""
    votes = np.asarray(votes_K)
    return tuple(int(k) for k in np.flatnonzero(votes == votes.max())) if votes.size and votes.max() > 0 else ()


def majority_with_sum(clips_CK: npt.NDArray[np.floating]) -> int:
    """Return the majority vote as a single view; a tie goes to the tied view with the larger summed probability."""
    total = sum_probabilities(clips_CK)
    return max(majority(count_votes(clips_CK)), key=lambda k: (total[k], -k))
