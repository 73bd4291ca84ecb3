"""The networks by name, with what each costs. Reading the table needs no torch; building one does.

Parameters and multiply-adds are counted for six views at the recipe's clip, convolutions and linear layers only, one
multiply-add counted once (a FLOP figure is twice as much); a test counts them again.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from echoplane._optional import need
from echoplane.errors import EchoplaneError, UsageError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Network:
    """One row of the table.

    Attributes
    ----------
    name : str
        What :func:`build` and recipes call it.
    summary : str
        One line for tables.
    paper : str
        Where the architecture comes from.
    builder : str
        ``module:callable`` that takes ``n_views`` and the options.
    options : mapping
        Options this name stands for; the caller's own come on top.
    clip : tuple of int
        (N, H, W) of the recipe the cost is given for.
    parameters : int
        For six views.
    macs : int
        Multiply-adds of one clip.
    feature_layer : str
        Dotted name of the module whose output is the last feature map, (B, C, n, h, w), for activation maps; empty
        where it must be looked for (:func:`echoplane.explain.scored.last_map`).
    padded : bool
        Whether all strided windows are padded at the border, so that cell j of a feature map is centred on pixel (or
        frame) ``j * stride``. Else its cells are taken to lie evenly about the middle.
    """

    name: str
    summary: str
    paper: str
    builder: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    clip: tuple[int, int, int] = (10, 100, 100)
    parameters: int = 0
    macs: int = 0
    feature_layer: str = "features"
    padded: bool = False


_THESIS = "Farhi, master's thesis, Technion; after Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556"
_COMPACT = "this project; after Tran et al., CVPR 2018, arXiv:1711.11248"
_RESNEXT = "Hara et al., CVPR 2018, arXiv:1711.09577; Xie et al., CVPR 2017, arXiv:1611.05431"
_RESNET = "He et al., CVPR 2016, arXiv:1512.03385"

_CNN3D = "echoplane.models.cnn3d:ModularCNN3d"
_COMPACT3D = "echoplane.models.compact3d:Compact3d"
_RESNEXT3D = "echoplane.models.resnext3d:ResNeXt3d"
_FRAMES2D = "echoplane.models.frames2d:build"

_ROWS = (
    Network(
        "cnn3d",
        "the reference: 3D VGG with nine convolutions",
        _THESIS,
        _CNN3D,
        {"spec": "thesis-9"},
        parameters=2_652_904,
        macs=2_224_962_740,
    ),
    Network(
        "cnn3d-deep",
        "the reference with twelve convolutions",
        _THESIS,
        _CNN3D,
        {"spec": "thesis-12"},
        parameters=2_715_352,
        macs=3_676_482_740,
    ),
    Network(
        "compact3d",
        "factorised, strided, residual; made for CPUs",
        _COMPACT,
        _COMPACT3D,
        {"size": "m"},
        clip=(10, 112, 112),
        parameters=583_478,
        macs=351_985_600,
        padded=True,
    ),
    Network(
        "compact3d-l",
        "the same, larger",
        _COMPACT,
        _COMPACT3D,
        {"size": "l"},
        clip=(10, 112, 112),
        parameters=1_069_782,
        macs=467_641_664,
        padded=True,
    ),
    Network(
        "compact3d-xl",
        "the same, deeper",
        _COMPACT,
        _COMPACT3D,
        {"size": "xl"},
        clip=(10, 112, 112),
        parameters=1_224_022,
        macs=618_169_664,
        padded=True,
    ),
    Network(
        "compact3d-s",
        "the same, smaller",
        _COMPACT,
        _COMPACT3D,
        {"size": "s"},
        clip=(10, 112, 112),
        parameters=177_718,
        macs=249_776_896,
        padded=True,
    ),
    Network(
        "resnext3d-50",
        "3D ResNeXt, 50 layers; takes Kinetics weights",
        _RESNEXT,
        _RESNEXT3D,
        {"depth": 50},
        clip=(16, 112, 112),
        parameters=25_834_054,
        macs=5_248_561_152,
        feature_layer="layer4",
        padded=True,
    ),
    Network(
        "resnext3d-101",
        "3D ResNeXt, 101 layers; takes Kinetics weights",
        _RESNEXT,
        _RESNEXT3D,
        {"depth": 101},
        clip=(16, 112, 112),
        parameters=47_489_606,
        macs=7_363_981_312,
        feature_layer="layer4",
        padded=True,
    ),
    Network(
        "resnext3d-152",
        "3D ResNeXt, 152 layers; takes Kinetics weights",
        _RESNEXT,
        _RESNEXT3D,
        {"depth": 152},
        clip=(16, 112, 112),
        parameters=65_327_686,
        macs=9_977_147_392,
        feature_layer="layer4",
        padded=True,
    ),
    Network(
        "frames2d-lenet",
        "2D, frames alone: two convolutions",
        _THESIS.partition(";")[0],
        _FRAMES2D,
        {"kind": "lenet"},
        parameters=1_176_194,
        macs=60_411_600,
    ),
    Network(
        "frames2d-plain14",
        "2D, frames alone: fourteen convolutions",
        _THESIS.partition(";")[0],
        _FRAMES2D,
        {"kind": "plain14"},
        parameters=1_110_726,
        macs=8_960_217_600,
    ),
    Network(
        "frames2d-resnet18",
        "2D, frames alone: ResNet-18 at half width",
        _RESNET,
        _FRAMES2D,
        {"kind": "resnet18"},
        clip=(10, 112, 112),
        parameters=2_797_286,
        macs=1_187_548_160,
        feature_layer="layer4",
        padded=True,
    ),
)

#: The table, by name. ``monai:<name>`` is accepted besides, and is not in it.
NETWORKS: Mapping[str, Network] = MappingProxyType({row.name: row for row in _ROWS})

#: What the name of a MONAI network starts with.
MONAI = "monai:"


def find(name: str) -> Network:
    """Return the row of a name; a MONAI network gets a row without costs.

    Raises
    ------
    UsageError
        For an unknown name, with the nearest known one.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    if name.startswith(MONAI):
        return Network(name, "MONAI", "see docs.monai.io", "echoplane.models.monai:build", feature_layer="")
    near = difflib.get_close_matches(name, NETWORKS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(NETWORKS)}."
    raise UsageError(f"network {name!r} is not known; {hint}")


