"""Training and evaluation mode, layer by layer."""

from __future__ import annotations

from typing import Any

from torch import nn


class EvaluationMode:
    """``with EvaluationMode(network):`` evaluates inside and gives back the mode of every layer.

    ``network.train(before)`` would not: it sets all layers alike, and those of a frozen part that
    :func:`echoplane.models.weights.hold_frozen` keeps in evaluation mode would learn statistics again.

    Parameters
    ----------
    network : nn.Module
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._modes: list[tuple[nn.Module, bool]] = []

    def __enter__(self) -> nn.Module:
        self._modes = [(module, module.training) for module in self.network.modules()]
        return self.network.eval()

    def __exit__(self, *_error: Any) -> None:
        for module, mode in self._modes:
            module.training = mode
