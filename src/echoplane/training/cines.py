"""From a recipe's data section to data sets: open the stores, split by patient, translate the labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoplane import config
from echoplane.data.augment import AUGMENTS
from echoplane.data.dataset import ClipDataset
from echoplane.data.epochs import chances
from echoplane.data.groups import group_name
from echoplane.data.leaks import check_leaks
from echoplane.data.secrets import other_secrets
from echoplane.data.split import TRAIN, VALIDATION, Split, SplitRow
from echoplane.errors import DataError, UsageError
from echoplane.prepare.recipe import LEGACY, PrepareRecipe
from echoplane.records import FloatArray, IntArray
from echoplane.store import StoreReader, StoreRow, losses, open_stores
from echoplane.training.dealing import Tell, deal, not_used, with_clips
from echoplane.training.recipe import StoreUse, TrainRecipe, folders
from echoplane.training.targets import check_labels, check_views, hard_labels, make_targets, soften_levels, views_in_use
from echoplane.views import MAIN_VIEWS, OTHER, shows_the_heart


@dataclass(frozen=True, eq=False)
class LabelledClips:
    """Clips with what they show.

    Attributes
    ----------
    clips : ClipDataset
        Its own targets are not used: it does not know the recipe's label table.
    targets : float32 array, (cines, K)
    store_of : int64 array, (cines,)
        Number of the store of each cine.
    """

    clips: ClipDataset
    targets: FloatArray
    store_of: IntArray

    @property
    def rows(self) -> tuple[StoreRow, ...]:
        """The cines."""
        return self.clips.rows

    @property
    def row_of_clip(self) -> IntArray:
        """Number of the cine of each item."""
        return np.array([item.row for item in self.clips.items], np.int64)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """All that a run reads.

    Attributes
    ----------
    views : tuple of str
        The answers in order (K).
    stores : tuple of StoreReader
    names : tuple of str
        Of the stores, for metrics.
    prepare : PrepareRecipe
        What made the frames; goes into the bundle.
    split : Split
    train : LabelledClips
    validation : LabelledClips or None
        Cines whose view is known, with all clips of the sampling rule, never changed.
    chance : float64 array, (items of train,)
    epoch_clips : int
    warnings : tuple of str
    """

    views: tuple[str, ...]
    stores: tuple[StoreReader, ...]
    names: tuple[str, ...]
    prepare: PrepareRecipe
    split: Split
    train: LabelledClips
    validation: LabelledClips | None
    chance: np.ndarray[tuple[int], np.dtype[np.float64]]
    epoch_clips: int
    warnings: tuple[str, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return cines by side and view, for a table; "one of several" for those whose view is only half known."""
        table = {}
        for side, part in (("train", self.train), ("validation", self.validation)):
            labels = hard_labels(part.targets).tolist() if part else []
            line = {view: labels.count(k) for k, view in enumerate(self.views)}
            table[side] = {**line, **({"one of several": labels.count(-1)} if -1 in labels else {})}
        return table


def answers_of(recipe: TrainRecipe, views: Sequence[str]) -> tuple[str, ...]:
    """Return the views that `predict` offers as an answer, as :class:`echoplane.training.recipe.TrainRecipe` says it.

    Parameters
    ----------
    recipe : TrainRecipe
    views : sequence of str
        All that the network tells apart.
    """
    if recipe.answers:
        return recipe.answers
    if recipe.views:
        return tuple(view for view in views if shows_the_heart(view))
    main = tuple(view for view in views if view in MAIN_VIEWS)
    return main or tuple(view for view in views if view != OTHER)


def rows_to_split(recipe: TrainRecipe) -> list[StoreRow]:
    """Return the labelled cines of the stores that are divided (``use: all``), each with its view as its label.

    Those too short for a clip are left out.

    Raises
    ------
    UsageError, StoreError, DataError
        As :func:`open_data`.
    """
    return with_clips(_divided(recipe)[1], recipe.data.rule)[0]


