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
from echoplane.errors import UsageError

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
        Dotted name of the module whose output is the last feature map, (B, C, n, h, w), for activation maps.
    """

    name: str
    summary: str
    paper: str
    builder: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    clip: tuple[int, int, int] = (10, 100, 100)
    parameters: int = 0
    macs: int = 0
    feature_layer: str = ""


_THESIS = "Farhi, master's thesis, Technion; after Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556"
_COMPACT = "this project; after Tran et al., CVPR 2018, arXiv:1711.11248"

NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        network.name: network
        for network in (
            Network(
                "cnn3d",
                "the reference: 3D VGG with nine convolutions",
                _THESIS,
                "echoplane.models.cnn3d:ModularCNN3d",
                {"spec": "thesis-9"},
                feature_layer="features",
            ),
            Network(
                "cnn3d-deep",
                "the reference with twelve convolutions",
                _THESIS,
                "echoplane.models.cnn3d:ModularCNN3d",
                {"spec": "thesis-12"},
                feature_layer="features",
            ),
            Network(
                "compact3d",
                "factorised, strided, residual; made for CPUs",
                _COMPACT,
                "echoplane.models.compact3d:Compact3d",
                {"size": "m"},
                clip=(10, 112, 112),
                feature_layer="features",
            ),
            Network(
                "compact3d-s",
                "the same, small",
                _COMPACT,
                "echoplane.models.compact3d:Compact3d",
                {"size": "s"},
                clip=(10, 112, 112),
                feature_layer="features",
            ),
        )
    }
)


def find(name: str) -> Network:
    """Return the row of a name.

    Raises
    ------
    UsageError
        For an unknown name, with the nearest known one.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    near = difflib.get_close_matches(name, NETWORKS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(NETWORKS)}."
    raise UsageError(f"network {name!r} is not known; {hint}")


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
    try:
        built: nn.Module = builder(n_views, **{**network.options, **options})
    except TypeError as error:
        raise UsageError(f"network {name!r}: {error}") from error
    return built
