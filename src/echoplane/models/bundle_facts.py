"""What a bundle says about itself: the records inside ``bundle.json``.

Everything that decides an answer is here (vocabulary, recipe, sampling, calibration, thresholds), and everything
a reader must know before trusting one (training data with licences, metrics with intervals).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from echoplane.errors import UsageError
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.conformal import ConformalSets
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule
from echoplane.views import MAIN_VIEWS, OTHER

#: Written into every bundle; a reader refuses a higher number.
FORMAT = "echoplane-bundle"
FORMAT_VERSION = 1

Precision = Literal["f32", "bf16", "int8"]

#: What a label of a store becomes: a view, several of which one is true, or shares of several; ``""`` leaves the cine
#: out.
LabelUse = str | tuple[str, ...] | Mapping[str, float]
Novelty = Literal["none", "energy", "answers_energy", "max_probability"]

#: Plain names without folders: a member can never point out of its bundle.
MEMBER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Member:
    """Size in bytes and SHA-256 (64 hexadecimal digits) of one file of the bundle."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Name in :data:`echoplane.models.registry.NETWORKS`, and the options it was built with."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When an answer is not offered as one.

    Attributes
    ----------
    min_probability : float
        Calibrated probability below which the result is ``unsure``, in [0, 1].
    per_view : mapping of str to float
        The same for single labels; a label that is not named here has `min_probability`.
    novelty : {"none", "energy", "answers_energy", "max_probability"}
        Score of how little a cine is like the training data: ``energy`` is the mean over its clips of
        :func:`echoplane.metrics.selective.energy` of the logits as they leave the network; ``answers_energy`` is the
        same of the labels offered as answers alone, and doubts answers only, never an ``other``: a network with labels
        of its own for what is no heart is sure of those, and the energy of all labels is then lowest for noise;
        ``max_probability`` is one minus the largest calibrated probability of the cine.
    novelty_limit : float or None
        A score above this makes the result ``unsure``; None with novelty ``none``.
    chosen_on : str
        The data these were chosen on, in words.
    mirror_margin : float or None
        How much better known the mirror image must be (:func:`echoplane.inference.mirror.gain`) for a cine to be
        answered turned around; None: nobody looks.
    mirror_known : float or None
        Energy of a cine's first clip up to which it is so well known that its mirror image is not asked for; None: it
        is asked for wherever there is doubt.
    enough : float or None
        Calibrated probability, in [0, 1], from which two clips that agree are enough
        (:mod:`echoplane.inference.enough`); None: every clip of the plan is looked at.
    """

    min_probability: float = 0.0
    per_view: Mapping[str, float] = field(default_factory=dict)
    novelty: Novelty = "none"
    novelty_limit: float | None = None
    chosen_on: str = ""
    mirror_margin: float | None = None
    mirror_known: float | None = None
    enough: float | None = None

    def __post_init__(self) -> None:
        single = {"min_probability": self.min_probability} | ({} if self.enough is None else {"enough": self.enough})
        for name, value in {**single, **self.per_view}.items():
            if not 0 <= value <= 1:
                raise UsageError(f"threshold {name} {value}: must lie in [0, 1].")
        if (self.novelty == "none") != (self.novelty_limit is None):
            raise UsageError("novelty and novelty_limit belong together: give both, or neither.")


@dataclass(frozen=True, slots=True)
class DataUse:
    """One source of training, validation or calibration data.

    Attributes
    ----------
    name : str
    licence : str
        SPDX identifier where there is one.
    use : str
        ``training``, ``validation``, ``calibration`` or several, separated by commas.
    cines, groups : int
        How many cines, of how many patients (or what stands for them).
    note : str
        Where it comes from, how it was labelled.
    """

    name: str
    licence: str
    use: str = "training"
    cines: int = 0
    groups: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured figure with its interval.

    Attributes
    ----------
    name : str
        For example ``balanced accuracy``.
    value, low, high : float
        The figure and its interval.
    level : float
        Of the interval, in (0, 1).
    on : str
        The data it was measured on, in words.
    cines, groups : int
        How many, of how many patients.
    how : str
        How the interval was made.
    """

    name: str
    value: float
    low: float
    high: float
    on: str
    level: float = 0.95
    cines: int = 0
    groups: int = 0
    how: str = "bootstrap over patients"