def make_folds(recipe: TrainRecipe, folds: int, tell: Tell = lambda text: None) -> tuple[Split, tuple[str, ...]]:
    """Split the cines that are divided into folds; return what to know of them too.

    Raises
    ------
    UsageError, StoreError, DataError
        As :func:`open_data`.
    """
    stores, rows = _divided(recipe)
    return deal(stores, rows, recipe, folds=folds, tell=tell)


def _divided(recipe: TrainRecipe) -> tuple[list[StoreReader], list[StoreRow]]:
    stores, views = stores_and_views(recipe)
    open_stores = [store for store, use in zip(stores, recipe.data.stores, strict=True) if use.use == "all"]
    keys = {row.cine for store in open_stores for row in store.rows}
    labelled = _labelled_rows(stores, views, recipe)
    return open_stores, [dataclasses.replace(row, label=view, shares={}) for row, view in labelled if row.cine in keys]


def open_data(recipe: TrainRecipe, tell: Tell = lambda text: None) -> TrainingData:
    """Open everything a recipe names.

    Parameters
    ----------
    recipe : TrainRecipe
    tell : callable
        Gets a line where something takes long.

    Raises
    ------
    UsageError
        When the recipe names no store.
    StoreError, DataError, LeakError
        When stores, labels or split do not hold together.
    """
    use = recipe.data
    stores, views = stores_and_views(recipe)
    labelled = _labelled_rows(stores, views, recipe)
    split, warnings = _split(recipe, stores, labelled, tell)
    train_cines = set(split.cines(TRAIN))
    validation_cines = set(split.cines(VALIDATION))
    if not train_cines:
        raise DataError("the split leaves no cine to train on.")
    augment = None if recipe.augmentation == AUGMENTS["none"] else recipe.augmentation
    train_clips = ClipDataset(stores, views, rule=use.rule, cines=sorted(train_cines), augment=augment,
                              per_cine=1 if use.clips == "one" else None, seed=recipe.seed, labelled=False)  # fmt: skip
    train = _with_targets(train_clips, stores, views, recipe)
    train = dataclasses.replace(train, targets=soften_levels(train.targets, views, recipe.loss.ordinal))
    known = [row.cine for row, label in labelled if label and row.cine in validation_cines]
    validation = None
    if known:
        clips = ClipDataset(stores, views, rule=use.rule, cines=known, labelled=False)
        validation = _with_targets(clips, stores, views, recipe)
    items = train.row_of_clip
    chance = chances(train.targets[items], train.store_of[items], [s.share for s in use.stores], use.balance)
    return TrainingData(
        views=tuple(views),
        stores=tuple(stores),
        names=_names(use.stores),
        prepare=config.from_mapping(PrepareRecipe, dict(stores[0].info.recipe), f"{stores[0].path}: recipe"),
        split=split,
        train=train,
        validation=validation,
        chance=chance,
        epoch_clips=use.epoch_clips or len(train.clips),
        warnings=(
            *losses(stores),
            *_left_out(stores, recipe),
            *_nothing_mirrored(recipe, train_clips),
            *warnings,
            *other_secrets(stores),
            *not_used(train.clips.skipped),
            *(not_used(validation.clips.skipped) if validation else ()),
        ),
    )


def _names(stores: Sequence[StoreUse]) -> tuple[str, ...]:
    """Name every store; those of one title by their folders too, and where that does not tell them apart by number."""
    titles = [store.title for store in stores]
    longer = ["/".join(folders(store.path)[-2:]) for store in stores]
    names = [title if titles.count(title) == 1 else path for title, path in zip(titles, longer, strict=True)]
    return tuple(name if names.count(name) == 1 else f"{name}#{n}" for n, name in enumerate(names, 1))


