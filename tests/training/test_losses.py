import pytest
import torch
from torch.nn.functional import cross_entropy

from echoplane.training.losses import doubt_mirrored, soft_cross_entropy


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_torch_for_hard_and_soft_labels(logits: torch.Tensor, smoothing: float) -> None:
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    hard = torch.nn.functional.one_hot(labels, 4).float()
    expected = cross_entropy(logits, labels, label_smoothing=smoothing)
    torch.testing.assert_close(soft_cross_entropy(logits, hard, smoothing), expected)
    soft = torch.softmax(torch.randn(6, 4), 1)
    expected = cross_entropy(logits, soft, label_smoothing=smoothing)
    torch.testing.assert_close(soft_cross_entropy(logits, soft, smoothing), expected)


def test_one_of_these_asks_for_no_more_than_is_known(logits: torch.Tensor) -> None:
    targets = torch.tensor([[0.0, 1, 1, 0]]).repeat(6, 1)
    p = torch.softmax(logits, 1)
    expected = -torch.log(p[:, 1] + p[:, 2]).mean()
    torch.testing.assert_close(soft_cross_entropy(logits, targets, 0.1), expected)
    sure = torch.tensor([[-50.0, 50, -50, -50]])
    assert soft_cross_entropy(sure, targets[:1]) < 1e-6


def test_gradients_are_finite_in_mixed_batches(logits: torch.Tensor) -> None:
    logits = (100 * logits).requires_grad_()
    targets = torch.eye(4)[[0, 1, 2, 3, 0, 1]]
    targets[2:4] = torch.tensor([1.0, 1, 0, 0])
    soft_cross_entropy(logits, targets, 0.05).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_mirrored_hearts_are_to_be_doubted() -> None:
    heart = torch.tensor([True, True, True, False])
    targets = torch.tensor([[1.0, 0, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1.0], [0, 1, 1, 0], [0.5, 0, 0, 0.5]])
    mirrored = torch.tensor([False, True, True, True, True])
    found = doubt_mirrored(targets, mirrored, heart, 0.4)
    torch.testing.assert_close(found[[0, 2]], targets[[0, 2]])
    torch.testing.assert_close(found[1], torch.tensor([0.7, 0.1, 0.1, 0.1]))
    torch.testing.assert_close(found[3], torch.tensor([0.1, 0.4, 0.4, 0.1]))
    torch.testing.assert_close(found[4], torch.tensor([0.45, 0.05, 0.05, 0.45]))