def is_padded(name: str) -> bool:
    """Return :attr:`Network.padded` of a name; False for a name that is not in the table."""
    return name in NETWORKS and NETWORKS[name].padded


def build(name: str, n_views: int, **options: Any) -> nn.Module:
    """Build a network with random weights.

    Parameters
    ----------
    name : str
        A name of :data:`NETWORKS`.
    n_views : int
        Number of views K, at least 2.
    **options
        Options of the network's class.

    Returns
    -------
    torch.nn.Module
        Takes float (B, 1, N, H, W), gives logits (B, K).

    Raises
    ------
    UsageError
        Unknown name or option, or a value the network refuses.
    MissingExtraError
        When torch is not installed.
    """
    need("torch", "train", f"build the network {name!r}")
    if n_views < 2:
        raise UsageError(f"n_views {n_views}: a classifier needs at least two views.")
    network = find(name)
    module, _, attribute = network.builder.partition(":")
    builder = getattr(importlib.import_module(module), attribute)
    positional = (name.removeprefix(MONAI), n_views) if name.startswith(MONAI) else (n_views,)
    try:
        built: nn.Module = builder(*positional, **{**network.options, **options})
    except EchoplaneError:
        raise
    except Exception as error:  # whatever torch and MONAI raise on values that they cannot use
        if not options:
            raise
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise UsageError(
            f"network {name!r}: cannot be built with the options {given} ({_first_line(error)}). Correct or leave out "
            "network.options."
        ) from error
    return built


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).splitlines()), "").rstrip(".")
    return (
        line if isinstance(error, TypeError | ValueError) and line else f"{type(error).__name__}: {line}".rstrip(": ")
    )
