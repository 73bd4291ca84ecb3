"""The modular 3D CNN: a VGG in three dimensions, described by a list.

Numbers in the list are 3x3x3 convolutions (each with batch normalisation and ReLU), ``"M"`` is a maximum over 2x2x2
with stride 1x2x2: the picture is halved, time loses one frame. Then adaptive pooling to 7x5x5 and two hidden layers.

Layer names and shapes are those of the checkpoints of the master's thesis this network comes from (Ido Farhi, "Deep
learning based echocardiogram view classification using spatio-temporal features", Technion; on GitHub as
Idodox/Deep-learning-echocardiogram-view-classification), after VGG (Simonyan and Zisserman, ICLR 2015,
arXiv:1409.1556).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from echoplane.errors import UsageError
from echoplane.models.layers import AdaptivePool3d, LeanMaxPool3d, init_weights

#: The two spec lists published with the thesis code: nine convolutions, and the twelve of its inference script.
SPECS: dict[str, tuple[int | str, ...]] = {
    "thesis-9": (16, 16, "M", 32, 32, "M", 32, 32, "M", 64, 64, 64, "M"),
    "thesis-12": (16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32, "M", 64, 64, 64, "M"),
}

#: (neurons, dropout, neurons, dropout) of the published classifier.
CLASSIFIER: tuple[float, ...] = (200, 0.5, 150, 0.5)


class ModularCNN3d(nn.Module):
    """A 3D CNN from a spec list.

    Parameters
    ----------
    n_views : int
        Length of the answer, K.
    spec : str or sequence of int or "M"
        A name of :data:`SPECS`, or the list itself.
    adaptive_pool : sequence of int
        (n, h, w) before the classifier.
    classifier : sequence of float
        (neurons, dropout, neurons, dropout) of the two hidden layers.
    batch_norm : bool
        Batch normalisation after each convolution. False gives the plain VGG numbering of layers.

    Raises
    ------
    UsageError
        For an unknown spec name, an item that is neither a positive number nor ``"M"``, or a malformed classifier.
    """

    def __init__(
        self,
        n_views: int,
        spec: str | Sequence[int | str] = "thesis-9",
        adaptive_pool: Sequence[int] = (7, 5, 5),
        classifier: Sequence[float] = CLASSIFIER,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        items = parse_spec(spec)
        first, drop1, second, drop2 = _parse_classifier(classifier)
        self.features = nn.Sequential(*_layers(items, batch_norm))
        self.avgpool = AdaptivePool3d(adaptive_pool)
        channels = [int(item) for item in items if item != "M"][-1]
        self.classifier = nn.Sequential(
            nn.Linear(channels * math.prod(adaptive_pool), first),
            nn.ReLU(inplace=True),
            nn.Dropout(drop1),
            nn.Linear(first, second),
            nn.ReLU(inplace=True),
            nn.Dropout(drop2),
            nn.Linear(second, n_views),
        )
        init_weights(self)

    def forward(self, x_B1NHW: Tensor) -> Tensor:
        """Turn float clips (B, 1, N, H, W) into logits (B, K)."""
        x_BCnhw = self.avgpool(self.features(x_B1NHW))
        logits: Tensor = self.classifier(x_BCnhw.flatten(1))
        return logits


def parse_spec(spec: str | Sequence[int | str]) -> tuple[int | str, ...]:
    """Check a spec list, or look up a named one.

    Raises
    ------
    UsageError
        See :class:`ModularCNN3d`.
    """
    if isinstance(spec, str):
        if spec not in SPECS:
            raise UsageError(f"cnn3d spec {spec!r} is not known; known: {', '.join(SPECS)}, or give the list itself.")
        return SPECS[spec]
    for item in spec:
        if item != "M" and not (isinstance(item, int) and item > 0):
            raise UsageError(f"cnn3d spec item {item!r}: expected a number of channels or 'M' for a pooling layer.")
    if all(item == "M" for item in spec):
        raise UsageError(f"cnn3d spec {list(spec)} has no convolution in it.")
    return tuple(spec)


def _layers(items: Sequence[int | str], batch_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 1
    for item in items:
        if isinstance(item, str):
            layers.append(LeanMaxPool3d(kernel_size=2, stride=(1, 2, 2)))
            continue
        layers.append(nn.Conv3d(channels, item, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm3d(item))
        layers.append(nn.ReLU(inplace=True))
        channels = item
    return layers


def _parse_classifier(classifier: Sequence[float]) -> tuple[int, float, int, float]:
    if len(classifier) != 4:
        raise UsageError(f"cnn3d classifier {list(classifier)}: expected [neurons, dropout, neurons, dropout].")
    first, drop1, second, drop2 = classifier
    if min(first, second) < 1 or not (0 <= drop1 < 1 and 0 <= drop2 < 1):
        raise UsageError(f"cnn3d classifier {list(classifier)}: neurons must be at least 1, dropout in [0, 1).")
    return int(first), float(drop1), int(second), float(drop2)