@dataclass(frozen=True, slots=True)
class Variant:
    """The network in one precision.

    Attributes
    ----------
    precision : {"f32", "bf16", "int8"}
        bf16 is a way of running the f32 file, on processors that have it.
    files : tuple of str
        One ONNX file, or an OpenVINO ``.xml`` and its ``.bin``.
    accuracy : float or None
        Measured with this variant, on the data that `note` names.
    milliseconds : float or None
        For one clip, one thread, on the machine that `note` names.
    note : str
    """

    precision: Precision
    files: tuple[str, ...]
    accuracy: float | None = None
    milliseconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """The content of ``bundle.json``.

    Attributes
    ----------
    name : str
        Letters, digits, ``.``, ``_`` and ``-``.
    vocabulary : tuple of str
        The labels, in the order of the network's outputs.
    network : NetworkSpec
    recipe : PrepareRecipe
    sampling : SamplingRule
    offered : tuple of str
        The labels offered as an answer; all others mean ``other``. Empty: the main views that `vocabulary` has.
    labels : mapping of str to LabelUse
        What labels of stores, beside those of the vocabulary, mean to this network, as its training had it.
    calibration : Scaling
        Turns the logits of a clip into calibrated probabilities.
    calibrated_on : str
        The data, in words; empty where the probabilities are not calibrated.
    thresholds : Thresholds
    conformal : tuple of ConformalSets
    data : tuple of DataUse
    metrics : tuple of Metric
    variants : tuple of Variant
        The first is f32.
    precision : {"f32", "bf16", "int8"}
        What is run unless something else is asked for. Other than f32 only where its accuracy was measured.
    licence : str
        Of the weights.
    notes : tuple of str
        Sentences that are shown with every inspection.
    created : str
        UTC date and time, ISO 8601.
    made_by : str
        Version of echoplane that wrote it.
    members : mapping of str to Member
        Every file of the bundle but ``bundle.json`` itself.
    """

    name: str
    vocabulary: tuple[str, ...]
    network: NetworkSpec
    recipe: PrepareRecipe = field(default_factory=PrepareRecipe)
    sampling: SamplingRule = field(default_factory=SamplingRule)
    offered: tuple[str, ...] = ()
    labels: Mapping[str, LabelUse] = field(default_factory=dict)
    calibration: Scaling = field(default_factory=Scaling)
    calibrated_on: str = ""
    thresholds: Thresholds = field(default_factory=Thresholds)
    conformal: tuple[ConformalSets, ...] = ()
    data: tuple[DataUse, ...] = ()
    metrics: tuple[Metric, ...] = ()
    variants: tuple[Variant, ...] = ()
    precision: Precision = "f32"
    licence: str = ""
    notes: tuple[str, ...] = ()
    created: str = ""
    made_by: str = ""
    members: Mapping[str, Member] = field(default_factory=dict)
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.\-]+", self.name):
            raise UsageError(f"bundle name {self.name!r}: use letters, digits, '.', '_' and '-'.")
        if len(self.vocabulary) < 2 or len(set(self.vocabulary)) != len(self.vocabulary):
            raise UsageError(f"vocabulary {list(self.vocabulary)}: needs two labels or more, each once.")
        # Labels go into tables and onto terminals as they are, and "=" joins those that tie in a vote.
        odd = [s for s in self.vocabulary if not s[:1].isalnum() or not s.isprintable() or "=" in s or s != s.strip()]
        if odd:
            raise UsageError(
                f"vocabulary has {odd}: a label begins with a letter or a digit, "
                "and holds no '=' and no control characters."
            )
        self._refuse_strangers("offered", self.offered)
        self._refuse_strangers("thresholds.per_view", self.thresholds.per_view)
        for what, values in (("scale", self.calibration.scale), ("shift", self.calibration.shift)):
            self._refuse_length(f"calibration.{what}", values)
        for sets in self.conformal:
            self._refuse_length("conformal.thresholds", sets.thresholds)
        for name in self.members:
            if not MEMBER_NAME.fullmatch(name):
                raise UsageError(f"member name {name!r}: must be a plain file name of letters, digits, '.', '_', '-'.")

    def _refuse_strangers(self, what: str, labels: Any) -> None:
        strangers = [label for label in labels if label not in self.vocabulary]
        if strangers:
            raise UsageError(f"{what} names {strangers}, which the vocabulary {list(self.vocabulary)} does not have.")

    def _refuse_length(self, what: str, values: tuple[float, ...]) -> None:
        if len(values) not in (1, len(self.vocabulary)):
            raise UsageError(f"{what} has {len(values)} values: expected 1, or {len(self.vocabulary)} (one a label).")

    @property
    def answers(self) -> tuple[str, ...]:
        """The labels offered as an answer, in the order of the vocabulary."""
        wanted = self.offered or [label for label in self.vocabulary if label in MAIN_VIEWS]
        wanted = wanted or [label for label in self.vocabulary if label != OTHER]
        return tuple(label for label in self.vocabulary if label in wanted)

    @property
    def clip_shape(self) -> tuple[int, int, int]:
        """(N, H, W) of the clips the network takes."""
        return self.sampling.frames, *self.recipe.size

    def variant(self, precision: str) -> Variant | None:
        """Return the variant of a precision, or None when the bundle has none."""
        return next((v for v in self.variants if v.precision == precision), None)
