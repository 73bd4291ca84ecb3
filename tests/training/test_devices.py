import pytest

from echoplane.errors import UsageError
from echoplane.training.devices import make_fabric
from echoplane.training.recipe import Fit


def test_a_batch_that_the_processes_cannot_share_starts_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echoplane.training.devices.Fabric", None)
    with pytest.raises(UsageError, match=r"fit\.batch 10 cannot be shared evenly by 4 processes"):
        make_fabric(Fit(batch=10), devices=2, nodes=2, accelerator="cpu")
