from pathlib import Path

import pytest
import torch
from torch import nn

from echoplane.errors import BundleError
from echoplane.models.cnn3d import SPECS
from echoplane.models.legacy import VIEWS, import_checkpoint, spec_of
from echoplane.views import VIEWS as TABLE


def original(spec: tuple[int | str, ...], batch_norm: bool = True) -> nn.Module:
    """The checkpoint's network, defined here anew in the style of a VGG."""
    network, layers, c = nn.Module(), [], 1
    for v in spec:
        if isinstance(v, str):
            layers.append(nn.MaxPool3d(2, (1, 2, 2)))
            continue
        layers += [nn.Conv3d(c, v, 3, padding=1), *([nn.BatchNorm3d(v)] if batch_norm else []), nn.ReLU()]
        c = v
    network.features = nn.Sequential(*layers)
    network.avgpool = nn.AdaptiveAvgPool3d((7, 5, 5))
    network.classifier = nn.Sequential(
        nn.Linear(c * 175, 200),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(200, 150),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(150, 6),
    )
    return network


@pytest.mark.parametrize("spec", [*SPECS.values(), (4, "M", "M", 8, 8, "M")])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_spec_is_read_off_the_weights(spec: tuple[int | str, ...], batch_norm: bool) -> None:
    assert spec_of(original(spec, batch_norm).state_dict()) == (spec, batch_norm)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_gives_the_same_answers(tmp_path: Path, prefix: str) -> None:
    torch.manual_seed(0)
    theirs = original((4, "M", 8, 8, "M")).eval()
    torch.save({f"{prefix}{name}": tensor for name, tensor in theirs.state_dict().items()}, tmp_path / "model.pt")
    ours = import_checkpoint(tmp_path / "model.pt")
    clips = torch.rand(2, 1, 10, 40, 40)
    with torch.no_grad():
        expected = theirs.classifier(theirs.avgpool(theirs.features(clips)).flatten(1))
        torch.testing.assert_close(ours(clips), expected)


def test_other_networks_and_poolings_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    with pytest.raises(BundleError, match=r"features\.0\.weight"):
        import_checkpoint(tmp_path / "other.pt")
    torch.save(original((4, "M")).state_dict(), tmp_path / "model.pt")
    with pytest.raises(BundleError, match=r"takes 700 numbers"):
        import_checkpoint(tmp_path / "model.pt", (6, 6, 6))


def test_the_six_views_are_in_the_vocabulary() -> None:
    assert set(VIEWS.values()) <= {view.label for view in TABLE}
