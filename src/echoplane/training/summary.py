"""A network as a table: what each layer makes, holds and costs."""

from __future__ import annotations

import torch
from torch import nn

from echoplane.errors import UsageError
from echoplane.models.count import count

#: Layers of a larger network are summed up by block.
_MOST_LINES = 40


def summarise(network: nn.Module, clip: tuple[int, int, int], name: str = "") -> str:
    """Return a table of the network for people.

    Parameters
    ----------
    network : nn.Module
    clip : tuple of int
        (N, H, W).
    name : str
        What recipes call the network, for the message.

    Raises
    ------
    UsageError
        When the network cannot read such clips, as when it halves them more often than they can be halved.
    """
    shapes: dict[str, str] = {}
    names = _blocks(network)
    handles = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: shapes.update({name: "x".join(map(str, out.shape[1:]))})
        )
        for name, module in names.items()
    ]
    try:
        total = count(network, clip)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError) as error:
        raise UsageError(_too_small(network, clip, name, error)) from error
    finally:
        for handle in handles:
            handle.remove()
    lines = [("layer", "kind", "output", "parameters", "")]
    for name, module in names.items():
        if name in shapes:
            parameters = list(module.parameters())
            frozen = "frozen" if parameters and not any(p.requires_grad for p in parameters) else ""
            lines.append((name, type(module).__name__, shapes[name], f"{sum(p.numel() for p in parameters):,}", frozen))
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    table = "\n".join(
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}  {e}".rstrip()
        for a, b, c, d, e in lines
    )
    learning = sum(p.numel() for p in network.parameters() if p.requires_grad)
    n, h, w = clip
    return (
        f"{table}\n\n{total.parameters:,} parameters, {learning:,} of them learn; "
        f"{total.macs / 1e6:,.0f} million multiply-adds for a clip of {n} frames {h}x{w}.\n"
    )


def _too_small(network: nn.Module, clip: tuple[int, int, int], name: str, error: Exception) -> str:
    n, h, w = clip
    return (
        f"network {name or type(network).__name__!r}: cannot read a clip of {n} x {h} x {w} (frames x rows x columns): "
        f"{str(error).splitlines()[0].rstrip('.')}. Choose network.options that shrink clips less, another network, "
        "more frames (data.sampling.frames), or prepare larger pictures."
    )


def _blocks(network: nn.Module) -> dict[str, nn.Module]:
    """Return the finest level of the tree that still fits on a page."""
    level = dict(network.named_children())
    while True:
        finer: dict[str, nn.Module] = {}
        for name, module in level.items():
            children = dict(module.named_children())
            finer.update({f"{name}.{child}": m for child, m in children.items()} if children else {name: module})
        if len(finer) > _MOST_LINES or finer.keys() == level.keys():
            return level
        level = finer


def device_line(device: torch.device, world: int, precision: str) -> str:
    """Return for example ``"2 x cuda, bf16"``."""
    name = f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type
    return f"{world} x {name}, {precision}"
