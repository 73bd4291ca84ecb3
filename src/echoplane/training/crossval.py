"""Cross-validation: one run a fold, each in its own folder, finished ones never repeated."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import NamedTuple

from echoplane import config
from echoplane._files import atomic_write
from echoplane._processes import Workers, leave_with_parent
from echoplane.data.split import Split
from echoplane.errors import ConfigError, DataError, UsageError
from echoplane.metrics.predictions import Predictions
from echoplane.store import StoreReader, losses
from echoplane.training.checkpoint import differences
from echoplane.training.cines import make_folds, stores_and_views
from echoplane.training.dealing import Tell
from echoplane.training.events import Event, FoldStarted, Noted, Report, Started
from echoplane.training.order_test import ORDERS, order_test
from echoplane.training.origin import seen_before
from echoplane.training.recipe import TrainRecipe
from echoplane.training.run_folder import RECIPE, SPLIT, VALIDATION, absolute, data_hashes, with_views_of
from echoplane.training.start import weights_hash

#: Hashes of stores and split and, in a second line, of the first weights, to notice when they have changed.
DATA = "data.sha256"


class Pooled(NamedTuple):
    """What the networks of all folds answer on the cines that they did not see.

    Attributes
    ----------
    answers : Predictions
        As their trainings gave them.
    orders : dict of str to Predictions
        By order of the frames, ``"recorded"`` first; empty where not asked for. All are computed alike, in 32 bits,
        which `answers` need not be: they may be compared with one another, and not with those.
    """

    answers: Predictions
    orders: dict[str, Predictions]


def crossvalidate(
    recipe: TrainRecipe,
    folder: str | Path,
    folds: int,
    *,
    jobs: int = 1,
    orders: bool = False,
    accelerator: str = "auto",
    report: Report | None = None,
) -> Pooled:
    """Train one network for each fold and gather what each answers on the cines it did not see.

    Parameters
    ----------
    recipe : TrainRecipe
        Its ``data.split`` may be a split into `folds` folds; otherwise one is made by patient, with the recipe's seed.
        Stores with ``use: train`` train in every fold.
    folder : str or Path
        Gets ``recipe.yaml``, ``split.csv`` and a run folder ``fold-0``, ``fold-1``, ... Called again on the
        same folder, it goes on.
    folds : int
        At least 2.
    jobs : int
        Folds trained at the same time, each in its own process; more than one: the calling script needs its
        ``if __name__ == "__main__"``.
    orders : bool
        Answer the held-out clips with shuffled, reversed and frozen frames as well.
    accelerator : {"auto", "cpu", "cuda"}
    report : callable, optional
        Gets :class:`~echoplane.training.events.FoldStarted`, and with one job the events of each run; with more, what
        each run noted, when it has ended. The same remark comes once.

    Returns
    -------
    Pooled
        Every divided cine once, with its fold.

    Raises
    ------
    UsageError, ConfigError
        Fewer than two folds, a fold without a cine whose view is known, a store for validation only, or a folder that
        holds a cross-validation of another recipe, other stores or other first weights; processes that cannot start.
    """
    folder, recipe = Path(folder), absolute(recipe)
    _check_folder(folder, recipe, folds)
    notify: Report = _Once(report) if report else (lambda _event: None)
    split, warnings = _folds(recipe, folds, lambda text: notify(Noted(text)))
    stores, _ = stores_and_views(recipe)
    data, weights = data_hashes(stores, split), weights_hash(recipe.network.weights)
    begun = _begun_with(folder)
    _check_data(folder, data, split, begun)
    _check_weights(folder, weights, recipe.network.weights, begun)
    folder.mkdir(parents=True, exist_ok=True)
    split.save(folder / SPLIT)
    config.save(recipe, folder / RECIPE)
    with atomic_write(folder / DATA) as stream:
        stream.write("\n".join([data[0], *([weights] if weights else begun[1:]), ""]))
    views = _views_of_folds(folder, recipe, folds)
    tasks = [_Fold(recipe, str(folder), fold, orders, accelerator, jobs, views) for fold in range(folds)]
    for text in (*_seen(recipe, stores, split), *losses(stores), *warnings):
        notify(Noted(text))
    if jobs == 1:
        for task in tasks:
            notify(FoldStarted(task.fold, folds, task.finished))
            _run_fold(task, notify)
    else:
        _run_together(tasks, notify, jobs)
    return Pooled(
        _pool([task.answers for task in tasks]),
        {name: _pool([task.in_order(name) for task in tasks]) for name in (ORDERS if orders else ())},
    )


def _pool(files: Sequence[Path]) -> Predictions:
    found = map(Predictions.load, files)
    return Predictions.concatenate([dataclasses.replace(p, folds=p.folds * 0 + fold) for fold, p in enumerate(found)])


@dataclasses.dataclass(frozen=True, slots=True)
class _Fold:
    recipe: TrainRecipe
    parent: str
    fold: int
    orders: bool
    accelerator: str
    jobs: int
    views: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return Path(self.parent) / f"fold-{self.fold}"

    @property
    def answers(self) -> Path:
        return self.folder / VALIDATION

    def in_order(self, order: str) -> Path:
        return self.folder / f"validation-{order}.npz"

    @property
    def finished(self) -> bool:
        return all(map(_is_whole, (self.answers, *(self.in_order(order) for order in ORDERS if self.orders))))


def _is_whole(file: Path) -> bool:
    """Tell whether answers can be read; the fold gives those anew that a full or failing disk has damaged."""
    try:
        Predictions.load(file)
    except DataError:
        return False
    return True


class _Once:
    """Hands events on, each remark once: folds have much to say that is the same for all."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.said: set[str] = set()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            new = tuple(text for text in event.warnings if text not in self.said)
            self.said.update(new)
            event = dataclasses.replace(event, warnings=new)
        elif isinstance(event, Noted):
            if event.text in self.said:
                return
            self.said.add(event.text)
        self.report(event)


