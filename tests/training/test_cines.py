import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echoplane import config
from echoplane.data.split import Split, make_split
from echoplane.errors import DataError, LeakError, UsageError
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.store import StoreReader, StoreRow, StoreWriter
from echoplane.training.cines import open_data, rows_to_split
from echoplane.training.recipe import StoreUse


def patients(part: Any) -> set[str]:
    return {row.group for row in part.rows}


def test_patients_stay_on_one_side_and_the_seed_decides(make_store: Any, make_recipe: Any) -> None:
    store = make_store()
    data = open_data(make_recipe(store))
    assert not patients(data.train) & patients(data.validation)
    assert len(patients(data.validation)) == 2
    assert data.counts()["validation"] == {"A4C": 2, "PSAX-MV": 2, "PSAX-PM": 2}
    others = [patients(open_data(make_recipe(store, seed=seed)).validation) for seed in range(2, 7)]
    assert any(other != patients(data.validation) for other in others)


def test_a_split_file_decides(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store())
    split, _ = make_split(rows_to_split(recipe), folds=4, seed=3)
    split.save(tmp_path / "folds.csv")
    seen = []
    for fold in range(4):
        data = open_data(make_recipe(recipe.data.stores[0].path, data__split=tmp_path / "folds.csv", data__fold=fold))
        assert {row.cine for row in data.validation.rows} == set(split.cines("validation", fold))
        assert data.split.folds == 0
        seen.append(patients(data.validation))
    assert set.union(*seen) == {f"p{i}" for i in range(8)}
    with pytest.raises(UsageError, match=r"4 folds: choose one with data\.fold"):
        open_data(make_recipe(recipe.data.stores[0].path, data__split=tmp_path / "folds.csv"))


