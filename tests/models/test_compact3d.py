import pytest
import torch

from echoplane.errors import UsageError
from echoplane.models.compact3d import Block, Compact3d
from echoplane.models.registry import NETWORKS


def test_the_answer_is_the_mean_of_the_class_activation_map() -> None:
    torch.manual_seed(0)
    network = Compact3d(6, "s").eval()
    clips = torch.rand(2, 1, 10, 64, 64)
    with torch.no_grad():
        maps = torch.einsum("kc,bcnhw->bknhw", network.head.weight, network.features(clips))
        torch.testing.assert_close(network(clips), maps.mean((2, 3, 4)) + network.head.bias)


def test_a_new_block_is_its_shortcut() -> None:
    network = Compact3d(6, "s").eval()
    block = network.features[1]
    assert isinstance(block, Block)
    x = torch.rand(1, 16, 4, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(block(x), x)


def test_sees_the_order_of_frames() -> None:
    torch.manual_seed(0)
    network = Compact3d(6, "s")
    for module in network.modules():
        if isinstance(module, Block):
            torch.nn.init.ones_(module.norm2.weight)
    network.eval()
    clip = torch.rand(1, 1, 10, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(network(clip), network(clip.flip(2)), atol=1e-4)


def test_costs_less_than_a_quarter_of_the_reference_on_the_same_clip() -> None:
    from echoplane.models.count import count

    clip = NETWORKS["cnn3d"].clip
    assert count(Compact3d(6, "m"), clip).macs < NETWORKS["cnn3d"].macs / 4
    assert count(Compact3d(6, "s"), clip).macs < NETWORKS["cnn3d"].macs / 8


@pytest.mark.parametrize(("options", "message"), [({"size": "xxl"}, "known: s, m"), ({"dropout": 1.0}, "dropout 1.0")])
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Compact3d(6, **options)  # type: ignore[arg-type]
