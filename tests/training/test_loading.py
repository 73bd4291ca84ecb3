"""Batches loaded ahead: what is drawn inside the network knows nothing of who loads them."""

from typing import Any

import pytest
import torch

from echoplane.training.cines import open_data
from echoplane.training.loading import Batches
from echoplane.training.order import EpochBatches


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_draws_nothing_from_the_generator_of_the_network(
    make_store: Any, make_recipe: Any, workers: int
) -> None:
    data = open_data(make_recipe(make_store()))
    batches = Batches(data.train.clips, EpochBatches(data.chance, data.epoch_clips, 8, 1), workers, False)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for epoch in range(2):
        assert len(list(batches.epoch(epoch))) == len(batches)
        assert torch.equal(torch.get_rng_state(), before)