def test_a_split_of_other_data_and_a_leaking_one_are_refused(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store()
    (tmp_path / "other.csv").write_text("cine,part\nelsewhere,train\n", encoding="utf-8")
    with pytest.raises(DataError, match="made for other data"):
        open_data(make_recipe(store, data__split=tmp_path / "other.csv"))
    good = make_split(rows_to_split(make_recipe(store)), validation=0.25)[0]
    rows = (dataclasses.replace(good.rows[0], part="validation" if good.rows[0].part == "train" else "train"),)
    Split((*rows, *good.rows[1:])).save(tmp_path / "leak.csv")
    with pytest.raises(LeakError):
        open_data(make_recipe(store, data__split=tmp_path / "leak.csv"))


def test_cines_of_one_of_several_views_train_and_do_not_validate(make_store: Any, make_recipe: Any) -> None:
    store = make_store(labels=("A4C", "PSAX", "PSAX-MV"))
    recipe = make_recipe(store, views="[A4C, PSAX-MV, PSAX-PM]", labels="{PSAX: [PSAX-MV, PSAX-PM]}")
    data = open_data(recipe)
    assert data.train.targets.sum(axis=1).max() == 2
    assert {row.label for row in data.validation.rows} == {"A4C", "PSAX-MV"}
    assert data.counts()["train"]["one of several"] == 6


def test_cines_of_equal_shares_train_and_do_not_validate(make_store: Any, make_recipe: Any) -> None:
    store = make_store(labels=("A4C", "A5C", "PSAX-MV"))
    recipe = make_recipe(store, views="[A4C, PSAX-MV, other]", labels="{A5C: {A4C: 0.5, other: 0.5}}")
    data = open_data(recipe)
    assert {row.label for row in data.train.rows} == {"A4C", "A5C", "PSAX-MV"}
    assert {row.label for row in data.validation.rows} == {"A4C", "PSAX-MV"}


def test_unknown_labels_stop_the_run(make_store: Any, make_recipe: Any) -> None:
    with pytest.raises(DataError, match=r"'PSAX-PM' \(8 cines"):
        open_data(make_recipe(make_store(), views="[A4C, PSAX-MV]"))


def test_stores_of_one_view_are_told_what_is_missing(make_store: Any, make_recipe: Any) -> None:
    """EchoNet-Dynamic holds A4C alone."""
    with pytest.raises(UsageError, match=r"cines of one view alone, A4C; .*Add a store with others"):
        open_data(make_recipe(make_store(labels=("A4C",))))


def test_views_that_no_cine_shows_are_no_outputs(make_store: Any, make_recipe: Any) -> None:
    views = ("A4C", "DOPPLER", "PSAX-MV", "M-MODE", "PSAX-PM")
    store = make_store(views=views)
    data = open_data(make_recipe(store))
    assert data.views == ("A4C", "PSAX-MV", "PSAX-PM")
    assert data.warnings == ("Views that the stores list and no cine shows are left out: DOPPLER, M-MODE.",)
    named = open_data(make_recipe(store, views=f"[{', '.join(views)}]"))
    assert named.views == views
    assert named.warnings == ()


def test_stores_that_number_their_patients_alike_are_told_so(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    one, two = make_store("one", 2), make_store("two", 2, seed=9, prefix="q")
    reader = StoreReader(two)
    again = tmp_path / "again"
    with StoreWriter(again, recipe=dict(reader.info.recipe), views=reader.views, height=32, width=32) as writer:
        for i, row in enumerate(reader.rows):
            writer.append(reader.frames(i), dataclasses.replace(row, group=row.group.replace("q", "p")))
    stores = f"[{{path: {one}, use: train}}, {{path: {again}, use: validation}}]"
    with pytest.raises(LeakError, match=r"One patient id in two stores \(.*one, .*again\) counts as one person"):
        open_data(make_recipe(data__stores=stores))


def test_doubt_of_mirrored_clips_where_there_are_none_is_mentioned(make_store: Any, make_recipe: Any) -> None:
    store = make_store()
    (warning,) = open_data(make_recipe(store, loss__mirrored=0.4)).warnings
    assert "loss.mirrored 0.4 does nothing: augment.geometry.flip_p is 0" in warning
    assert open_data(make_recipe(store, loss__mirrored=0.4, augment="{geometry: {flip_p: 0.1}}")).warnings == ()


def test_no_store_and_stores_of_two_recipes_are_refused(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.stores=store"):
        open_data(make_recipe())
    other = config.to_mapping(PrepareRecipe(name="small", size=(32, 32), margin=0.1))
    with StoreWriter(tmp_path / "other", recipe=other, views=("A4C",), height=32, width=32) as writer:
        writer.append(np.zeros((20, 32, 32), np.uint8), StoreRow("x", label="A4C", group="x"))
    with pytest.raises(DataError, match=r"margin differ"):
        open_data(make_recipe(make_store(), tmp_path / "other"))


def test_held_out_patients_validate_from_a_store_for_training_too(make_store: Any, make_recipe: Any) -> None:
    phantom, real = make_store("phantom", 6), make_store("real", 3, seed=9, prefix="r")
    stores = f"[{{path: {phantom}, use: train}}, {{path: {real}}}]"
    data = open_data(make_recipe(data__stores=stores, data__validation=0, data__hold_out="[p2, r1]"))
    assert patients(data.validation) == {"p2", "r1"}
    assert not patients(data.train) & {"p2", "r1"}


def test_a_fold_of_no_split_is_refused(make_store: Any, make_recipe: Any) -> None:
    with pytest.raises(UsageError, match=r"data\.fold 1 chooses a part of data\.split, and there is none"):
        open_data(make_recipe(make_store(), data__fold=1))


def test_held_out_patients_must_exist(make_store: Any, make_recipe: Any) -> None:
    with pytest.raises(DataError, match=r"no labelled cine has: 'p99'\. Write them as the column group"):
        open_data(make_recipe(make_store(), data__hold_out="[p1, p99]"))


def test_who_is_held_out_may_be_called_as_a_split_file_does(make_store: Any, make_recipe: Any) -> None:
    data = open_data(make_recipe(make_store(), data__hold_out='["patient p1", p2]', data__validation=0))
    assert patients(data.validation) == {"p1", "p2"}


def test_cines_too_short_are_mentioned(make_store: Any, make_recipe: Any) -> None:
    sampling = "{kind: every_kth, frames: 30, step: 2, short: refuse}"
    with pytest.raises(DataError, match="no cine is left"):
        open_data(make_recipe(make_store(), data__sampling=sampling))


def test_cines_that_are_gone_are_mentioned(make_store: Any, make_recipe: Any) -> None:
    store = make_store(part_bytes=1)
    assert open_data(make_recipe(store)).warnings == ()
    sorted(store.glob("part-*"))[-1].unlink()
    (warning,) = open_data(make_recipe(store)).warnings
    assert "1 cine is gone with the part file, for example 'p7/PSAX-PM'" in warning


def test_shares_and_sides_of_stores(make_store: Any, make_recipe: Any) -> None:
    phantom, real = make_store("phantom", 6), make_store("real", 3, seed=9, prefix="r")
    recipe = make_recipe(phantom, real, data__validation=0)
    stores = (
        dataclasses.replace(recipe.data.stores[0], share=0.25, use="train"),
        dataclasses.replace(recipe.data.stores[1], use="all"),
    )
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, stores=stores, hold_out=("r1",)))
    data = open_data(recipe)
    assert patients(data.validation) == {"r1"}
    of = data.train.store_of[data.train.row_of_clip]
    assert data.chance[of == 0].sum() == pytest.approx(0.25)
    assert data.names == ("phantom", "real")


def test_stores_of_one_title_are_told_apart_by_their_folders(make_store: Any, make_recipe: Any) -> None:
    stores = [make_store(f"{place}/store", prefix=place) for place in ("north", "south")]
    assert open_data(make_recipe(*stores)).names == ("north/store", "south/store")
    alike = [make_store(f"{place}/a/store", prefix=f"{place}-a") for place in ("north", "south")]
    assert open_data(make_recipe(*alike, stores[0])).names == ("a/store#1", "a/store#2", "north/store")


@pytest.mark.parametrize(
    "path", [r"C:\Users\someone\clips", "C:\\Users\\someone\\clips\\", "/home/someone/clips/", "clips"]
)
def test_a_store_is_named_by_its_folder_and_not_by_where_it_lies(path: str) -> None:
    assert StoreUse(path).title == "clips"
