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


def output_of(scored: Scored, layer: nn.Module, x_B1NHW: Tensor, *, cut: bool = False) -> tuple[Tensor, Tensor]:
    """Run a network and keep what one of its layers gives.

    A layer may run more than once, as a ReLU that a block shares. The last run that gives a map counts, for it is the
    nearest to the answer; the last of all where none gives a map. (EfficientNet runs an activation on a map, and then
    on the means that squeeze and excitation takes of it.)

    Parameters
    ----------
    scored : Scored
    layer : nn.Module
        A layer of it.
    x_B1NHW : float tensor
        Normalised clips.
    cut : bool
        Let the graph begin at the output, which is a leaf then: nothing before it is differentiated.

    Returns
    -------
    score : float tensor, (B, 1)
    output : float tensor, (B, ...)

    Raises
    ------
    UsageError
        When the layer is not run, or does not give one tensor.
    """
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _given: object, made: object) -> Tensor | None:
        if not isinstance(made, Tensor) or (kept and _is_map(kept[0]) and not _is_map(made)):
            return None
        # Networks may add to an output in place, as MONAI's residual blocks do: a copy is kept, or goes on.
        if not cut:
            kept[:] = [made.clone()]
            return None
        # Which run is the last shows afterwards, so each begins a graph. Its values go on as they are, so the answer
        # stays, and the gradient at the last run is about what comes after it alone.
        kept[:] = [made.detach().requires_grad_(True)]
        return kept[0].clone()

    handle = layer.register_forward_hook(keep)
    try:
        score: Tensor = scored(x_B1NHW)
    finally:
        handle.remove()
    if not kept:
        raise UsageError("the network does not run this layer as a whole, or it gives no single tensor; take another.")
    return score, kept[0]


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
            if _is_map(made):
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


def _is_map(made: object) -> bool:
    """Whether an output is (B, C, n, h, w) with more than one place."""
    return isinstance(made, Tensor) and made.ndim == 5 and made.shape[2:].numel() > 1


def _missing() -> nn.Module:
    raise AttributeError
