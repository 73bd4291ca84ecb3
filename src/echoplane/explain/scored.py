"""A network as a single number for each clip, ready for gradients."""

from __future__ import annotations

import copy

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


def _missing() -> nn.Module:
    raise AttributeError
