"""Variants: add bf16 and int8 to a bundle, each with its measured accuracy and time."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from echoplane.errors import TooShortError, UsageError
from echoplane.inference.engine import Engine, load_engine
from echoplane.inference.seeing import CLIPS_AT_ONCE
from echoplane.metrics.intervals import Interval, bootstrap, compare
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import Precision, Variant
from echoplane.models.card import with_card
from echoplane.models.export import add_variant
from echoplane.models.quantise import BIN_NAME, XML_NAME, quantise, spread
from echoplane.pipelines.answer import answer_store, check_recipe
from echoplane.records import FloatArray
from echoplane.sampling.clips import plan
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow

#: Clips that int8 ranges are fitted on.
CALIBRATION_CLIPS = 300

#: Share of cines that a precision may read worse than f32 and still be the one that is run.
MAY_LOSE = 0.003

_PRECISIONS: tuple[Precision, ...] = ("f32", "bf16", "int8")

#: Processor time is what one thread takes on an idle machine, however busy this one is; on Windows it is too coarse.
_clock = time.perf_counter if sys.platform == "win32" else time.process_time

#: Called with (what is done, done, total) after every cine.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """What one precision costs and is worth.

    Attributes
    ----------
    precision : str
    accuracy : Interval
        Of cines, by summed probabilities; interval by patient.
    difference : Interval
        Accuracy less that of f32 on the same cines; interval by patient.
    agreement : float
        Share of cines with the same answer as f32.
    milliseconds : float
        Median for one clip, one thread; the precisions take turns, so that all meet the same machine.
    together : float
        The same of a clip among as many as `predict` hands over at once.
    """

    precision: Precision
    accuracy: Interval
    difference: Interval
    agreement: float
    milliseconds: float
    together: float


def add_variants(
    bundle: Bundle,
    calibration: Sequence[StoreReader],
    test: Sequence[StoreReader],
    *,
    keep: Callable[[StoreRow], bool] | None = None,
    on: str = "",
    progress: Progress | None = None,
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
        Rows of `test` to use, all without it; none of them is used to fit ranges, where `calibration` holds the same
        frames or a row that `keep` would pick.
    on : str
        The test data in words.
    progress : callable, optional

    Raises
    ------
    UsageError, DataError, BundleError
        No clips to fit ranges on beside those tested on; and as :func:`echoplane.models.quantise.quantise` and
        :func:`echoplane.pipelines.answer.answer_store`.
    """
    clips = spread(_clips(bundle, calibration, _tested(test, keep)), CALIBRATION_CLIPS)
    made = add_variant(bundle, Variant("int8", (XML_NAME, BIN_NAME)), quantise(bundle, clips))
    usable = [precision for precision in _PRECISIONS if _has(made, precision)]
    took, together = _milliseconds(made, usable, clips[:1]), _milliseconds(made, usable, clips[:CLIPS_AT_ONCE])
    figures: list[VariantFigures] = []
    first: npt.NDArray[np.int64] | None = None
    for precision in usable:

        def step(done: int, total: int, what: str = precision) -> None:
            if progress:
                progress(what, done, total)

        predictions = answer_store(made, load_engine(made, precision=precision), test, keep, step).predictions
        best = predictions.cine_probabilities(made.facts.calibration).argmax(axis=1)
        first = best if first is None else first
        right, before = best == predictions.y_true, first == predictions.y_true
        accuracy = bootstrap(lambda rows, right=right: float(right[rows].mean()), predictions.groups)  # type: ignore[misc]
        difference = compare(right, before, predictions.groups).difference
        same = float(np.mean(best == first))
        figures.append(VariantFigures(precision, accuracy, difference, same, took[precision], together[precision]))
    return with_card(_noted(made, figures, on)), tuple(figures)


