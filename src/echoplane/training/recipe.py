"""A training recipe is data: commented YAML read into these dataclasses; nothing else decides a run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from echoplane import config
from echoplane.data.augment import AugmentRecipe, augment_named
from echoplane.errors import ConfigError, UsageError
from echoplane.models.bundle_facts import LabelUse
from echoplane.sampling import SamplingRule, rule_named
from echoplane.training.trackers import secrets_in


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(message)


@dataclass(frozen=True, slots=True)
class StoreUse:
    """One store of prepared cines.

    Attributes
    ----------
    path : str
        Folder or URL; relative paths start at the recipe's folder.
    use : {"all", "train", "validation"}
        ``all`` is split by patient; the others go to one side whole.
    share : float or None
        Share of the clips of an epoch that come from this store, in (0, 1]. Stores without a share divide the rest in
        proportion to their size.
    name : str
        For metrics by store; the folder's name when empty.
    """

    path: str
    use: Literal["all", "train", "validation"] = "all"
    share: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _check(self.share is None or 0 < self.share <= 1, f"data.stores.share {self.share}: must lie in (0, 1].")

    @property
    def title(self) -> str:
        """The name, or the folder's."""
        return self.name or folders(self.path)[-1]


def folders(path: str) -> list[str]:
    """Return the parts of a store's folder or URL, of Windows too, where the recipe may come from."""
    return re.split(r"[/\\]", path.rstrip("/\\"))


@dataclass(frozen=True, slots=True)
class DataUse:
    """Which cines train and validate, and how they become clips.

    Attributes
    ----------
    stores : tuple of StoreUse
        At least one, all prepared by one recipe.
    split : str
        A split file; empty makes a new split by patient with the recipe's seed.
    fold : int or None
        With a split into folds: the fold that validates.
    validation : float
        Share of the cines that validate in a new split, in [0, 1).
    copies : bool
        Look for copies of recordings before a new split is made, and keep them on one side.
    hold_out : tuple of str
        Patients (groups) that validate whatever the split says; alone (``validation: 0``) this is leave-groups-out.
    sampling : str or SamplingRule
        A name of :data:`echoplane.sampling.RULES`, or the rule itself.
    clips : {"one", "all"}
        ``one``: an epoch sees one clip of each cine, drawn anew each time. ``all``: every clip of the rule once.
    epoch_clips : int
        Clips of an epoch; 0 for as many as `clips` gives.
    balance : float
        0: views are seen as often as they occur. 1: each view equally often. In between: in between.
    """

    stores: tuple[StoreUse, ...] = ()
    split: str = ""
    fold: int | None = None
    validation: float = 0.2
    copies: bool = True
    hold_out: tuple[str, ...] = ()
    sampling: str | SamplingRule = "default"
    clips: Literal["one", "all"] = "one"
    epoch_clips: int = 0
    balance: float = 0.0

    def __post_init__(self) -> None:
        _check(0 <= self.validation < 1, f"data.validation {self.validation}: must lie in [0, 1).")
        _check(0 <= self.balance <= 1, f"data.balance {self.balance}: must lie in [0, 1].")
        _check(self.epoch_clips >= 0, f"data.epoch_clips {self.epoch_clips}: must be 0 or more.")
        given = sum(store.share or 0.0 for store in self.stores)
        _check(given <= 1 + 1e-9, f"data.stores: shares sum to {given:g}, more than 1.")
        if isinstance(self.sampling, str):
            rule_named(self.sampling)

    @property
    def rule(self) -> SamplingRule:
        """The sampling rule itself."""
        return rule_named(self.sampling) if isinstance(self.sampling, str) else self.sampling


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """Which network, and where its first weights come from.

    Attributes
    ----------
    name : str
        As in ``echoplane models``.
    options : mapping
        Options of the network's class.
    weights : str
        A run folder, a bundle, ``.safetensors`` or torch file to start from; empty starts at random.
    new_head : bool
        The last layer may be missing from `weights` or have other views; it then starts at random.
    fine_tune_from : str
        Layers before this one stay as they are; empty trains all.
    """

    name: str = "compact3d"
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""
    new_head: bool = True
    fine_tune_from: str = ""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) or SGD with Nesterov momentum.

    Attributes
    ----------
    name : {"adam", "adamw", "sgd"}
    lr : float
        Largest learning rate, above 0.
    weight_decay : float
        Not applied to biases and normalisation layers.
    momentum : float
        For SGD.
    """

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        _check(self.lr > 0, f"optimizer.lr {self.lr}: must be above 0.")
        _check(self.weight_decay >= 0, f"optimizer.weight_decay {self.weight_decay}: must be 0 or more.")
        _check(0 <= self.momentum < 1, f"optimizer.momentum {self.momentum}: must lie in [0, 1).")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate over time, as a factor of ``optimizer.lr``.

    Attributes
    ----------
    kind : {"constant", "step", "cosine"}
        ``step``: times `gamma` every `every` epochs. ``cosine``: half a cosine from 1 to `floor`, step by step.
    every : int
    gamma : float
    warmup : float
        Epochs of linear rise at the start.
    floor : float
        Last factor of ``cosine``.
    """

    kind: Literal["constant", "step", "cosine"] = "cosine"
    every: int = 5
    gamma: float = 0.8
    warmup: float = 0.0
    floor: float = 0.01

    def __post_init__(self) -> None:
        _check(self.every >= 1, f"schedule.every {self.every}: must be at least 1.")
        _check(self.warmup >= 0, f"schedule.warmup {self.warmup}: must be 0 or more.")
        # Below 0 the rate would turn its sign, and the network would climb.
        _check(0 < self.gamma <= 1, f"schedule.gamma {self.gamma}: must lie in (0, 1].")
        _check(0 <= self.floor <= 1, f"schedule.floor {self.floor}: must lie in [0, 1].")


