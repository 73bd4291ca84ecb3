"""The bundle to measure with: the one that ships, or one with random weights, for cost only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from echoplane.errors import BundleError
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.prepare.recipe import RECIPES
from echoplane.sampling.rule import RULES
from echoplane.views import MAIN_VIEWS


def chosen(path: str | None, folder: Path) -> tuple[Path, str]:
    """Return a bundle and what to say about it.

    Parameters
    ----------
    path : str or None
        A bundle; None takes the one that ships, or makes one with random weights where none ships.
    folder : Path
        Where to write it.
    """
    target = folder / "bench.echoplane"
    try:
        bundle = Bundle.load(path)
        bundle.save(target)
        return target, f"bundle {bundle.name} {bundle.hash[:12]}, network {bundle.facts.network.name}"
    except BundleError:
        if path is not None:
            raise
    return random_bundle("compact3d", folder), "compact3d with random weights: cost only"


def random_bundle(network: str, folder: Path, side: int = 112) -> Path:
    """Write a bundle of a network with random weights that answers from five clips of ten frames, side x side."""
    import torch

    from echoplane.models.export import export_bundle
    from echoplane.models.registry import build

    torch.manual_seed(0)
    vocabulary = (*MAIN_VIEWS, "other")
    facts = BundleFacts(
        "random",
        vocabulary,
        NetworkSpec(network),
        recipe=replace(RECIPES["default"], size=(side, side)),
        sampling=replace(RULES["reference"], max_clips=5, short="loop"),
        notes=("Random weights: for measuring cost, not for answers.",),
    )
    return export_bundle(build(network, len(vocabulary)), facts).save(folder / f"{network}.echoplane")
