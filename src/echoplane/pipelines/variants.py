"""Variants: add bf16 and int8 to a bundle, each with its measured accuracy and time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from echoplane.errors import UsageError
from echoplane.inference.engine import load_engine
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import Precision, Variant
from echoplane.models.export import add_variant
from echoplane.models.quantise import BIN_NAME, XML_NAME, quantise, spread
from echoplane.pipelines.answer import answer_store
from echoplane.records import FloatArray
from echoplane.sampling.clips import plan
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow

#: Clips that int8 ranges are fitted on.
CALIBRATION_CLIPS = 300


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """What one precision costs and is worth.

    Attributes
    ----------
    precision : str
    accuracy : float
        Of cines, by summed probabilities.
    agreement : float
        Share of cines with the same answer as f32.
    milliseconds : float
        Median for one clip, one thread.
    """

    precision: str
    accuracy: float
    agreement: float
    milliseconds: float


def add_variants(
    bundle: Bundle,
    calibration: Sequence[StoreReader],
    test: Sequence[StoreReader],
    *,
    keep: Callable[[StoreRow], bool] | None = None,
    on: str = "",
) -> tuple[Bundle, tuple[VariantFigures, ...]]:
    """Return a copy of a bundle with int8, and bf16 where this processor has it; the f32 figures are filled in too.

    Parameters
    ----------
    bundle : Bundle
    calibration : sequence of StoreReader
        Clips that the int8 ranges are fitted on, labelled or not.
    test : sequence of StoreReader
        Labelled cines that all precisions are measured on; not trained on.
    keep : callable, optional
        Rows of `test` to use.
    on : str
        The test data in words.

    Raises
    ------
    UsageError, DataError, BundleError
        As :func:`echoplane.models.quantise.quantise` and :func:`echoplane.pipelines.answer.answer_store`.
    """
    clips = spread(_clips(bundle, calibration), CALIBRATION_CLIPS)
    made = add_variant(bundle, Variant("int8", (XML_NAME, BIN_NAME)), quantise(bundle, clips))
    figures: list[VariantFigures] = []
    first = None
    precisions: tuple[Precision, ...] = ("f32", "bf16", "int8")
    for precision in precisions:
        try:
            engine = load_engine(made, precision=precision)
        except UsageError:
            continue  # this processor has no bf16
        predictions = answer_store(made, engine, test, keep).predictions
        best = predictions.cine_probabilities(made.facts.calibration).argmax(axis=1)
        first = best if first is None else first
        accuracy = float(np.mean(best == predictions.y_true))
        took = _milliseconds(made, precision, clips[:1])
        figures.append(VariantFigures(precision, accuracy, float(np.mean(best == first)), took))
        old = made.facts.variant(precision) or Variant(precision, (made.facts.variants[0].files[0],))
        note = f"{on}; {engine.device}, one thread" if on else f"{engine.device}, one thread"
        made = add_variant(made, replace(old, accuracy=accuracy, milliseconds=round(took, 3), note=note), {})
    order = {precision: i for i, precision in enumerate(precisions)}
    facts = replace(made.facts, variants=tuple(sorted(made.facts.variants, key=lambda v: order[v.precision])))
    return Bundle.create(facts, {name: made.read(name) for name in made.facts.members}), tuple(figures)


def _clips(bundle: Bundle, stores: Sequence[StoreReader]) -> FloatArray:
    found = []
    for store in stores:
        step = max(1, len(store) * len(stores) // CALIBRATION_CLIPS)
        for i in range(0, len(store), step):
            row = store.rows[i]
            indices = plan(row.n_frames, row.fps, bundle.facts.sampling, source=row.cine).indices[:1]
            found.append(bundle.facts.recipe.normalise(store.frames(i, indices.ravel()))[None, None])
    if not found:
        raise UsageError("no stored clips to quantise with.")
    return np.concatenate(found)


def _milliseconds(bundle: Bundle, precision: str, clip: FloatArray, runs: int = 25) -> float:
    engine = load_engine(bundle, precision=precision, threads=1)
    engine.run(clip)
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        engine.run(clip)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)
