"""Train one network: recipe in, run folder with a bundle out. Needs the ``train`` extra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echoplane._optional import need
from echoplane._processes import refuse_unguarded
from echoplane.errors import UsageError

if TYPE_CHECKING:
    from echoplane.models.bundle import Bundle
    from echoplane.training.fit import FitResult
    from echoplane.training.order_test import OrderEffect
    from echoplane.training.recipe import TrainRecipe


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished run.

    Attributes
    ----------
    result : FitResult
    bundle : Bundle or None
        None in all but the first process, and when none was asked for.
    folder : Path
        Of the run.
    """

    result: FitResult
    bundle: Bundle | None
    folder: Path


def train(
    recipe: TrainRecipe,
    folder: str | Path,
    *,
    resume: bool = False,
    devices: int = 1,
    nodes: int = 1,
    accelerator: str = "auto",
    bundle: bool = True,
    report: Callable[[Any], None] | None = None,
) -> Trained:
    """Train, and export the best weights.

    With loading processes, which ``fit.workers`` chooses on more than four cores, the calling script needs its
    ``if __name__ == "__main__"``: they import it.

    Parameters
    ----------
    recipe : TrainRecipe
        From :func:`echoplane.training.recipe.load_recipe`.
    folder : str or Path
        The run folder.
    resume : bool
        Go on where the run in `folder` stopped.
    devices, nodes : int
        Processes on this machine, and machines.
    accelerator : {"auto", "cpu", "cuda"}
    bundle : bool
        Write ``folder/bundle``.
    report : callable, optional
        Gets the events of :mod:`echoplane.training.events`.

    Raises
    ------
    EchoplaneError
        See :func:`echoplane.training.fit.fit`.
    MissingExtraError
        When torch or lightning is not installed.
    """
    refuse_unguarded()
    from echoplane.training.allocator import keep_freed_memory

    keep_freed_memory()  # before torch takes its first memory
    for module in ("torch", "lightning"):
        need(module, "train", "train a network")
    from echoplane.training.devices import make_fabric
    from echoplane.training.fit import fit
    from echoplane.training.run_folder import BUNDLE, check_folder

    check_folder(Path(folder), resume)
    fabric = make_fabric(recipe.fit, devices, nodes, accelerator)
    result = fit(recipe, folder, resume=True, fabric=fabric, report=report)
    packed = None
    if bundle and fabric.global_rank == 0:
        from echoplane.training.pack import pack

        packed = pack(result, Path(folder) / BUNDLE)
    return Trained(result, packed, Path(folder))


def try_orders(
    run: str | Path,
    batch: int = 32,
    tell: Callable[[str], None] = lambda text: None,
    *,
    stores: Sequence[str | Path] = (),
) -> list[OrderEffect]:
    """Answer the validation cines of a run with frames as recorded, shuffled, reversed and frozen.

    Parameters
    ----------
    run : str or Path
        Folder of a finished run.
    batch : int
        Clips at once.
    tell : callable
        Gets a sentence for everything that is odd about its data, such as cines that are gone.
    stores : sequence of str or Path
        Where its stores lie now, in the order of its recipe; left out: where that says.

    Raises
    ------
    StoreError, DataError
        When its data are gone.
    UsageError
        When the folder is no run, one without a finished epoch, one that had no validation cines, or one of another
        number of stores.
    """
    need("torch", "train", "run a network")
    from echoplane.models.weights import load
    from echoplane.training.checkpoint import BEST
    from echoplane.training.cines import open_data
    from echoplane.training.order_test import order_effects, order_test
    from echoplane.training.recipe import load_recipe
    from echoplane.training.run_folder import RECIPE
    from echoplane.training.start import read_weights, start_network

    if not (Path(run) / RECIPE).is_file():
        raise UsageError(f"{run}: is no folder of a run; give what `echoplane train -o` wrote.")
    if not (Path(run) / BEST).is_file():
        raise UsageError(
            f"{run}: none of its epochs was finished, so it has no weights to answer with. Go on with it: `echoplane "
            f"train {Path(run) / RECIPE} --resume -o {run}`."
        )
    recipe = _moved(load_recipe(Path(run) / RECIPE), stores, run)
    data = open_data(recipe)
    for warning in data.warnings:
        tell(warning)
    if data.validation is None:
        raise UsageError(f"{run}: has no validation cines to answer.")
    network = start_network(replace(recipe.network, weights="", fine_tune_from=""), data.views).network
    load(network, read_weights(run))
    return order_effects(order_test(network, data.validation, data.prepare, data.views, batch=batch))


def _moved(recipe: TrainRecipe, stores: Sequence[str | Path], run: str | Path) -> TrainRecipe:
    """Let the recipe of a run look for its stores elsewhere."""
    if not stores:
        return recipe
    before = recipe.data.stores
    if len(stores) != len(before):
        raise UsageError(
            f"{run}: was made of {len(before)} stores ({', '.join(use.path for use in before)}), and places of "
            f"{len(stores)} are given. Say where each of them lies now, in this order."
        )
    now = tuple(replace(use, path=str(path)) for use, path in zip(before, stores, strict=True))
    return replace(recipe, data=replace(recipe.data, stores=now))
