"""Checkpoints of the thesis project (``.pt``, a state dict, ``module.`` or not) turned into our reference network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from echoplane.errors import BundleError
from echoplane.models.cnn3d import CLASSIFIER, ModularCNN3d
from echoplane.models.weights import load, read_state

#: The order of the outputs in the thesis code, and our labels for them.
VIEWS: dict[str, str] = {
    "apex": "PSAX-AP",
    "papillary": "PSAX-PM",
    "mitral": "PSAX-MV",
    "2CH": "A2C",
    "3CH": "A3C",
    "4CH": "A4C",
}


def import_checkpoint(path: str | Path, adaptive_pool: Sequence[int] = (7, 5, 5)) -> ModularCNN3d:
    """Read a checkpoint and build the network it belongs to.

    The spec list is read off the numbers and shapes of the layers; only the pooling sizes leave no trace in a
    checkpoint. One pooling layer is assumed after the last convolution, as in both published lists.

    Parameters
    ----------
    path : str or Path
        A torch file; opened with ``weights_only=True``.
    adaptive_pool : sequence of int
        (n, h, w) before the classifier.

    Returns
    -------
    ModularCNN3d
        In evaluation mode, with the checkpoint's weights.

    Raises
    ------
    BundleError
        When the file is no such checkpoint, or `adaptive_pool` contradicts it.
    """
    state = read_state(path)
    try:
        spec, batch_norm = spec_of(state)
        hidden = [int(state[f"classifier.{i}.weight"].shape[0]) for i in (0, 3, 6)]
        inputs = int(state["classifier.0.weight"].shape[1])
    except KeyError as error:
        raise BundleError(f"{path}: is no checkpoint of the modular 3D CNN; it lacks {error}.") from error
    channels = [item for item in spec if isinstance(item, int)][-1]
    if channels * math.prod(adaptive_pool) != inputs:
        raise BundleError(
            f"{path}: its classifier takes {inputs} numbers, but {channels} channels pooled to {tuple(adaptive_pool)} "
            f"give {channels * math.prod(adaptive_pool)}. Give the pooling the checkpoint was trained with."
        )
    classifier = (hidden[0], CLASSIFIER[1], hidden[1], CLASSIFIER[3])
    network = ModularCNN3d(hidden[2], spec, adaptive_pool, classifier, batch_norm)
    load(network, state)
    return network.eval()


def spec_of(state: Mapping[str, Tensor]) -> tuple[tuple[int | str, ...], bool]:
    """Read the spec list off a state dict: convolutions from shapes, pooling layers from gaps in the numbering.

    Returns
    -------
    tuple of (int or "M")
        The spec list.
    bool
        Whether convolutions are followed by batch normalisation.

    Raises
    ------
    KeyError
        When there is no ``features.N.weight`` of a convolution.
    """
    found = (re.fullmatch(r"features\.(\d+)\.weight", name) for name in state)
    numbers = sorted(int(match[1]) for match in found if match and state[match[0]].ndim == 5)
    if not numbers:
        raise KeyError("features.0.weight")
    batch_norm = f"features.{numbers[0] + 1}.running_mean" in state
    per_convolution = 3 if batch_norm else 2
    spec: list[int | str] = []
    for number, following in zip(numbers, [*numbers[1:], numbers[-1] + per_convolution + 1], strict=True):
        spec.append(int(state[f"features.{number}.weight"].shape[0]))
        spec += ["M"] * (following - number - per_convolution)
    return tuple(spec), batch_norm


def options_of(network: ModularCNN3d) -> tuple[dict[str, Any], int]:
    """Return the options that :func:`echoplane.models.registry.build` needs for this network, and how many answers."""
    state = network.state_dict()
    spec, batch_norm = spec_of(state)
    options = {
        "spec": list(spec),
        "adaptive_pool": list(network.avgpool.output_size),
        "classifier": [state["classifier.0.weight"].shape[0], CLASSIFIER[1], state["classifier.3.weight"].shape[0],
                       CLASSIFIER[3]],
        "batch_norm": batch_norm,
    }  # fmt: skip
    return options, int(state["classifier.6.weight"].shape[0])
