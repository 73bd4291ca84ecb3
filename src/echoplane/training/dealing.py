"""The split that a run makes for itself: by patient, copies kept together, cines too short for a clip left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from echoplane.data.duplicates import find_duplicates
from echoplane.data.split import VALIDATION, Split, make_split
from echoplane.errors import DataError, LeakError, TooShortError
from echoplane.sampling import SamplingRule, plan
from echoplane.store import StoreReader, StoreRow
from echoplane.training.recipe import TrainRecipe

#: Gets what is worth a line while it happens.
Tell = Callable[[str], None]

#: With more cines the search for copies takes long enough to be announced.
MANY = 300


def deal(
    stores: Sequence[StoreReader],
    rows: Sequence[StoreRow],
    recipe: TrainRecipe,
    *,
    folds: int = 0,
    tell: Tell = lambda text: None,
) -> tuple[Split, tuple[str, ...]]:
    """Split the cines that a recipe leaves open.

    Parameters
    ----------
    stores : sequence of StoreReader
        Those that are divided.
    rows : sequence of StoreRow
        Their labelled cines, each with its view as its label.
    recipe : TrainRecipe
    folds : int
        0 for training and validation.
    tell : callable
        Gets a line where the search for copies takes long.

    Returns
    -------
    split : Split
    warnings : tuple of str
        What to know: as of :func:`echoplane.data.split.make_split`, cines left out, copies.

    Raises
    ------
    DataError
        When no cine is long enough for a clip, or patients are too few.
    """
    kept, short = with_clips(rows, recipe.data.rule)
    store_of = {row.cine: store.path for store in stores for row in store.rows}
    share = recipe.data.validation
    settled = {store_of[row.cine] for row in kept if row.split == VALIDATION}
    is_dealt = folds > 0 or (share > 0 and any(store_of[row.cine] not in settled for row in kept))
    pairs, copies = _copies(stores, tell) if recipe.data.copies and is_dealt else ((), ())
    try:
        split, warnings = make_split(
            kept, folds=folds, validation=share, seed=recipe.seed, together=pairs, store_of=store_of
        )
    except LeakError:
        raise
    except DataError as error:  # too few patients, it may be for want of these
        raise DataError(" ".join((str(error), *short))) from error
    return split, (*warnings, *short, *copies)


def with_clips(rows: Sequence[StoreRow], rule: SamplingRule) -> tuple[list[StoreRow], tuple[str, ...]]:
    """Return the cines that give a clip, and a sentence on the others; a fold that counts them would be too small.

    Raises
    ------
    DataError
        When there are others only.
    """
    if rule.short != "refuse":
        return list(rows), ()
    kept, short = [], []
    for row in rows:
        try:
            plan(row.n_frames, row.fps, rule, source=row.cine)
        except TooShortError as error:
            short.append((row.cine, error.sentence))
        else:
            kept.append(row)
    if short and not kept:
        raise DataError(f"no cine is left to use. The first of {len(short)}: {short[0][0]}: {short[0][1]}")
    return kept, not_used(short)


def not_used(skipped: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Say in a sentence that cines (key, reason) are not used; nothing where there are none."""
    if not skipped:
        return ()
    cine, reason = skipped[0]
    return (f"{len(skipped)} cines are not used, the first being {cine}: {reason}",)


def _copies(stores: Sequence[StoreReader], tell: Tell) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Look for copies of recordings; return their keys in pairs, and a sentence on those of two patients."""
    total = sum(map(len, stores))
    if total > MANY:
        tell(
            f"Looking for copies among {total} cines, so that none trains and validates. A split file (`echoplane data "
            "split`) does it once for several runs; data.copies=false leaves it out."
        )
    pairs = find_duplicates(stores)
    # Those of one patient stay together anyhow, and equal content does in every split.
    odd = [pair for pair in pairs if pair.across_patients]
    keys = [(pair.one.cine, pair.two.cine) for pair in pairs]
    if not odd:
        return keys, ()
    what = f"{len(odd)} pairs of cines show" if len(odd) > 1 else "2 cines show"
    return keys, (
        f"{what} one recording under two patients, or without one ({odd[0].one.cine} and {odd[0].two.cine}); they stay "
        "on one side. `echoplane data report` shows them.",
    )
