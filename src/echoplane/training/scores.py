"""The figures of one validation: by cine, by view, by store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from echoplane.metrics import classification
from echoplane.metrics.calibration import negative_log_likelihood
from echoplane.metrics.predictions import Predictions
from echoplane.records import IntArray


def score(predictions: Predictions, store_of: IntArray, store_names: Sequence[str]) -> dict[str, float]:
    """Return figures by name.

    Parameters
    ----------
    predictions : Predictions
    store_of : int64 array, (V,)
        Number of the store of each cine.
    store_names : sequence of str

    Returns
    -------
    dict of str to float
        ``loss`` (negative log-likelihood of the cines), ``accuracy`` and ``balanced_accuracy`` of the summed
        probabilities, ``clip_accuracy``, ``recall/<view>``, and ``<store>/balanced_accuracy`` where there are several.
        Views without a cine are left out.
    """
    probabilities = predictions.cine_probabilities()
    answers = probabilities.argmax(axis=1)
    truth = predictions.y_true
    matrix = classification.confusion_matrix(truth, answers, len(predictions.views))
    right = predictions.logits.argmax(axis=1) == truth[predictions.cine_of_clip]
    figures = {
        "loss": negative_log_likelihood(truth, probabilities),
        "accuracy": classification.accuracy(matrix),
        "balanced_accuracy": classification.balanced_accuracy(matrix),
        "clip_accuracy": float(right.mean()),
    }
    for view, value in zip(predictions.views, classification.recall(matrix), strict=True):
        if np.isfinite(value):
            figures[f"recall/{view}"] = float(value)
    for number, name in enumerate(store_names):
        inside = store_of == number
        if inside.any() and not inside.all():
            part = classification.confusion_matrix(truth[inside], answers[inside], len(predictions.views))
            figures[f"{name}/balanced_accuracy"] = classification.balanced_accuracy(part)
    return figures
