import pytest
import torch

from echoplane.models.count import count
from echoplane.models.modes import EvaluationMode
from echoplane.models.registry import build
from echoplane.models.weights import fine_tune_from, hold_frozen


def partly_held() -> tuple[torch.nn.Module, list[bool]]:
    """A network in training whose frozen layers are held in evaluation mode, and the mode of each layer."""
    network = build("compact3d-s", 3)
    fine_tune_from(network, "head")
    network.train()
    hold_frozen(network)
    modes = [layer.training for layer in network.modules()]
    assert {True, False} == set(modes)
    return network, modes


def test_every_layer_gets_its_own_mode_back() -> None:
    network, modes = partly_held()
    with EvaluationMode(network) as inside:
        assert inside is network
        assert not any(layer.training for layer in network.modules())
    assert [layer.training for layer in network.modules()] == modes
    with pytest.raises(ZeroDivisionError), EvaluationMode(network):
        _ = 1 / 0
    assert [layer.training for layer in network.modules()] == modes


def test_counting_leaves_the_modes() -> None:
    network, modes = partly_held()
    count(network, (4, 16, 16))
    assert [layer.training for layer in network.modules()] == modes
