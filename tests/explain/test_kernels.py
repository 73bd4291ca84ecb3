import numpy as np
import pytest
import torch
from torch import nn

from echoplane.errors import UsageError
from echoplane.explain.kernels import Dream, favourite, feature_maps, montage


class Edges(nn.Module):
    """One layer with two known filters: a vertical edge, and brightness that comes and goes in time."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv3d(1, 2, (3, 3, 3), padding=1, bias=False)
        with torch.no_grad():
            self.features.weight.zero_()
            self.features.weight[0, 0, 1] = torch.tensor([[-1.0, 0, 1]] * 3)
            self.features.weight[1, 0, :, 1, 1] = torch.tensor([-1.0, 0, 1])
        self.pool = nn.AdaptiveAvgPool3d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.features(x).relu()).flatten(1)


def test_favourites_are_what_the_filters_are() -> None:
    def alike(picture: np.ndarray, axis: int) -> float:
        """Correlation with itself two steps on."""
        moved = np.moveaxis(picture.astype(float), axis, 0)
        return float(np.corrcoef(moved[2:].ravel(), moved[:-2].ravel())[0, 1])

    dream = Dream(shape=(8, 24, 24), steps=40, smooth=0.0, jitter=0, fall=0.0)
    edge, answers = favourite(Edges(), "features", 0, dream)
    assert answers[-1] > 4 * answers[0]
    assert alike(edge, 2) < -0.1 < 0.05 < alike(edge, 1)  # two columns on, dark is bright; not so two rows on
    blink, _ = favourite(Edges(), "features", 1, dream)
    assert alike(blink, 0) < -0.4
    assert max(abs(alike(blink, 1)), abs(alike(blink, 2))) < 0.3


def test_a_falling_spectrum_keeps_grain_down() -> None:
    def grain(fall: float) -> float:
        picture, _ = favourite(Edges(), "features", 1, Dream(shape=(8, 24, 24), steps=20, smooth=0.0, fall=fall))
        return float(np.abs(np.diff(picture.astype(float), axis=2)).mean())

    assert grain(2.0) < 0.5 * grain(0.0)


def test_a_view_itself_can_be_dreamed_of() -> None:
    class Sides(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.stack([x[..., :8].mean(dim=(1, 2, 3, 4)), x[..., 8:].mean(dim=(1, 2, 3, 4))], 1))

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(2, 2, bias=False)
            with torch.no_grad():
                self.head.weight.copy_(torch.tensor([[1.0, -1], [-1, 1]]))

    left, _ = favourite(Sides(), "head", 0, Dream(shape=(4, 16, 16), steps=30, jitter=0))
    assert left[..., :8].mean() > left[..., 8:].mean() + 60


class Stripes(nn.Module):
    """Answers to fine vertical stripes."""

    def __init__(self) -> None:
        super().__init__()
        conv = nn.Conv3d(1, 1, (1, 1, 3), bias=False)
        with torch.no_grad():
            conv.weight[0, 0, 0, 0] = torch.tensor([-1.0, 2, -1])
        self.features = nn.Sequential(conv, nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.features(x).mean(dim=(2, 3, 4))


def test_same_seed_same_picture_and_smoothness_binds() -> None:
    one, _ = favourite(Stripes(), "features", 0, Dream(shape=(4, 20, 20), steps=20))
    two, _ = favourite(Stripes(), "features", 0, Dream(shape=(4, 20, 20), steps=20))
    np.testing.assert_array_equal(one, two)

    def answer(smooth: float) -> float:
        dream = Dream(shape=(4, 20, 20), steps=60, smooth=smooth, fall=0.0, jitter=0)
        return favourite(Stripes(), "features", 0, dream)[1][-1]

    # Fine stripes are rough: what smoothness costs is what keeps them faint.
    assert answer(0.0) > 1.5 * answer(0.5) > 1.5 * answer(5.0)


def test_feature_maps_are_the_layers_output() -> None:
    net = Edges()
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(
        feature_maps(net, "features", x), net.features(torch.from_numpy(x)).detach().numpy(), rtol=1e-5
    )
    assert net.training


def test_layers_held_in_evaluation_mode_stay_there() -> None:
    net = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    net[1].eval()
    feature_maps(net, "0", np.zeros((1, 1, 2, 8, 8), np.float32))
    favourite(net, "0", 0, Dream(shape=(2, 8, 8), steps=1))
    assert [layer.training for layer in net] == [True, False, True, True]


def test_montage_puts_each_where_it_belongs() -> None:
    pictures = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 5), np.uint8)
    page = montage(pictures, columns=2, gap=1)
    assert page.shape == (3, 14, 11)
    assert (page[:, 5:9, 6:11] == 4).all()
    assert (page[:, 4] == 0).all()
    assert montage(pictures).shape == (3, 10, 19)


def test_refusals() -> None:
    with pytest.raises(UsageError, match="filters 0 to 1, and 2 was asked for"):
        favourite(Edges(), "features", 2, Dream(shape=(2, 8, 8), steps=1))
    with pytest.raises(UsageError, match="no layer 'conv'"):
        favourite(Edges(), "conv", 0, Dream(shape=(2, 8, 8), steps=1))
    with pytest.raises(UsageError, match="at least 1"):
        Dream(steps=0)
