"""A running mean of the weights, which answers better and more steadily than the last ones (Polyak averaging)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class WeightMean:
    """Exponential moving average of a network, running statistics included.

    After step t the decay is ``min(decay, (1 + t) / (10 + t))``, so that the random first weights are soon forgotten.

    Parameters
    ----------
    network : nn.Module
        Copied.
    decay : float
        In (0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step towards the network's weights."""
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        means, latest = list(self._tensors(self.network)), list(self._tensors(network))
        floats = [(mean, new) for mean, new in zip(means, latest, strict=True) if mean.is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in floats], [new for _, new in floats], weight)
        for mean, new in zip(means, latest, strict=True):
            if not mean.is_floating_point():
                mean.copy_(new)
        self.steps += 1

    @staticmethod
    def _tensors(network: nn.Module) -> list[Tensor]:
        return [*(p.detach() for p in network.parameters()), *network.buffers()]
