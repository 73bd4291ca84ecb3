"""Engines: the same probabilities from each, on real networks; and clear words where one cannot run."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from echoplane.errors import BundleError, UsageError
from echoplane.inference import engine as module
from echoplane.inference.engine import available_cpus, load_engine
from echoplane.inference.openvino_engine import OpenVinoEngine
from echoplane.models import registry
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Variant
from echoplane.models.export import EXPORT_TOLERANCE, add_variant, check_onnx, export_bundle, to_onnx
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule

#: What the engines must agree to, in probability.
AGREE = 1e-3
VOCABULARY = ("A2C", "A3C", "A4C", "other")


def network_of(name, shape):
    """Build a network whose answers differ widely between clips; random weights alone give nearly the same for all."""
    torch.manual_seed(7)
    network = registry.build(name, len(VOCABULARY)).eval()
    generator = torch.Generator().manual_seed(8)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm3d):
            part.running_mean.normal_(0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
    last = [part for part in network.modules() if isinstance(part, torch.nn.Linear | torch.nn.Conv3d)][-1]
    with torch.no_grad():
        logits = network(torch.from_numpy(make_clips(shape, 6, seed=9)))
        last.weight *= (2 / logits.std(dim=0)).reshape(-1, *[1] * (last.weight.ndim - 1))
        last.bias.zero_()
        last.bias -= network(torch.from_numpy(make_clips(shape, 6, seed=9))).mean(dim=0)
    return network


def make_clips(shape, count, seed):
    """Noise, of another brightness and contrast in each clip."""
    rng = np.random.default_rng(seed)
    level, contrast = rng.normal(size=(2, count, 1, 1, 1, 1))
    return (level + contrast * rng.normal(size=(count, 1, *shape))).astype(np.float32)


def facts_of(name, frames, size):
    return BundleFacts(
        name,
        VOCABULARY,
        NetworkSpec(name),
        recipe=PrepareRecipe(size=size),
        sampling=SamplingRule(frames=frames),
    )


@pytest.fixture(scope="module", params=[("compact3d-s", 8, (64, 64)), ("cnn3d", 10, (60, 60))], ids=lambda p: p[0])
def exported(request):
    name, frames, size = request.param
    network = network_of(name, (frames, *size))
    return network, export_bundle(network, facts_of(name, frames, size))


def clips_for(bundle, count, seed=0):
    return make_clips(bundle.facts.clip_shape, count, seed)


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5])
def test_both_engines_give_the_probabilities_of_torch(exported, count):
    network, bundle = exported
    clips = clips_for(bundle, count)
    with torch.no_grad():
        expected = softmax(network(torch.from_numpy(clips)).numpy())
    assert count < 5 or np.ptp(expected, axis=0).max() > 0.3, "the test's networks must tell clips apart"
    for name in ("openvino", "torch"):
        got = load_engine(bundle, name, threads=1).run(clips)
        assert got.dtype == np.float32
        assert got.shape == (count, len(VOCABULARY))
        np.testing.assert_allclose(softmax(got), expected, atol=AGREE)


@pytest.mark.slow
def test_a_bundle_that_went_through_a_file_answers_the_same(exported, tmp_path):
    _, bundle = exported
    clips = clips_for(bundle, 2)
    loaded = Bundle.load(bundle.save(tmp_path / "b.echoplane"))
    assert set(loaded.facts.members) == {"weights.safetensors", "model.onnx"}
    np.testing.assert_array_equal(load_engine(loaded, threads=1).run(clips), load_engine(bundle, threads=1).run(clips))


@pytest.mark.slow
def test_bf16_is_near_and_only_on_request(exported):
    _, bundle = exported
    clips = clips_for(bundle, 2)
    exact = load_engine(bundle, "torch", threads=1).run(clips)
    assert load_engine(bundle, threads=1).precision == "f32"
    for name in ("openvino", "torch"):
        try:
            reduced = load_engine(bundle, name, precision="bf16", threads=1)
        except UsageError as error:
            assert "no bf16 arithmetic" in str(error)  # noqa: PT017 - depends on the processor
            continue
        assert reduced.precision == "bf16"
        np.testing.assert_allclose(softmax(reduced.run(clips)), softmax(exact), atol=0.05)


def test_export_refuses_what_it_cannot_prove():
    class Moody(torch.nn.Module):
        """Gives other numbers when it is exported than when it is run."""

        def __init__(self, outputs):
            super().__init__()
            self.outputs = outputs

        def forward(self, x):
            shift = 1.0 if torch.compiler.is_compiling() else 0.0
            return x.mean(dim=(2, 3, 4)).expand(-1, self.outputs) + shift

    with pytest.raises(BundleError, match="differs from torch by"):
        export_bundle(Moody(4), facts_of("compact3d-s", 2, (4, 4)))
    with pytest.raises(BundleError, match="vocabulary has 4 labels"):
        check_onnx(Moody(3), to_onnx(Moody(3), (2, 4, 4)), (2, 4, 4), 4)
    assert EXPORT_TOLERANCE <= 1e-4


def test_openvino_runs_any_number_of_clips(toy_bundle):
    bundle = toy_bundle()
    engine = load_engine(bundle, "auto", threads=1)
    for count in (1, 3, 17):
        clips = clips_for(bundle, count, seed=count)
        brightness = clips.mean(axis=(1, 2, 3, 4))
        expected = np.stack([0 * brightness, brightness + 0.5, 0 * brightness - 0.5], axis=1)
        np.testing.assert_allclose(engine.run(clips), expected, atol=1e-5)


def test_many_threads_share_an_engine(toy_bundle):
    bundle = toy_bundle()
    engine = load_engine(bundle, "openvino", threads=2, streams=2)
    inputs = [clips_for(bundle, 1 + i % 3, seed=i) for i in range(40)]
    results = [None] * len(inputs)

    def work(first):
        for i in range(first, len(inputs), 4):
            results[i] = engine.run(inputs[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for clips, logits in zip(inputs, results, strict=True):
        np.testing.assert_allclose(logits[:, 1], clips.mean(axis=(1, 2, 3, 4)) + 0.5, atol=1e-5)


def test_what_openvino_is_told_is_what_it_does(toy_bundle):
    compiled = OpenVinoEngine(toy_bundle(), threads=1, streams=1)._compiled
    assert "f32" in str(compiled.get_property("INFERENCE_PRECISION_HINT")) or "float32" in str(
        compiled.get_property("INFERENCE_PRECISION_HINT")
    )
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert compiled.get_property("NUM_STREAMS") == 1
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_an_int8_variant_is_an_xml_and_a_bin(toy_bundle, tmp_path):
    import openvino

    bundle = toy_bundle()
    core = openvino.Core()
    openvino.save_model(core.read_model(bundle.read("model.onnx")), tmp_path / "m.xml", compress_to_fp16=False)
    files = {"model.int8.xml": (tmp_path / "m.xml").read_bytes(), "model.int8.bin": (tmp_path / "m.bin").read_bytes()}
    both = add_variant(bundle, Variant("int8", tuple(files), accuracy=0.9), files)
    clips = clips_for(bundle, 2)
    np.testing.assert_allclose(
        load_engine(both, precision="int8", threads=1).run(clips), load_engine(bundle, threads=1).run(clips), atol=1e-6
    )
    assert [v.precision for v in both.facts.variants] == ["f32", "int8"]


def test_auto_is_what_the_bundle_names_or_f32(toy_bundle):
    assert load_engine(toy_bundle(), threads=1).precision == "f32"
    both = (Variant("f32", ("model.onnx",)), Variant("int8", ("model.onnx",)))
    assert load_engine(toy_bundle(variants=both, precision="int8"), threads=1).precision == "int8"
    assert load_engine(toy_bundle(variants=both, precision="int8"), precision="f32", threads=1).precision == "f32"
    lacking = toy_bundle(precision="int8")
    assert load_engine(lacking, threads=1).precision == "f32"
    with pytest.raises(UsageError, match="holds no such variant"):
        load_engine(lacking, precision="int8", threads=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "tensorrt"}, "engine 'tensorrt' is not known; choose one of: auto, openvino, torch, cuda"),
        ({"precision": "f16"}, "precision 'f16' is not known"),
        ({"precision": "int8"}, "holds no such variant; it has f32. `echoplane bundle variants` makes int8."),
        ({"threads": 0}, "threads 0"),
        ({"streams": -1}, "streams -1"),
        ({"name": "torch", "precision": "int8"}, "int8 is for engine 'openvino'"),
    ],
)
def test_what_cannot_run_says_so(toy_bundle, options, message):
    with pytest.raises(UsageError, match=message):
        load_engine(toy_bundle(), **options)


def test_cuda_without_a_gpu_says_so(toy_bundle, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="torch finds no GPU here"):
        load_engine(toy_bundle(), "cuda")


def test_networks_that_do_not_fit_their_description_are_refused(toy_bundle):
    good = toy_bundle()

    def broken(onnx=None, **changes):
        members = {"model.onnx": onnx or good.read("model.onnx"), "weights.safetensors": b"\x00" * 20}
        return Bundle.create(replace(good.facts, **changes), members)

    with pytest.raises(BundleError, match=r"gives logits \[.*,3\], and bundle.json says \[\?,4\]"):
        load_engine(broken(vocabulary=("A2C", "A4C", "PLAX", "other")))
    with pytest.raises(BundleError, match="takes clips"):
        load_engine(broken(sampling=SamplingRule(frames=5)))
    with pytest.raises(BundleError, match="OpenVINO cannot load the network"):
        load_engine(broken(b"not a network"))
    with pytest.raises(BundleError, match="does not fit the network 'compact3d-s'"):
        load_engine(broken(), "torch")
    with pytest.raises(BundleError, match="does not fit the network 'nothing'"):
        load_engine(broken(network=NetworkSpec("nothing")), "torch")
    with pytest.raises(BundleError, match=r"holds no weights\.safetensors"):
        load_engine(good, "torch")


def test_processors_of_a_container_are_counted(monkeypatch, tmp_path):
    file = tmp_path / "cpu.max"
    monkeypatch.setattr(module, "Path", lambda name: file if name == "/sys/fs/cgroup/cpu.max" else None)
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert available_cpus() == 8
    for text, count in (("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("nonsense", 8)):
        file.write_text(text)
        assert available_cpus() == count
