import pytest
import torch

from echoplane.errors import UsageError
from echoplane.models.frames2d import KINDS, build


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_order_of_frames_does_not_matter_and_each_is_answered_alone(kind: str) -> None:
    torch.manual_seed(0)
    network = build(6, kind).eval()
    clip = torch.rand(1, 1, 5, 100, 100)
    with torch.no_grad():
        answer = network(clip)
        torch.testing.assert_close(network(clip[:, :, [3, 1, 4, 0, 2]]), answer, rtol=1e-4, atol=1e-6)
        alone = torch.stack([network(clip[:, :, i : i + 1]) for i in range(5)]).mean(0)
    torch.testing.assert_close(alone, answer, rtol=1e-4, atol=1e-6)


def test_the_wide_resnet_has_the_usual_number_of_parameters() -> None:
    """ResNet-18 has 11,689,512 parameters with 1000 classes; grey input saves two channels of the first layer."""
    network = build(1000, "resnet18", width=64)
    assert sum(p.numel() for p in network.parameters()) == 11_689_512 - 2 * 64 * 7 * 7


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(UsageError, match="lenet, plain14, resnet18"):
        build(6, "alexnet")
    with pytest.raises(UsageError, match="frames2d width 0: expected 1 channel or more"):
        build(6, "resnet18", width=0)
