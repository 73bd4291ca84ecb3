import math

import pytest
import torch
from torch import nn

from echoplane.models.registry import build
from echoplane.training.optim import make_optimizer, rate_factor, set_rate
from echoplane.training.recipe import Optimizer, Schedule


def test_steps_are_those_of_steplr() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    theirs = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.8)
    for epoch in range(20):
        ours = [rate_factor(Schedule("step", every=5, gamma=0.8), epoch * 3 + step, 3, 20) for step in range(3)]
        assert ours == pytest.approx([optimizer.param_groups[0]["lr"]] * 3)
        optimizer.step()
        theirs.step()


def test_cosine_after_a_warm_up() -> None:
    schedule = Schedule("cosine", warmup=1, floor=0.1)
    factors = [rate_factor(schedule, step, 4, 5) for step in range(20)]
    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert factors[4:] == pytest.approx([0.1 + 0.45 * (1 + math.cos(math.pi * i / 16)) for i in range(16)])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_decay_spares_biases_and_normalisation(name: str) -> None:
    network = build("compact3d-s", 3)
    optimizer = make_optimizer(network, Optimizer(name, lr=0.1, weight_decay=0.5))  # type: ignore[arg-type]
    decayed, spared = (group["params"] for group in optimizer.param_groups)
    assert {p.ndim for p in spared} == {1}
    assert min(p.ndim for p in decayed) > 1
    assert len(decayed) + len(spared) == len(list(network.parameters()))
    set_rate(optimizer, 0.01)
    assert {group["lr"] for group in optimizer.param_groups} == {0.01}


def test_frozen_parameters_are_left_out() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[0].requires_grad_(False)
    assert sum(len(g["params"]) for g in make_optimizer(network, Optimizer()).param_groups) == 2
