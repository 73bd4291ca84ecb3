from pathlib import Path

import numpy as np
import pydicom.examples
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from echoplane.apps.cli.main import build_app
from echoplane.errors import UsageError
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.pipelines import filters
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    torch.manual_seed(0)
    facts = BundleFacts("b", ("A2C", "A4C"), NetworkSpec("compact3d-s"), PrepareRecipe(size=(64, 64)),
                        SamplingRule(frames=6))  # fmt: skip
    path = tmp_path_factory.mktemp("bundle") / "b.echoplane"
    export_bundle(build("compact3d-s", 2), facts).save(path)
    return Bundle.load(path)


def test_layers_are_listed_with_their_filters(bundle: Bundle) -> None:
    layers = dict(filters.layer_names(bundle))
    assert layers["features.0.0"] == 16
    assert len(layers) > 8


def test_favourites_of_chosen_filters(bundle: Bundle, tmp_path: Path) -> None:
    pictures = filters.favourites(bundle, "features.0.0", [2, 5], steps=4)
    assert pictures.shape == (2, 6, 64, 64)
    assert not np.array_equal(pictures[0], pictures[1])
    path = filters.write_page(pictures, tmp_path / "page.gif")
    with Image.open(path) as page:
        assert page.n_frames == 6
        assert page.size == (258, 128)
    with pytest.raises(UsageError, match=r"no layer 'stem'; those with filters of their own: features\.0\.0"):
        filters.favourites(bundle, "stem", steps=1)
    # Blocks and the answer itself have filters to look at as well.
    assert len(filters.favourites(bundle, "features.1", steps=1)) == 16
    assert len(filters.favourites(bundle, "head", steps=1)) == 2


def test_the_head_of_a_network_of_frames_has_its_views_for_filters(tmp_path: Path) -> None:
    views = ("A2C", "A3C", "A4C", "PSAX-AV", "PSAX-MV", "PSAX-PM")
    facts = BundleFacts("f", views, NetworkSpec("frames2d-plain14"), PrepareRecipe(size=(16, 16)),
                        SamplingRule(frames=7))  # fmt: skip
    export_bundle(build("frames2d-plain14", 6), facts).save(tmp_path / "f.echoplane")
    frames = Bundle.load(tmp_path / "f.echoplane")
    assert len(filters.favourites(frames, "head", steps=1)) == 6
    with pytest.raises(UsageError, match="filters 0 to 5, and 6 was asked for"):
        filters.favourites(frames, "head", [6], steps=1)


def test_feature_maps_of_a_real_cine(bundle: Bundle, tmp_path: Path) -> None:
    maps = filters.maps_of(bundle, "features.1", str(pydicom.examples.get_path("ybr_color")))
    assert maps.shape == (16, 6, 32, 32)
    with Image.open(filters.write_page(maps, tmp_path / "maps.png")) as page:
        assert page.size == (4 * 98 - 2, 4 * 98 - 2)


def test_command(bundle: Bundle, tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = run(build_app(), ["filters", "--bundle", bundle.where])
    assert listed.exit_code == 0, listed.output
    assert "features.0.0  16 filters" in listed.output
    made = run(build_app(), ["filters", "features.0.0", "--filter", "1", "--steps", "2", "--bundle", bundle.where,
                             "-o", str(tmp_path / "one.webp")])  # fmt: skip
    assert made.exit_code == 0, made.output
    assert run(build_app(), ["filters", "features.0.0", "--bundle", bundle.where]).exit_code == 2
    assert run(build_app(), ["filters", "--bundle", bundle.where, "-o", "page.gif"]).exit_code == 2  # of which layer?


def test_what_cannot_be_shown_is_said_before_the_work(bundle: Bundle, tmp_path: Path) -> None:
    run, cine = CliRunner().invoke, str(pydicom.examples.get_path("ybr_color"))

    def said(*words: str) -> str:
        done = run(build_app(), ["filters", *words, "--bundle", bundle.where])
        assert done.exit_code != 0
        return f"{done.output} {done.exception}"

    page = ["-o", str(tmp_path / "a.png")]
    assert "gives numbers, and no maps" in said("head", "--on", cine, *page)
    assert "has filters 0 to 15" in said("features.0.0", "--on", cine, "--filter", "99", *page)
    assert "pages of filters end in" in said("features.0.0", "-o", str(tmp_path / "a.xyz"))
    assert not list(tmp_path.iterdir())
    words = ["filters", "features.0.0", "--on", cine, "--filter", "3", *page, "--bundle", bundle.where]
    assert "1 pictures" in run(build_app(), words).output
