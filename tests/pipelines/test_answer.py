from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoplane import config
from echoplane.data.split import Split, SplitRow
from echoplane.errors import DataError, UsageError
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.pipelines.answer import answer_store, rows_in
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import FloatArray
from echoplane.sampling.rule import SamplingRule
from echoplane.store.reader import StoreReader, open_stores
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter

RECIPE = PrepareRecipe(size=(16, 16), mean=0.0, std=1.0)
VIEWS = ("A2C", "A4C")


class Brightness:
    """Stands in for a network: logits are the mean grey of the left and the right half of a clip."""

    name, device, precision = "stand-in", "none", "f32"

    def __init__(self) -> None:
        self.largest = 0

    def run(self, clips: FloatArray) -> FloatArray:
        self.largest = max(self.largest, len(clips))
        return np.stack([clips[..., :8].mean(axis=(1, 2, 3, 4)), clips[..., 8:].mean(axis=(1, 2, 3, 4))], axis=1)


def store(path: Path, n: int = 60, recipe: PrepareRecipe = RECIPE, **changes: object) -> StoreReader:
    with StoreWriter(path, recipe=config.to_mapping(recipe), views=VIEWS, height=16, width=16) as writer:
        for i in range(n):
            frames = np.full((20, 16, 16), 10, np.uint8)
            frames[:, :, 8 * (i % 2) :][:, :, :8] = 200
            row = StoreRow(f"c{i:03}", label=VIEWS[i % 2], group=f"p{i // 3}", fps=20.0, n_frames=20)
            writer.append(frames, replace(row, **changes) if i == 0 else row)  # type: ignore[arg-type]
    return StoreReader(path)


def bundle() -> Bundle:
    rule = SamplingRule(frames=5, seconds=0.5, max_clips=2)
    return Bundle.create(BundleFacts("b", VIEWS, NetworkSpec("compact3d"), RECIPE, rule), {})


def test_every_cine_gets_the_logits_of_its_own_clips(tmp_path: Path) -> None:
    engine = Brightness()
    seen: list[tuple[int, int]] = []
    found = answer_store(bundle(), engine, [store(tmp_path / "s")], progress=lambda a, b: seen.append((a, b)))
    p = found.predictions
    np.testing.assert_array_equal(p.cine_probabilities().argmax(axis=1), p.y_true)
    assert found.left_out == {}
    assert (len(p.cines), len(set(p.groups)), len(p.logits)) == (60, 20, 120)
    assert engine.largest <= 40
    assert seen[-1] == (60, 60)


def test_mirrored_exchanges_left_and_right(tmp_path: Path) -> None:
    kept = store(tmp_path / "s")
    drawn = answer_store(bundle(), Brightness(), [kept]).predictions
    turned = answer_store(bundle(), Brightness(), [kept], mirrored=True).predictions
    np.testing.assert_allclose(turned.logits, drawn.logits[:, ::-1], rtol=1e-5)
    known = store(tmp_path / "k", 6, extra={"mirrored": True})
    both = answer_store(bundle(), Brightness(), [known], mirrored=True)
    assert len(both.predictions.cines) == 5
    assert both.left_out == {"mirrored to begin with": 1}


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    s = store(tmp_path / "s", 6, label="", shares={"PLAX": 1.0})
    found = answer_store(bundle(), Brightness(), [s], keep=lambda row: row.cine < "c004")
    assert found.left_out == {"label 'PLAX' is not in the vocabulary": 1}
    assert found.predictions.cines == ("c001", "c002", "c003")
    with pytest.raises(DataError, match="none of 0 cines"):
        answer_store(bundle(), Brightness(), [s], keep=lambda row: False)


def test_cines_that_are_gone_are_counted(tmp_path: Path) -> None:
    store(tmp_path / "s", 3)
    for i in range(3, 5):
        with StoreWriter(tmp_path / "s", recipe=config.to_mapping(RECIPE), views=VIEWS, height=16, width=16) as writer:
            writer.append(np.full((20, 16, 16), 10, np.uint8), StoreRow(f"c{i:03}", label=VIEWS[0], fps=20.0))
    sorted((tmp_path / "s").glob("part-*"))[-1].unlink()
    found = answer_store(bundle(), Brightness(), [StoreReader(tmp_path / "s")])
    (reason,) = found.left_out
    assert "gone from" in reason
    assert found.left_out[reason] == 1


