from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from echoplane.errors import BundleError
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling import SamplingRule
from echoplane.training.recipe import NetworkUse
from echoplane.training.start import last_layer, read_weights, start_network


@pytest.mark.parametrize(
    ("name", "layer"),
    [("cnn3d", "classifier.6"), ("compact3d", "head"), ("frames2d-resnet18", "fc"), ("frames2d-lenet", "classifier.4")],
)
def test_the_last_layer_is_found(name: str, layer: str) -> None:
    assert last_layer(build(name, 3)) == layer


def test_starts_from_files_folders_and_bundles(tmp_path: Path) -> None:
    network = build("compact3d-s", 2)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "run").mkdir()
    save_file(network.state_dict(), tmp_path / "run" / "best.safetensors")
    recipe = PrepareRecipe(size=(32, 32))
    facts = BundleFacts("x", ("A4C", "A2C"), NetworkSpec("compact3d-s"), recipe, SamplingRule(frames=4))
    bundle = export_bundle(network, facts)
    bundle.save(tmp_path / "bundle")
    bundle.save(tmp_path / "b.echoplane")
    for source in ("w.safetensors", "run", "bundle", "b.echoplane"):
        state = read_weights(tmp_path / source)
        assert torch.equal(state["head.weight"], network.head.weight)
        started, report = start_network(NetworkUse("compact3d-s", weights=str(tmp_path / source)), 2)
        assert report is not None
        assert not report.missing
        assert torch.equal(started.head.weight, network.head.weight)


def test_weights_of_another_network_are_refused_with_the_file(tmp_path: Path) -> None:
    save_file(build("frames2d-resnet18", 2).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match=r"w\.safetensors: the weights do not fit"):
        start_network(NetworkUse("compact3d-s", weights=str(tmp_path / "w.safetensors")), 2)
    with pytest.raises(BundleError, match=r"w\.safetensors"):
        start_network(NetworkUse("compact3d-s", weights=str(tmp_path / "w.safetensors"), new_head=False), 2)


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"^[^ ]*none\.pt: is not there"):
        start_network(NetworkUse("compact3d-s", weights=str(tmp_path / "none.pt")), 2)


def test_a_new_head_must_be_allowed(tmp_path: Path) -> None:
    save_file(build("compact3d-s", 5).state_dict(), tmp_path / "w.safetensors")
    use = NetworkUse("compact3d-s", weights=str(tmp_path / "w.safetensors"), fine_tune_from="head")
    network, report = start_network(use, 3)
    assert report is not None
    assert set(report.missing) == {"head.weight", "head.bias"}
    assert {name for name, p in network.named_parameters() if p.requires_grad} == {"head.weight", "head.bias"}
    with pytest.raises(BundleError, match="do not fit"):
        start_network(NetworkUse("compact3d-s", weights=use.weights, new_head=False), 3)
