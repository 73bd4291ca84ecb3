"""The network as plain files gives what the bundle gives."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import pytest

from echoplane.errors import UsageError
from echoplane.inference.engine import load_engine
from echoplane.models.bundle import Bundle
from echoplane.models.openvino_core import openvino_core
from echoplane.pipelines.bundle_export import FORMATS, export_network


@pytest.mark.parametrize(("form", "precision"), [("onnx", "f32"), ("openvino", "f32")])
def test_same_logits(toy_bundle: Callable[..., Bundle], tmp_path: Path, form: str, precision: str) -> None:
    bundle = toy_bundle()
    network, *rest = export_network(bundle, tmp_path / "out", form, precision)
    clips = np.random.default_rng(0).random((3, 1, *bundle.facts.clip_shape), np.float32)
    about = json.loads(rest[-1].read_text())
    assert about["input"]["shape"] == [-1, 1, *bundle.facts.clip_shape]
    assert about["output"]["labels"] == list(bundle.facts.vocabulary)
    compiled = openvino_core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert isinstance(compiled, openvino.CompiledModel)
    np.testing.assert_allclose(compiled(clips)[0], load_engine(bundle).run(clips), rtol=1e-6)


def test_two_formats_of_one_network_lie_side_by_side(toy_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = toy_bundle()
    paths = [*export_network(bundle, tmp_path, "onnx"), *export_network(bundle, tmp_path, "openvino")]
    assert sorted(path.name for path in paths) == [
        f"{bundle.name}-f32.{ending}" for ending in ("bin", "onnx", "onnx.json", "openvino.json", "xml")
    ]
    onnx, vino = (json.loads((tmp_path / f"{bundle.name}-f32.{form}.json").read_text()) for form in FORMATS)
    assert (onnx["format"], vino["format"]) == FORMATS
    # Whoever loses this key runs f32 weights in bf16, and does not notice.
    assert vino["compile_with"] == {"INFERENCE_PRECISION_HINT": "f32"}


def test_bf16_is_a_way_of_compiling(toy_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    about = json.loads(export_network(toy_bundle(), tmp_path, "openvino", "bf16")[-1].read_text())
    assert about["compile_with"] == {"INFERENCE_PRECISION_HINT": "bf16"}


@pytest.mark.parametrize(
    ("form", "precision", "message"),
    [
        ("tflite", "f32", "choose one of onnx, openvino"),
        ("onnx", "int8", "ONNX is written in f32 alone"),
        ("openvino", "int8", "echoplane bundle variants"),
        ("openvino", "f16", "choose one of f32, bf16, int8"),
    ],
)
def test_what_cannot_be(
    toy_bundle: Callable[..., Bundle], tmp_path: Path, form: str, precision: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        export_network(toy_bundle(), tmp_path / "out", form, precision)
    assert not (tmp_path / "out").exists()


def test_nothing_is_replaced_unasked(toy_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    first = export_network(toy_bundle(), tmp_path)
    with pytest.raises(UsageError, match="--force"):
        export_network(toy_bundle(), tmp_path)
    assert export_network(toy_bundle(), tmp_path, force=True) == first
