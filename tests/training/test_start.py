from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from echoplane.errors import BundleError, UsageError
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling import SamplingRule
from echoplane.training.recipe import NetworkUse
from echoplane.training.start import last_layer, read_weights, start_network, weights_hash

TWO = ("A4C", "A2C")


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
    facts = BundleFacts("x", TWO, NetworkSpec("compact3d-s"), recipe, SamplingRule(frames=4))
    bundle = export_bundle(network, facts)
    bundle.save(tmp_path / "bundle")
    bundle.save(tmp_path / "b.echoplane")
    for source in ("w.safetensors", "run", "bundle", "b.echoplane"):
        state = read_weights(tmp_path / source)
        assert torch.equal(state["head.weight"], network.head.weight)
        started = start_network(NetworkUse("compact3d-s", weights=str(tmp_path / source)), TWO)
        assert not started.missing
        assert torch.equal(started.network.head.weight, network.head.weight)


@pytest.mark.parametrize(
    "source", ["run", "run/best.safetensors", "bundle", "bundle/weights.safetensors", "b.echoplane"]
)
@pytest.mark.parametrize("views", [("A4C", "A3C"), ("A2C", "A4C")])
def test_weights_for_as_many_other_views_get_a_new_last_layer(
    tmp_path: Path, source: str, views: tuple[str, str]
) -> None:
    network = build("compact3d-s", 2)
    if source.startswith("run"):
        (tmp_path / "run").mkdir()
        save_file(network.state_dict(), tmp_path / "run" / "best.safetensors")
        (tmp_path / "run" / "recipe.yaml").write_text("views: [A4C, A2C]\n")
    else:
        facts = BundleFacts("x", TWO, NetworkSpec("compact3d-s"), PrepareRecipe(size=(32, 32)),
                            SamplingRule(frames=4))  # fmt: skip
        export_bundle(network, facts).save(tmp_path / source.split("/")[0])
    use = NetworkUse("compact3d-s", weights=str(tmp_path / source))
    assert not start_network(use, TWO).missing
    first = start_network(use, views)
    assert set(first.missing) == {"head.weight", "head.bias"}
    assert not torch.equal(first.network.head.weight, network.head.weight)
    assert first.notes[-1] == "The last layer starts anew: the weights are for the views A4C, A2C, in this order."
    with pytest.raises(BundleError, match=r"for the views A4C, A2C, and this run has"):
        start_network(NetworkUse("compact3d-s", weights=use.weights, new_head=False), views)


def test_a_run_whose_views_are_not_known_is_taken_by_its_shapes(tmp_path: Path) -> None:
    save_file(build("compact3d-s", 2).state_dict(), tmp_path / "best.safetensors")
    for source in (tmp_path, tmp_path / "best.safetensors"):
        assert not start_network(NetworkUse("compact3d-s", weights=str(source)), TWO).missing


def test_weights_of_another_network_are_refused_with_the_file(tmp_path: Path) -> None:
    save_file(build("frames2d-resnet18", 2).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match=r"w\.safetensors: the weights do not fit"):
        start_network(NetworkUse("compact3d-s", weights=str(tmp_path / "w.safetensors")), TWO)
    with pytest.raises(BundleError, match=r"w\.safetensors"):
        start_network(NetworkUse("compact3d-s", weights=str(tmp_path / "w.safetensors"), new_head=False), TWO)


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"^[^ ]*none\.pt: is not there"):
        start_network(NetworkUse("compact3d-s", weights=str(tmp_path / "none.pt")), TWO)


def test_a_new_head_must_be_allowed(tmp_path: Path) -> None:
    save_file(build("compact3d-s", 5).state_dict(), tmp_path / "w.safetensors")
    use = NetworkUse("compact3d-s", weights=str(tmp_path / "w.safetensors"), fine_tune_from="head")
    first = start_network(use, (*TWO, "PLAX"))
    assert set(first.missing) == {"head.weight", "head.bias"}
    assert {name for name, p in first.network.named_parameters() if p.requires_grad} == {"head.weight", "head.bias"}
    with pytest.raises(BundleError, match="do not fit"):
        start_network(NetworkUse("compact3d-s", weights=use.weights, new_head=False), (*TWO, "PLAX"))


def test_the_hash_is_that_of_the_weights(tmp_path: Path) -> None:
    network = build("compact3d-s", 2)
    (tmp_path / "run").mkdir()
    save_file(network.state_dict(), tmp_path / "run" / "best.safetensors")
    facts = BundleFacts("x", TWO, NetworkSpec("compact3d-s"), PrepareRecipe(size=(32, 32)), SamplingRule(frames=4))
    bundle = export_bundle(network, facts)
    bundle.save(tmp_path / "bundle")
    bundle.save(tmp_path / "b.echoplane")
    run = weights_hash(tmp_path / "run")
    assert run == weights_hash(tmp_path / "run" / "best.safetensors")
    packed = weights_hash(tmp_path / "bundle")
    assert (
        packed == weights_hash(str(tmp_path / "b.echoplane")) == weights_hash(tmp_path / "bundle/weights.safetensors")
    )
    assert len(run) == len(packed) == 64
    network.head.bias.data += 1
    save_file(network.state_dict(), tmp_path / "run" / "best.safetensors")
    assert weights_hash(tmp_path / "run") != run
    assert not any(map(weights_hash, ("", tmp_path / "none.pt", tmp_path)))


@pytest.mark.parametrize("option", ["name", "n_views"])
def test_options_cannot_name_another_network(option: str) -> None:
    with pytest.raises(UsageError, match=f"network.options has {option}, which network.name and the views settle"):
        start_network(NetworkUse("compact3d-s", options={option: 3}), TWO)
