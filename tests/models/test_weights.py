import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from echoplane.errors import BundleError, UsageError
from echoplane.models.frames2d import build as build_frames2d
from echoplane.models.registry import build
from echoplane.models.weights import fine_tune_from, hold_frozen, load, read_state


def test_reads_safetensors_and_torch_files_wrapped_and_prefixed(tmp_path: Path) -> None:
    state = nn.Linear(3, 2).state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pt")
    wrapped = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}, "arch": "x"}
    torch.save(wrapped, tmp_path / "c.pth")
    for name in ("a.safetensors", "b.pt", "c.pth"):
        read = read_state(tmp_path / name)
        assert set(read) == {"weight", "bias"}
        assert torch.equal(read["weight"], state["weight"])


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Bomb()}, tmp_path / "bomb.pt")
    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps(Bomb()))
    for name in ("bomb.pt", "bomb.pkl"):
        with pytest.raises(BundleError, match=name):
            read_state(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}, {"a": torch.zeros(1), "b": "text"}])
def test_files_without_weights_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(BundleError, match=r"x\.pt"):
        read_state(tmp_path / "x.pt")


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"not weights")
    (tmp_path / "x.pt").write_bytes(b"PK\x03\x04 not weights")
    for name in ("x.safetensors", "x.pt", "missing.pt"):
        with pytest.raises(BundleError, match="cannot be read"):
            read_state(tmp_path / name)


def test_a_colour_2d_checkpoint_gives_the_same_answer_on_grey() -> None:
    """Against the same network in plain 2D layers with three channels."""
    torch.manual_seed(0)
    ours = build_frames2d(6, "resnet18", width=8).eval()
    foreign = {k: v.squeeze(2) if v.ndim == 5 else v for k, v in ours.state_dict().items()}
    colour = torch.randn(8, 3, 7, 7)
    foreign["conv1.weight"] = colour
    load(ours, foreign)
    grey = torch.rand(1, 1, 1, 32, 32)
    expected = nn.functional.conv2d(grey[:, :, 0].expand(-1, 3, -1, -1), colour, stride=2, padding=3)
    with torch.no_grad():
        torch.testing.assert_close(ours.conv1(grey)[:, :, 0], expected)


def test_a_new_head_is_left_random_and_reported() -> None:
    old, new = build("compact3d-s", 6), build("compact3d-s", 4)
    with pytest.raises(BundleError, match=r"head\.weight.*\(4, 128\).*\(6, 128\)"):
        load(new, old.state_dict())
    head = new.head.weight.clone()
    report = load(new, old.state_dict(), optional=["head."])
    assert set(report.missing) == {"head.weight", "head.bias"} == set(report.unused)
    assert torch.equal(new.head.weight, head)
    assert torch.equal(new.features[0][0].weight, old.features[0][0].weight)


def test_fine_tuning_leaves_what_comes_before_untouched() -> None:
    torch.manual_seed(0)
    network = build("resnext3d-50", 6)
    frozen = fine_tune_from(network, "layer4")
    assert frozen == sum(p.numel() for p in network.parameters() if not p.requires_grad) > 0
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    hold_frozen(network)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    network(torch.rand(2, 1, 8, 32, 32)).square().sum().backward()
    optimizer.step()
    changed = {
        name.split(".")[0] for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {"layer4", "fc"}


def test_an_unknown_layer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="features, classifier"):
        fine_tune_from(build("cnn3d", 6), "layer4")


def test_numpy_scalars_in_old_checkpoints_end_in_a_sentence(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(1)}, "best": np.float64(0.5)}, tmp_path / "x.pt")
    with pytest.raises(BundleError, match="run code from the file"):
        read_state(tmp_path / "x.pt")


@pytest.mark.parametrize("prefix", ["", "network.", "module.network."])
def test_a_network_inside_another_takes_weights_with_and_without_its_prefix(tmp_path: Path, prefix: str) -> None:
    """MONAI's networks stand behind an adapter, so that every name of ours starts with ``network.``."""

    class Adapter(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build("compact3d-s", 3)

    old, new = build("compact3d-s", 3), Adapter()
    torch.save({f"{prefix}{name}": tensor for name, tensor in old.state_dict().items()}, tmp_path / "x.pt")
    assert not load(new, read_state(tmp_path / "x.pt")).missing
    assert torch.equal(new.network.head.weight, old.head.weight)
    with pytest.raises(UsageError, match=r"it has: network\.features, network\.head\."):
        fine_tune_from(new, "layer4")
