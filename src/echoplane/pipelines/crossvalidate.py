"""Cross-validate a recipe, and write down what its networks answer on cines they did not see."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echoplane._files import atomic_write, write_csv
from echoplane._optional import need
from echoplane._processes import refuse_unguarded
from echoplane.metrics import classification
from echoplane.metrics.aggregate import majority_with_sum
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.summary import Summary
from echoplane.pipelines.evaluate import Pictures, evaluate, write_evaluation
from echoplane.records import FloatArray

if TYPE_CHECKING:
    from echoplane.training.order_test import OrderEffect
    from echoplane.training.recipe import TrainRecipe

PREDICTIONS = "predictions.npz"
CLIPS = "predictions.csv"
CONFUSION = "confusion.json"
ORDER = "order.json"

Matrix = list[list[int]]


@dataclass(frozen=True)
class CrossValidated:
    """What a cross-validation found.

    Attributes
    ----------
    folder : Path
    predictions : Predictions
        Out of fold, all folds together.
    summary : Summary
        Figures with intervals by patient.
    confusions : dict
        ``{"fold 0": {"clips": matrix, "sums": matrix, "votes": matrix}, ..., "all": {...}}``; rows truth, columns
        answer.
    orders : tuple of OrderEffect
        Empty when not asked for.
    """

    folder: Path
    predictions: Predictions
    summary: Summary
    confusions: dict[str, dict[str, Matrix]]
    orders: tuple[OrderEffect, ...]


def crossvalidate(
    recipe: TrainRecipe,
    folder: str | Path,
    folds: int = 10,
    *,
    jobs: int = 1,
    orders: bool = False,
    accelerator: str = "auto",
    report: Callable[[Any], None] | None = None,
) -> CrossValidated:
    """Train a network for each fold; pool, count and write their answers.

    Parameters
    ----------
    recipe : TrainRecipe
    folder : str or Path
        Called again on the same folder, it goes on where it stopped. Gets, besides a run folder for each fold:
        ``predictions.npz`` for `echoplane evaluate` and `calibrate`, ``predictions.csv`` (a row a clip),
        ``confusion.json``, ``report.html``, ``misread.csv``, and ``order.json`` with `orders`.
    folds : int
        At least 2.
    jobs : int
        Folds trained at the same time. More than one, as loading processes do (``fit.workers``), needs the calling
        script's ``if __name__ == "__main__"``.
    orders : bool
        Answer the held-out clips with shuffled, reversed and frozen frames too.
    accelerator : {"auto", "cpu", "cuda"}
    report : callable, optional
        Gets the events of :mod:`echoplane.training.events`.

    Raises
    ------
    EchoplaneError
        See :func:`echoplane.training.crossval.crossvalidate`.
    MissingExtraError
        When torch or lightning is not installed.
    """
    refuse_unguarded()
    from echoplane.training.allocator import keep_freed_memory

    keep_freed_memory()  # before torch takes its first memory
    for module in ("torch", "lightning"):
        need(module, "train", "cross-validate")
    from echoplane.training import crossval
    from echoplane.training.order_test import order_effects

    folder = Path(folder)
    pooled = crossval.crossvalidate(
        recipe, folder, folds, jobs=jobs, orders=orders, accelerator=accelerator, report=report
    )
    answers = pooled.answers
    confusions = count_folds(answers)
    effects = tuple(order_effects(pooled.orders)) if orders else ()
    answers.save(folder / PREDICTIONS)
    write_clips(answers, folder / CLIPS)
    _write_json(folder / CONFUSION, {"views": answers.views, **confusions})
    if orders:
        _write_json(folder / ORDER, [order_facts(effect) for effect in effects])
    found = evaluate(answers, recipe.name)
    write_evaluation(found, answers, folder, pictures_of([use.path for use in recipe.data.stores]))
    return CrossValidated(folder, answers, found.summary, confusions, effects)


def count_folds(predictions: Predictions) -> dict[str, dict[str, Matrix]]:
    """Count right and wrong answers, fold by fold and altogether, the three ways of the thesis.

    Returns
    -------
    dict
        As in :class:`CrossValidated`.
    """
    counts = {}
    for fold in sorted(set(predictions.folds.tolist())):
        counts[f"fold {fold}"] = _confusions(predictions, predictions.folds == fold)
    counts["all"] = _confusions(predictions, np.ones(len(predictions.cines), bool))
    return counts


def write_clips(predictions: Predictions, path: Path) -> None:
    """Write a CSV with a row a clip: cine, group, fold, number of the clip, true view, answer, probabilities."""
    numbers: dict[int, int] = {}

    def cells(row: int, line: FloatArray) -> list[Any]:
        numbers[row] = numbers.get(row, -1) + 1
        return [predictions.cines[row], predictions.groups[row], int(predictions.folds[row]), numbers[row],
                predictions.views[predictions.y_true[row]], predictions.views[int(line.argmax())],
                *(f"{p:.6f}" for p in line)]  # fmt: skip

    header = ["cine", "group", "fold", "clip", "true_view", "answer", *predictions.views]
    clips = zip(predictions.cine_of_clip.tolist(), predictions.clip_probabilities(), strict=True)
    write_csv(path, itertools.chain([header], itertools.starmap(cells, clips)))


def pictures_of(stores: Sequence[str]) -> Pictures:
    """Return a function that gives the frames of a cine by its key, from whichever store has it."""
    from echoplane.store import open_stores

    readers = open_stores(stores)
    places = {row.cine: (reader, i) for reader in readers for i, row in enumerate(reader.rows)}

    def frames(cine: str, answer: str, truth: str) -> Any:
        if cine not in places:
            return None
        reader, i = places[cine]
        return reader.frames(i)

    return frames


def order_facts(effect: OrderEffect) -> dict[str, Any]:
    """Return an effect as plain data for a JSON file."""
    facts: dict[str, Any] = {"order": effect.order, "accuracy": effect.accuracy, "recall": effect.recall}
    if effect.against:
        lost = effect.against.difference
        facts["lost"] = {
            "value": lost.value,
            "low": None if math.isnan(lost.low) else lost.low,
            "high": None if math.isnan(lost.high) else lost.high,
            "level": lost.level,
        }
        facts["p_value"] = effect.against.p_value
    return facts


def _confusions(predictions: Predictions, cines: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Matrix]:
    k, truth = len(predictions.views), predictions.y_true
    clips = predictions.clip_probabilities()
    of = predictions.cine_of_clip
    votes = np.array([majority_with_sum(clips[of == row]) for row in range(len(truth))])
    inside = cines[of]
    found = {
        "clips": classification.confusion_matrix(truth[of][inside], clips.argmax(axis=1)[inside], k),
        "sums": classification.confusion_matrix(
            truth[cines], predictions.cine_probabilities().argmax(axis=1)[cines], k
        ),
        "votes": classification.confusion_matrix(truth[cines], votes[cines], k),
    }
    return {name: matrix.tolist() for name, matrix in found.items()}


def _write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    with atomic_write(path) as stream:
        json.dump(content, stream, indent=1)
        stream.write("\n")
