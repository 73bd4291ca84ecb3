"""Optimisers and learning rates. The rate is a function of the step alone, so that nothing of it has to be saved."""

from __future__ import annotations

import math

import torch
from torch import nn

from echoplane.training.recipe import Optimizer, Schedule


def make_optimizer(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """Build the optimiser over the parameters that learn.

    Weight decay is applied to the weights of convolutions and linear layers only.
    """
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.momentum > 0)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(groups, lr=settings.lr)


def rate_factor(schedule: Schedule, step: int, steps: int, epochs: int) -> float:
    """Return the factor on the learning rate.

    Parameters
    ----------
    schedule : Schedule
    step : int
        Steps already made since the start of the run.
    steps : int
        Steps of an epoch.
    epochs : int
        Epochs of the run.
    """
    warmup = round(schedule.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule.kind == "step":
        return float(schedule.gamma ** (step // steps // schedule.every))
    if schedule.kind == "cosine":
        done = (step - warmup) / max(steps * epochs - warmup, 1)
        return schedule.floor + (1 - schedule.floor) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return 1.0


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate
