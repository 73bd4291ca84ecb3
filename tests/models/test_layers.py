from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from echoplane.errors import UsageError
from echoplane.models.layers import AdaptivePool3d, LeanMaxPool3d, TwoFrameConv3d, guard_two_frames, pooling_matrix
from echoplane.models.registry import build

axis = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(axis, axis, axis), out=st.tuples(axis, axis, axis))
def test_pooling_equals_torch(size: tuple[int, int, int], out: tuple[int, int, int]) -> None:
    clip = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(AdaptivePool3d(out)(clip), nn.AdaptiveAvgPool3d(out)(clip), rtol=1e-5, atol=1e-6)


def test_every_frame_is_kept_where_asked() -> None:
    clip = torch.randn(2, 3, 7, 6, 5)
    expected = nn.AdaptiveAvgPool3d((None, 3, 2))(clip)
    torch.testing.assert_close(AdaptivePool3d((None, 3, 2))(clip), expected)


def test_rows_are_means() -> None:
    torch.testing.assert_close(pooling_matrix(6, 7).sum(1), torch.ones(7))


def test_leaves_no_trace_in_a_state_dict() -> None:
    assert AdaptivePool3d((7, 5, 5)).state_dict() == {}


@pytest.mark.parametrize("size", [(1, 2), (0, 1, 1), (1, None, 1)])
def test_bad_sizes_are_refused(size: tuple[int | None, ...]) -> None:
    with pytest.raises(UsageError, match="output_size"):
        AdaptivePool3d(size)


@pytest.mark.parametrize("kernel", [(3, 1, 1), (3, 3, 3)])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_weight_gradients_in_bf16_are_those_in_double_precision(kernel: tuple[int, int, int], frames: int) -> None:
    torch.manual_seed(0)
    padding = (1, kernel[1] // 2, kernel[2] // 2)
    layer = nn.Conv3d(16, 16, kernel, padding=padding)
    network = nn.Sequential(layer).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    guard_two_frames(network)
    clips = torch.randn(8, 16, frames, 5, 5)
    wanted = nn.Conv3d(16, 16, kernel, padding=padding).double()
    wanted.load_state_dict(network[0].state_dict())
    wanted(clips.double()).square().mean().backward()
    for _ in range(3):
        # Freed memory full of large numbers: what is left unwritten shows.
        junk = [torch.full((200_000 * k,), 1e20) for k in range(1, 5)]
        del junk
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            answer = network(clips.to(memory_format=torch.channels_last_3d))
        answer.float().square().mean().backward()
        assert layer.weight.grad is not None
        assert wanted.weight.grad is not None
        error = (layer.weight.grad - wanted.weight.grad).abs().max() / wanted.weight.grad.abs().max()
        assert float(error) < 0.03


def test_the_guard_changes_no_answer_and_no_name() -> None:
    torch.manual_seed(0)
    plain = build("compact3d-s", 3)
    guarded = build("compact3d-s", 3)
    guarded.load_state_dict(plain.state_dict())
    guard_two_frames(guarded)
    assert list(guarded.state_dict()) == list(plain.state_dict())
    clips = torch.randn(2, 1, 8, 32, 32)
    answers = []
    for network in (guarded, plain):
        torch.manual_seed(1)  # for dropout
        answers.append(network.train()(clips))
    torch.testing.assert_close(*answers)
    assert isinstance(guarded.get_submodule("features.4.time"), TwoFrameConv3d)


@pytest.mark.parametrize("pool", [(2, (1, 2, 2)), ((1, 3, 3), (1, 2, 2), (0, 1, 1)), (3, 2, 1)])
def test_maxima_keep_precision_and_value_under_autocast(pool: tuple[Any, ...]) -> None:
    clips = torch.randn(2, 4, 5, 8, 9, generator=torch.Generator().manual_seed(0)).bfloat16()
    lean, plain = clips.clone().requires_grad_(), clips.float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = LeanMaxPool3d(*pool)(lean)
    wanted = nn.MaxPool3d(*pool)(plain)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=0)
    found.float().sum().backward()
    wanted.sum().backward()
    assert lean.grad is not None
    # Where windows overlap, a gradient is a small whole number, which bf16 holds.
    torch.testing.assert_close(lean.grad.float(), plain.grad, rtol=0, atol=0)
