"""Runs where MONAI is installed."""

import pytest
import torch

pytest.importorskip("monai")

from echoplane.models.registry import build


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", ["monai:densenet121", "monai:resnet10", "monai:efficientnet-b0"])
def test_monai_networks_keep_the_contract(name: str) -> None:
    network = build(name, 6).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 1, 10, 64, 64)).shape == (2, 6)
