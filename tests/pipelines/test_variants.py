import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from echoplane import config
from echoplane.apps.cli.main import build_app
from echoplane.data.split import Split, SplitRow
from echoplane.errors import UsageError
from echoplane.inference.engine import load_engine
from echoplane.metrics.intervals import Interval
from echoplane.models.bundle import CARD_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Variant
from echoplane.models.export import export_bundle
from echoplane.models.quantise import BIN_NAME, XML_NAME, quantise, spread
from echoplane.models.registry import build
from echoplane.pipelines import variants
from echoplane.pipelines.variants import VariantFigures, add_variants, prefer
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter

VIEWS = ("A2C", "A4C", "PSAX-MV")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    torch.manual_seed(0)
    recipe, rule = PrepareRecipe(size=(32, 32)), SamplingRule(frames=6, seconds=0.5, max_clips=2)
    net = build("compact3d-s", 3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    with torch.no_grad():
        net.head.weight.mul_(20)  # answers as far apart as after training
    return export_bundle(net, BundleFacts("b", VIEWS, NetworkSpec("compact3d-s"), recipe, rule))


def store_at(path: Path, bundle: Bundle, seed: int) -> StoreReader:
    rng = np.random.default_rng(seed)
    recipe = config.to_mapping(bundle.facts.recipe)
    with StoreWriter(path, recipe=recipe, views=VIEWS, height=32, width=32) as writer:
        for i in range(40):
            frames = rng.integers(0, 60 * (1 + i % 3), (20, 32, 32), dtype=np.uint8)
            writer.append(frames, StoreRow(f"c{i:02}", label=VIEWS[i % 3], group=f"p{i}", fps=20.0, n_frames=20))
    return StoreReader(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> StoreReader:
    return store_at(tmp_path_factory.mktemp("variants") / "store", bundle, 0)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> StoreReader:
    """Other cines, of the same names."""
    return store_at(tmp_path_factory.mktemp("variants") / "other", bundle, 1)


@pytest.mark.slow
def test_int8_is_close_to_f32_and_its_figures_are_kept(
    bundle: Bundle, store: StoreReader, other: StoreReader, tmp_path: Path
) -> None:
    made, figures = add_variants(bundle, [other], [store], on="noise")
    assert [f.precision for f in figures if f.precision != "bf16"] == ["f32", "int8"]
    assert figures[0].agreement == 1
    assert figures[-1].agreement >= 0.8
    assert figures[0].difference.value == 0
    right = [f.accuracy.value for f in figures]
    assert figures[-1].difference.value == pytest.approx(right[-1] - right[0])
    made.save(tmp_path / "b.echoplane")
    back = Bundle.load(tmp_path / "b.echoplane")
    assert {XML_NAME, BIN_NAME} <= set(back.facts.members)
    int8 = back.facts.variant("int8")
    assert int8 is not None
    assert int8.accuracy == figures[-1].accuracy.value
    card = back.read(CARD_NAME).decode()
    assert f"| int8 | {int8.accuracy:.3f} | {int8.milliseconds:.2f} | noise; " in card
    assert int8.note.startswith("noise; ")
    x = back.facts.recipe.normalise(np.stack([store.frames(i)[:6] for i in range(4)]))[:, None]
    f32, i8 = (load_engine(back, precision=p, threads=1).run(x) for p in ("f32", "int8"))
    assert not np.array_equal(f32, i8)
    assert np.abs(i8 - f32).mean() < 0.1 * np.abs(f32).max()


def test_too_few_clips(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="3 clips are too few"):
        quantise(bundle, np.zeros((3, 1, 6, 32, 32), np.float32))


def test_clips_of_another_size_are_refused(bundle: Bundle, store: StoreReader, tmp_path: Path) -> None:
    recipe = config.to_mapping(PrepareRecipe(size=(16, 16)))
    with StoreWriter(tmp_path / "small", recipe=recipe, views=VIEWS, height=16, width=16) as writer:
        writer.append(np.zeros((20, 16, 16), np.uint8), StoreRow("c", label="A2C", group="p", fps=20.0, n_frames=20))
    with pytest.raises(UsageError, match="size"):
        add_variants(bundle, [StoreReader(tmp_path / "small")], [store])


def test_spread_picks_without_repeats() -> None:
    clips = np.arange(50, dtype=np.float32)
    assert len(np.unique(spread(clips, 20))) == 20
    assert len(spread(clips, 99)) == 50
    np.testing.assert_array_equal(spread(clips, 20), spread(clips, 20))


def test_a_precision_that_loses_too_much_is_not_run(toy_bundle: Callable[..., Bundle]) -> None:
    toy = toy_bundle(variants=(Variant("f32", ("model.onnx",)), Variant("bf16", ("model.onnx",))))
    some, none = Interval(0.9, 0.8, 1.0), Interval(0.0, 0.0, 0.0)
    figures = [
        VariantFigures("f32", some, none, 1.0, 4.0, 3.0),
        VariantFigures("bf16", some, Interval(-0.004, -0.01, 0.0), 0.99, 2.0, 1.5),
    ]
    assert prefer(toy, figures, "bf16", may_lose=0.005).facts.precision == "bf16"
    with pytest.raises(UsageError, match=r"0\.4 points fewer .* 0\.3 may be lost"):
        prefer(toy, figures, "bf16")
    with pytest.raises(UsageError, match="only f32, bf16 were measured"):
        prefer(toy, figures, "int8")


@pytest.mark.parametrize("keep", [None, lambda row: True])
def test_cines_of_the_test_are_not_quantised_with(
    bundle: Bundle, store: StoreReader, monkeypatch: pytest.MonkeyPatch, keep: Callable[[StoreRow], bool] | None
) -> None:
    monkeypatch.setattr(variants, "quantise", lambda *_: pytest.fail("ranges were fitted"))
    with pytest.raises(UsageError, match="all of their cines are tested on"):
        add_variants(bundle, [store], [store], keep=keep)


def test_what_is_tested_on_is_known_by_its_frames(
    bundle: Bundle, store: StoreReader, other: StoreReader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The cines of `other` have the same names; a third store has half of the first one's under other names."""
    recipe = config.to_mapping(bundle.facts.recipe)
    with StoreWriter(tmp_path / "half", recipe=recipe, views=VIEWS, height=32, width=32) as writer:
        for i in range(0, 40, 2):
            writer.append(store.frames(i), StoreRow(f"again{i}", label=VIEWS[i % 3], fps=20.0, n_frames=20))
    given: list[int] = []

    def quantise(_: Bundle, clips: np.ndarray) -> dict[str, bytes]:
        given.append(len(clips))
        raise UsageError("stop here")

    monkeypatch.setattr(variants, "quantise", quantise)
    for test in (other, StoreReader(tmp_path / "half")):
        with pytest.raises(UsageError, match="stop here"):
            add_variants(bundle, [store], [test])
    assert given == [40, 20]


@pytest.mark.slow
def test_on_the_command_line(bundle: Bundle, store: StoreReader, tmp_path: Path) -> None:
    bundle.save(tmp_path / "b.echoplane")
    held = Split(tuple(SplitRow(row.cine, "test" if i < 8 else "train") for i, row in enumerate(store.rows)))
    held.save(tmp_path / "split.csv")
    words = ["bundle", "variants", tmp_path / "b.echoplane", "--calibrate", store.path, "--test", store.path,
             "--split", f"{tmp_path / 'split.csv'}:test", "-o", tmp_path / "fast.echoplane", "--run", "int8",
             "--may-lose", 100]  # fmt: skip
    done = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "int8" in done.output
    assert Bundle.load(tmp_path / "fast.echoplane").facts.precision == "int8"
    again = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert again.exit_code != 0
    words = ["bundle", "export", tmp_path / "fast.echoplane", "--to", "openvino", "--precision", "int8", "-o", tmp_path]
    done = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert done.exit_code == 0, done.output
    about = json.loads((tmp_path / "b-int8.openvino.json").read_text())
    assert about["output"]["labels"] == list(VIEWS)
    assert about["accuracy"] is not None


@pytest.mark.slow
def test_cines_too_short_for_the_sampling_are_left_out(bundle: Bundle, tmp_path: Path) -> None:
    rule = SamplingRule(kind="every_kth", frames=6, step=2, short="refuse")
    strict = Bundle.create(replace(bundle.facts, sampling=rule), {n: bundle.read(n) for n in bundle.facts.members})
    rng = np.random.default_rng(0)
    recipe = config.to_mapping(bundle.facts.recipe)
    with StoreWriter(tmp_path / "s", recipe=recipe, views=VIEWS, height=32, width=32) as writer:
        for i in range(80):
            frames = rng.integers(0, 200, (5 if i % 2 else 20, 32, 32), dtype=np.uint8)
            writer.append(frames, StoreRow(f"c{i:02}", label=VIEWS[i % 3], group=f"p{i}", fps=20.0))
    made = [StoreReader(tmp_path / "s")]
    _, figures = add_variants(strict, made, made, keep=lambda row: row.cine < "c16", on="noise")
    assert figures[0].precision == "f32"
