import math

import pytest
import torch

from echoplane.errors import UsageError
from echoplane.models.resnext3d import DEPTHS, ResNeXt3d


def published_names(depth: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published checkpoints, written down by rule and not by building a network."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7, 7), "bn1.weight": (64,)}
    previous = 64
    for stage, blocks in enumerate(DEPTHS[depth], start=1):
        width, out = 64 * 2**stage, 128 * 2**stage
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, previous, 1, 1, 1)
            shapes[f"{name}.conv2.weight"] = (width, width // 32, 3, 3, 3)
            shapes[f"{name}.conv3.weight"] = (out, width, 1, 1, 1)
            if block == 0:
                shapes[f"{name}.downsample.0.weight"] = (out, previous, 1, 1, 1)
                shapes[f"{name}.downsample.1.weight"] = (out,)
            previous = out
    return {**shapes, "fc.weight": (400, 2048)}


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_names_and_shapes_are_those_of_the_published_checkpoints(depth: int) -> None:
    with torch.device("meta"):
        state = ResNeXt3d(400, depth).state_dict()
    for name, shape in published_names(depth).items():
        expected = (shape[0], 1, *shape[2:]) if name == "conv1.weight" else shape
        assert tuple(state[name].shape) == expected, name


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_nothing_but_the_published_layers_is_there(depth: int) -> None:
    shapes = published_names(depth)
    convolutions = [shape for shape in shapes.values() if len(shape) == 5]
    total = sum(math.prod(shape) + 2 * shape[0] for shape in convolutions) + 400 * 2048 + 400
    with torch.device("meta"):
        network = ResNeXt3d(400, depth)
    assert sum(p.numel() for p in network.parameters()) == total - 2 * 64 * 343  # two colours less


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_gives_logits(shortcut: str) -> None:
    network = ResNeXt3d(6, 50, shortcut=shortcut).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 8, 48, 48)).shape == (1, 6)
    assert any("downsample" in name for name in network.state_dict()) == (shortcut == "B")


def test_bad_options_are_refused() -> None:
    with pytest.raises(UsageError, match="50, 101, 152"):
        ResNeXt3d(6, 34)
    with pytest.raises(UsageError, match="'A' or 'B'"):
        ResNeXt3d(6, 50, shortcut="C")
    with pytest.raises(UsageError, match="divisor"):
        ResNeXt3d(6, 50, groups=5)
