import numpy as np
import pytest
import torch
from torch import Tensor, nn

from echoplane.metrics.predictions import Predictions
from echoplane.training.order_test import ORDERS, order_effects


@pytest.mark.parametrize("frames", [1, 2, 3, 10, 16])
@pytest.mark.parametrize("order", [name for name in ORDERS if name != "recorded"])
def test_shape_stays_and_no_frame_is_invented(order: str, frames: int) -> None:
    clips = torch.arange(frames, dtype=torch.uint8)[None, None, :, None, None].expand(2, 1, frames, 4, 4).contiguous()
    change = ORDERS[order]
    assert change is not None
    changed = change(clips)
    assert changed.shape == clips.shape
    times = changed[0, 0, :, 0, 0].tolist()
    if order == "frozen":
        assert set(times) == {frames // 2}
    else:
        assert sorted(times) == list(range(frames))
    if order == "shuffled" and frames > 4:
        assert (np.abs(np.diff(times)) > 1).sum() >= frames - 2


def test_a_network_that_reads_motion_loses_by_view() -> None:
    class Motion(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            moved = (x[:, 0, 1:] - x[:, 0, :-1]).mean((1, 2, 3))
            return torch.stack([moved, -moved], 1) * 100

    up = torch.arange(6, dtype=torch.uint8)[None, None, :, None, None].expand(8, 1, 6, 2, 2)
    clips = torch.cat([up, up.flip(2)])
    truth = np.repeat([0, 1], 8)

    def answered(change: object) -> Predictions:
        raw = change(clips) if callable(change) else clips
        logits = Motion()(raw.float()).numpy()
        cines = tuple(f"c{i}" for i in range(16))
        return Predictions(("A", "B"), cines, cines, truth, np.arange(16), logits, np.zeros(16, np.int64), cines)

    effects = {e.order: e for e in order_effects({name: answered(change) for name, change in ORDERS.items()}, 50)}
    assert effects["recorded"].accuracy == 1
    assert effects["recorded"].against is None
    assert effects["reversed"].accuracy == 0
    assert effects["reversed"].against.difference.value == 1
    assert effects["frozen"].recall == {"A": 1.0, "B": 0.0}
