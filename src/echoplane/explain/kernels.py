"""What a filter answers to: its favourite moving picture, and its feature maps on a clip.

Reference
---------
Olah, Mordvintsev, Schubert, Feature Visualization, Distill 2017 (jitter; a spectrum that falls with frequency).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.explain.scored import Scored, output_of
from echoplane.models.modes import EvaluationMode
from echoplane.records import FloatArray, UInt8Array


@dataclass(frozen=True, slots=True)
class Dream:
    """How a favourite picture is searched for.

    Attributes
    ----------
    shape : tuple of int
        (N, H, W) of the moving picture.
    steps : int
        Steps of Adam.
    rate : float
        Step size, on a scale where grey runs over about 6.
    smooth : float
        Weight of the differences between neighbours in the picture and in time; higher is smoother.
    jitter : int
        The picture is shifted by up to so many pixels before every step, so that no single pixel matters.
    fall : float
        The picture is searched for through its spectrum, whose amplitudes fall with this power of the frequency:
        coarse patterns come before grain. 0 treats all frequencies alike.
    seed : int
    """

    shape: tuple[int, int, int] = (10, 64, 64)
    steps: int = 96
    rate: float = 0.15
    smooth: float = 0.1
    jitter: int = 4
    fall: float = 1.2
    seed: int = 0

    def __post_init__(self) -> None:
        if min(*self.shape, self.steps) < 1:
            raise UsageError(f"shape {self.shape}, steps {self.steps}: all must be at least 1.")


def favourite(
    network: nn.Module, layer: str, channel: int, dream: Dream | None = None
) -> tuple[UInt8Array, list[float]]:
    """Search for the moving picture that a filter answers to most, away from the border.

    The picture has no mean, so that what is found is a pattern and not mere brightness; and the answer is the root
    mean square of the filter's positive output, for the plain mean of a linear filter would see the mean alone.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, N, H, W). Not changed.
    layer : str
        Dotted name of a layer whose output is (B, C, ...), or (B, N, C) where each frame is answered alone.
    channel : int
        Which filter, 0..C-1.
    dream : Dream, optional

    Returns
    -------
    picture : uint8 array, (N, H, W)
        Stretched over the full range of grey.
    answers : list of float
        Of the filter, at every step.

    Raises
    ------
    UsageError
        For an unknown layer or channel, or a layer that is not run as a whole.
    """
    dream = dream or Dream()
    scored = Scored(network, np.zeros(_views(network, dream.shape), np.float32))
    target = scored.layer(layer)
    generator = torch.Generator().manual_seed(dream.seed)
    scale = _spectrum(dream)
    spectrum = (0.1 * torch.randn(*scale.shape, 2, generator=generator)).requires_grad_(True)
    optimiser = torch.optim.Adam([spectrum], lr=dream.rate)
    answers = []
    for _ in range(dream.steps):
        x = _picture(spectrum, scale, dream.shape)
        rows, columns = (int(v) for v in torch.randint(-dream.jitter, dream.jitter + 1, (2,), generator=generator))
        # Grey values are bounded softly, so that no pixel escapes to infinity.
        shown = 3 * torch.tanh(torch.roll(x, (rows, columns), (3, 4)) / 3)
        activation = _output(scored, target, shown)
        if not 0 <= channel < activation.shape[1]:
            raise UsageError(
                f"layer {layer!r} has filters 0 to {activation.shape[1] - 1}, and {channel} was asked for."
            )
        answer = (_inner(activation[:, channel]).relu().square().mean() + 1e-12).sqrt()
        # While nothing passes the filter there is no way up but along its mean.
        loss = -answer - 0.01 * _inner(activation[:, channel]).mean() + dream.smooth * _roughness(x)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        answers.append(float(answer.detach()))
    with torch.no_grad():
        found = _picture(spectrum, scale, dream.shape)
    return _stretched(found[0, 0].numpy()), answers


def feature_maps(network: nn.Module, layer: str, clips: FloatArray) -> FloatArray:
    """Return a layer's output for clips (C, 1, N, H, W): float32 (C, channels, ...).

    Of a layer that runs more than once it is the last run: see :func:`echoplane.explain.scored.output_of`.

    Raises
    ------
    UsageError
        For an unknown layer, or one that is not run as a whole.
    """
    scored = Scored(network, np.zeros(_views(network, clips.shape[2:]), np.float32))
    with torch.no_grad():
        found: FloatArray = _output(scored, scored.layer(layer), torch.from_numpy(clips)).numpy()
    return found


def montage(pictures: UInt8Array, columns: int = 0, gap: int = 2) -> UInt8Array:
    """Lay moving pictures side by side.

    Parameters
    ----------
    pictures : uint8 array, (P, N, H, W)
    columns : int
        0 makes the page about square.
    gap : int
        Black pixels between them.

    Returns
    -------
    uint8 array, (N, rows * (H + gap) - gap, columns * (W + gap) - gap)
    """
    count, n, height, width = pictures.shape
    columns = columns or int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    page = np.zeros((n, rows * (height + gap) - gap, columns * (width + gap) - gap), np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        page[:, top : top + height, left : left + width] = picture
    return page


def _views(network: nn.Module, shape: tuple[int, ...]) -> int:
    with EvaluationMode(network) as evaluated, torch.no_grad():
        return int(evaluated(torch.zeros(1, 1, *shape)).shape[1])


def _output(scored: Scored, layer: nn.Module, x: Tensor) -> Tensor:
    """Return a layer's output, (B, C, ...)."""
    made = output_of(scored, layer, x)[1]
    # Three axes come from networks that answer each frame alone, (B, N, C): their filters are the last axis.
    return made.movedim(2, 1) if made.ndim == 3 else made


def _roughness(x: Tensor) -> Tensor:
    """Mean squared difference of neighbours, in time, rows and columns."""
    return sum((torch.diff(x, dim=d) ** 2).mean() for d in (2, 3, 4) if x.shape[d] > 1) + 1e-3 * (x**2).mean()


def _spectrum(dream: Dream) -> Tensor:
    """Amplitude of each frequency, (N, H, W // 2 + 1), of mean square 1; 0 where nothing changes."""
    n, height, width = dream.shape
    squared = (
        torch.fft.fftfreq(n)[:, None, None] ** 2
        + torch.fft.fftfreq(height)[None, :, None] ** 2
        + torch.fft.rfftfreq(width)[None, None] ** 2
    )
    frequency = squared.sqrt()
    scale = torch.where(frequency > 0, frequency.clamp(min=1e-6) ** -dream.fall, torch.zeros_like(frequency))
    return scale / (scale.square().mean().sqrt() + 1e-12)


def _picture(spectrum: Tensor, scale: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Turn a spectrum into a moving picture, (1, 1, N, H, W)."""
    waves = torch.view_as_complex(spectrum) * scale
    found: Tensor = torch.fft.irfftn(waves, s=shape, norm="ortho")[None, None]
    return found


def _inner(activation: Tensor) -> Tensor:
    """Leave a sixteenth of the rows and columns out on each side, where padding speaks; answers without places stay."""
    if activation.ndim < 4:
        return activation
    height, width = activation.shape[-2:]
    rows, columns = height // 16, width // 16
    return activation[..., rows : height - rows, columns : width - columns]


def _stretched(picture: FloatArray) -> UInt8Array:
    low, high = np.percentile(picture, [0.5, 99.5])
    scaled: UInt8Array = (255 * np.clip((picture - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)
    return scaled
