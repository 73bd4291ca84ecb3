import numpy as np
import pytest
import torch
from torch import nn

from echoplane.errors import BundleError, UsageError
from echoplane.inference.cam import CamEngine
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule

VIEWS = ("A2C", "A4C", "PSAX-MV")


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = build(name, 3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return net.eval()


def bundle(net: nn.Module, name: str) -> Bundle:
    facts = BundleFacts("b", VIEWS, NetworkSpec(name), PrepareRecipe(size=(48, 48)), SamplingRule(frames=6))
    return export_bundle(net, facts)


def test_maps_are_the_features_weighed_by_the_answer() -> None:
    net = network("compact3d-s")
    x = np.random.default_rng(0).normal(size=(3, 1, 6, 48, 48)).astype(np.float32)
    logits, maps = CamEngine(bundle(net, "compact3d-s"), threads=1).look(x)
    with torch.no_grad():
        features = net.features(torch.from_numpy(x))
        expected = torch.einsum("kf,cfnhw->cknhw", net.head.weight, features).numpy()
        answer = net(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(logits, answer, atol=1e-4)
    np.testing.assert_allclose(maps.mean(axis=(2, 3, 4)) + net.head.bias.detach().numpy(), answer, atol=1e-4)


def test_other_networks_are_sent_to_gradcam() -> None:
    with pytest.raises(UsageError, match="--method gradcam"):
        CamEngine(bundle(network("cnn3d"), "cnn3d"), threads=1)


def test_a_bundle_without_a_network() -> None:
    facts = BundleFacts("b", VIEWS, NetworkSpec("compact3d"), PrepareRecipe(), SamplingRule())
    with pytest.raises(BundleError, match="no f32 ONNX"):
        CamEngine(Bundle.create(facts, {}))
