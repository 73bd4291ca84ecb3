"""Two-dimensional baselines: every frame is answered alone, and the answers are averaged.

What a 3D network gains over these is what motion tells. Convolutions are written as 1xkxk, which is a 2D convolution
of each frame, so that clips, feature maps and tools keep their shape (B, C, N, h, w). Shuffling the frames of a clip
cannot change the answer; a test holds that.

- ``lenet`` and ``plain14`` are the two small networks of the thesis code (Farhi, Technion): two 5x5 convolutions with
  two hidden layers, and fourteen 3x3 convolutions with batch normalisation. ``plain14`` ends in a global average.
- ``resnet18`` is He et al., CVPR 2016 (arXiv:1512.03385), at half the width by default; ``width=64`` has the keys
  and shapes of the usual ImageNet checkpoints, which :mod:`echoplane.models.weights` adapts to grey 1xkxk kernels.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.models.layers import AdaptivePool3d, LeanMaxPool3d


def _conv(channels_in: int, channels: int, k: int, stride: int = 1, padding: int = 0, bias: bool = True) -> nn.Conv3d:
    return nn.Conv3d(channels_in, channels, (1, k, k), (1, stride, stride), (0, padding, padding), bias=bias)


def _halve() -> LeanMaxPool3d:
    return LeanMaxPool3d((1, 2, 2))


class _Frames(nn.Module):
    """A network that answers each frame, (B, 1, N, H, W) to (B, N, K), and then the clip."""

    def answer_frames(self, x_B1NHW: Tensor) -> Tensor:
        """Return the logits of each frame, (B, N, K)."""
        raise NotImplementedError

    def forward(self, x_B1NHW: Tensor) -> Tensor:
        """Turn float clips (B, 1, N, H, W) into logits (B, K): the mean over the frames."""
        return self.answer_frames(x_B1NHW).mean(1)


class LeNet2d(_Frames):
    """Two 5x5 convolutions and three linear layers, a frame at a time."""

    def __init__(self, n_views: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _conv(1, 6, 5), nn.ReLU(inplace=True), _halve(), _conv(6, 12, 5), nn.ReLU(inplace=True), _halve()
        )
        self.pool = AdaptivePool3d((None, 22, 22))  # no change at 100x100, where 22x22 comes by itself
        self.classifier = nn.Sequential(
            nn.Linear(12 * 22 * 22, 200),
            nn.ReLU(inplace=True),
            nn.Linear(200, 60),
            nn.ReLU(inplace=True),
            nn.Linear(60, n_views),
        )

    def answer_frames(self, x_B1NHW: Tensor) -> Tensor:
        """Return the logits of each frame, (B, N, K)."""
        x_BCNhw = self.pool(self.features(x_B1NHW))
        logits: Tensor = self.classifier(x_BCNhw.transpose(1, 2).flatten(2))
        return logits


class Plain14(_Frames):
    """Fourteen 3x3 convolutions with batch normalisation, a frame at a time."""

    def __init__(self, n_views: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for stage in ((32, 32, 32), (64, 64, 64, 64), (128, 128, 128, 128), (128, 128, 128)):
            if layers:
                layers.append(_halve())
            for width in stage:
                layers += [_conv(channels, width, 3, padding=1), nn.BatchNorm3d(width), nn.ReLU(inplace=True)]
                channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, n_views)

    def answer_frames(self, x_B1NHW: Tensor) -> Tensor:
        """Return the logits of each frame, (B, N, K)."""
        logits: Tensor = self.head(self.features(x_B1NHW).mean((3, 4)).transpose(1, 2))
        return logits


class _BasicBlock(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = _conv(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                _conv(channels_in, channels, 1, stride, bias=False), nn.BatchNorm3d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        out: Tensor = self.relu(self.bn2(self.conv2(y)) + self.downsample(x))
        return out


class ResNet18Frames(_Frames):
    """ResNet-18, a frame at a time.

    Parameters
    ----------
    n_views : int
        Length of the answer, K.
    width : int
        Channels of the first stage; 64 is the published network.

    Raises
    ------
    UsageError
        For a width below 1.
    """

    def __init__(self, n_views: int, width: int = 32) -> None:
        super().__init__()
        if width < 1:
            raise UsageError(f"frames2d width {width}: expected 1 channel or more.")
        self.conv1 = _conv(1, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = LeanMaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        channels = width
        for number in range(1, 5):
            wide, stride = width * 2 ** (number - 1), 1 if number == 1 else 2
            stage = nn.Sequential(_BasicBlock(channels, wide, stride), _BasicBlock(wide, wide, 1))
            self.add_module(f"layer{number}", stage)
            channels = wide
        self.fc = nn.Linear(channels, n_views)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def answer_frames(self, x_B1NHW: Tensor) -> Tensor:
        """Return the logits of each frame, (B, N, K)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x_B1NHW))))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        logits: Tensor = self.fc(x.mean((3, 4)).transpose(1, 2))
        return logits


KINDS: dict[str, Callable[..., nn.Module]] = {"lenet": LeNet2d, "plain14": Plain14, "resnet18": ResNet18Frames}


def build(n_views: int, kind: str = "resnet18", **options: object) -> nn.Module:
    """Build a 2D baseline.

    Raises
    ------
    UsageError
        For an unknown kind.
    """
    if kind not in KINDS:
        raise UsageError(f"frames2d kind {kind!r} is not known; known: {', '.join(KINDS)}.")
    return KINDS[kind](n_views, **options)
