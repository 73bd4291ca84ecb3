import numpy as np
import pytest
from sklearn.metrics import log_loss

from echoplane.metrics.predictions import Predictions
from echoplane.training.scores import score


def test_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    cines, clips, k = 40, 120, 4
    names = tuple(f"c{i}" for i in range(cines))
    truth = rng.integers(0, 3, cines)  # the last view does not occur
    of = np.concatenate([np.arange(cines), rng.integers(0, cines, clips - cines)])
    logits = rng.normal(size=(clips, k)).astype(np.float32) + 1.5 * np.eye(k)[truth[of]]
    p = Predictions(("A", "B", "C", "D"), names, names, truth, of, logits.astype(np.float32),
                    np.zeros(cines, np.int64), names)  # fmt: skip
    store_of = (np.arange(cines) >= 30).astype(np.int64)
    figures = score(p, store_of, ["phantom", "real"])
    mean = p.cine_probabilities()
    answers = mean.argmax(axis=1)
    assert figures["accuracy"] == pytest.approx((answers == truth).mean())
    assert figures["loss"] == pytest.approx(log_loss(truth, mean, labels=range(k)), rel=1e-6)
    for figure, inside in (("balanced_accuracy", store_of >= 0), ("real/balanced_accuracy", store_of == 1)):
        there = [v for v in range(3) if (truth[inside] == v).any()]
        expected = np.mean([(answers[inside][truth[inside] == v] == v).mean() for v in there])
        assert figures[figure] == pytest.approx(expected)
    assert "recall/D" not in figures
    assert {"phantom/balanced_accuracy", "real/balanced_accuracy"} <= figures.keys()
    assert "phantom/balanced_accuracy" not in score(p, np.zeros(cines, np.int64), ["phantom"])