@dataclass(frozen=True, slots=True)
class Loss:
    """Cross-entropy, softened.

    Attributes
    ----------
    label_smoothing : float
        Share of each label spread evenly over all views, in [0, 1).
    ordinal : float
        Share of a short-axis level that goes to its neighbours (mitral, papillary, apical), in [0, 1): levels blend
        into each other, apical views do not.
    mirrored : float
        How unsure of a heart whose left and right the augmentation exchanged (``augment.geometry.flip_p``) the network
        is to be: this share of its label is spread evenly over all views, in [0, 1). It then reads mirrored pictures,
        and is surer of their mirror image, by which :mod:`echoplane.inference.mirror` notices them.
    """

    label_smoothing: float = 0.0
    ordinal: float = 0.0
    mirrored: float = 0.0

    def __post_init__(self) -> None:
        for name in ("label_smoothing", "ordinal", "mirrored"):
            _check(0 <= getattr(self, name) < 1, f"loss.{name} {getattr(self, name)}: must lie in [0, 1).")


@dataclass(frozen=True, slots=True)
class Fit:
    """The run itself.

    Attributes
    ----------
    epochs : int
    batch : int
        Clips of a step, over all devices together; a multiple of their number.
    precision : {"auto", "f32", "bf16", "f16"}
        ``bf16`` and ``f16`` are mixed: weights and sums stay in 32 bits. ``f16`` is for GPUs. ``auto`` is bf16 where
        the device computes in it, else f32.
    channels_last : bool
        Memory layout with the channels innermost; the same numbers, faster on CPUs.
    clip_gradient : float
        Largest norm of the gradient; 0 for no limit.
    ema : float
        Decay of the running mean of the weights, which validates and is kept, for example 0.999; 0 for none.
    patience : int
        Stop after so many epochs without a better score; 0 never stops early.
    monitor : {"balanced_accuracy", "accuracy", "loss", "last"}
        The score that decides which weights are best: by cine, on the validation cines. ``last`` takes those of the
        last epoch, whatever the validation cines say, and never stops early.
    deterministic : bool
        Only algorithms that give the same bits every time. On a CPU they do anyhow; on a GPU a layer that has no such
        algorithm (max pooling in 3D) ends the run with an error that names it.
    workers : int
        Processes that load clips; -1 chooses (none on up to four cores).
    """

    epochs: int = 40
    batch: int = 32
    precision: Literal["auto", "f32", "bf16", "f16"] = "auto"
    channels_last: bool = True
    clip_gradient: float = 0.0
    ema: float = 0.0
    patience: int = 0
    monitor: Literal["balanced_accuracy", "accuracy", "loss", "last"] = "balanced_accuracy"
    deterministic: bool = False
    workers: int = -1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            _check(getattr(self, name) >= 1, f"fit.{name} {getattr(self, name)}: must be at least 1.")
        for name in ("clip_gradient", "patience"):
            _check(getattr(self, name) >= 0, f"fit.{name} {getattr(self, name)}: must be 0 or more.")
        _check(0 <= self.ema < 1, f"fit.ema {self.ema}: must lie in [0, 1).")
        _check(self.workers >= -1, f"fit.workers {self.workers}: must be -1 or more.")


