"""Half precision in files: half the size, the same answers from torch and OpenVINO; int8 and maps still come of it."""

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load

from echoplane.inference.cam import CamEngine
from echoplane.inference.openvino_engine import OpenVinoEngine
from echoplane.models.bundle import ONNX_NAME, WEIGHTS_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Variant
from echoplane.models.export import EXPORT_TOLERANCE, HALF_FROM, add_variant, export_bundle, to_onnx
from echoplane.models.load import load_network
from echoplane.models.quantise import quantise
from echoplane.models.registry import build
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule

SHAPE = (2, 32, 32)
VOCABULARY = ("A2C", "A3C", "A4C", "other")


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    network = build("topheavy3d", len(VOCABULARY), widths=[8, 16, 24, 32])
    network.train()
    with torch.no_grad():
        network(torch.randn(8, 1, *SHAPE))  # running statistics that are not zero and one
    return network.eval()


@pytest.fixture(scope="module")
def halved(network: torch.nn.Module) -> Bundle:
    facts = BundleFacts(
        "halved",
        VOCABULARY,
        NetworkSpec("topheavy3d", {"widths": [8, 16, 24, 32]}),
        recipe=PrepareRecipe(size=SHAPE[1:]),
        sampling=SamplingRule(frames=SHAPE[0]),
    )
    return export_bundle(network, facts, half=True)


def clips(count: int = 5) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 1, *SHAPE)).astype(np.float32)


def test_a_large_number_takes_two_bytes_instead_of_four(network: torch.nn.Module, halved: Bundle) -> None:
    large = sum(tensor.numel() for tensor in network.state_dict().values() if tensor.numel() >= HALF_FROM)
    saved = len(to_onnx(network, SHAPE)) - len(halved.read(ONNX_NAME))
    assert 1.8 * large < saved <= 2 * large


def test_only_large_tensors_are_rounded(network: torch.nn.Module, halved: Bundle) -> None:
    kept = load(halved.read(WEIGHTS_NAME))
    for name, tensor in network.state_dict().items():
        large = tensor.is_floating_point() and tensor.numel() >= HALF_FROM
        assert kept[name].dtype == (torch.float16 if large else tensor.dtype)
        torch.testing.assert_close(kept[name].to(tensor.dtype), tensor, rtol=1e-3, atol=1e-6)
    assert {tensor.dtype for tensor in kept.values()} >= {torch.float16, torch.float32}


def test_torch_and_openvino_agree_to_the_last_bits(network: torch.nn.Module, halved: Bundle) -> None:
    back = load_network(halved)
    with torch.no_grad():
        answers, before = back(torch.from_numpy(clips())).numpy(), network(torch.from_numpy(clips())).numpy()
    assert answers.dtype == np.float32
    np.testing.assert_allclose(OpenVinoEngine(halved).run(clips()), answers, atol=EXPORT_TOLERANCE)
    rounding = np.abs(answers - before).max()
    assert 0 < rounding < 1e-2


def test_the_graph_is_valid_and_computes_in_f32(halved: Bundle) -> None:
    model = onnx.load_from_string(halved.read(ONNX_NAME))
    onnx.checker.check_model(model, full_check=True)
    small = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert small and all(t.name.endswith("_f16") for t in small)
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_maps_and_int8_come_of_it(halved: Bundle) -> None:
    logits, maps = CamEngine(halved).look(clips())
    np.testing.assert_allclose(logits, OpenVinoEngine(halved).run(clips()), atol=EXPORT_TOLERANCE)
    assert maps.shape[:2] == (5, len(VOCABULARY))
    files = quantise(halved, clips(32))
    small = add_variant(halved, Variant("int8", tuple(files)), files)
    answers = OpenVinoEngine(small, precision="int8").run(clips())
    assert np.corrcoef(answers.ravel(), logits.ravel())[0, 1] > 0.9
