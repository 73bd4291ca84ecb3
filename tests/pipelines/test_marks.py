"""Maps of mistakes: at the right place, of the right colours, and none where there is none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from echoplane import config
from echoplane.errors import UsageError
from echoplane.explain.tint import AGAINST, FOR
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.pipelines._marks import marker
from echoplane.pipelines.evaluate import store_pictures
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import Sector, SectorKind
from echoplane.sampling.rule import SamplingRule
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter

VIEWS = ("A2C", "A4C", "PSAX-MV")
RECIPE = PrepareRecipe(size=(32, 32))
#: A fan that fills the middle half of the picture.
SECTOR = Sector(SectorKind.PHASED, (160, 0, 480, 480), (320.0, 0.0), 5.0, 480.0, -0.33, 0.33, 0.9, "given")


def bundle(name: str = "compact3d-s") -> Bundle:
    torch.manual_seed(0)
    facts = BundleFacts("b", VIEWS, NetworkSpec(name), RECIPE, SamplingRule(frames=6, seconds=0.5, max_clips=2))
    return export_bundle(build(name, 3).eval(), facts)


@pytest.fixture
def store(tmp_path: Path) -> StoreReader:
    with StoreWriter(tmp_path / "s", recipe=config.to_mapping(RECIPE), views=VIEWS, height=32, width=32) as writer:
        frames = np.random.default_rng(0).integers(0, 255, (20, 32, 32), dtype=np.uint8)
        row = StoreRow(
            "c", label="A2C", group="p", fps=20.0, n_frames=20, sector=SECTOR, crop=(80.0, 0.0, 560.0, 480.0)
        )
        writer.append(frames, row)
        writer.append(frames, replace(row, cine="no sector", sector=None))
    return StoreReader(tmp_path / "s")


def test_the_plain_cine_and_its_map_side_by_side_inside_the_fan(store: StoreReader) -> None:
    mark = marker(bundle(), [store])
    assert mark is not None
    shown = mark(store, 0, "A4C", "A2C")
    assert shown is not None
    assert shown.shape == (20, 32, 64, 3)
    frames = store.frames(0)
    np.testing.assert_array_equal(shown[:, :, :32], np.repeat(frames[..., None], 3, axis=3))
    marked = shown[:, :, 32:].astype(int)
    colour = marked[..., 0] - marked[..., 2]  # above 0 orange, below 0 blue
    assert (colour[:, :, :5] == 0).all()
    assert (colour[:, 20:, 14:18] != 0).any()
    assert FOR[0] > FOR[2]
    assert AGAINST[0] < AGAINST[2]
    # The other way round, the colours change places.
    other = mark(store, 0, "A2C", "A4C")
    assert other is not None
    turned = other[:, :, 32:, 0].astype(int) - other[:, :, 32:, 2]
    strong = np.abs(colour) > 40
    assert strong.any()
    assert (np.sign(turned[strong]) == -np.sign(colour[strong])).all()


def test_where_there_is_no_map_there_is_the_plain_cine(store: StoreReader) -> None:
    mark = marker(bundle(), [store])
    assert mark is not None
    assert mark(store, 1, "A4C", "A2C") is None
    assert marker(bundle("cnn3d"), [store]) is None
    pictures, words = store_pictures([store.path], bundle())
    assert "orange" in words
    for cine, shape in (("c", (20, 32, 64, 3)), ("no sector", (20, 32, 32))):
        frames = pictures(cine, "A4C", "A2C")
        assert frames is not None
        assert frames.shape == shape
    assert store_pictures([store.path], bundle("cnn3d"))[1] == ""
    assert pictures("not there", "A4C", "A2C") is None


def test_a_store_of_another_recipe_is_refused(store: StoreReader) -> None:
    other = Bundle.create(replace(bundle().facts, recipe=PrepareRecipe(size=(48, 48)), variants=()), {})
    with pytest.raises(UsageError, match="prepared in another way"):
        marker(other, [store])
