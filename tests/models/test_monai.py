"""Runs where MONAI is installed."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("monai")

from echoplane.errors import UsageError
from echoplane.explain.methods import attribute
from echoplane.explain.scored import last_map
from echoplane.explain.target import Target
from echoplane.models.registry import build
from echoplane.models.weights import load, read_state
from echoplane.training.checkpoint import BEST, save_best


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", ["monai:densenet121", "monai:resnet10", "monai:efficientnet-b0"])
def test_monai_networks_keep_the_contract(name: str) -> None:
    network = build(name, 6).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 1, 10, 64, 64)).shape == (2, 6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_best_weights_of_a_run_come_back(tmp_path: Path) -> None:
    network, again = build("monai:resnet10", 3), build("monai:resnet10", 3)
    save_best(tmp_path, network)
    load(again, read_state(tmp_path / BEST))
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_gradcam_finds_the_last_map_by_itself() -> None:
    torch.manual_seed(0)
    network, x = build("monai:densenet121", 3).eval(), np.random.default_rng(0).random((2, 1, 8, 64, 64), np.float32)
    layer = last_map(network, x.shape)
    with torch.no_grad():
        kept = []
        network.get_submodule(layer).register_forward_hook(lambda _m, _x, made: kept.append(made.shape))
        network(torch.from_numpy(x))
    assert kept == [(2, 1024, 1, 2, 2)]
    weights = Target("b").weights(("a", "b", "c"))
    assert attribute(build("monai:densenet121", 3), layer, x, weights).shape == (2, 8, 64, 64)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet10", {"spatial_dims": 2}, "spatial_dims=2 cannot be chosen"),
        ("resnet10", {"n_input_channels": 3}, "n_input_channels=3 cannot be chosen"),
        ("resnet10", {"num_classes": 9}, "num_classes=9 cannot be chosen"),
        ("resnet10", {"feed_forward": False}, "feed_forward=False cannot be chosen"),
        ("densenet121", {"in_channels": 3, "out_channels": 4}, "in_channels=3, out_channels=4 cannot be chosen"),
        ("efficientnet-b0", {"pretrained": True}, "pretrained=True cannot be chosen"),
        ("densenet121", {"norm": "nothing"}, "Unsupported option"),
        ("resnet10", {"frames": "x"}, "frames 'x'"),
        ("resnet10", {"frames": 0}, "frames 0"),
    ],
)
def test_what_clips_and_views_settle_is_not_chosen(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(f"monai:{name}", 3, **options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_is_settled_may_be_said_again() -> None:
    network = build("monai:resnet10", 3, spatial_dims=3, num_classes=3, no_max_pool=True)
    assert network.network.no_max_pool
    assert network.network.fc.out_features == 3