@dataclass(frozen=True, slots=True)
class TrainRecipe:
    """All that decides a training run.

    Attributes
    ----------
    name : str
        Name of the run and of the bundle that comes out.
    seed : int
        Of weights, order, augmentation and split.
    views : tuple of str
        The labels that the network tells apart, in the order of its outputs; empty takes those of the stores.
    answers : tuple of str
        Those of them that `predict` offers as an answer; the others mean ``other``. Empty: all of `views` that show the
        heart, where the recipe names `views`, else the six main ones.
    labels : mapping
        What a label of the stores stands for: a view (``PLAX: other``), a list of which one is true
        (``PSAX: [PSAX-MV, PSAX-PM, PSAX-AP]``), shares, or ``""`` to leave such cines out. Labels that are neither
        here nor in `views` are an error.
    data : DataUse
    network : NetworkUse
    optimizer : Optimizer
    schedule : Schedule
    loss : Loss
    fit : Fit
    augment : str or AugmentRecipe
        A name of :data:`echoplane.data.augment.AUGMENTS`, or the recipe itself.
    trackers : mapping of str to mapping
        ``comet``, ``mlflow``, ``wandb`` with their options, besides CSV and TensorBoard. Keys come from the
        environment.
    licence : str
        Of the weights, for the bundle.
    """

    name: str = "run"
    seed: int = 43
    views: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    labels: Mapping[str, LabelUse] = field(default_factory=dict)
    data: DataUse = field(default_factory=DataUse)
    network: NetworkUse = field(default_factory=NetworkUse)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    loss: Loss = field(default_factory=Loss)
    fit: Fit = field(default_factory=Fit)
    augment: str | AugmentRecipe = "default"
    trackers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    licence: str = ""

    def __post_init__(self) -> None:
        _check(0 <= self.seed < 2**63, f"seed {self.seed}: must be 0 or more, and below 2**63.")
        _check(
            re.fullmatch(r"[\w.\-]+", self.name) is not None,
            f"name {self.name!r}: use letters, digits, '.', '_' and '-'; the bundle is called so.",
        )
        for label, use in self.labels.items():
            if isinstance(use, Mapping):
                _check(
                    min(use.values(), default=-1) >= 0 and 0 < sum(use.values()) < math.inf,
                    f"labels.{label} {dict(use)}: shares must be 0 or more, and one above 0.",
                )
        odd = [label for label in self.answers if self.views and label not in self.views]
        _check(not odd, f"answers {', '.join(odd)}: not among the views.")
        if isinstance(self.augment, str):
            augment_named(self.augment)
        for tracker, options in self.trackers.items():
            secret = next(secrets_in(options, f"trackers.{tracker}"), "")
            _check(not secret, f"{secret}: a key does not belong into a file; use the environment.")

    @property
    def augmentation(self) -> AugmentRecipe:
        """The augmentation recipe itself."""
        return augment_named(self.augment) if isinstance(self.augment, str) else self.augment


def shipped() -> dict[str, Path]:
    """Return the recipes that come with the package, by name."""
    folder = Path(str(resources.files("echoplane.training"))) / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_recipe(path: str | Path, overrides: Iterable[str] = ()) -> TrainRecipe:
    """Read a recipe: a file, or the name of one that comes with the package.

    Parameters
    ----------
    path : str or Path
        ``my.yaml``, or ``reference``, ``compact``, ``quick``.
    overrides : iterable of str
        Words such as ``fit.epochs=20`` or ``data.stores=store``. A store may be given by its path alone.

    Returns
    -------
    TrainRecipe
        Relative paths of stores, splits and weights in the file are relative to the file; those in `overrides` to the
        working directory.

    Raises
    ------
    ConfigError
        For a file that is not there or does not validate; names the key and the nearest known one.
    """
    known = shipped()
    named = str(path) in known
    source = known[str(path)] if named else Path(path)
    if not named and not source.is_file():
        raise ConfigError(f"{path}: no such recipe; give a YAML file, or one of: {', '.join(known)}.")
    data = config.load_mapping(source)
    _shorten(data)
    if not named:
        _anchor(data, source.parent)
    for word in overrides:
        config.apply_override(data, word)
    _shorten(data)
    return config.from_mapping(TrainRecipe, data, str(path))


def _shorten(data: dict[str, Any]) -> None:
    """Let ``stores: [a, b]`` stand for ``stores: [{path: a}, {path: b}]``."""
    use = data.get("data")
    if isinstance(use, dict) and isinstance(use.get("stores"), str | list):
        stores = [use["stores"]] if isinstance(use["stores"], str) else use["stores"]
        use["stores"] = [{"path": store} if isinstance(store, str) else store for store in stores]


def _anchor(data: dict[str, Any], folder: Path) -> None:
    def place(holder: Any, key: str) -> None:
        if isinstance(holder, dict) and isinstance(holder.get(key), str) and holder[key] and "://" not in holder[key]:
            holder[key] = str(folder / holder[key])

    use = data.get("data")
    place(use, "split")
    place(data.get("network"), "weights")
    for store in use.get("stores") or [] if isinstance(use, dict) else []:
        place(store, "path")
