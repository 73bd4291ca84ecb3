import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from echoplane.errors import UsageError
from echoplane.explain.enlarge import enlarge
from echoplane.explain.gradcam import gradcam
from echoplane.explain.methods import METHODS, Setting, attribute
from echoplane.explain.scored import Scored, last_map, output_of
from echoplane.explain.target import Target
from echoplane.models.registry import build, find

VIEWS = ("A2C", "A4C", "PSAX-MV")


def network(name: str = "compact3d-s", seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    net = build(name, 3)
    for module in net.modules():  # random normalisation too, as after some training
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return net.eval()


def clips(n: int = 2, size: tuple[int, int, int] = (6, 32, 32), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 1, *size)).astype(np.float32)


def test_gradcam_is_what_the_definition_says() -> None:
    """Numerical derivative of the score along each channel of the feature map, in double precision."""
    net = network()
    x = torch.from_numpy(clips(1))
    found = attribute(net, "features", x.numpy(), Target("A4C").weights(VIEWS))
    double = network().double()
    with torch.no_grad():
        features = double.features(x.double())

        def score(f: torch.Tensor) -> float:
            return float(double.head(double.pool(f).flatten(1))[0, 1])

        expected = torch.zeros(features.shape[2:], dtype=torch.float64)
        places = features[0, 0].numel()
        for channel in range(features.shape[1]):
            step = torch.zeros_like(features)
            step[0, channel] = 1e-4
            mean_gradient = (score(features + step) - score(features - step)) / 2e-4 / places
            expected += mean_gradient * features[0, channel]
    expected = enlarge(expected.relu()[None].numpy(), x.shape[2:])[0]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5 * float(expected.max()) + 1e-9)


def test_gradcam_agrees_with_captum() -> None:
    from captum.attr import LayerGradCam

    net = network("cnn3d")
    x = clips(2, (6, 48, 48))
    scored = Scored(net, Target("A2C").weights(VIEWS))
    captum = LayerGradCam(scored, scored.network.features).attribute(
        torch.from_numpy(x), target=0, relu_attributions=True
    )
    grown = enlarge(captum[:, 0].detach().numpy(), x.shape[2:])
    np.testing.assert_allclose(attribute(net, "features", x, Target("A2C").weights(VIEWS)), grown, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "layer", "block"),
    [("compact3d-s", "features.1.relu", "features.1"), ("frames2d-resnet18", "layer4.1.relu", "layer4.1")],
)
def test_of_a_shared_relu_the_last_run_counts(name: str, layer: str, block: str) -> None:
    """The block ends with that run, so that the maps of the two are the same; captum finds them as well."""
    from captum.attr import LayerGradCam

    net, x, weights = network(name), clips(2, (6, 48, 48)), Target("A4C", "A2C").weights(VIEWS)
    scored = Scored(net, weights)
    captum = LayerGradCam(scored, scored.layer(layer)).attribute(torch.from_numpy(x), target=0)[:, 0].detach()
    runs = []
    handle = scored.layer(layer).register_forward_hook(lambda _module, _given, made: runs.append(made))
    found = gradcam(scored, scored.layer(layer), torch.from_numpy(x), positive=False)
    handle.remove()
    assert len(runs) == 2
    torch.testing.assert_close(found, captum, rtol=1e-3, atol=1e-5 * float(captum.abs().max()))
    for method in ("gradcam", "gradcam++"):
        np.testing.assert_allclose(
            attribute(net, layer, x, weights, method), attribute(net, block, x, weights, method), rtol=1e-4, atol=1e-7
        )