def test_cines_of_several_stores_are_called_as_training_calls_them(tmp_path: Path) -> None:
    store(tmp_path / "a", 2)
    with StoreWriter(tmp_path / "b", recipe=config.to_mapping(RECIPE), views=VIEWS, height=16, width=16) as writer:
        writer.append(np.full((20, 16, 16), 10, np.uint8), StoreRow("d", label=VIEWS[0], study="s", fps=20.0))
    found = answer_store(bundle(), Brightness(), open_stores([tmp_path / "a", tmp_path / "b"]))
    assert found.predictions.cines == ("c000", "c001", "d")
    assert found.predictions.groups == ("p0", "p0", "s")


def test_another_recipe_is_refused_and_another_name_is_not(tmp_path: Path) -> None:
    answer_store(bundle(), Brightness(), [store(tmp_path / "a", 2, replace(RECIPE, name="mine", mean=0.5))])
    with pytest.raises(UsageError, match="mask False, expected True"):
        answer_store(bundle(), Brightness(), [store(tmp_path / "b", 2, replace(RECIPE, mask=False))])


def test_rows_by_a_name_or_by_a_split_file(tmp_path: Path) -> None:
    rows = store(tmp_path / "s", 4, split="test").rows
    assert rows_in(None) is None
    by_name = rows_in("test")
    assert by_name is not None
    assert [by_name(row) for row in rows] == [True, False, False, False]
    path = tmp_path / "split.csv"
    Split((SplitRow("c001", "validation"), SplitRow("c002", "test"), SplitRow("c003", "train"))).save(path)
    for text, wanted in ((str(path), "c001"), (f"{path}:test", "c002"), (f"{path}:train", "c003")):
        keep = rows_in(text)
        assert keep is not None
        assert [row.cine for row in rows if keep(row)] == [wanted]
    with pytest.raises(UsageError, match="part 'tests'"):
        rows_in(f"{path}:tests")
    with pytest.raises(DataError, match=r"no\.csv"):
        rows_in(str(tmp_path / "no.csv"))
    Split((SplitRow("c001", "train", 0), SplitRow("c002", "train", 1))).save(path)
    with pytest.raises(UsageError, match="2 folds"):
        rows_in(str(path))


def test_nothing_to_answer_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 0 cines can be answered: the stores are empty, or no cine .*"):
        answer_store(bundle(), Brightness(), [store(tmp_path / "s", n=0)])
    with pytest.raises(DataError, match=r"none of 1 cines can be answered: 1 [a-z]"):
        answer_store(bundle(), Brightness(), [store(tmp_path / "t", n=1, label="")])


def test_cines_of_a_split_that_no_store_holds_are_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    names = ("c001", *(f"elsewhere/{n}" for n in range(5)))
    Split(tuple(SplitRow(name, "validation") for name in names)).save(path)
    one = store(tmp_path / "s", 4)
    found = answer_store(bundle(), Brightness(), [one], rows_in(str(path)))
    assert found.predictions.cines == ("c001",)
    assert found.left_out == {
        f"in part validation of {path}, and in no store given (elsewhere/0, elsewhere/1, elsewhere/2, ...)": 5
    }
    Split((SplitRow("elsewhere/0", "validation"),)).save(path)
    with pytest.raises(DataError, match=r"1 in part validation of .*no store given \(elsewhere/0\)"):
        answer_store(bundle(), Brightness(), [one], rows_in(str(path)))


def test_a_damaged_cine_is_left_out_not_answered(tmp_path: Path) -> None:
    store(tmp_path / "s", 4)
    (part,) = (tmp_path / "s").glob("part-*")
    data = part.read_bytes()
    part.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = answer_store(bundle(), Brightness(), [StoreReader(tmp_path / "s")])
    assert found.predictions.cines == ("c000", "c001", "c002")
    ((why, count),) = found.left_out.items()
    assert count == 1
    assert why.startswith(f"damaged in {part}; remove that file, and run the command that made the store again, or")
    (tmp_path / "s" / "written.jsonl").unlink()
    with pytest.raises(DataError, match=r"none of 1 cines can be answered: 1 damaged in .*part-"):
        answer_store(bundle(), Brightness(), [StoreReader(tmp_path / "s")], lambda row: row.cine == "c003")
