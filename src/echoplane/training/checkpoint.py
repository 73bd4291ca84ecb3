"""The state of a run on disk: whole or not there, read back without unpickling objects.

``last.ckpt`` holds everything needed to go on; ``best.safetensors`` the weights with the best score and nothing else.
Both appear by a rename. The best weights are written first: a kill in between repeats the epoch and writes the very
same weights again.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from echoplane._files import atomic_write
from echoplane.errors import ConfigError, DataError

LAST = "last.ckpt"
BEST = "best.safetensors"

_FORMAT = "echoplane-run-1"

#: What may differ when a run goes on, for no figure depends on it.
_FREE = re.compile(r"trackers|fit\.workers")
#: And where stores lie, when a hash tells that they are the same.
_PLACE = re.compile(r"data\.stores\[\d+\]\.path")


@dataclass
class Progress:
    """How far a run is.

    Attributes
    ----------
    epoch : int
        Epochs done.
    history : list of dict
        Figures of each epoch.
    best_score : float
        Larger is better, whatever the figure; -inf before the first epoch.
    best_epoch : int
        -1 before the first epoch.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_score: float = float("-inf")
    best_epoch: int = -1

    def add(self, figures: dict[str, float], monitor: str) -> bool:
        """Add an epoch; return whether it is the best so far (without validation: always).

        Of equal scores that of less loss is the better one: few validation cines make many equal scores, and the first
        of them is the least trained.

        Parameters
        ----------
        figures : dict of str to float
        monitor : str
            Figure of the validation that decides; see :class:`echoplane.training.recipe.Fit`.
        """
        worth, loss = _worth(figures, monitor, self.epoch), "validation/loss"
        best = self.history[self.best_epoch] if self.history else {}
        less = worth == self.best_score and figures.get(loss, math.inf) < best.get(loss, -math.inf)
        is_best = worth > self.best_score or less
        if is_best:
            self.best_score, self.best_epoch = worth, self.epoch
        self.history.append(figures)
        self.epoch += 1
        return is_best

    def waited(self, monitor: str) -> int:
        """Return how many epochs ago the score last rose; an equal one is no progress, whatever its loss."""
        scores = [_worth(figures, monitor, epoch) for epoch, figures in enumerate(self.history)]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def _worth(figures: Mapping[str, float], monitor: str, epoch: int) -> float:
    """Larger is better; without validation the latest epoch is."""
    value = figures.get(f"validation/{monitor}", float(epoch))
    return -value if monitor == "loss" and "validation/loss" in figures else value


def save_last(
    folder: Path, progress: Progress, recipe: Mapping[str, Any], states: Mapping[str, Any], data: str = ""
) -> None:
    """Write ``last.ckpt``.

    Parameters
    ----------
    folder : Path
    progress : Progress
    recipe : mapping
        The recipe as plain data; resuming with another one is refused, but for trackers and loading processes.
    states : mapping of str to state dict
        Of the network, the optimiser and so on.
    data : str
        Hash of stores and split; resuming with others is refused.
    """
    plain = {"epoch": progress.epoch, "history": progress.history, "best_score": progress.best_score,
             "best_epoch": progress.best_epoch}  # fmt: skip
    # Into memory first: on a full disk torch's own writing ends in a RuntimeError about positions, not in the system's.
    packed = io.BytesIO()
    torch.save({"format": _FORMAT, "progress": plain, "recipe": dict(recipe), "states": dict(states),
                "data": data}, packed)  # fmt: skip
    with atomic_write(folder / LAST, "wb") as stream:
        stream.write(packed.getbuffer())


class Last(NamedTuple):
    """What ``last.ckpt`` holds: how far the run is, the states of its parts, the recipe that it was started with."""

    progress: Progress
    states: dict[str, Any]
    recipe: dict[str, Any]


def load_last(
    folder: Path,
    recipe: Mapping[str, Any],
    data: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
    written: Mapping[str, Any] | None = None,
) -> Last | None:
    """Read ``last.ckpt``; None when the run ended before its first epoch did.

    `data` are the hashes of stores and split that it may have been started with, as versions of echoplane write them.
    `defaults` stand for what recipes did not have yet when the run was started. `written` is the recipe that the run
    itself has written down, which says the same in other words: a run goes on with that one, too.

    Raises
    ------
    ConfigError
        When the run was started with another recipe, whose keys are named, or with other data.
    DataError
        When the file is damaged.
    """
    path = folder / LAST
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        plain, states, before = content["progress"], content["states"], content["recipe"]
        if content["format"] != _FORMAT:
            raise DataError(f"{path}: written as {content['format']!r}, expected {_FORMAT!r}.")
    except DataError:
        raise
    except Exception as error:  # whatever torch raises on a damaged file
        raise DataError(
            f"{path}: is damaged, or no checkpoint of a run ({type(error).__name__}: {str(error).partition('. ')[0]}). "
            f"Remove {folder} to begin this run anew."
        ) from error
    hashed = bool(data and content.get("data"))
    differing = differences({**(defaults or {}), **before}, recipe, hashed=hashed)
    if written is not None:  # whichever of the two it was begun from: what it shares with that one is no change
        differing = min(differing, differences(written, recipe, hashed=hashed), key=len)
    if differing:
        raise ConfigError(
            f"{folder}: was started with another recipe ({', '.join(differing[:6])} differ). "
            "Resume with the recipe it was started with, or choose another folder."
        )
    if data and content.get("data", data[0]) not in data:
        raise ConfigError(
            f"{folder}: the stores or the split have changed since this run was started, and it would go on with other "
            "cines than it has learned from so far. Put them back as they were, or choose another folder."
        )
    return Last(Progress(**plain), states, before)


def save_best(folder: Path, network: nn.Module) -> None:
    """Write the weights of a network as ``best.safetensors``."""
    from safetensors.torch import save

    state: dict[str, Tensor] = {n: t.detach().cpu().contiguous().clone() for n, t in network.state_dict().items()}
    with atomic_write(folder / BEST, "wb") as stream:
        stream.write(save(state))


def differences(before: Mapping[str, Any], recipe: Mapping[str, Any], *, hashed: bool = False) -> list[str]:
    """Return the settings, by their dotted names, that keep a run from going on with `recipe`, in alphabetical order.

    Trackers and the number of loading processes may be others, for no figure depends on them; and with `hashed`, when
    what the stores hold is compared anyhow, where these lie.
    """
    names = sorted(name for name in _differences(before, recipe) if not _FREE.match(name))
    return [name for name in names if not (hashed and _PLACE.fullmatch(name))]


def _differences(one: Any, two: Any, path: str = "") -> list[str]:
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        keys = {*one, *two}
        return [
            d for key in keys for d in _differences(one.get(key), two.get(key), f"{path}.{key}" if path else str(key))
        ]
    if _are_records(one) and _are_records(two) and len(one) == len(two):
        return [d for i, pair in enumerate(zip(one, two, strict=True)) for d in _differences(*pair, f"{path}[{i}]")]
    return [] if one == two else [path]


def _are_records(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value)
