"""The first weights of a run: random, or from a run, a bundle or a file."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from echoplane.errors import BundleError
from echoplane.models.bundle import WEIGHTS_NAME, Bundle
from echoplane.models.layers import guard_two_frames
from echoplane.models.registry import build
from echoplane.models.weights import LoadReport, State, fine_tune_from, load, read_state
from echoplane.training.checkpoint import BEST
from echoplane.training.recipe import NetworkUse


def start_network(use: NetworkUse, n_views: int) -> tuple[nn.Module, LoadReport | None]:
    """Build a network with the weights it starts from, frozen where it is to stay as it is.

    Raises
    ------
    UsageError, BundleError
        For an unknown network, option or layer, and weights that do not fit.
    """
    network = build(use.name, n_views, **use.options)
    guard_two_frames(network)
    report = None
    if use.weights:
        optional = [f"{last_layer(network)}."] if use.new_head else []
        state = read_weights(use.weights)  # names the file itself
        try:
            report = load(network, state, optional=optional)
        except BundleError as error:
            raise BundleError(f"{use.weights}: {error}") from error
    if use.fine_tune_from:
        fine_tune_from(network, use.fine_tune_from)
    return network, report


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
    if path.is_dir() or path.suffix in (".echoplane", ".zip"):
        from safetensors.torch import load as load_bytes

        return load_bytes(Bundle.load(path).read(WEIGHTS_NAME))
    return read_state(path)


def last_layer(network: nn.Module) -> str:
    """Return the name of the last linear layer, which gives the answer."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]
