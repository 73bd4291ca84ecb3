"""A loss that is no number any more: of such a run nothing good can come."""

from __future__ import annotations

import math

from echoplane.errors import DataError
from echoplane.training.recipe import TrainRecipe


def refuse_divergence(
    what: str, value: float, recipe: TrainRecipe, computed_in: str, epoch: int, step: int | None = None
) -> None:
    """Stop a run when a figure of it is no finite number; what earlier epochs saved stays.

    Parameters
    ----------
    what : str
        The figure, in words.
    value : float
    recipe : TrainRecipe
        Decides what is worth trying.
    computed_in : {"f32", "bf16", "f16"}
    epoch, step : int
        Counted from 0; no step for figures of a whole epoch.

    Raises
    ------
    DataError
        When `value` is infinite or no number.
    """
    if math.isfinite(value):
        return
    where = f"epoch {epoch + 1}" + ("" if step is None else f", step {step + 1}")
    saved = f"epoch {epoch} is saved" if epoch else "no epoch is saved yet"
    raise DataError(f"the {what} became {value} in {where}; {saved}. Try {_remedies(recipe, computed_in)}.")


def _remedies(recipe: TrainRecipe, computed_in: str) -> str:
    """Name what may help and is not done already."""
    found = ["a smaller optimizer.lr"]
    if recipe.schedule.warmup < 1:
        found.append("schedule.warmup=1")
    if not recipe.fit.clip_gradient:
        found.append("fit.clip_gradient=1")
    if computed_in != "f32":
        found.append("fit.precision=f32")
    *others, last = found
    if not others:
        return last
    return f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}"
