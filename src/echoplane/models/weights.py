"""Reading weights from files, and fitting foreign ones to our shapes; nothing is ever unpickled freely."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from echoplane.errors import BundleError, UsageError

State = dict[str, Tensor]

#: Under these keys training programs put the weights inside a checkpoint.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")

#: Prefixes that wrappers (DataParallel, Lightning, torch.compile) put before every name.
_PREFIXES = ("module.", "_orig_mod.", "network.")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a file's weights.

    Attributes
    ----------
    loaded : tuple of str
        Names that were set.
    missing : tuple of str
        Names of the network that the file does not have, has in another shape, or was not asked for; they keep their
        random values.
    unused : tuple of str
        Names of the file that the network does not have, has in another shape, or did not take.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def read_state(path: str | Path) -> State:
    """Read a state dict from ``.safetensors``, or from a torch file with ``weights_only=True``.

    Wrappers (``{"state_dict": ...}``) are opened and prefixes (``module.``) stripped.

    Raises
    ------
    BundleError
        When the file cannot be read without running code from it, or holds no tensors by name.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BundleError(
            f"{path}: holds more than tensors and numbers, and is not opened, since that would run code from the file. "
            "Save its state_dict() alone and try again."
        ) from error
    except Exception as error:  # whatever torch and safetensors raise on a damaged file
        raise BundleError(f"{path}: cannot be read as weights ({type(error).__name__}: {error}).") from error
    return strip_prefixes(_unwrap(content, path))


def strip_prefixes(state: Mapping[str, Tensor]) -> State:
    """Drop ``module.`` and its like where every name has it, again and again."""
    stripped = dict(state)
    found = True
    while found:
        found = False
        for prefix in _PREFIXES:
            if stripped and all(name.startswith(prefix) for name in stripped):
                stripped = {name.removeprefix(prefix): tensor for name, tensor in stripped.items()}
                found = True
    return stripped


def adapt(name: str, tensor: Tensor, target: Tensor) -> Tensor | None:
    """Fit one tensor to the shape of another, or return None.

    Two changes are made, both exact for grey pictures shown as R = G = B: kernels of a 2D convolution become 1xkxk
    ones, and three input channels are summed into one.
    """
    if tensor.ndim == 4 and target.ndim == 5 and target.shape[2] == 1:
        tensor = tensor.unsqueeze(2)
    if tensor.ndim == 5 and target.ndim == 5 and tensor.shape[1] == 3 and target.shape[1] == 1:
        tensor = tensor.sum(1, keepdim=True)
    return tensor if tensor.shape == target.shape else None


def load(
    network: nn.Module, state: Mapping[str, Tensor], *, optional: Iterable[str] = (), anew: Iterable[str] = ()
) -> LoadReport:
    """Copy weights into a network.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    state : mapping of str to Tensor
        As from :func:`read_state`. Where every name of the network has one of the prefixes that it strips, as those of
        MONAI's have, names without it are meant as well.
    optional : iterable of str
        Prefixes of names that may be missing or of another shape, for example ``["fc."]`` for a new head.
    anew : iterable of str
        Prefixes of names that are not taken from `state`, whatever their shape; they are missing then.

    Raises
    ------
    BundleError
        When a name that is not optional is missing or has another shape. The network is then unchanged.
    """
    own = network.state_dict()
    optional, anew = tuple(optional), tuple(anew)
    if not own.keys() & state.keys():
        short = strip_prefixes(own)
        full = dict(zip(short, own, strict=True))
        state = {full.get(name, name): tensor for name, tensor in state.items()}
    fitted: State = {}
    for name, target in own.items():
        tensor = adapt(name, state[name], target) if name in state and not name.startswith(anew) else None
        if tensor is not None:
            fitted[name] = tensor
    # Very old checkpoints have no counter of batches; nothing uses it.
    missing = tuple(n for n in own if n not in fitted and not n.endswith("num_batches_tracked"))
    needed = [name for name in missing if not name.startswith(optional)] if optional else list(missing)
    if needed:
        name = needed[0]
        found = f"has {tuple(state[name].shape)}" if name in state else "lacks it"
        raise BundleError(
            f"the weights do not fit: the network needs {name!r} as {tuple(own[name].shape)}, the file {found} "
            f"({len(needed)} of {len(own)} names do not fit)."
        )
    network.load_state_dict({**own, **fitted})
    return LoadReport(tuple(fitted), missing, tuple(name for name in state if name not in fitted))


def fine_tune_from(network: nn.Module, layer: str) -> int:
    """Freeze every parameter that comes before a layer; the layer and what follows it learn.

    "Before" is the order in which the network declares its layers, which is the order of the computation in
    every network of the registry. The normalisation layers of the frozen part should stay in evaluation mode:
    call :func:`hold_frozen` after ``train()``.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    layer : str
        Dotted name of a module, for example ``"layer4"`` or ``"classifier"``.

    Returns
    -------
    int
        How many parameters are frozen.

    Raises
    ------
    UsageError
        When the network has no such layer, with the names it has.
    """
    names = [name for name, _ in network.named_parameters()]
    first = next((i for i, name in enumerate(names) if name == layer or name.startswith(f"{layer}.")), None)
    if first is None:
        raise UsageError(
            f"fine_tune_from: the network has no layer {layer!r} with weights; it has: {', '.join(_layers(network))}."
        )
    parameters = list(network.parameters())
    for parameter in parameters[:first]:
        parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in parameters[:first])


def _layers(network: nn.Module) -> list[str]:
    """Return the outermost layers with weights by their dotted names; a mere wrapper is looked into."""
    prefix, inner = "", network
    while len(children := [(n, m) for n, m in inner.named_children() if any(True for _ in m.parameters())]) == 1:
        name, inner = children[0]
        prefix += f"{name}."
    return [f"{prefix}{name}" for name, _ in children] or [prefix.rstrip(".")]


def hold_frozen(network: nn.Module) -> None:
    """Put layers whose own weights are all frozen into evaluation mode, so that their running statistics stay."""
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def _unwrap(content: Any, path: Path) -> State:
    for _ in range(2):
        for key in _WRAPPERS:
            if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
                content = content[key]
                break
    if not isinstance(content, Mapping):
        raise BundleError(f"{path}: holds a {type(content).__name__}, expected weights by name.")
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not state or len(state) < len(content):
        raise BundleError(f"{path}: holds no plain table of weights by name.")
    return state