class Squeezed(nn.Module):
    """As EfficientNet: one Swish for the stem, the last map, and the means that weigh its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.last = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 6, 3, padding=1)
        self.norm, self.spare = nn.BatchNorm3d(6), nn.ModuleList([nn.ReLU()])
        self.swish = nn.SiLU(inplace=True)
        self.head = nn.Linear(6, 3)

    def top(self, maps: torch.Tensor) -> torch.Tensor:
        weighed = maps * self.swish(maps.mean(dim=(2, 3, 4), keepdim=True))
        return self.head(weighed.mean(dim=(2, 3, 4)))

    def below(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.last(self.swish(self.stem(x))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.below(x)
        maps += 0.5  # in place, as MONAI's residual blocks do
        return self.top(self.swish(maps))


@pytest.mark.parametrize("layer", ["swish", "norm"])
def test_the_last_map_of_a_layer_counts_and_the_answer_stays(layer: str) -> None:
    torch.manual_seed(0)
    net, x, weights = Squeezed().eval(), torch.from_numpy(clips(2)), Target("A4C").weights(VIEWS)
    assert last_map(net, x.shape) == "swish"
    with torch.no_grad():
        maps, answer = net.below(x), net(x)[:, 1:2]
        maps = maps if layer == "norm" else nn.functional.silu(maps + 0.5)
    maps.requires_grad_(True)
    net.top(maps if layer == "swish" else nn.functional.silu(maps + 0.5))[:, 1].sum().backward()
    expected = (maps.grad.mean(dim=(2, 3, 4), keepdim=True) * maps).sum(1).detach()
    scored = Scored(net, weights)
    found = gradcam(scored, scored.layer(layer), x, positive=False)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    torch.testing.assert_close(output_of(scored, scored.layer(layer), x, cut=True)[0], answer)


def test_plus_plus_agrees_with_the_formula_written_out() -> None:
    net = network()
    x = torch.from_numpy(clips(1))
    a = net.features(x).detach().requires_grad_(True)
    net.head(net.pool(a).flatten(1))[0, 2].backward()
    g, grid = a.grad.numpy()[0].astype(float), a.detach().numpy()[0].astype(float)
    expected = np.zeros(grid.shape[1:])
    for c in range(len(grid)):
        weight = 0.0
        for place in np.ndindex(*grid.shape[1:]):
            below = 2 * g[c][place] ** 2 + grid[c].sum() * g[c][place] ** 3
            if below != 0:
                weight += g[c][place] ** 2 / below * max(g[c][place], 0)
        expected += weight * grid[c]
    grown = enlarge(np.maximum(expected, 0)[None], x.shape[2:])[0]
    found = attribute(net, "features", x.numpy(), Target("PSAX-MV").weights(VIEWS), "gradcam++")
    np.testing.assert_allclose(found[0], grown, rtol=1e-3, atol=1e-5 * float(grown.max()))


def test_integrated_gradients_add_up_to_the_score_less_that_of_black() -> None:
    net, x, black = network(), clips(2, seed=3), -0.7
    weights = Target("A4C", "A2C").weights(VIEWS)
    total = attribute(net, "features", x, weights, "integrated-gradients", Setting(black)).sum(axis=(1, 2, 3))
    scored = Scored(net, weights)
    with torch.no_grad():
        expected = scored(torch.from_numpy(x)) - scored(torch.full((1, 1, 6, 32, 32), black))
    np.testing.assert_allclose(total, expected[:, 0].numpy(), atol=0.05 * float(expected.abs().max()) + 0.01)


def test_guided_backpropagation_against_a_relu_written_for_it() -> None:
    class Guided(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)  # type: ignore[attr-defined]
            return x.relu()

        @staticmethod
        def backward(ctx: object, grad: torch.Tensor) -> torch.Tensor:
            (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
            return grad.relu() * (x > 0)

    class GuidedReLU(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return Guided.apply(x)

    net = network()
    found = attribute(net, "features", clips(1), Target("A4C").weights(VIEWS), "guided")
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, GuidedReLU())
    x = torch.from_numpy(clips(1)).requires_grad_(True)
    net(x)[0, 1].backward()
    np.testing.assert_allclose(found[0], x.grad[0, 0].numpy(), atol=1e-6)


def test_occlusion_finds_the_only_block_that_matters() -> None:
    class Corner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            s = x[:, 0, :, :8, :8].mean(dim=(1, 2, 3))
            return torch.stack([s, -s, s * 0], dim=1)

    x = np.ones((1, 1, 5, 48, 48), np.float32)
    found = attribute(Corner(), "", x, Target("A2C").weights(VIEWS), "occlusion")[0]
    assert found[:, :8, :8].min() > 0
    assert np.abs(found[:, 20:, 20:]).max() == 0


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("name", ["compact3d", "cnn3d", "frames2d-resnet18"])
def test_every_method_on_every_kind_of_network(method: str, name: str) -> None:
    net = network(name)
    x = clips(1, (6, 48, 48))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    found = attribute(net, find(name).feature_layer, x, Target("A4C").weights(VIEWS), method)
    assert found.shape == (1, 6, 48, 48)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert METHODS[method].signed or found.min() >= 0
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert any(m.inplace for m in net.modules() if isinstance(m, nn.ReLU))  # the caller's network is as it was


@pytest.mark.parametrize("name", ["compact3d", "cnn3d", "frames2d-resnet18"])
def test_the_last_map_is_found_where_the_registry_does_not_name_it(name: str) -> None:
    net, shape = network(name), (1, 1, 6, 48, 48)
    layer = last_map(net, shape)
    sizes = {}
    for known in (layer, find(name).feature_layer):
        handle = net.get_submodule(known).register_forward_hook(
            lambda _m, _x, made, k=known: sizes.update({k: made.shape})
        )
        with torch.no_grad():
            net(torch.zeros(shape))
        handle.remove()
    # At or behind the layer that the registry names, and still a map.
    assert len(sizes[layer]) == 5
    assert sizes[layer][2:].numel() > 1
    with pytest.raises(UsageError, match="no layer of the network gives a map"):
        last_map(nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(1, 3)), shape)


@settings(max_examples=10)
@given(st.integers(1, 11))
def test_clips_do_not_see_each_other(n: int) -> None:
    net, x, w = network(), clips(n), Target("A4C").weights(VIEWS)
    together = attribute(net, "features", x, w)
    alone = attribute(net, "features", x[-1:], w)
    np.testing.assert_allclose(together[-1:], alone, rtol=1e-4, atol=1e-7)


def test_targets() -> None:
    np.testing.assert_array_equal(Target("A4C", "A2C").weights(VIEWS), [-1, 1, 0])
    assert Target("A4C", "A2C").name == "A4C, not A2C"
    with pytest.raises(UsageError, match="does not know 'A4D'; did you mean 'A4C'"):
        Target("A4D").weights(VIEWS)
    with pytest.raises(UsageError, match="minus itself"):
        Target("A4C", "A4C").weights(VIEWS)


def test_unknown_method_and_layer() -> None:
    with pytest.raises(UsageError, match="known: gradcam, gradcam"):
        attribute(network(), "features", clips(1), Target("A4C").weights(VIEWS), "magic")
    with pytest.raises(UsageError, match="does not run this layer"):
        attribute(Squeezed(), "spare", clips(1), Target("A4C").weights(VIEWS))
    with pytest.raises(UsageError, match="no layer 'stem'; at the top it has features, pool"):
        attribute(network(), "stem", clips(1), Target("A4C").weights(VIEWS))
