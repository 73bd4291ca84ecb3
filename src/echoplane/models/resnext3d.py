"""3D ResNeXt with 50, 101 or 152 layers, able to carry weights learned on Kinetics videos.

Hara, Kataoka and Satoh, "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?", CVPR 2018
(arXiv:1711.09577), after Xie et al., "Aggregated Residual Transformations", CVPR 2017 (arXiv:1611.05431). Keys are
those of the published checkpoints: ``conv1``, ``bn1``, ``layer1.0.conv1`` ..., ``layer1.0.downsample.0``, ``fc``.

The published weights take three colour channels. For grey clips the kernels of the first layer are summed over colour
(:func:`echoplane.models.weights.adapt`), which gives the very answer that R = G = B = grey would have given.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.models.layers import LeanMaxPool3d

#: Blocks of each stage by depth.
DEPTHS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

#: Output channels of a block for each channel of its stage.
EXPANSION = 2


class ZeroPadShortcut(nn.Module):
    """Shortcut A: every `stride`-th voxel, and zeros for the channels that are new. No parameters."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, C, N, H, W) into (B, channels, N', H', W')."""
        kept = x[:, :, :: self.stride, :: self.stride, :: self.stride]
        return F.pad(kept, (0, 0, 0, 0, 0, 0, 0, self.channels - x.shape[1]))


class Bottleneck(nn.Module):
    """1x1x1, grouped 3x3x3, 1x1x1, plus the shortcut."""

    def __init__(self, channels_in: int, planes: int, groups: int, stride: int, shortcut: str) -> None:
        super().__init__()
        channels = planes * EXPANSION
        self.conv1 = nn.Conv3d(channels_in, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.conv3 = nn.Conv3d(planes, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(channels_in, channels, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, C, N, H, W) into (B, C', N', H', W')."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        out: Tensor = self.relu(y + self.downsample(x))
        return out


class ResNeXt3d(nn.Module):
    """The network.

    Parameters
    ----------
    n_views : int
        Length of the answer, K.
    depth : {50, 101, 152}
    groups : int
        Cardinality; the published weights have 32.
    shortcut : {"B", "A"}
        B projects with a 1x1x1 convolution where the shape changes, A pads with zeros.

    Raises
    ------
    UsageError
        For another depth or shortcut, or groups that do not divide 128.
    """

    def __init__(self, n_views: int, depth: int = 101, groups: int = 32, shortcut: str = "B") -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise UsageError(f"resnext3d depth {depth}: expected one of {', '.join(map(str, DEPTHS))}.")
        if shortcut not in ("A", "B"):
            raise UsageError(f"resnext3d shortcut {shortcut!r}: expected 'A' or 'B'.")
        if groups < 1 or 128 % groups:
            raise UsageError(f"resnext3d groups {groups}: expected a divisor of 128.")
        self.conv1 = nn.Conv3d(1, 64, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = LeanMaxPool3d(3, stride=2, padding=1)
        channels = 64
        for number, blocks in enumerate(DEPTHS[depth], start=1):
            planes, stride = 64 * 2**number, 1 if number == 1 else 2
            stage: list[nn.Module] = []
            for i in range(blocks):
                stage.append(Bottleneck(channels, planes, groups, stride if i == 0 else 1, shortcut))
                channels = planes * EXPANSION
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(channels, n_views)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_B1NHW: Tensor) -> Tensor:
        """Turn float clips (B, 1, N, H, W) into logits (B, K)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x_B1NHW))))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def _shortcut(channels_in: int, channels: int, stride: int, kind: str) -> nn.Module:
    if stride == 1 and channels_in == channels:
        return nn.Identity()
    if kind == "A":
        return ZeroPadShortcut(channels, stride)
    return nn.Sequential(nn.Conv3d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm3d(channels))
