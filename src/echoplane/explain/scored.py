"""A network as a single number for each clip, ready for gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.records import FloatArray


class Scored(nn.Module):
    """A frozen copy of a network whose output is the weighted sum of its logits, (B, 1).

    The copy is in evaluation mode, in float32, and has no in-place activations: backward hooks need the values that
    those would overwrite.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, N, H, W), gives logits (B, K). Not changed.
    weights : float array, (K,)
    """

    def __init__(self, network: nn.Module, weights: FloatArray) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval().float()
        for module in self.network.modules():
            if hasattr(module, "inplace"):
                setattr(module, "inplace", False)  # noqa: B010 - only some kinds of module have it
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32))

    def forward(self, x_B1NHW: Tensor) -> Tensor:
        """Return the score of each clip, (B, 1)."""
        logits: Tensor = self.network(x_B1NHW)
        assert isinstance(self.weights, Tensor)
        return (logits @ self.weights)[:, None]

    @property
    def is_difference(self) -> bool:
        """Whether the score is one view less another."""
        assert isinstance(self.weights, Tensor)
        return bool((self.weights < 0).any())

    def layer(self, name: str) -> nn.Module:
        """Return a layer of the network by its dotted name.

        Raises
        ------
        UsageError
            When there is none; the message lists those at the top.
        """
        try:
            return self.network.get_submodule(name) if name else _missing()
        except AttributeError:
            known = ", ".join(n for n, _ in self.network.named_children())
            raise UsageError(f"the network has no layer {name!r}; at the top it has {known}.") from None


def last_map(network: nn.Module, shape: Sequence[int]) -> str:
    """Return the name of the last layer that still has places in time and space: what Grad-CAM is made at.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, N, H, W); evaluated once, on a copy, with zeros.
    shape : sequence of int
        Of the clips, (C, 1, N, H, W).

    Raises
    ------
    UsageError
        When no layer gives a map (B, F, n, h, w) of more than one place.
    """
    found: list[str] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _given: Any, made: Any) -> None:
            if isinstance(made, Tensor) and made.ndim == 5 and made[0, 0].numel() > 1:
                found.append(name)

        return hook

    trial = copy.deepcopy(network).eval().float()
    for name, module in trial.named_modules():
        if name:
            module.register_forward_hook(note(name))
    with torch.no_grad():
        trial(torch.zeros(1, *shape[1:]))
    if not found:
        raise UsageError("no layer of the network gives a map over time and space; name one with --layer.")
    return found[-1]


def _missing() -> nn.Module:
    raise AttributeError
