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


class FrameSides(nn.Module):
    """Each of three frames answers left or right alone, (B, 3, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0, -1], [-1, 1]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sides = [x[:, 0, ..., :8].mean(dim=(2, 3)), x[:, 0, ..., 8:].mean(dim=(2, 3))]
        return self.head(torch.stack(sides, 2)).relu().mean(1)


def test_filters_of_a_network_that_answers_frames_are_its_views_and_not_its_frames() -> None:
    net = FrameSides()
    x = np.random.default_rng(0).normal(size=(4, 1, 3, 16, 16)).astype(np.float32)
    maps = feature_maps(net, "head", x)
    assert maps.shape == (4, 2, 3)
    np.testing.assert_allclose(np.maximum(maps, 0).mean(2), net(torch.from_numpy(x)).detach().numpy(), rtol=1e-5)
    dream = Dream(shape=(3, 16, 16), steps=30, jitter=0)
    for view in (0, 1):
        picture = favourite(net, "head", view, dream)[0].astype(float)
        sides = [picture[..., :8].mean(axis=(1, 2)), picture[..., 8:].mean(axis=(1, 2))]
        assert (sides[view] > sides[1 - view] + 60).all()  # in every frame
    with pytest.raises(UsageError, match="filters 0 to 1, and 2 was asked for"):
        favourite(net, "head", 2, dream)


class Shared(nn.Module):
    """One activation for a stem, its squeezed means and the last map; what is passed over has no run."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(1, 3, 3, padding=1)
        self.last = nn.Conv3d(3, 5, 3, padding=1)
        self.norm = nn.BatchNorm3d(5)
        self.passed_over = nn.Conv3d(1, 1, 1)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.norm(self.last(self.act(self.stem(x))))
        maps += 1  # in place, as MONAI's residual blocks do
        maps = self.act(maps)
        return self.act(maps.mean(dim=(2, 3, 4), keepdim=True)).flatten(1)


def test_of_a_shared_layer_the_last_map_is_shown() -> None:
    torch.manual_seed(0)
    net = Shared().eval()
    x = torch.randn(2, 1, 4, 8, 8)
    with torch.no_grad():
        norm = net.norm(net.last(nn.functional.silu(net.stem(x))))
    np.testing.assert_allclose(feature_maps(net, "norm", x.numpy()), norm.numpy(), atol=1e-6)
    shown = feature_maps(net, "act", x.numpy())
    np.testing.assert_allclose(shown, nn.functional.silu(norm + 1).numpy(), atol=1e-6)
    favourite(net, "act", 4, Dream(shape=(4, 8, 8), steps=1))  # the stem has three
    with pytest.raises(UsageError, match="does not run this layer"):
        feature_maps(net, "passed_over", x.numpy())


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
