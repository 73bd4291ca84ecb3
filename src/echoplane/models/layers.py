"""Building blocks that several networks share.

Shape letters: B batch, C channels, N frames, H rows, W columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from echoplane.errors import UsageError


def pooling_matrix(size: int, out: int) -> Tensor:
    """Return adaptive average pooling of one axis as a constant matrix.

    Cell i of the output is the mean of the inputs ``floor(i * size / out) .. ceil((i + 1) * size / out) - 1``, which is
    how PyTorch defines adaptive pooling; neighbouring cells overlap where `size` is no multiple of `out`.

    Parameters
    ----------
    size, out : int
        Length of the axis before and after, both at least 1.

    Returns
    -------
    float32 Tensor, (out, size)
        Rows sum to 1.
    """
    rows = []
    for i in range(out):
        start, stop = (i * size) // out, -((-(i + 1) * size) // out)
        rows.append([1.0 / (stop - start) if start <= j < stop else 0.0 for j in range(size)])
    return torch.tensor(rows)


class AdaptivePool3d(nn.Module):
    """Adaptive average pooling to a fixed size, written as constant matrix products.

    Equal to ``torch.nn.AdaptiveAvgPool3d`` within float rounding (1e-6 relative in float32), and, unlike it, exportable
    to ONNX when the output is larger than the input or does not divide it. No parameters and no buffers, so that state
    dicts do not know it is there.

    Parameters
    ----------
    output_size : sequence of int or None
        (n, h, w) after pooling; None for n keeps every frame.

    Raises
    ------
    UsageError
        When these are not three sizes of at least 1.
    """

    def __init__(self, output_size: Sequence[int | None]) -> None:
        super().__init__()
        if len(output_size) != 3 or output_size[1] is None or output_size[2] is None:
            raise UsageError(f"output_size {tuple(output_size)}: expected (frames or None, rows, columns).")
        if min(size for size in output_size if size is not None) < 1:
            raise UsageError(f"output_size {tuple(output_size)}: expected sizes of at least 1.")
        self.output_size: tuple[int | None, int, int] = (output_size[0], output_size[1], output_size[2])

    def forward(self, x_BCNHW: Tensor) -> Tensor:
        """Pool (B, C, N, H, W) to (B, C, n, h, w)."""
        _, h, w = self.output_size
        along_time, in_plane = self._matrices(x_BCNHW)
        x_BCnP = x_BCNHW.flatten(3) @ in_plane.T
        if along_time is not None:
            x_BCnP = along_time @ x_BCnP
        return x_BCnP.reshape(*x_BCnP.shape[:3], h, w)

    def _matrices(self, x_BCNHW: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return (n, N) and (h w, H W). An exported network keeps them as constants: its clips have one size."""
        n, h, w = self.output_size
        with warnings.catch_warnings() if torch.jit.is_tracing() else nullcontext():  # type: ignore[attr-defined,no-untyped-call]
            if torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]
                warnings.simplefilter("ignore")  # "will be treated as a constant": that is the purpose
            size_n, size_h, size_w = (int(size) for size in x_BCNHW.shape[2:])
            along_time = None if n is None else pooling_matrix(size_n, n).to(x_BCNHW)
            rows, columns = pooling_matrix(size_h, h), pooling_matrix(size_w, w)
        in_plane = (rows[:, None, :, None] * columns[None, :, None, :]).reshape(h * w, size_h * size_w)
        return along_time, in_plane.to(x_BCNHW)

    def extra_repr(self) -> str:
        """Show the output size in printed networks."""
        return f"output_size={self.output_size}"


class LeanMaxPool3d(nn.MaxPool3d):
    """``torch.nn.MaxPool3d`` that keeps the dtype it is given, under autocast too.

    Autocast on a CPU turns bf16 into f32 for `max_pool3d`, and its gradient back, though a maximum rounds nothing: two
    copies of the largest activations of a network and twice the memory (benchmarks/train_throughput.py).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool (B, C, N, H, W) of any floating dtype to (B, C, n, h, w) of the same."""
        device = x.device.type
        with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
            pooled: Tensor = super().forward(x)
        return pooled


def init_weights(module: nn.Module) -> None:
    """Draw weights in place, as the reference network does.

    Convolutions: He normal, fan out. Normalisation: ones and zeros. Linear layers: N(0, 0.01). Biases: zeros.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01)
            nn.init.zeros_(layer.bias)


class TwoFrameConv3d(nn.Conv3d):
    """A convolution whose weight gradient is right in bf16 on CPUs when its input has two frames.

    PyTorch 2.13 on a CPU leaves that gradient partly unwritten (arbitrary memory) for two frames, a kernel of three,
    one frame of padding and stride one; other shapes and f32 are right (tests/models/test_layers.py measures it). With
    the padding put on by hand it is another shape, and the same numbers.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, C, N, H, W) into (B, C', N', H', W')."""
        if not self.training or x.shape[2] != 2:
            return super().forward(x)
        time, rows, columns = (int(n) for n in self.padding)
        padded = functional.pad(x, (0, 0, 0, 0, time, time))
        return functional.conv3d(
            padded, self.weight, self.bias, self.stride, (0, rows, columns), self.dilation, self.groups
        )


def guard_two_frames(network: nn.Module) -> None:
    """Turn the convolutions over time of a network into :class:`TwoFrameConv3d`; weights and names stay."""
    for module in network.modules():
        if type(module) is nn.Conv3d and module.kernel_size[0] > 1 and not isinstance(module.padding, str):
            module.__class__ = TwoFrameConv3d
