"""Answering less to be right more: risk against coverage, thresholds, and scores for "this is none of it".

References
----------
Geifman, El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017 (risk and coverage).
Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020 (energy score).
Hendrycks, Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution Examples, ICLR 2017.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def risk_coverage(confidence: Floats, right: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the error rate among the most confident, for every share answered.

    Samples with equal confidence are answered together, so the curve does not depend on their order.

    Parameters
    ----------
    confidence : float array, (S,)
    right : bool array, (S,)

    Returns
    -------
    coverage, risk : float arrays, (U,)
        One point for each distinct confidence, coverage rising to 1.
    """
    confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=bool)
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~right[order])
    last_of_ties = np.flatnonzero(np.diff(confidence[order], append=-np.inf) != 0)
    answered = last_of_ties + 1
    return answered / max(len(confidence), 1), wrong[last_of_ties] / answered


def area_under_risk_coverage(confidence: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Mean risk over the coverages (AURC), in [0, 1]; small is good."""
    answered, risk = risk_coverage(confidence, right)
    return float(np.sum(risk * np.diff(answered, prepend=0.0)))


def threshold_for_precision(
    confidence: Floats, right: npt.NDArray[np.bool_], wanted: float, least: int = 1
) -> float | None:
    """Return the lowest confidence from which on the answers are right in at least `wanted` of the cases.

    Parameters
    ----------
    confidence : float array, (S,)
    right : bool array, (S,)
    wanted : float
        In (0, 1].
    least : int
        Fewer answers than this show nothing.

    Returns
    -------
    float or None
        None when no threshold reaches it on these samples.
    """
    confidence = np.asarray(confidence, dtype=float)
    coverage, risk = risk_coverage(confidence, right)
    levels = np.unique(confidence)[::-1]
    good = np.flatnonzero((1 - risk >= wanted) & (np.rint(coverage * len(confidence)) >= least))
    return float(levels[good[-1]]) if len(good) else None


def energy(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Energy score ``-T log sum exp(logit / T)``, (...,): higher means less like what the network knows."""
    scaled = np.asarray(logits, dtype=float) / temperature
    top = scaled.max(axis=-1)
    result: Floats = -temperature * (top + np.log(np.exp(scaled - top[..., None]).sum(axis=-1)))
    return result


def max_probability_score(probabilities: Floats) -> Floats:
    """One minus the largest probability, (...,): higher means less known."""
    result: Floats = 1 - np.asarray(probabilities, dtype=float).max(axis=-1)
    return result


class MahalanobisScore:
    """Distance of a feature vector from the nearest class centre, in units of the shared spread.

    Parameters
    ----------
    features : float array, (S, F)
        Penultimate features of training samples.
    y_true : int array, (S,)

    Notes
    -----
    Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS 2018. The covariance is
    shrunk towards its diagonal by 10 % so that it can be inverted with few samples.
    """

    def __init__(self, features: Floats, y_true: npt.NDArray[np.integer]) -> None:
        features, y_true = np.asarray(features, dtype=float), np.asarray(y_true)
        self.centres = np.stack([features[y_true == k].mean(axis=0) for k in np.unique(y_true)])
        residual = features - self.centres[np.searchsorted(np.unique(y_true), y_true)]
        spread = residual.T @ residual / max(len(features) - len(self.centres), 1)
        spread = 0.9 * spread + 0.1 * np.diag(np.diag(spread)) + 1e-9 * np.eye(len(spread))
        self.whiten = np.linalg.cholesky(np.linalg.inv(spread))

    def __call__(self, features: Floats) -> Floats:
        """Return the distances, (S,), for features (S, F)."""
        offset = (np.asarray(features, dtype=float)[:, None, :] - self.centres) @ self.whiten
        result: Floats = np.sqrt((offset**2).sum(axis=-1)).min(axis=1)
        return result
