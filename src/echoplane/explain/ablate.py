"""Do the maps mean something? Deletion and insertion, randomised weights, and the share of the energy on a structure.

References
----------
Petsiuk, Das, Saenko, RISE, BMVC 2018 (arXiv:1806.07421): deletion and insertion.
Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018 (arXiv:1810.03292).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from echoplane.errors import UsageError
from echoplane.models.modes import EvaluationMode
from echoplane.records import BoolArray, FloatArray

#: Blocks that are blacked out or shown together: a fifth of the frames, eighths of the picture.
_BLOCKS = (5, 8, 8)


@dataclass(frozen=True, slots=True)
class Curve:
    """Probability of the view while a clip is taken away (or brought back) block by block.

    Attributes
    ----------
    share : tuple of float
        Of the blocks that were changed, from 0 to 1.
    probability : tuple of float
    """

    share: tuple[float, ...]
    probability: tuple[float, ...]

    @property
    def area(self) -> float:
        """Area under the curve, in [0, 1]. Small is good for deletion, large for insertion."""
        return float(np.trapezoid(self.probability, self.share))


def ablation_curve(
    network: nn.Module,
    clip: FloatArray,
    values: FloatArray,
    view: int,
    kind: Literal["deletion", "insertion"] = "deletion",
    black: float = 0.0,
    steps: int = 16,
) -> Curve:
    """Black out the most important blocks first (deletion), or start from black and show them first (insertion).

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, N, H, W), gives logits (B, K); evaluation mode is set for the call.
    clip : float32 array, (1, N, H, W)
        Normalised.
    values : float array, (N, H, W)
        The map.
    view : int
        Column of the logits.
    kind : {"deletion", "insertion"}
    black : float
        Normalised value of a black pixel.
    steps : int
        Points of the curve besides the first.

    Raises
    ------
    UsageError
        When the map has another shape than the clip.
    """
    if values.shape != clip.shape[1:]:
        raise UsageError(f"the map is {values.shape}, the clip {clip.shape[1:]}")
    rank = _ranks(values)
    levels = np.linspace(0, 1, steps + 1)
    changed = np.stack([rank < level for level in levels])
    start, end = (
        (clip[0], np.full_like(clip[0], black)) if kind == "deletion" else (np.full_like(clip[0], black), clip[0])
    )
    stack = np.where(changed, end, start)[:, None].astype(np.float32)
    with EvaluationMode(network) as evaluated, torch.no_grad():
        p = evaluated(torch.from_numpy(stack)).softmax(dim=1)[:, view].numpy()
    return Curve(tuple(float(v) for v in levels), tuple(float(v) for v in p))


def _ranks(values: FloatArray) -> npt.NDArray[np.float64]:
    """Rank of each pixel's block, 0 for the most important, below 1 for all; (N, H, W)."""
    shape = tuple(min(b, s) for b, s in zip(_BLOCKS, values.shape, strict=True))
    means = functional.adaptive_avg_pool3d(
        torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None], shape
    )[0]
    order = np.empty(means.numel())
    order[np.argsort(-means.numpy().ravel(), kind="stable")] = np.arange(means.numel()) / means.numel()
    index = [np.minimum(np.arange(s) * b // s, b - 1) for s, b in zip(values.shape, shape, strict=True)]
    result: npt.NDArray[np.float64] = order.reshape(shape)[np.ix_(*index)]
    return result


def randomised(network: nn.Module, layers: int = 1, seed: int = 0) -> nn.Module:
    """Return a copy whose last `layers` layers with weights are drawn anew (a cascade from the answer downwards)."""
    result = copy.deepcopy(network)
    with_weights = [m for m in result.modules() if isinstance(m, nn.Linear | nn.Conv3d | nn.Conv2d)]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in with_weights[max(len(with_weights) - layers, 0) :]:
            spread = float(module.weight.std()) if module.weight.numel() > 1 else 1.0
            module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * max(spread, 1e-3))
            if module.bias is not None:
                module.bias.zero_()
    return result


def similarity(first: FloatArray, second: FloatArray) -> float:
    """Spearman correlation of two maps, in [-1, 1]; 0 where one of them is flat."""
    ranks = []
    for values in (first, second):
        _, group, size = np.unique(values.ravel(), return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(size) - (size - 1) / 2)[group])
    if min(r.std() for r in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def energy_share(values: FloatArray, region: BoolArray) -> float:
    """Share of the positive part of a map that lies in a region of the same shape, in [0, 1]; NaN for an empty map."""
    positive = np.maximum(values, 0)
    total = float(positive.sum())
    return float(positive[region].sum()) / total if total > 0 else float("nan")
