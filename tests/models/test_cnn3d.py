import pytest
import torch
from torch import nn

from echoplane.errors import UsageError
from echoplane.models.cnn3d import SPECS, ModularCNN3d


def vgg3d(spec: tuple[int | str, ...], n_views: int) -> nn.ModuleDict:
    """An independent definition in a few lines."""
    layers: list[nn.Module] = []
    c = 1
    for v in spec:
        if v == "M":
            layers.append(nn.MaxPool3d(2, (1, 2, 2)))
        else:
            assert isinstance(v, int)
            layers += [nn.Conv3d(c, v, 3, padding=1), nn.BatchNorm3d(v), nn.ReLU()]
            c = v
    head = [nn.Linear(c * 175, 200), nn.ReLU(), nn.Dropout(), nn.Linear(200, 150), nn.ReLU(), nn.Dropout()]
    return nn.ModuleDict(
        {"features": nn.Sequential(*layers), "classifier": nn.Sequential(*head, nn.Linear(150, n_views))}
    )


@pytest.mark.parametrize("name", list(SPECS))
def test_same_names_shapes_and_answers_as_an_independent_definition(name: str) -> None:
    torch.manual_seed(1)
    other = vgg3d(SPECS[name], 6).eval()
    for module in other.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    ours = ModularCNN3d(6, name).eval()
    ours.load_state_dict(other.state_dict())
    clips = torch.rand(2, 1, 10, 100, 100)
    with torch.no_grad():
        expected = other["classifier"](nn.AdaptiveAvgPool3d((7, 5, 5))(other["features"](clips)).flatten(1))
        torch.testing.assert_close(ours(clips), expected, rtol=1e-4, atol=1e-5)


def test_without_batch_norm_the_numbering_is_that_of_a_plain_vgg() -> None:
    network = ModularCNN3d(6, [8, "M", 8, "M"], batch_norm=False)
    assert [n for n, _ in network.features.named_parameters()] == ["0.weight", "0.bias", "3.weight", "3.bias"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spec": "vgg"}, "thesis-9"),
        ({"spec": [16, "P"]}, "'P'"),
        ({"spec": ["M"]}, "no convolution"),
        ({"classifier": [1, 2]}, "neurons, dropout"),
        ({"classifier": [200, 1.5, 150, 0.5]}, "dropout in"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ModularCNN3d(6, **options)  # type: ignore[arg-type]
