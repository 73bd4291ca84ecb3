import pytest
import torch

from echoplane.errors import UsageError
from echoplane.models.registry import NETWORKS, build
from echoplane.models.weights import fine_tune_from
from echoplane.training.summary import summarise


def test_a_network_fits_on_a_page_and_adds_up() -> None:
    for name in ("cnn3d", "compact3d", "resnext3d-50"):
        network = build(name, 6)
        text = summarise(network, (16, 64, 64))
        assert len(text.splitlines()) < 50
        assert f"{NETWORKS[name].parameters:,} parameters" in text
        assert not any(module._forward_hooks for module in network.modules())


def test_what_is_frozen_is_said() -> None:
    network = build("compact3d-s", 6)
    fine_tune_from(network, "head")
    text = summarise(network, (10, 112, 112))
    assert text.count("frozen") >= 5
    assert "774 of them learn" in text


def test_a_clip_too_small_for_the_network_ends_in_advice() -> None:
    network = build("cnn3d", 3)
    with pytest.raises(UsageError) as caught:
        summarise(network, (4, 32, 16), "cnn3d")
    for said in ("network 'cnn3d'", "4 x 32 x 16", "Output size is too small. ", "network.options", "sampling.frames"):
        assert said in str(caught.value)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_memory_that_runs_out_is_no_matter_of_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("echoplane.training.summary.count", full)
    with pytest.raises(torch.OutOfMemoryError):
        summarise(build("compact3d-s", 3), (4, 32, 32))
