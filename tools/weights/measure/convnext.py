"""ConvNeXt-Base with random weights, for its cost alone.

Layer sizes after Liu et al., A ConvNet for the 2020s, CVPR 2022: patches of 4, depths 3, 3, 27, 3, widths 128 to 1024.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DEPTHS, WIDTHS = (3, 3, 27, 3), (128, 256, 512, 1024)
EPSILON = 1e-6


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        y: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return y.permute(0, 3, 1, 2)


class Block(nn.Module):
    """Depthwise 7 x 7, layer norm, two pointwise layers with GELU between, scaled and added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, EPSILON)
        self.grow, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """Apply."""
        y: Tensor = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.shrink(nn.functional.gelu(self.grow(y)))
        return x + y.permute(0, 3, 1, 2)


def convnext_base(classes: int = 11) -> nn.Sequential:
    """Build the network; takes (B, 3, 224, 224)."""
    stages: list[nn.Module] = [nn.Conv2d(3, WIDTHS[0], 4, 4), ChannelNorm(WIDTHS[0])]
    for number, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        if number:
            stages += [ChannelNorm(WIDTHS[number - 1]), nn.Conv2d(WIDTHS[number - 1], width, 2, 2)]
        stages += [Block(width) for _ in range(depth)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(WIDTHS[-1], EPSILON), nn.Linear(WIDTHS[-1], classes)]
    return nn.Sequential(*stages, *head).eval()
