import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from echoplane.models.layers import AdaptivePool3d, pooling_matrix

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
    with pytest.raises(ValueError, match="output_size"):
        AdaptivePool3d(size)
