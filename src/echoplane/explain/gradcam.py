"""Grad-CAM and Grad-CAM++ in space and time.

References
----------
Selvaraju et al., Grad-CAM, ICCV 2017 (arXiv:1610.02391).
Chattopadhay et al., Grad-CAM++, WACV 2018 (arXiv:1710.11063); the weights of its equation 19, with the exponential of
the score as the differentiated function, so that higher derivatives are powers of the first.

Letters: B clips, C channels, n, h, w the size of the feature map, N, H, W that of the clip.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.explain.scored import Scored, output_of


def features_and_gradient(scored: Scored, layer: nn.Module, x_B1NHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return a layer's output and the gradient of the score with respect to it, both (B, C, n, h, w).

    Of a layer that runs more than once it is the last run: see :func:`echoplane.explain.scored.output_of`.

    Raises
    ------
    UsageError
        When the layer gives no map.
    """
    with torch.enable_grad():
        # Parameters are frozen, so the graph starts at the layer: nothing before it is differentiated.
        score, features = output_of(scored, layer, x_B1NHW, cut=True)
        if features.ndim != 5:
            raise UsageError("this layer gives numbers, no maps to be laid over the cine; take an earlier one.")
        gradient = torch.autograd.grad(score.sum(), features)[0]
    return features.detach(), gradient


def gradcam(scored: Scored, layer: nn.Module, x_B1NHW: Tensor, *, positive: bool = True) -> Tensor:
    """Weigh each channel by the mean of its gradient, and add up.

    Parameters
    ----------
    scored : Scored
    layer : nn.Module
        A layer of it whose output is (B, C, n, h, w); its last run counts.
    x_B1NHW : float tensor
        Normalised clips.
    positive : bool
        Keep only what speaks for the target (the paper's ReLU).

    Returns
    -------
    float tensor, (B, n, h, w)
    """
    features, gradient = features_and_gradient(scored, layer, x_B1NHW)
    weights = gradient.mean(dim=(2, 3, 4), keepdim=True)
    result = (weights * features).sum(dim=1)
    return result.relu() if positive else result


def gradcam_plus_plus(scored: Scored, layer: nn.Module, x_B1NHW: Tensor) -> Tensor:
    """Weigh each place of each channel by how much it alone would explain, and add up what speaks for the target.

    Returns
    -------
    float tensor, (B, n, h, w)
        Not negative.
    """
    features, gradient = features_and_gradient(scored, layer, x_B1NHW)
    squared, cubed = gradient**2, gradient**3
    total = features.sum(dim=(2, 3, 4), keepdim=True)
    below = 2 * squared + total * cubed
    alpha = torch.where(below != 0, squared / torch.where(below != 0, below, torch.ones_like(below)), 0.0)
    weights = (alpha * gradient.relu()).sum(dim=(2, 3, 4), keepdim=True)
    return (weights * features).sum(dim=1).relu()
