"""Every network keeps the contract, and costs what the table says."""

import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from echoplane.errors import UsageError
from echoplane.models.count import count
from echoplane.models.registry import NETWORKS, build, find

SMALL = ["cnn3d", "compact3d", "compact3d-s", "frames2d-lenet", "frames2d-resnet18"]


def check_cost(name: str) -> None:
    """Count again with PyTorch's own counter, which looks at operators and not at layers."""
    row = NETWORKS[name]
    network = build(name, 6).eval()
    pools = 0
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, *row.clip))
    for operator, flops in counter.get_flop_counts()["Global"].items():
        if "bmm" in str(operator) or str(operator) == "aten.mm":
            pools += flops  # constant pooling matrices, which our figure leaves out
    products = counter.get_total_flops() // 2
    assert products - pools // 2 <= row.macs <= products
    assert count(network, row.clip).macs == row.macs
    assert sum(p.numel() for p in network.parameters()) == row.parameters


@pytest.mark.parametrize("name", list(NETWORKS))
def test_costs_are_as_the_table_says(name: str) -> None:
    check_cost(name)


def test_cost_of_the_reference_by_hand() -> None:
    """(frames, size, channels in, channels out) of each convolution; a pooling takes one frame and half the size."""
    layers = [
        (10, 100, 1, 16), (10, 100, 16, 16),
        (9, 50, 16, 32), (9, 50, 32, 32),
        (8, 25, 32, 32), (8, 25, 32, 32),
        (7, 12, 32, 64), (7, 12, 64, 64), (7, 12, 64, 64),
    ]  # fmt: skip
    hidden = [(64 * 7 * 5 * 5, 200), (200, 150), (150, 6)]
    macs = sum(n * s * s * 27 * i * o for n, s, i, o in layers) + sum(i * o for i, o in hidden)
    parameters = sum(27 * i * o + o + 2 * o for _, _, i, o in layers) + sum(i * o + o for i, o in hidden)
    assert (NETWORKS["cnn3d"].macs, NETWORKS["cnn3d"].parameters) == (macs, parameters)


@pytest.mark.parametrize("name", SMALL)
def test_takes_clips_and_gives_logits(name: str) -> None:
    network = build(name, 4)
    logits = network(torch.rand(2, 1, 10, 100, 100))
    assert logits.shape == (2, 4)
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", ["compact3d", "compact3d-s", "frames2d-resnet18"])
@pytest.mark.parametrize("clip", [(1, 16, 16), (7, 33, 80), (16, 112, 96)])
def test_small_networks_take_any_size(name: str, clip: tuple[int, int, int]) -> None:
    network = build(name, 3).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, *clip)).shape == (1, 3)


@pytest.mark.parametrize("name", [n for n in SMALL if n != "frames2d-lenet"])
def test_feature_layer_gives_a_map_over_time_and_space(name: str) -> None:
    network, shapes = build(name, 6).eval(), []
    layer = network.get_submodule(find(name).feature_layer)
    layer.register_forward_hook(lambda _m, _i, output: shapes.append(output.shape))
    with torch.no_grad():
        network(torch.rand(2, 1, 10, 100, 100))
    assert len(shapes) == 1
    assert len(shapes[0]) == 5
    assert shapes[0][0] == 2


def test_counting_leaves_a_network_as_it_was() -> None:
    network = build("compact3d-s", 6)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, (4, 32, 32))
    assert network.training
    assert not any(m._forward_hooks for m in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_unknown_names_and_options_say_what_is_known() -> None:
    with pytest.raises(UsageError, match="did you mean 'compact3d'"):
        build("compct3d", 6)
    with pytest.raises(UsageError, match="unexpected keyword argument 'widht'"):
        build("frames2d-resnet18", 6, widht=3)
    with pytest.raises(UsageError, match="at least two views"):
        build("cnn3d", 1)
    with pytest.raises(UsageError, match="monai:densenet121"):
        build("monai:nothing", 6)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("frames2d-resnet18", {"width": 2.5}, "width=2.5"),  # ValueError of torch
        ("cnn3d", {"classifier": [10**12, 0.5, 10**12, 0.5]}, "RuntimeError"),  # memory for it
        ("cnn3d", {"adaptive_pool": [1.5, 2, 2]}, "adaptive_pool"),
        ("compact3d", {"size": ["m"]}, "unhashable"),
    ],
)
def test_values_that_torch_refuses_end_in_a_sentence(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=rf"network '{name}': cannot be built .*{message}.*network\.options"):
        build(name, 6, **options)


def test_names_of_arguments_are_those_of_the_documentation() -> None:
    assert isinstance(build(name="compact3d-s", n_views=6, dropout=0.1), torch.nn.Module)


def test_what_networks_refuse_themselves_stays_as_it_is() -> None:
    with pytest.raises(UsageError, match=r"^compact3d size 'x' is not known"):
        build("compact3d", 6, size="x")


def test_the_table_needs_no_torch() -> None:
    code = "import sys, echoplane.models.registry as r; assert r.NETWORKS; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
