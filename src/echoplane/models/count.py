"""What a network costs: parameters and multiply-adds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from echoplane.models.modes import EvaluationMode


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters, and multiply-adds of one clip (convolutions and linear layers; a FLOP figure is twice as much)."""

    parameters: int
    macs: int


def count(network: nn.Module, clip: tuple[int, int, int]) -> Cost:
    """Count by running one clip of zeros through the network.

    Parameters
    ----------
    network : nn.Module
        Left as it was, training mode included.
    clip : tuple of int
        (N, H, W).

    Returns
    -------
    Cost
    """
    macs = 0

    def add(layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal macs
        if isinstance(layer, nn.Linear):
            macs += output.numel() * layer.in_features
        else:
            assert isinstance(layer, nn.Conv2d | nn.Conv3d)
            macs += output.numel() * (layer.in_channels // layer.groups) * math.prod(layer.kernel_size)

    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv3d)]
    handles = [layer.register_forward_hook(add) for layer in layers]
    parameter = next(network.parameters())
    try:
        with EvaluationMode(network) as evaluated, torch.no_grad():
            evaluated(torch.zeros(1, 1, *clip, device=parameter.device, dtype=parameter.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return Cost(sum(p.numel() for p in network.parameters()), macs)
