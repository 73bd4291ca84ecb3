"""topheavy3d: a 2D residual network of each frame that looks along time where its maps have become small.

Networks that are flat below and spatio-temporal above read as well as full 3D ones for far less (S3D "top-heavy", Xie
et al., ECCV 2018, arXiv:1712.04851). The planes are a ResNet-18 (He et al., CVPR 2016, arXiv:1512.03385) of half
width, convolutions of 1x3x3; after every block of the last two stages each place looks at the frame before and after it
with a 3x1x1 convolution. The answer is the mean over time and space of a linear map of the features, so that the
class activation map is the network itself.

Time is looked at through residual branches that start at zero: a fresh network is the 2D network, and one that has
learned from short clips goes on with longer ones. It learns from far fewer clips than ``compact3d`` and costs about three
times as much (docs/network-pareto.md).

Any number of frames is accepted, and any picture size from 32x32 on.
"""

from __future__ import annotations

from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.models.frames2d import BasicBlock
from echoplane.models.layers import init_weights

#: Channels of the four stages. The last of ResNet-18 at half width would be 256, which is half of all its weights.
WIDTHS = (32, 64, 128, 192)

#: Stages, counted from 0, that look along time.
MIXED = (2, 3)

BLOCKS = 2


class AlongTime(nn.Module):
    """What a place shows, plus what a 3x1x1 convolution makes of it and its two neighbours in time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.norm = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, C, N, H, W) into the same shape."""
        out: Tensor = self.relu(x + self.norm(self.conv(x)))
        return out


class TopHeavy3d(nn.Module):
    """The network. ``features`` gives the map, ``head`` the answer at every place of it, and the mean is the logits.

    Parameters
    ----------
    n_views : int
        Length of the answer, K.
    widths : sequence of int
        Channels of the four stages.
    dropout : float
        On the pooled features, in [0, 1).

    Raises
    ------
    UsageError
        For another number of stages than four, or a dropout outside [0, 1).
    """

    def __init__(self, n_views: int, widths: tuple[int, ...] | list[int] = WIDTHS, dropout: float = 0.2) -> None:
        super().__init__()
        if len(widths) != len(WIDTHS) or min(widths) < 1:
            raise UsageError(f"topheavy3d widths {list(widths)}: expected {len(WIDTHS)} numbers of channels.")
        if not 0 <= dropout < 1:
            raise UsageError(f"topheavy3d dropout {dropout}: expected a number in [0, 1).")
        stem = nn.Sequential(
            nn.Conv3d(1, widths[0], (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
            nn.BatchNorm3d(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        stages: list[nn.Module] = []
        channels = widths[0]
        for stage, width in enumerate(widths):
            blocks: list[nn.Module] = []
            for block in range(BLOCKS):
                blocks.append(BasicBlock(channels, width, 2 if stage and not block else 1))
                channels = width
                if stage in MIXED:
                    blocks.append(AlongTime(width))
            stages.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(stem, *stages)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, n_views)
        init_weights(self)
        for module in self.modules():
            if isinstance(module, AlongTime):
                nn.init.zeros_(module.norm.weight)

    def forward(self, x_B1NHW: Tensor) -> Tensor:
        """Turn float clips (B, 1, N, H, W) into logits (B, K)."""
        x_BC = self.pool(self.features(x_B1NHW)).flatten(1)
        logits: Tensor = self.head(self.dropout(x_BC))
        return logits