def stores_and_views(recipe: TrainRecipe) -> tuple[list[StoreReader], tuple[str, ...]]:
    """Open the stores of a recipe; return them, and the views that a network is to tell apart.

    Where the recipe names none, they are those of the stores that some cine shows: a store lists what its source has,
    and of that not everything need have been kept.

    Raises
    ------
    UsageError, StoreError, DataError
        Where they make no run: no store, stores prepared in different ways, views that no bundle takes.
    """
    if not recipe.data.stores:
        raise UsageError("the recipe names no store: add data.stores, for example data.stores=store.")
    if recipe.data.fold is not None and not recipe.data.split:
        raise UsageError(
            f"data.fold {recipe.data.fold} chooses a part of data.split, and there is none. Give a split into folds "
            "(`echoplane data split -k`), or use `echoplane crossval`."
        )
    stores = open_stores([store.path for store in recipe.data.stores])
    _same_recipe(stores)
    views = recipe.views or _found_in(stores, recipe)[0]
    if len(views) < 2 and not recipe.views:
        what = f"cines of one view alone, {views[0]}" if views else "no labelled cines"
        raise UsageError(
            f"{', '.join(store.path for store in recipe.data.stores)}: {what}; a network tells views apart and needs "
            'two or more. Add a store with others, for example "data.stores=[store, phantom]".'
        )
    if odd := [label for label in recipe.answers if label not in views]:
        raise UsageError(f"answers {', '.join(odd)}: not among the views of the stores, {', '.join(views)}.")
    check_labels(views, recipe.labels)
    check_views(views)
    return stores, views


