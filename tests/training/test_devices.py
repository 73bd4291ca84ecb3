import pytest
import torch

from echoplane.errors import UsageError
from echoplane.training.devices import computed_in, make_fabric, precision_of
from echoplane.training.recipe import Fit


def test_a_batch_that_the_processes_cannot_share_starts_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echoplane.training.devices.Fabric", None)
    with pytest.raises(UsageError, match=r"fit\.batch 10 cannot be shared evenly by 4 processes"):
        make_fabric(Fit(batch=10), devices=2, nodes=2, accelerator="cpu")


@pytest.mark.parametrize("has_bf16", [True, False])
def test_auto_is_bf16_only_where_the_processor_computes_in_it(monkeypatch: pytest.MonkeyPatch, has_bf16: bool) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_bf16)
    assert computed_in("auto", "cpu") == ("bf16" if has_bf16 else "f32")
    assert precision_of(make_fabric(Fit(), accelerator="cpu")) == ("bf16" if has_bf16 else "f32")
    assert computed_in("bf16", "cpu") == "bf16"  # who asks for it gets it


def test_auto_is_f32_where_torch_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert computed_in("auto", "cpu") == "f32"
