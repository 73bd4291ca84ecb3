"""How much does a network use time? The same clips with their frames shuffled, reversed, frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from echoplane.metrics import classification
from echoplane.metrics.intervals import Comparison, compare
from echoplane.metrics.predictions import Predictions
from echoplane.models.modes import EvaluationMode
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.training.answers import answer_clips, as_predictions
from echoplane.training.cines import LabelledClips


def _shuffled(clips: Tensor) -> Tensor:
    # One permutation for all clips of a length, far from the recorded order: no two neighbours stay neighbours.
    n = clips.shape[2]
    rng = np.random.default_rng(0)
    order = max((rng.permutation(n) for _ in range(100)), key=lambda o: np.abs(np.diff(o)).clip(max=3).sum())
    return clips[:, :, torch.from_numpy(order)]


def _frozen(clips: Tensor) -> Tensor:
    middle = clips.shape[2] // 2
    return clips[:, :, middle : middle + 1].expand_as(clips).contiguous()


#: What is done to raw clips, uint8 (B, 1, N, H, W), before they are answered.
ORDERS: Mapping[str, Callable[[Tensor], Tensor] | None] = {
    "recorded": None,
    "shuffled": _shuffled,
    "reversed": lambda clips: clips.flip(2),
    "frozen": _frozen,
}


def order_test(
    network: nn.Module,
    part: LabelledClips,
    prepare: PrepareRecipe,
    views: tuple[str, ...],
    *,
    batch: int = 32,
    device: torch.device | str = "cpu",
) -> dict[str, Predictions]:
    """Answer the same clips in every order of :data:`ORDERS`.

    Parameters
    ----------
    network : nn.Module
    part : LabelledClips
        Cines the network was not trained on.
    prepare : PrepareRecipe
    views : tuple of str
    batch : int
    device : torch.device or str

    Returns
    -------
    dict of str to Predictions
        ``recorded``: as they are. ``shuffled``: one fixed permutation. ``reversed``: played backwards. ``frozen``:
        the middle frame throughout, so that nothing moves.
    """
    answers = {}
    with EvaluationMode(network):
        for order, change in ORDERS.items():
            items, logits = answer_clips(network, part, prepare, batch=batch, device=device, change=change)
            answers[order] = as_predictions(items, logits, part, views)
    return answers


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """What one order of the frames costs.

    Attributes
    ----------
    order : str
    accuracy : float
        Of the summed probabilities, by cine.
    against : Comparison or None
        Accuracy by cine of the recorded order minus that of this one, with an interval by patient; None for the
        recorded order itself.
    recall : dict of str to float
        By view; views without a cine are left out.
    """

    order: str
    accuracy: float
    against: Comparison | None
    recall: dict[str, float]


def order_effects(answers: Mapping[str, Predictions], repeats: int = 1000) -> list[OrderEffect]:
    """Compare every order with the recorded one, by view and altogether."""
    recorded = answers["recorded"]
    right = _right(recorded)
    effects = []
    for order, predictions in answers.items():
        matrix = classification.confusion_matrix(
            predictions.y_true, predictions.cine_probabilities().argmax(axis=1), len(predictions.views)
        )
        recalls = zip(predictions.views, classification.recall(matrix), strict=True)
        against = None
        if order != "recorded":
            against = compare(right, _right(predictions), np.array(predictions.groups), repeats)
        effects.append(
            OrderEffect(
                order, classification.accuracy(matrix), against, {v: float(r) for v, r in recalls if np.isfinite(r)}
            )
        )
    return effects


def _right(predictions: Predictions) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        predictions.cine_probabilities().argmax(axis=1) == predictions.y_true
    )
    return found
