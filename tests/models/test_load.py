"""From a bundle back to a torch network."""

import pytest
import safetensors.torch
import torch

from echoplane.errors import BundleError
from echoplane.models.bundle import WEIGHTS_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.load import load_network
from echoplane.models.registry import build


def _bundle(weights):
    facts = BundleFacts("b", ("A2C", "A4C"), NetworkSpec("compact3d-s"))
    return Bundle.create(facts, {WEIGHTS_NAME: safetensors.torch.save(weights)})


def test_weights_come_back_and_those_that_are_no_numbers_do_not():
    weights = build("compact3d-s", 2).state_dict()
    back = load_network(_bundle(weights))
    assert not back.training
    assert all(torch.equal(tensor, weights[name]) for name, tensor in back.state_dict().items())
    weights["head.bias"] = torch.tensor([0.0, float("nan")])
    with pytest.raises(BundleError, match=r"no finite numbers in head\.bias"):
        load_network(_bundle(weights))
