import pytest
import torch

from echoplane.errors import UsageError
from echoplane.models.topheavy3d import AlongTime, TopHeavy3d

NARROW = (4, 8, 16, 24)


def test_the_answer_is_the_mean_of_the_class_activation_map() -> None:
    torch.manual_seed(0)
    network = TopHeavy3d(6, NARROW).eval()
    clips = torch.rand(2, 1, 5, 64, 64)
    with torch.no_grad():
        maps = torch.einsum("kc,bcnhw->bknhw", network.head.weight, network.features(clips))
        torch.testing.assert_close(network(clips), maps.mean((2, 3, 4)) + network.head.bias)


def test_a_fresh_network_answers_each_frame_alone() -> None:
    torch.manual_seed(0)
    network = TopHeavy3d(6, NARROW).eval()
    clip = torch.rand(1, 1, 5, 64, 64)
    with torch.no_grad():
        alone = torch.stack([network(clip[:, :, i : i + 1]) for i in range(5)]).mean(0)
        torch.testing.assert_close(network(clip), alone, rtol=1e-4, atol=1e-6)


def test_sees_the_order_of_frames_once_it_has_learned_to() -> None:
    torch.manual_seed(0)
    network = TopHeavy3d(6, NARROW).eval()
    for module in network.modules():
        if isinstance(module, AlongTime):
            torch.nn.init.ones_(module.norm.weight)
    clip = torch.rand(1, 1, 8, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(network(clip), network(clip[:, :, [0, 4, 1, 5, 2, 6, 3, 7]]), rtol=1e-3)


def test_every_weight_learns_from_one_frame_and_from_many() -> None:
    network = TopHeavy3d(3, NARROW)
    for frames in (1, 2, 8):
        network.zero_grad()
        network(torch.rand(2, 1, frames, 32, 32)).square().sum().backward()
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"widths": (8, 16)}, r"\[8, 16\]"), ({"widths": (8, 8, 8, 0)}, "4 numbers"), ({"dropout": 1.0}, "dropout 1.0")],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TopHeavy3d(6, **options)  # type: ignore[arg-type]
