"""compact3d: a small factorised 3D network, made for the processor it runs on.

Three choices, each for a reason that was measured (docs/decisions/0011-networks.md):

- convolutions are split into a plane (1x3x3) and a time (3x1x1) part, (2+1)D after Tran et al., "A Closer Look at
  Spatiotemporal Convolutions for Action Recognition", CVPR 2018 (arXiv:1711.11248): fewer operations, one more
  nonlinearity;
- the picture is halved by strides, from the first layer on, and channel counts are multiples of 16, so that a
  vector register is full; no depthwise convolutions, which are slow to train on a CPU;
- the answer is the mean over time and space of a linear map of the features, so that the class activation map
  (Zhou et al., CVPR 2016, arXiv:1512.04150) is the network itself and needs no gradient.

Any number of frames and any picture size from 16x16 on are accepted.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.models.layers import init_weights


@dataclass(frozen=True, slots=True)
class Size:
    """Channels and number of blocks of each stage; stages halve the picture, the last two halve time as well."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]


SIZES: dict[str, Size] = {
    "s": Size(widths=(16, 32, 64, 128), depths=(1, 1, 1, 1)),
    "m": Size(widths=(16, 32, 64, 160), depths=(1, 1, 2, 2)),
    "l": Size(widths=(16, 32, 80, 224), depths=(1, 1, 2, 2)),
    # Two blocks more where the picture is 14 x 14: a feature then sees all of it (117 of 112 pixels, instead of 85).
    "xl": Size(widths=(16, 32, 80, 224), depths=(1, 1, 4, 2)),
}

#: (time, rows, columns) stride of each stage. The stem has already halved the picture.
STRIDES: tuple[tuple[int, int, int], ...] = ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2))


class Block(nn.Module):
    """Residual (2+1)D block: 1x3x3, BN, ReLU, 3x1x1, BN, plus the input, ReLU.

    Strides are taken by the plane convolution in the picture and by the time convolution in time. Where the shape
    changes, the shortcut is a 1x1x1 convolution with the stride of the whole block. (A mean before it, as in ResNet-D,
    took a fifth of the training time on a CPU.)
    """

    def __init__(self, channels_in: int, channels: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        along_time, rows, columns = stride
        plane_stride = (1, rows, columns)
        self.plane = nn.Conv3d(channels_in, channels, (1, 3, 3), stride=plane_stride, padding=(0, 1, 1), bias=False)
        self.norm1 = nn.BatchNorm3d(channels)
        self.time = nn.Conv3d(channels, channels, (3, 1, 1), stride=(along_time, 1, 1), padding=(1, 0, 0), bias=False)
        self.norm2 = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)
        shortcut: list[nn.Module] = []
        if stride != (1, 1, 1) or channels_in != channels:
            # The first place once held a mean over the stride; weights learned then keep their names.
            shortcut = [
                nn.Identity(),
                nn.Conv3d(channels_in, channels, 1, stride=stride, bias=False),
                nn.BatchNorm3d(channels),
            ]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, C, N, H, W) into (B, C', N', H', W')."""
        y = self.relu(self.norm1(self.plane(x)))
        y = self.norm2(self.time(y))
        out: Tensor = self.relu(y + self.shortcut(x))
        return out


class Compact3d(nn.Module):
    """The network. ``features`` gives the map, ``head`` the answer at every place of it, and the mean is the logits.

    Parameters
    ----------
    n_views : int
        Length of the answer, K.
    size : {"s", "m", "l", "xl"}
        Row of :data:`SIZES`.
    dropout : float
        On the pooled features, in [0, 1).

    Raises
    ------
    UsageError
        For an unknown size or a dropout outside [0, 1).
    """

    def __init__(self, n_views: int, size: str = "m", dropout: float = 0.2) -> None:
        super().__init__()
        if size not in SIZES:
            raise UsageError(f"compact3d size {size!r} is not known; known: {', '.join(SIZES)}.")
        if not 0 <= dropout < 1:
            raise UsageError(f"compact3d dropout {dropout}: expected a number in [0, 1).")
        widths, depths = SIZES[size].widths, SIZES[size].depths
        stem = nn.Sequential(
            nn.Conv3d(1, widths[0], (1, 5, 5), stride=(1, 2, 2), padding=(0, 2, 2), bias=False),
            nn.BatchNorm3d(widths[0]),
            nn.ReLU(inplace=True),
        )
        stages: list[nn.Module] = []
        channels = widths[0]
        for width, depth, stride in zip(widths, depths, STRIDES, strict=True):
            for i in range(depth):
                stages.append(Block(channels, width, stride if i == 0 else (1, 1, 1)))
                channels = width
        self.features = nn.Sequential(stem, *stages)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, n_views)
        init_weights(self)
        for block in stages:
            # Each block starts as its shortcut (Goyal et al. 2017, arXiv:1706.02677), which steadies the first epochs.
            assert isinstance(block, Block)
            nn.init.zeros_(block.norm2.weight)

    def forward(self, x_B1NHW: Tensor) -> Tensor:
        """Turn float clips (B, 1, N, H, W) into logits (B, K)."""
        x_BC = self.pool(self.features(x_B1NHW)).flatten(1)
        logits: Tensor = self.head(self.dropout(x_BC))
        return logits
