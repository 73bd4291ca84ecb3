"""Does "90 % sure" mean right nine times in ten? Measures, and the scalings that mend it.

Letters: S samples, K views. Probabilities are float arrays (S, K) whose rows add up to 1.

References
----------
Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (temperature and vector scaling, ECE, MCE).
Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops 2019 (equal-mass bins).
Brier, Monthly Weather Review 1950;78:1-3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echoplane._optional import need
from echoplane.errors import UsageError

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]


#: Of a scale and of a shift: what is fitted stays far below, and what is far above makes infinities of logits.
LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability diagram: samples whose confidence lies in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float  # mean confidence in the bin
    accuracy: float  # share of right answers in the bin


def softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """Turn logits into probabilities along the last axis, float64, without overflow."""
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    result: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def reliability(
    confidence: Floats, right: npt.NDArray[np.bool_], bins: int = 15, mass: str = "width"
) -> list[ReliabilityBin]:
    """Bin samples by confidence.

    Parameters
    ----------
    confidence : float array, (S,)
        Probability of the answer given, in [0, 1].
    right : bool array, (S,)
    bins : int
        At most this many; empty bins are left out.
    mass : {"width", "mass"}
        Bins of equal width, or of equal count as far as equal confidences let them: these stay in one bin, for else
        the bins would depend on the order of the samples.

    Raises
    ------
    UsageError
        For another word in `mass`, or confidences outside [0, 1].
    """
    confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=bool)
    if confidence.size and not (confidence.min() >= 0 and confidence.max() <= 1 + 1e-9):
        raise UsageError(f"confidences reach from {confidence.min()} to {confidence.max()}, expected 0 to 1")
    if mass == "width":
        edges = np.linspace(0, 1, bins + 1)
        chosen = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    elif mass == "mass":
        in_order = np.sort(confidence)
        first, behind = (np.searchsorted(in_order, confidence, side=side) for side in ("left", "right"))
        # Equal ones go where the middle one of them belongs.
        chosen = np.repeat(np.arange(bins), _equal_parts(confidence.size, bins))[(first + behind - 1) // 2]
        edges = np.array([])
    else:
        raise UsageError(f"mass is {mass!r}, expected 'width' or 'mass'")
    result = []
    for number in range(bins):
        inside = chosen == number
        if inside.any():
            low, high = (edges[number], edges[number + 1]) if mass == "width" else (
                confidence[inside].min(), confidence[inside].max())  # fmt: skip
            result.append(ReliabilityBin(float(low), float(high), int(inside.sum()),
                                         float(confidence[inside].mean()), float(right[inside].mean())))  # fmt: skip
    return result


def _equal_parts(count: int, parts: int) -> npt.NDArray[np.int64]:
    """Return the sizes of parts of a whole that differ by one at most, the larger ones first."""
    return np.full(parts, count // parts) + (np.arange(parts) < count % parts)


def _answers(y_true: Labels, probabilities: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    best = probabilities.argmax(axis=1)
    return probabilities[np.arange(len(best)), best], best == np.asarray(y_true)


def expected_calibration_error(y_true: Labels, probabilities: Floats, bins: int = 15, mass: str = "width") -> float:
    """Mean gap between confidence and accuracy, weighted by the samples in each bin, in [0, 1].

    ``sum_b (n_b / S) * |accuracy_b - confidence_b|``
    """
    found = reliability(*_answers(y_true, probabilities), bins, mass)
    total = sum(b.count for b in found)
    return sum(b.count * abs(b.accuracy - b.confidence) for b in found) / total if total else float("nan")


def maximum_calibration_error(y_true: Labels, probabilities: Floats, bins: int = 15) -> float:
    """Largest gap between confidence and accuracy in any bin of equal width, in [0, 1]."""
    return max(
        (abs(b.accuracy - b.confidence) for b in reliability(*_answers(y_true, probabilities), bins)),
        default=float("nan"),
    )


def brier_score(y_true: Labels, probabilities: Floats) -> float:
    """Mean squared distance of the probabilities from the truth, summed over views, in [0, 2]."""
    target = np.zeros_like(probabilities)
    target[np.arange(len(y_true)), y_true] = 1
    return float(np.mean(np.sum((probabilities - target) ** 2, axis=1)))


def negative_log_likelihood(y_true: Labels, probabilities: Floats) -> float:
    """Mean of ``-log p(true view)``, natural logarithm, >= 0; probabilities are held above 1e-12."""
    return float(-np.mean(np.log(np.maximum(probabilities[np.arange(len(y_true)), y_true], 1e-12))))


@dataclass(frozen=True, slots=True)
class Scaling:
    """Calibrated logits are ``logits * scale + shift``; temperature T is the scale ``1 / T`` for all views.

    Attributes
    ----------
    scale : tuple of float
        One value (temperature) or K values (vector scaling), each > 0.
    shift : tuple of float
        One value or K values. None of all these may be beyond :data:`LARGEST`.
    """

    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        sound = self.scale and min(self.scale) > 0 and np.isfinite([*self.scale, *self.shift]).all()
        if not sound or np.abs([*self.scale, *self.shift]).max() > LARGEST:
            raise UsageError(
                f"scale {self.scale}, shift {self.shift}: expected finite values, scale above 0, "
                f"none beyond {LARGEST:g}"
            )

    @property
    def temperature(self) -> float | None:
        """The temperature, or None for vector scaling."""
        return 1 / self.scale[0] if len(self.scale) == 1 and self.shift == (0.0,) else None

    def apply(self, logits: npt.NDArray[np.floating]) -> Floats:
        """Return calibrated probabilities for logits (..., K)."""
        return softmax(np.asarray(logits, dtype=np.float64) * np.asarray(self.scale) + np.asarray(self.shift))


def mean_by_cine(probabilities: Floats, cine_of_clip: npt.NDArray[np.integer]) -> Floats:
    """Average the clips of each cine.

    Parameters
    ----------
    probabilities : float array, (C, K)
        One row a clip.
    cine_of_clip : int array, (C,)
        Row number of the cine each clip belongs to, 0..V-1, every cine at least once.

    Returns
    -------
    float array, (V, K)
    """
    rows = np.asarray(cine_of_clip)
    total = np.zeros((int(rows.max()) + 1, probabilities.shape[1]))
    np.add.at(total, rows, probabilities)
    result: Floats = total / np.bincount(rows)[:, None]
    return result


def fit_temperature(
    y_true: Labels, logits: npt.NDArray[np.floating], cine_of_clip: npt.NDArray[np.integer] | None = None
) -> Scaling:
    """Find the one temperature in [0.02, 50] that makes the true views most likely.

    Parameters
    ----------
    y_true : int array, (S,)
        Of each row of `logits`, or of each cine when `cine_of_clip` is given.
    logits : float array, (S, K)
        Of samples the network was not fitted on.
    cine_of_clip : int array, (S,), optional
        When given, what is calibrated is the mean of the clips' probabilities of a cine, as `predict` reports it:
        averaging makes answers less sure, so a temperature fitted on single clips would be wrong for cines.

    Returns
    -------
    Scaling
        1 where the samples say nothing of it: when every row has its largest logit at its true view, the likelihood
        rises without end, and whatever comes next would be called certain; when all logits are equal, it is flat.
    """
    optimize = need("scipy.optimize", "train", "fit a calibration")
    truth = np.asarray(y_true) if cine_of_clip is None else np.asarray(y_true)[cine_of_clip]
    if (np.asarray(logits).argmax(axis=1) == truth).all():
        return Scaling()

    def loss(log_scale: float) -> float:
        p = softmax(np.asarray(logits, dtype=float) * np.exp(log_scale))
        return negative_log_likelihood(y_true, p if cine_of_clip is None else mean_by_cine(p, cine_of_clip))

    # The mean of some clips can fit well at several temperatures: search around the best of a few.
    grid = np.linspace(-np.log(50), np.log(50), 25)
    place = int(np.argmin([loss(x) for x in grid]))
    around = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    best = optimize.minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-6})
    return Scaling((float(np.exp(best.x)),)) if best.fun < loss(0.0) - 1e-9 else Scaling()


def fit_vector(y_true: Labels, logits: npt.NDArray[np.floating], strength: float = 1e-3) -> Scaling:
    """Find a scale and a shift for each view (vector scaling), held near the temperature by a small penalty.

    Parameters
    ----------
    y_true : int array, (S,)
    logits : float array, (S, K)
    strength : float
        Weight of the squared distance from the best temperature; keeps views with few samples in place.
    """
    optimize = need("scipy.optimize", "train", "fit a calibration")
    scores, target = np.asarray(logits, dtype=float), np.asarray(y_true)
    n, k = scores.shape
    start = np.log(fit_temperature(y_true, logits).scale[0])
    rows = np.arange(n)

    def loss(x: Floats) -> tuple[float, Floats]:
        scale = np.exp(x[:k])
        p = softmax(scores * scale + x[k:])
        value = negative_log_likelihood(target, p) + strength * (np.sum((x[:k] - start) ** 2) + np.sum(x[k:] ** 2))
        slope = p.copy()
        slope[rows, target] -= 1
        gradient = np.concatenate([(slope * scores).mean(axis=0) * scale, slope.mean(axis=0)])
        return value, gradient + 2 * strength * np.concatenate([x[:k] - start, x[k:]])

    best = optimize.minimize(loss, np.concatenate([np.full(k, start), np.zeros(k)]), jac=True, method="L-BFGS-B",
                             bounds=[(-4.0, 4.0)] * k + [(-20.0, 20.0)] * k)  # fmt: skip
    return Scaling(tuple(float(v) for v in np.exp(best.x[:k])), tuple(float(v) for v in best.x[k:]))
