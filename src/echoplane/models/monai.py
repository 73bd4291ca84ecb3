"""MONAI's 3D classifiers by name, for users who bring a pretrained backbone of their own.

``monai:<name>`` in a recipe, with MONAI installed (``pip install monai``; Apache-2.0). MONAI's networks halve all
three axes up to five times, and a clip has few frames: the adapter repeats frames until there are enough.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from echoplane._optional import need
from echoplane.errors import UsageError

#: Name to (MONAI callable, name of its "how many classes" argument, its other arguments).
NAMES: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{
        f"densenet{d}": (f"DenseNet{d}", "out_channels", {"spatial_dims": 3, "in_channels": 1}) for d in (121, 169, 201)
    },
    **{
        f"resnet{d}": (f"resnet{d}", "num_classes", {"spatial_dims": 3, "n_input_channels": 1, "feed_forward": True})
        for d in (10, 18, 34, 50, 101)
    },
    "seresnet50": ("SEResNet50", "num_classes", {"spatial_dims": 3, "in_channels": 1}),
    "efficientnet-b0": (
        "EfficientNetBN",
        "num_classes",
        {"model_name": "efficientnet-b0", "spatial_dims": 3, "in_channels": 1, "pretrained": False},
    ),
}

#: Frames after repetition: enough for five halvings.
FRAMES = 32


class MonaiClassifier(nn.Module):
    """A MONAI network behind the clip interface.

    Parameters
    ----------
    network : nn.Module
        Takes (B, 1, N, H, W), gives logits (B, K).
    frames : int
        Clips are brought to this many frames by repeating each (nearest neighbour); longer clips stay as they are.
    """

    def __init__(self, network: nn.Module, frames: int = FRAMES) -> None:
        super().__init__()
        self.network = network
        self.frames = frames

    def forward(self, x_B1NHW: Tensor) -> Tensor:
        """Turn float clips (B, 1, N, H, W) into logits (B, K)."""
        n = int(x_B1NHW.shape[2])
        if n < self.frames:
            index = torch.arange(self.frames, device=x_B1NHW.device) * n // self.frames
            x_B1NHW = x_B1NHW.index_select(2, index)
        logits: Tensor = self.network(x_B1NHW)
        return logits


def build(name: str, n_views: int, **options: Any) -> MonaiClassifier:
    """Build ``monai:<name>``.

    Parameters
    ----------
    name : str
        A name of :data:`NAMES`, without ``monai:``.
    n_views : int
        Length of the answer, K.
    **options
        ``frames`` for the adapter; the rest goes to MONAI.

    Raises
    ------
    UsageError
        For a name that is not in the table, an option that is not the caller's to choose, or fewer frames than one.
    MissingExtraError
        When MONAI is not installed.
    """
    if name not in NAMES:
        raise UsageError(f"network 'monai:{name}' is not known; known: {', '.join(f'monai:{n}' for n in NAMES)}.")
    nets = need("monai.networks.nets", "monai", f"build the network 'monai:{name}'")
    attribute, classes, fixed = NAMES[name]
    frames = options.pop("frames", FRAMES)
    if not isinstance(frames, int) or frames < 1:
        raise UsageError(f"network 'monai:{name}': frames {frames!r}: expected a whole number of at least 1.")
    settled = {**fixed, classes: n_views}
    if other := [f"{key}={value!r}" for key, value in options.items() if settled.get(key, value) != value]:
        kept = ", ".join(f"{key}={value!r}" for key, value in settled.items())
        raise UsageError(
            f"network 'monai:{name}': {', '.join(other)} cannot be chosen, for clips and views settle it ({kept}). "
            "Leave it out of network.options."
        )
    return MonaiClassifier(getattr(nets, attribute)(**{**options, **settled}), frames)