def _run_fold(task: _Fold, report: Report | None = None) -> None:
    """Train a fold, or go on with it; answer in other orders where asked for."""
    if task.finished:
        return
    from echoplane.training.devices import make_fabric
    from echoplane.training.fit import fit

    recipe = task.recipe
    use = dataclasses.replace(recipe.data, split=str(Path(task.parent) / SPLIT), fold=task.fold)
    # No epoch is chosen by the cines that are held out: what they say would be too good.
    settings = dataclasses.replace(recipe.fit, monitor="last")
    recipe = dataclasses.replace(recipe, name=f"{recipe.name}-fold-{task.fold}", data=use, fit=settings)
    fabric = make_fabric(recipe.fit, accelerator=task.accelerator)
    result = fit(recipe, task.folder, resume=True, fabric=fabric, report=report, views=task.views)
    if task.orders and result.data.validation:
        answers = order_test(result.network, result.data.validation, result.data.prepare, result.data.views,
                             batch=recipe.fit.batch)  # fmt: skip
        for order, predictions in answers.items():
            predictions.save(task.in_order(order))


def _run_apart(task: _Fold) -> list[str]:
    """Do what one of several processes does with a fold; return what the run noted."""
    remarks: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            remarks.extend(event.warnings)
        elif isinstance(event, Noted):
            remarks.append(event.text)

    _run_fold(task, listen)
    return remarks


def _run_together(tasks: list[_Fold], notify: Report, jobs: int) -> None:
    with Workers(jobs, _share_cores, jobs) as pool:
        futures = {}
        for task in tasks:
            if task.finished:
                notify(FoldStarted(task.fold, len(tasks), True))
            else:
                futures[pool.submit(_run_apart, task)] = task
        for future in as_completed(futures):
            remarks = future.result()
            notify(FoldStarted(futures[future].fold, len(tasks), False))
            for text in remarks:
                notify(Noted(text))