def _found_in(stores: Sequence[StoreReader], recipe: TrainRecipe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the views of the stores that a network can learn, and those that no cine shows."""
    listed = tuple(dict.fromkeys(view for store in stores for view in store.views))
    return views_in_use(listed, (row for store in stores for row in store.rows), recipe.labels)


def _left_out(stores: Sequence[StoreReader], recipe: TrainRecipe) -> tuple[str, ...]:
    unseen = () if recipe.views else _found_in(stores, recipe)[1]
    if not unseen:
        return ()
    return (f"Views that the stores list and no cine shows are left out: {', '.join(unseen)}.",)


def _nothing_mirrored(recipe: TrainRecipe, clips: ClipDataset) -> tuple[str, ...]:
    """Tell of a setting for mirrored clips where there will be none."""
    flipped = recipe.augmentation.geometry.flip_p > 0
    if not recipe.loss.mirrored or flipped or any(row.extra.get("mirrored") for row in clips.rows):
        return ()
    return (
        f"loss.mirrored {recipe.loss.mirrored:g} does nothing: augment.geometry.flip_p is 0, and no cine is known to "
        "be mirrored. Set both, for example augment.geometry.flip_p to 0.14, or leave loss.mirrored at 0.",
    )


def _same_recipe(stores: Sequence[StoreReader]) -> None:
    first = stores[0]
    if first.info.recipe == LEGACY:
        raise DataError(
            f"{first.path}: does not say how its frames were prepared, and a bundle must prepare others alike. Import "
            "the old clips again and say it, for example `echoplane data import-legacy --recipe reference`."
        )
    for store in stores[1:]:
        if store.info.recipe != first.info.recipe:
            keys = sorted(
                key
                for key in {*first.info.recipe, *store.info.recipe}
                if first.info.recipe.get(key) != store.info.recipe.get(key)
            )
            raise DataError(
                f"{store.path} and {first.path} were prepared by different recipes ({', '.join(keys)} differ); "
                "prepare both by one."
            )


def _labelled_rows(
    stores: Sequence[StoreReader], views: Sequence[str], recipe: TrainRecipe
) -> list[tuple[StoreRow, str]]:
    """Return the cines that have a target, each with its view, or "" where it is one of several."""
    rows = [row for store in stores for row in store.rows]
    targets = make_targets(rows, views, recipe.labels)
    labels = hard_labels(targets)
    return [
        (row, views[int(label)] if label >= 0 else "")
        for row, target, label in zip(rows, targets, labels, strict=True)
        if target.any()
    ]


def _split(
    recipe: TrainRecipe, stores: Sequence[StoreReader], labelled: Sequence[tuple[StoreRow, str]], tell: Tell
) -> tuple[Split, tuple[str, ...]]:
    use = recipe.data
    side = {row.cine: wanted.use for store, wanted in zip(stores, use.stores, strict=True) for row in store.rows}
    # Views, not the stores' labels, are what a split spreads evenly.
    by_view = [(dataclasses.replace(row, label=view, shares={}), side[row.cine]) for row, view in labelled]
    open_rows = [row for row, where in by_view if where == "all"]
    fixed = [SplitRow(row.cine, where, None, row.group, row.label) for row, where in by_view if where != "all"]
    warnings: tuple[str, ...] = ()
    split = Split(())
    if use.split:
        split, warnings = _load_split(use.split, open_rows)
        split = _one_fold(split, use.fold, use.split)
    elif open_rows:
        undivided = [store for store, wanted in zip(stores, use.stores, strict=True) if wanted.use == "all"]
        split, warnings = deal(undivided, open_rows, recipe, tell=tell)
    split = Split(tuple(sorted((*split.rows, *fixed), key=lambda row: row.cine)))
    split = _hold_out(split, [row for row, _ in by_view], use.hold_out)
    store_of = {row.cine: str(store.path) for store in stores for row in store.rows}
    check_leaks(split, [row for row, _ in by_view], store_of=store_of)
    return split, warnings


def _load_split(path: str, rows: Sequence[StoreRow]) -> tuple[Split, tuple[str, ...]]:
    split = Split.load(path)
    known = {row.cine for row in rows}
    named = {row.cine for row in split.rows}
    kept = Split(tuple(row for row in split.rows if row.cine in known))
    if not kept.rows and rows:
        raise DataError(f"{path}: names none of the labelled cines of the stores; it was made for other data.")
    left_out, unknown = len(known - named), len(named - known)
    warnings = []
    if left_out:
        warnings.append(f"{left_out} cines are not in {path} and are not used.")
    if unknown:
        warnings.append(f"{unknown} cines of {path} are in no store, or have no label, and are not used.")
    return kept, tuple(warnings)


def _one_fold(split: Split, fold: int | None, path: str) -> Split:
    """Turn a split into folds into training and validation, so that a run says for itself what it used."""
    if not split.folds:
        return split
    if fold is None:
        raise UsageError(f"{path} is a split into {split.folds} folds: choose one with data.fold.")
    validation = set(split.cines(VALIDATION, fold))
    return Split(
        tuple(
            dataclasses.replace(row, fold=None, part=VALIDATION if row.cine in validation else row.part)
            for row in split.rows
        )
    )


def _hold_out(split: Split, rows: Sequence[StoreRow], groups: Sequence[str]) -> Split:
    if not groups:
        return split
    # A split file calls them "patient 0001", and whoever copies that from there means 0001.
    names = {row.cine: {row.group, group_name(row)} for row in rows}
    missing = sorted(set(groups).difference(*names.values()))
    if missing:
        raise DataError(
            f"data.hold_out names groups that no labelled cine has: {', '.join(map(repr, missing))}. "
            "Write them as the column group of a split file has them (`echoplane data split`)."
        )
    wanted = set(groups)
    return Split(
        tuple(
            dataclasses.replace(row, part=VALIDATION) if wanted & names.get(row.cine, set()) else row
            for row in split.rows
        )
    )


def _with_targets(
    clips: ClipDataset, stores: Sequence[StoreReader], views: Sequence[str], recipe: TrainRecipe
) -> LabelledClips:
    number = {id(store): n for n, store in enumerate(stores)}
    store_of = np.array([number[id(reader)] for reader, _ in clips.table.places], np.int64)
    return LabelledClips(clips, make_targets(clips.rows, views, recipe.labels), store_of)
