from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from echoplane.explain.enlarge import enlarge, shares
from echoplane.models.registry import NETWORKS, build, is_padded


def test_a_whole_number_of_places_a_cell_is_trilinear_as_torch_has_it() -> None:
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 5)).astype(np.float32)
    expected = functional.interpolate(torch.from_numpy(x)[:, None], (8, 16, 20), mode="trilinear")[:, 0].numpy()
    np.testing.assert_allclose(enlarge(x, (8, 16, 20)), expected, atol=1e-5)


def test_padded_cells_lie_on_every_stride() -> None:
    grown = enlarge(np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7), (3, 112, 112), padded=True)[0]
    np.testing.assert_allclose(grown[1, ::16, ::16], np.arange(49).reshape(7, 7), atol=1e-5)
    assert grown[0, 111, 111] == pytest.approx(48)  # beyond the last cell


@given(st.integers(1, 300), st.integers(1, 40), st.booleans())
def test_shares_add_up_and_keep_the_order(size: int, cells: int, padded: bool) -> None:
    found = shares(size, min(cells, size), padded)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (np.diff(found @ np.arange(found.shape[1])) >= -1e-4).all()
    if not padded:
        np.testing.assert_allclose(found, found[::-1, ::-1], atol=1e-5)


class _ReachedError(Exception):
    pass


def _centre(name: str, shape: tuple[int, int, int]) -> tuple[list[float], tuple[int, ...], list[int]]:
    """Return where the middle cell of a network's feature map looks, (t, row, column), the map's size, and the cell.

    With weights that are all alike the gradient of a cell is how often it sees each pixel.
    """
    net = build(name, 4).eval()
    for path, module in list(net.named_modules()):
        if isinstance(module, nn.MaxPool3d | nn.MaxPool2d):  # of pixels that are all alike it would see the first only
            kind = nn.AvgPool3d if isinstance(module, nn.MaxPool3d) else nn.AvgPool2d
            owner, _, last = path.rpartition(".")
            setattr(net.get_submodule(owner), last, kind(module.kernel_size, module.stride, module.padding))
        if isinstance(module, nn.Conv3d | nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm3d | nn.BatchNorm2d):
            nn.init.ones_(module.weight), nn.init.zeros_(module.bias)
            module.running_mean.zero_(), module.running_var.fill_(1)
    found = {}

    def keep(_module: nn.Module, _given: object, output: torch.Tensor) -> None:
        found["map"] = output
        raise _ReachedError  # what comes after is built for clips of one size

    net.get_submodule(NETWORKS[name].feature_layer).register_forward_hook(keep)
    x = torch.ones(1, 1, *shape).requires_grad_()
    with pytest.raises(_ReachedError):
        net(x)
    maps = found["map"]
    maps = maps if maps.ndim == 5 else maps.unflatten(0, (1, -1)).transpose(1, 2)
    cell = [n // 2 for n in maps.shape[2:]]
    (seen,) = torch.autograd.grad(maps[0, 0, cell[0], cell[1], cell[2]], x)
    seen = seen[0, 0].abs()
    along = [seen.sum([a for a in range(3) if a != axis]) for axis in range(3)]
    return [float((s * torch.arange(len(s))).sum() / s.sum()) for s in along], tuple(maps.shape[2:]), cell


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("compact3d-xl", (8, 224, 224)),
        ("compact3d", (8, 224, 224)),
        ("compact3d-s", (8, 224, 224)),
        ("resnext3d-50", (4, 320, 320)),
        ("frames2d-resnet18", (2, 320, 320)),
        ("cnn3d", (10, 288, 288)),
        ("cnn3d-deep", (10, 288, 288)),
        ("frames2d-lenet", (2, 96, 96)),
        ("frames2d-plain14", (2, 240, 240)),
    ],
)
def test_a_cell_is_drawn_where_the_network_looks(name: str, shape: tuple[int, int, int]) -> None:
    centre, size, cell = _centre(name, shape)
    for axis in (1, 2):
        share = shares(shape[axis], size[axis], is_padded(name))[:, cell[axis]]
        drawn = float((share * np.arange(len(share))).sum() / share.sum())
        assert drawn == pytest.approx(centre[axis], abs=0.3), (name, axis)


def test_in_time_as_well() -> None:
    centre, size, cell = _centre("compact3d-xl", (64, 32, 32))
    share = shares(64, size[0], is_padded("compact3d-xl"))[:, cell[0]]
    assert float((share * np.arange(64)).sum() / share.sum()) == pytest.approx(centre[0], abs=0.3)
