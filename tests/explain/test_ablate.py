import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from echoplane.errors import UsageError
from echoplane.explain.ablate import ablation_curve, energy_share, randomised, similarity
from echoplane.explain.methods import attribute
from echoplane.models.registry import build


class Quadrant(nn.Module):
    """Sure of view 0 by what it sees top left."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = 6 * x[:, 0, :, :16, :16].mean(dim=(1, 2, 3)) - 3
        return torch.stack([s, -s], dim=1)


def test_a_true_map_falls_fast_and_comes_back_fast() -> None:
    clip = np.ones((1, 5, 32, 32), np.float32)
    true = np.zeros((5, 32, 32), np.float32)
    true[:, :16, :16] = 1
    noise = np.random.default_rng(0).random((5, 32, 32)).astype(np.float32)

    def area(values: np.ndarray, kind: str) -> float:
        return ablation_curve(Quadrant(), clip, values, 0, kind).area  # type: ignore[arg-type]

    assert area(true, "deletion") < area(noise, "deletion") - 0.2
    assert area(true, "insertion") > area(noise, "insertion") + 0.2
    assert area(-true, "deletion") > area(noise, "deletion") + 0.1


def test_curve_starts_and_ends_where_it_must() -> None:
    clip = np.ones((1, 5, 32, 32), np.float32)
    values = np.random.default_rng(1).random((5, 32, 32)).astype(np.float32)
    down, up = (ablation_curve(Quadrant(), clip, values, 0, k) for k in ("deletion", "insertion"))  # type: ignore[arg-type]
    sure, lost = torch.sigmoid(torch.tensor([6.0, -6.0])).tolist()
    assert (down.probability[0], down.probability[-1]) == (pytest.approx(sure, abs=1e-5), pytest.approx(lost, abs=1e-5))
    assert (up.probability[0], up.probability[-1]) == (pytest.approx(lost, abs=1e-5), pytest.approx(sure, abs=1e-5))
    assert (down.share[0], down.share[-1]) == (0, 1)
    with pytest.raises(UsageError, match="the map is"):
        ablation_curve(Quadrant(), clip, values[:, :8], 0)


def test_layers_held_in_evaluation_mode_stay_there() -> None:
    net = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    net[1].eval()
    ablation_curve(net, np.ones((1, 5, 8, 8), np.float32), np.ones((5, 8, 8), np.float32), 0)
    assert [layer.training for layer in net] == [True, False, True, True]


@pytest.mark.parametrize("method", ["gradcam", "integrated-gradients", "guided"])
def test_maps_change_when_the_weights_do(method: str) -> None:
    """The sanity check of Adebayo et al.; the first randomised layer is the answer itself."""
    torch.manual_seed(0)
    net = build("compact3d-s", 3).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    with torch.no_grad():
        net.head.weight.abs_()  # all features speak for the view, so that no map is empty
    x = np.random.default_rng(0).normal(size=(4, 1, 6, 32, 32)).astype(np.float32)
    weights = np.array([1, 0, 0], np.float32)
    original = attribute(net, "features", x, weights, method)
    again = attribute(randomised(net, 0), "features", x, weights, method)
    assert similarity(original, again) == pytest.approx(1)
    changed = attribute(randomised(net, 1000), "features", x, weights, method)
    assert abs(similarity(original, changed)) < 0.5


def test_randomising_goes_from_the_answer_downwards_and_leaves_the_original() -> None:
    net = build("compact3d-s", 3)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    one = randomised(net, 1)
    differ = [k for k, v in one.state_dict().items() if not torch.equal(v, before[k])]
    assert all(k.startswith("head") for k in differ)
    assert differ
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_similarity_against_scipy() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 9, (4, 5)).astype(np.float32), rng.random((4, 5)).astype(np.float32)
    assert similarity(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert similarity(a, np.ones_like(a)) == 0


def test_energy_share() -> None:
    values = np.array([[4.0, -9.0], [3.0, 1.0]], np.float32)
    assert energy_share(values, np.array([[True, True], [False, False]])) == pytest.approx(0.5)
    assert np.isnan(energy_share(-values.clip(0), np.ones((2, 2), bool)))
