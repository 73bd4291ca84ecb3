"""Answer: run a bundle over stored, labelled cines and keep the logits of every clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from echoplane import config
from echoplane.data.groups import group_of
from echoplane.data.split import PARTS, VALIDATION, Split
from echoplane.errors import DataError, TooShortError, UsageError
from echoplane.inference.engine import Engine
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.prepare.recipe import LEGACY, PrepareRecipe
from echoplane.records import FloatArray
from echoplane.sampling.clips import plan, without_empty
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow
from echoplane.training.targets import views_shown

#: Called with (done, total) after every cine.
Progress = Callable[[int, int], None]

#: Clips of several cines go through the network together, at most so many at once.
_BATCH = 32
#: So many cines that are missing are named.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Answers:
    """Predictions, and what could not be among them.

    Attributes
    ----------
    predictions : Predictions
    left_out : dict of str to int
        Reason in words, and how many cines it left out; those of a store that are gone, picked or not, are counted too,
        and those of a split file's part that no store holds.
    """

    predictions: Predictions
    left_out: dict[str, int]


def answer_store(
    bundle: Bundle,
    engine: Engine,
    stores: Sequence[StoreReader],
    keep: Callable[[StoreRow], bool] | None = None,
    progress: Progress | None = None,
    *,
    mirrored: bool = False,
) -> Answers:
    """Run a network over the labelled cines of one or more stores.

    Parameters
    ----------
    bundle : Bundle
        Gives the vocabulary, the sampling rule and the normalisation.
    engine : Engine
        Made from `bundle`.
    stores : sequence of StoreReader
        Prepared with the bundle's own recipe (its name and normalisation may differ); no key is in two of them, which
        :func:`echoplane.store.reader.open_stores` sees to.
    keep : callable, optional
        Which rows to answer, for example those of one fold.
    progress : callable, optional
    mirrored : bool
        With left and right of every frame exchanged; cines that are known to be mirrored as they are (``extra`` of
        their row) are left out.

    Returns
    -------
    Answers
        Cines are named by their key, as training names them, so that the answers of both can be compared.

    Raises
    ------
    UsageError
        When a store was prepared by another recipe than the bundle's.
    DataError
        When no cine is left.
    """
    for store in stores:
        check_recipe(bundle, store)
    chosen, left_out = _choose(stores, keep, mirrored)
    # As training counts labels, so that the figures of a run and those of `evaluate` are about the same truth.
    shown = views_shown([stores[n].rows[i] for n, i in chosen], bundle.facts.vocabulary, bundle.facts.labels)
    rows: list[StoreRow] = []
    truths: list[int] = []
    waiting: list[FloatArray] = []
    logits: list[FloatArray] = []
    clips_of: list[int] = []

    def run() -> None:
        if waiting:
            logits.append(engine.run(np.concatenate(waiting)))
            waiting.clear()

    for done, ((n, i), (truth, why_not)) in enumerate(zip(chosen, shown, strict=True), 1):
        if why_not:
            left_out[why_not] += 1
        elif (clips := _clips(bundle, stores[n], i, left_out)) is not None:
            rows.append(stores[n].rows[i])
            truths.append(truth)
            clips_of.append(len(clips))
            waiting.append(clips[..., ::-1] if mirrored else clips)
            if sum(map(len, waiting)) >= _BATCH:
                run()
        if progress:
            progress(done, len(chosen))
    run()
    if not rows:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        why = why or "the stores are empty, or no cine in them belongs to the split or fold that was asked for"
        raise DataError(f"none of {len(chosen)} cines can be answered: {why}.")
    return Answers(_collect(bundle, rows, truths, clips_of, np.concatenate(logits)), dict(left_out))


@dataclass(frozen=True, slots=True)
class SplitPart:
    """The cines of one part of a split file; called with a row, it says whether the row is one of them."""

    path: str
    part: str
    cines: frozenset[str]

    def __call__(self, row: StoreRow) -> bool:
        """Return whether a row is of this part."""
        return row.cine in self.cines

    def left_out(self, stores: Sequence[StoreReader]) -> dict[str, int]:
        """Return how many cines no store holds, with the reason in words and some names; empty when all are there."""
        missing = sorted(self.cines.difference(row.cine for store in stores for row in store.rows))
        if not missing:
            return {}
        names = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        return {f"in part {self.part} of {self.path}, and in no store given ({names})": len(missing)}


def rows_in(split: str | None) -> Callable[[StoreRow], bool] | None:
    """Return what keeps the rows of one part of a split.

    Parameters
    ----------
    split : str or None
        ``test``: as the store itself says. ``run/split.csv`` or ``run/split.csv:train``: as a split file says,
        its validation cines where no part is named. None: no choice, so None.

    Raises
    ------
    DataError
        A split file that cannot be read.
    UsageError
        A part that the file does not have.
    """
    if not split:
        return None
    path, _, part = split.rpartition(":") if not split.endswith(".csv") else (split, "", VALIDATION)
    if not path.endswith(".csv"):
        return lambda row: row.split == split
    rows = Split.load(path)
    if rows.folds:
        raise UsageError(
            f"{path}: splits into {rows.folds} folds, each with its own network; `echoplane crossval` answers those."
        )
    wanted = frozenset(rows.cines(part))
    if not wanted:
        raise UsageError(f"{path}: has no cine in part {part!r} (parts are {', '.join(PARTS)}).")
    return SplitPart(path, part, wanted)


def check_recipe(bundle: Bundle, store: StoreReader) -> None:
    """Refuse a store whose frames are not what a bundle's network was made for.

    Raises
    ------
    UsageError
        Names what differs.
    """
    ours = bundle.facts.recipe
    if store.info.recipe == LEGACY:  # only the size can be compared
        if (store.info.height, store.info.width) == ours.size:
            return
        theirs = replace(ours, size=(store.info.height, store.info.width))
    else:
        theirs = config.from_mapping(PrepareRecipe, store.info.recipe, store.path)
    # None of these changes what a stored frame shows.
    alike = replace(
        theirs, name=ours.name, mean=ours.mean, std=ours.std, min_detail=ours.min_detail, decode=ours.decode
    )
    differ = [
        f"{f.name} {getattr(alike, f.name)!r}, expected {getattr(ours, f.name)!r}"
        for f in fields(ours)
        if getattr(alike, f.name) != getattr(ours, f.name)
    ]
    if differ:
        raise UsageError(
            f"{store.path}: was prepared in another way than the bundle {bundle.name} wants ({'; '.join(differ)}). "
            "Run `echoplane prepare` again with the bundle's recipe."
        )


def _choose(
    stores: Sequence[StoreReader], keep: Callable[[StoreRow], bool] | None, mirrored: bool
) -> tuple[list[tuple[int, int]], Counter[str]]:
    """Return number of store and number in it of the cines that are asked for, and what cannot be among them."""
    chosen = [(n, i) for n, store in enumerate(stores) for i, row in enumerate(store.rows) if keep is None or keep(row)]
    left_out = _gone(stores) + Counter(keep.left_out(stores) if isinstance(keep, SplitPart) else {})
    if not mirrored:
        return chosen, left_out
    upright = [(n, i) for n, i in chosen if not stores[n].rows[i].extra.get("mirrored")]
    return upright, left_out + Counter({"mirrored to begin with": len(chosen) - len(upright)})


def _gone(stores: Sequence[StoreReader]) -> Counter[str]:
    what = "with the part file; run the command that made the store again, or `echoplane data repair`"
    # Adding leaves out what is 0.
    return Counter[str]() + Counter({f"gone from {store.path} {what}": len(store.gone()) for store in stores})


def _clips(bundle: Bundle, store: StoreReader, i: int, left_out: Counter[str]) -> FloatArray | None:
    row = store.rows[i]
    try:
        sampling = plan(row.n_frames, row.fps, bundle.facts.sampling, source=row.cine)
    except TooShortError:
        left_out["too short for one clip"] += 1
        return None
    if part := store.damage(i):
        what = "remove that file, and run the command that made the store again, or `echoplane data repair`"
        left_out[f"damaged in {part}; {what}"] += 1
        return None
    frames = store.frames(i, np.array(sampling.needed))
    indices = without_empty(frames, sampling.needed, sampling).indices
    return bundle.facts.recipe.normalise(frames[np.searchsorted(sampling.needed, indices)])[:, None]


def _collect(
    bundle: Bundle, rows: list[StoreRow], truths: list[int], clips_of: list[int], logits: FloatArray
) -> Predictions:
    return Predictions(
        bundle.facts.vocabulary,
        tuple(row.cine for row in rows),
        tuple(group_of(row)[0] for row in rows),
        np.array(truths, dtype=np.int64),
        np.repeat(np.arange(len(rows)), clips_of),
        logits.astype(np.float32),
        np.zeros(len(rows), dtype=np.int64),
        tuple(row.source for row in rows),
        tuple(group_of(row)[1] for row in rows),
    )
