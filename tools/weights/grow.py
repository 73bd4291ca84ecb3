"""Give trained weights of compact3d more channels or blocks: tools/weights/grow.py RUN SIZE OUT.safetensors [--seed N].

The grown network answers as the old one does, number for number: what is old keeps its weights, and listens to none of
what is new. New channels begin with random weights of their own and are heard once training gives them a voice; new
blocks stand at the end of their stage and begin as their shortcut. So no training so far is lost (in the spirit of Chen
et al., Net2Net, ICLR 2016, arXiv:1511.05641, which copies channels instead; copies begin alike and take long to part).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from echoplane.models.compact3d import Compact3d

#: Of a linear map or convolution, the axis along which it listens.
INPUT = 1
#: How parameters of a block are named; the stem is number 0.
BLOCK = re.compile(r"features\.([1-9]\d*)\.(.*)")


def blocks(weights: dict[str, torch.Tensor]) -> dict[int, tuple[int, int]]:
    """Tell for each block, by its number in the network, its stage and its place there: a shortcut begins a stage."""
    numbers = sorted({int(found[1]) for name in weights if (found := BLOCK.fullmatch(name))})
    places: dict[int, tuple[int, int]] = {}
    stage, place = -1, 0
    for number in numbers:
        begins = not places or f"features.{number}.shortcut.1.weight" in weights
        stage, place = (stage + 1, 0) if begins else (stage, place + 1)
        places[number] = stage, place
    return places


def grow(old: dict[str, torch.Tensor], new: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return `new` with `old` in the leading channels of each tensor, and the new inputs of old outputs at zero.

    Raises
    ------
    SystemExit
        When a tensor of `old` has no place in `new`.
    """
    grown = {name: value.clone() for name, value in new.items()}
    old_blocks, new_blocks = blocks(old), {place: number for number, place in blocks(new).items()}
    for old_name, value in old.items():
        found = BLOCK.fullmatch(old_name)
        number = new_blocks.get(old_blocks[int(found[1])]) if found else None
        name = f"features.{number}.{found[2]}" if found else old_name
        place = grown.get(name)
        if place is None or any(n > room for n, room in zip(value.shape, place.shape, strict=True)):
            raise SystemExit(f"{name} {tuple(value.shape)}: the larger network has no place for it.")
        if value.dim() > 1:
            place[: value.shape[0], value.shape[INPUT] :] = 0
        place[tuple(slice(0, n) for n in value.shape)] = value
    return grown


def main() -> int:
    """Write the grown weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="best.safetensors of a run, or its folder")
    parser.add_argument("size", help="size of compact3d to grow to")
    parser.add_argument("out", type=Path, help=".safetensors to write")
    parser.add_argument("--seed", type=int, default=0, help="draws the new channels (%(default)s)")
    given = parser.parse_args()
    source = given.weights / "best.safetensors" if given.weights.is_dir() else given.weights
    old = load_file(source)
    torch.manual_seed(given.seed)
    network = Compact3d(old["head.bias"].shape[0], given.size)
    network.load_state_dict(grow(old, network.state_dict()))
    save_file(network.state_dict(), given.out)
    print(f"{given.out}: {sum(p.numel() for p in network.parameters()):,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
