"""What a run tells whoever watches it: small records, sent as things happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """The run is set up.

    Attributes
    ----------
    folder : str
        The run folder.
    network : str
        A table of the network's layers.
    counts : mapping
        Cines by side and view.
    warnings : tuple of str
    first_epoch, epochs, steps : int
        Epochs already done, epochs in all, steps of an epoch.
    device : str
        For example ``"2 x cuda, bf16"``.
    """

    folder: str
    network: str
    counts: Mapping[str, Mapping[str, int]]
    warnings: tuple[str, ...]
    first_epoch: int
    epochs: int
    steps: int
    device: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step is done; `loss` is that of its clips."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """An epoch is done and saved.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    figures : mapping of str to float
        The row of ``history.csv``.
    clips_per_second : float
        Of the training part.
    waiting : float
        Share of the training time spent waiting for clips, in [0, 1].
    is_best : bool
    """

    epoch: int
    figures: Mapping[str, float]
    clips_per_second: float
    waiting: float
    is_best: bool


@dataclass(frozen=True, slots=True)
class FoldStarted:
    """Cross-validation turns to a fold; `resumed` when it was finished before."""

    fold: int
    folds: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that whoever watches should know, and that does not end the run."""

    text: str


Event = Started | Stepped | EpochEnded | FoldStarted | Noted
Report = Callable[[Event], None]