def prefer(bundle: Bundle, figures: Sequence[VariantFigures], precision: str, may_lose: float = MAY_LOSE) -> Bundle:
    """Return a copy of a bundle that runs a precision unless something else is asked for.

    Raises
    ------
    UsageError
        When it was not measured, or reads more than `may_lose` fewer cines right than f32.
    """
    found = next((f for f in figures if f.precision == precision), None)
    if found is None:
        measured = ", ".join(f.precision for f in figures)
        raise UsageError(f"precision {precision!r} cannot be the one that is run: only {measured} were measured here.")
    if found.difference.value < -may_lose:
        raise UsageError(
            f"{precision} reads {-100 * found.difference.value:.1f} points fewer cines right than f32, and at most "
            f"{100 * may_lose:.1f} may be lost. Quantise with more or other clips, allow more, or run f32."
        )
    members = {name: bundle.read(name) for name in bundle.facts.members}
    return with_card(Bundle.create(replace(bundle.facts, precision=found.precision), members))


def _has(bundle: Bundle, precision: Precision) -> bool:
    try:
        load_engine(bundle, precision=precision, threads=1)
    except UsageError:
        return False  # this processor has no bf16
    return True


def _noted(bundle: Bundle, figures: Sequence[VariantFigures], on: str) -> Bundle:
    """Write the figures into the bundle's facts."""
    device = load_engine(bundle, precision="f32", threads=1).device
    note = f"{on}; {device}, one thread" if on else f"{device}, one thread"
    found = []
    for f in figures:
        old = bundle.facts.variant(f.precision) or Variant(f.precision, bundle.facts.variants[0].files[:1])
        found.append(replace(old, accuracy=f.accuracy.value, milliseconds=round(f.milliseconds, 3), note=note))
    facts = replace(bundle.facts, variants=tuple(found))
    return Bundle.create(facts, {name: bundle.read(name) for name in bundle.facts.members})


def _tested(stores: Sequence[StoreReader], keep: Callable[[StoreRow], bool] | None) -> Callable[[StoreRow], bool]:
    """Return what tells whether a row is tested on: by its frames, for two stores may call a cine differently."""
    frames = {row.sha256 or row.cine for store in stores for row in store.rows if keep is None or keep(row)}

    def tested(row: StoreRow) -> bool:
        return (row.sha256 or row.cine) in frames or (keep is not None and keep(row))

    return tested


def _clips(bundle: Bundle, stores: Sequence[StoreReader], tested: Callable[[StoreRow], bool]) -> FloatArray:
    """Return one clip each of cines spread over the stores, none of which is tested on, (C, 1, N, H, W)."""
    found = []
    for store in stores:
        check_recipe(bundle, store)
        rows = []
        for i, row in enumerate(store.rows):
            with contextlib.suppress(TooShortError):
                if not tested(row):
                    rows.append((i, plan(row.n_frames, row.fps, bundle.facts.sampling, source=row.cine).indices[:1]))
        step = max(1, len(rows) * len(stores) // CALIBRATION_CLIPS)
        for i, indices in rows[::step]:
            found.append(bundle.facts.recipe.normalise(store.frames(i, indices.ravel()))[None, None])
    if not found:
        raise UsageError(
            "no stored clips to quantise with: the stores are empty, or all of their cines are tested on. Give other "
            "clips, or test on a part of them (--split)."
        )
    return np.concatenate(found)


def _milliseconds(
    bundle: Bundle, precisions: Sequence[Precision], clips: FloatArray, runs: int = 25
) -> dict[Precision, float]:
    """Return the median time of a clip, when these clips are run in one call."""
    engines: dict[Precision, Engine] = {p: load_engine(bundle, precision=p, threads=1) for p in precisions}
    taken: dict[Precision, list[float]] = {p: [] for p in precisions}
    for turn in range(runs + 2):
        for precision, engine in engines.items():
            started = _clock()
            engine.run(clips)
            if turn >= 2:  # the first runs allocate
                taken[precision].append(_clock() - started)
    return {p: 1000 * statistics.median(times) / len(clips) for p, times in taken.items()}
