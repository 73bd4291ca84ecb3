"""Processors, precision and processes, through Lightning Fabric."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any, TypeVar

import torch
from lightning.fabric import Fabric
from torch import nn

from echoplane.errors import UsageError
from echoplane.training.allocator import keep_freed_memory
from echoplane.training.order import check_shares
from echoplane.training.recipe import Fit

T = TypeVar("T")

_PRECISION = {"f32": "32-true", "bf16": "bf16-mixed", "f16": "16-mixed"}


def computed_in(precision: str, device: str) -> str:
    """Return the precision that a recipe's one means on a device.

    Parameters
    ----------
    precision : {"auto", "f32", "bf16", "f16"}
    device : {"cpu", "cuda"}

    Returns
    -------
    {"f32", "bf16", "f16"}
        For ``auto``, bf16 where the device computes in it. Elsewhere it is imitated, on a processor with AVX2 only 15
        to 25 times slower than f32, and f32 is returned.
    """
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "f32"
    try:
        return "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "f32"
    except (AttributeError, RuntimeError):  # a torch without oneDNN
        return "f32"


def make_fabric(fit: Fit, devices: int = 1, nodes: int = 1, accelerator: str = "auto") -> Fabric:
    """Choose the processors and start the processes.

    With more than one process, the script that runs is started again for each (or was, by ``torchrun`` or SLURM,
    whose environment Fabric reads).

    Parameters
    ----------
    fit : Fit
        For precision, determinism, and the batch that the processes share.
    devices, nodes : int
        Processes on each machine, and machines.
    accelerator : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where it is.

    Raises
    ------
    UsageError
        For an accelerator that is not there, precision "f16" without a GPU, and a batch that the processes cannot
        share evenly.
    """
    check_shares(fit.batch, devices * nodes)  # said once, before there are several processes to say it
    cuda = torch.cuda.is_available()
    if accelerator == "auto":
        accelerator = "cuda" if cuda else "cpu"
    if accelerator not in ("cpu", "cuda") or (accelerator == "cuda" and not cuda):
        raise UsageError(f"accelerator {accelerator!r}: is not here; this machine has: cpu{', cuda' if cuda else ''}.")
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise UsageError(f"{devices} devices asked for, this machine has {torch.cuda.device_count()} GPUs.")
    if fit.precision == "f16" and accelerator == "cpu":
        raise UsageError("fit.precision f16 is for GPUs; use bf16 or f32 on a CPU.")
    if accelerator == "cpu":
        keep_freed_memory()
    if fit.deterministic and accelerator == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it, before its first call
    torch.use_deterministic_algorithms(fit.deterministic)
    many = devices * nodes > 1
    # It announces on stderr what the recipe says already.
    for name in ("lightning.fabric.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Advice for notebooks and SLURM that is either not ours to give or already followed.
        warnings.filterwarnings("ignore", module=r"lightning\.fabric\..*")
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if many else "auto",
            precision=_PRECISION[computed_in(fit.precision, accelerator)],  # type: ignore[arg-type]
        )
        fabric.launch()
    return fabric


def precision_of(fabric: Fabric) -> str:
    """Return the precision in which a Fabric computes, as recipes call it."""
    used = str(fabric.strategy.precision.precision)
    return next((name for name, theirs in _PRECISION.items() if theirs == used), used)


def gather_objects(value: T, world: int) -> list[T]:
    """Return the value of every process, in the order of their ranks, to each of them."""
    if world == 1:
        return [value]
    found: list[Any] = [None] * world
    torch.distributed.all_gather_object(found, value)
    return found


@torch.no_grad()
def share_buffers(network: nn.Module, world: int) -> None:
    """Give the network of every process the buffers of the first one's, in place.

    Weights are the same everywhere, since gradients are; the running statistics of batch norm are not, since each
    process takes those of its own clips. The first process's are kept in files.
    """
    if world == 1:
        return
    for buffer in network.buffers():
        sent = buffer.contiguous()  # a copy where the memory layout has the channels innermost
        torch.distributed.broadcast(sent, src=0)
        buffer.copy_(sent)