def _share_cores(jobs: int) -> None:
    import torch

    from echoplane.training.allocator import keep_freed_memory

    leave_with_parent()
    keep_freed_memory()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _folds(recipe: TrainRecipe, folds: int, tell: Tell) -> tuple[Split, tuple[str, ...]]:
    if recipe.data.split:
        split = Split.load(recipe.data.split)
        if split.folds != folds:
            raise UsageError(f"{recipe.data.split}: has {split.folds} folds, and {folds} are asked for.")
        return split, ()
    split, warnings = make_folds(recipe, folds, tell)
    for fold in range(split.folds):
        if not any(row.label for row in split.rows if row.fold == fold):
            raise ConfigError(
                f"fold {fold} would hold no cine whose view is known, only such as may be one of several views; "
                "ask for fewer folds, or give a split."
            )
    return split, warnings


def _views_of_folds(folder: Path, recipe: TrainRecipe, folds: int) -> tuple[str, ...]:
    """Return the views that folds of an earlier version have, which the others must have too; none where none has."""
    begun = (with_views_of(folder / f"fold-{fold}", recipe).views for fold in range(folds))
    return next((views for views in begun if views), ())


def _seen(recipe: TrainRecipe, stores: Sequence[StoreReader], split: Split) -> tuple[str, ...]:
    """Warn of cines in the folds that the first weights know: before hours of training, not after a fold's."""
    held_out = {row.cine for row in split.rows if row.fold is not None}
    rows = [row for store in stores for row in store.rows if row.cine in held_out]
    text = seen_before(recipe.network.weights, rows, stores, "cines of the folds")
    return (text,) if text else ()


def _begun_with(folder: Path) -> list[str]:
    """Return the hashes that a cross-validation was begun with: of its data, of its first weights; none of old ones."""
    file = folder / DATA
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def _check_weights(folder: Path, weights: str, path: str, begun: Sequence[str]) -> None:
    """Refuse other first weights than a cross-validation was begun with; those that are gone, folds may do without."""
    if weights and any(before != weights for before in begun[1:]):
        raise ConfigError(
            f"{folder}: the weights in {path} have changed since this cross-validation was begun, and its folds would "
            "start from different ones. Put them back as they were, or choose another folder."
        )


def _check_data(folder: Path, data: Sequence[str], split: Split, begun: Sequence[str]) -> None:
    """Refuse other cines or folds than a cross-validation was begun with."""
    if begun:
        same = begun[0] in data
    else:
        same = not (folder / RECIPE).exists() or Split.load(folder / SPLIT) == split
    if not same:
        raise ConfigError(
            f"{folder}: the stores or the split have changed since this cross-validation was begun. Put them back as "
            "they were, or choose another folder."
        )


def _check_folder(folder: Path, recipe: TrainRecipe, folds: int) -> None:
    if folds < 2:
        raise UsageError(f"{folds} folds: a cross-validation needs at least 2.")
    if recipe.data.fold is not None or recipe.data.hold_out:
        raise UsageError("data.fold and data.hold_out are for single runs; a cross-validation makes its own folds.")
    if any(store.use == "validation" for store in recipe.data.stores):
        raise UsageError(
            "a store with `use: validation` would be answered in every fold; leave it out, and use evaluate."
        )
    if (folder / RECIPE).exists():
        before = config.to_mapping(config.load(TrainRecipe, folder / RECIPE))
        if differing := differences(before, config.to_mapping(recipe), hashed=bool(_begun_with(folder))):
            raise ConfigError(
                f"{folder}: holds a cross-validation of another recipe ({', '.join(differing[:6])} differ); choose "
                "another folder."
            )
        if (found := Split.load(folder / SPLIT).folds) != folds:
            raise ConfigError(f"{folder}: holds a cross-validation with {found} folds; choose another folder.")
