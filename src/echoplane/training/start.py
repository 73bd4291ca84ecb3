"""The first weights of a run: random, or from a run, a bundle or a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from echoplane import config
from echoplane._files import sha256
from echoplane.errors import BundleError, UsageError
from echoplane.models.bundle import WEIGHTS_NAME, Bundle
from echoplane.models.bundle_files import FACTS_NAME
from echoplane.models.layers import guard_two_frames
from echoplane.models.registry import build
from echoplane.models.weights import State, fine_tune_from, load, read_state
from echoplane.training.checkpoint import BEST
from echoplane.training.recipe import NetworkUse
from echoplane.training.run_folder import RECIPE


@dataclass(frozen=True, eq=False)
class FirstNetwork:
    """A network before its first step.

    Attributes
    ----------
    network : nn.Module
    missing : tuple of str
        Names that its weights did not give, and that start at random; empty where all start so.
    notes : tuple of str
        What became of the weights, in sentences.
    """

    network: nn.Module
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def start_network(use: NetworkUse, views: Sequence[str]) -> FirstNetwork:
    """Build a network with the weights it starts from, frozen where it is to stay as it is.

    Parameters
    ----------
    use : NetworkUse
    views : sequence of str
        What it is to tell apart, in the order of its outputs. Where the weights say that they were made for other
        views, or for these in another order, the last layer starts anew, of the same shape or not.

    Raises
    ------
    UsageError, BundleError
        For an unknown network, option or layer, and weights that do not fit.
    """
    if settled := sorted({"name", "n_views"} & set(use.options)):
        raise UsageError(
            f"network {use.name!r}: network.options has {settled[0]}, which network.name and the views settle. Leave "
            "it out."
        )
    network = build(use.name, len(views), **use.options)
    guard_two_frames(network)
    first = _with_weights(network, use, tuple(views)) if use.weights else FirstNetwork(network)
    if use.fine_tune_from:
        fine_tune_from(network, use.fine_tune_from)
    return first


def _with_weights(network: nn.Module, use: NetworkUse, views: tuple[str, ...]) -> FirstNetwork:
    head = [f"{last_layer(network)}."]
    state = read_weights(use.weights)  # names the file itself
    known = views_of(use.weights)
    differ = bool(known) and known != views
    if differ and not use.new_head:
        raise BundleError(
            f"{use.weights}: the weights are for the views {', '.join(known)}, and this run has {', '.join(views)}, in "
            "this order. Set network.new_head=true to start the last layer anew."
        )
    try:
        report = load(network, state, optional=head if use.new_head else (), anew=head if differ else ())
    except BundleError as error:
        raise BundleError(f"{use.weights}: {error}") from error
    note = f"Weights of {use.weights}: {'' if report.missing else 'all '}{len(report.loaded)} loaded"
    note += f", new: {', '.join(report.missing)}." if report.missing else "."
    why = f"The last layer starts anew: the weights are for the views {', '.join(known)}, in this order."
    return FirstNetwork(network, report.missing, (note, why) if differ else (note,))


def read_weights(path: str | Path) -> State:
    """Read weights from a run folder, a bundle (folder or file), ``.safetensors`` or a torch file.

    Raises
    ------
    BundleError
        When nothing of the kind is there.
    """
    path = Path(path)
    if not path.exists():
        raise BundleError(f"{path}: is not there; network.weights takes a run folder, a bundle or a file of weights.")
    if (path / BEST).is_file():
        return read_state(path / BEST)
    if _is_bundle(path):
        from safetensors.torch import load as load_bytes

        return load_bytes(Bundle.load(path).read(WEIGHTS_NAME))
    return read_state(path)


def weights_hash(path: str | Path) -> str:
    """Return the SHA-256 of the weights that :func:`read_weights` reads; empty where nothing can be read."""
    if not path or not Path(path).exists():
        return ""
    path = Path(path)
    try:
        if (path / BEST).is_file():
            return sha256(path / BEST)
        return hashlib.sha256(Bundle.load(path).read(WEIGHTS_NAME)).hexdigest() if _is_bundle(path) else sha256(path)
    except (BundleError, OSError):
        return ""


def views_of(path: str | Path) -> tuple[str, ...]:
    """Return the views that weights tell apart, in the order of their outputs; empty where nothing says so.

    A run says it in its recipe and a bundle in its facts, also where the file of weights inside is given.

    Raises
    ------
    BundleError, ConfigError
        When what should say it cannot be read.
    """
    path = Path(path)
    folder = path.parent if path.name in (BEST, WEIGHTS_NAME) else path
    if (folder / BEST).is_file():
        if not (folder / RECIPE).is_file():
            return ()
        # As plain data: a recipe of another version need not be valid today.
        found = config.load_mapping(folder / RECIPE).get("views")
        return tuple(map(str, found)) if isinstance(found, list) else ()
    if folder != path and not (folder / FACTS_NAME).is_file():
        return ()  # a file that is only called so
    return Bundle.load(folder).facts.vocabulary if _is_bundle(folder) else ()


def _is_bundle(path: Path) -> bool:
    return path.is_dir() or path.suffix in (".echoplane", ".zip")


def last_layer(network: nn.Module) -> str:
    """Return the name of the last linear layer, which gives the answer."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]
