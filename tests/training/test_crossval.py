import csv
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from echoplane import config
from echoplane.errors import ConfigError, DataError, UsageError
from echoplane.metrics.predictions import Predictions
from echoplane.pipelines.crossvalidate import crossvalidate
from echoplane.store import StoreReader, StoreRow, StoreWriter
from echoplane.training import fit
from echoplane.training.events import Event, FoldStarted, Noted, Started, Stepped
from echoplane.training.order_test import order_effects


class StopError(Exception):
    pass


def test_every_cine_is_answered_once_by_a_network_that_did_not_see_its_patient(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    found = crossvalidate(make_recipe(make_store(), fit__epochs=1), tmp_path / "cv", 4, orders=True)
    answers = found.predictions
    assert len(set(answers.cines)) == 24
    folds_of = {group: set(answers.folds[np.array(answers.groups) == group]) for group in answers.groups}
    assert all(len(folds) == 1 for folds in folds_of.values())
    assert {f for folds in folds_of.values() for f in folds} == {0, 1, 2, 3}
    with (tmp_path / "cv" / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(answers.logits)
    assert sum(float(rows[0][view]) for view in answers.views) == pytest.approx(1, abs=1e-5)
    saved = json.loads((tmp_path / "cv" / "confusion.json").read_text())
    for way, total in (("clips", len(rows)), ("sums", 24), ("votes", 24)):
        assert np.sum(saved["all"][way]) == total
        np.testing.assert_array_equal(np.sum([saved[f"fold {f}"][way] for f in range(4)], axis=0), saved["all"][way])
    assert [effect.order for effect in found.orders] == ["recorded", "shuffled", "reversed", "frozen"]
    assert (tmp_path / "cv" / "report.html").stat().st_size > 1000


def test_orders_are_compared_as_they_were_computed(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(patients=4), fit__epochs=1, fit__precision="bf16")
    found = crossvalidate(recipe, tmp_path / "cv", 2, orders=True)
    trained, recorded, backwards = (
        Predictions.concatenate([Predictions.load(tmp_path / "cv" / f"fold-{fold}" / name) for fold in range(2)])
        for name in ("validation.npz", "validation-recorded.npz", "validation-reversed.npz")
    )
    # The training rounds to 16 bits, the orders do not.
    assert not np.array_equal(trained.logits, recorded.logits)
    np.testing.assert_array_equal(found.predictions.logits, trained.logits)
    assert list(found.orders[::2]) == order_effects({"recorded": recorded, "reversed": backwards})


def test_no_epoch_is_chosen_by_the_cines_held_out(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Scores fall from epoch to epoch: whoever chose by them would take the first.
    falling = itertools.count(1.0, -0.01)
    monkeypatch.setattr(
        fit, "score", lambda *_: dict.fromkeys(("accuracy", "balanced_accuracy"), next(falling)) | {"loss": 1.0}
    )
    recipe = make_recipe(make_store(), fit__epochs=3, fit__ema=0.0, fit__monitor="accuracy", fit__patience=1)
    crossvalidate(recipe, tmp_path / "cv", 2)
    for fold in range(2):
        folder = tmp_path / "cv" / f"fold-{fold}"
        saved = torch.load(folder / "last.ckpt", weights_only=True)
        kept = load_file(folder / "best.safetensors")
        assert saved["progress"]["epoch"] == 3
        assert saved["progress"]["best_epoch"] == 2
        for name, weights in saved["states"]["network"].items():
            torch.testing.assert_close(kept[name], weights, rtol=0, atol=0)


def test_goes_on_after_a_stop_with_the_same_answers(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(), fit__epochs=2)
    whole = crossvalidate(recipe, tmp_path / "whole", 3)
    events: list[Event] = []

    def stop(event: Event) -> None:
        events.append(event)
        if sum(isinstance(e, FoldStarted) for e in events) == 2 and isinstance(event, Stepped) and event.epoch == 1:
            raise StopError

    with pytest.raises(StopError):
        crossvalidate(recipe, tmp_path / "broken", 3, report=stop)
    events.clear()
    again = crossvalidate(recipe, tmp_path / "broken", 3, report=events.append)
    assert [e.resumed for e in events if isinstance(e, FoldStarted)] == [True, False, False]
    np.testing.assert_array_equal(whole.predictions.logits, again.predictions.logits)
    assert whole.predictions.cines == again.predictions.cines


@pytest.mark.slow
def test_folds_side_by_side_give_the_same(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(), fit__epochs=1)
    one = crossvalidate(recipe, tmp_path / "one", 2)
    two = crossvalidate(recipe, tmp_path / "two", 2, jobs=2)
    np.testing.assert_allclose(one.predictions.logits, two.predictions.logits, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_folds_note_is_told_once(make_store: Any, make_recipe: Any, tmp_path: Path, jobs: int) -> None:
    store = make_store(patients=4, part_bytes=1)
    sorted(store.glob("part-*"))[-1].unlink()
    # Weights to begin with, of which each fold says the same.
    other = make_store("other", 4, prefix="o", seed=9)
    crossvalidate(make_recipe(other, fit__epochs=1), tmp_path / "first", 2)
    weights = tmp_path / "first" / "fold-0" / "best.safetensors"
    recipe, told = make_recipe(store, fit__epochs=1, network__weights=weights), []

    def listen(event: Event) -> None:
        told.extend(event.warnings if isinstance(event, Started) else [event.text] if isinstance(event, Noted) else [])

    crossvalidate(recipe, tmp_path / "cv", 2, jobs=jobs, report=listen)
    assert len(told) == 2
    assert "1 cine is gone with the part file" in told[0]
    assert "best.safetensors: all" in told[1]


def test_a_fold_whose_answers_are_damaged_gives_them_again(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(patients=4), fit__epochs=1)
    whole = crossvalidate(recipe, tmp_path / "cv", 2)
    answers = tmp_path / "cv" / "fold-1" / "validation.npz"
    answers.write_bytes(answers.read_bytes()[:200])
    events: list[Event] = []
    again = crossvalidate(recipe, tmp_path / "cv", 2, report=events.append)
    assert [e.resumed for e in events if isinstance(e, FoldStarted)] == [True, False]
    np.testing.assert_array_equal(whole.predictions.logits, again.predictions.logits)
    answers.write_bytes(b"")
    checkpoint = tmp_path / "cv" / "fold-1" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:200])
    with pytest.raises(DataError, match=r"fold-1.last\.ckpt: is damaged.*\. Remove .*fold-1 to begin this run anew"):
        crossvalidate(recipe, tmp_path / "cv", 2)


def test_a_store_for_training_trains_in_every_fold(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    phantom, real = make_store("phantom", 4), make_store("real", 4, seed=9, prefix="r")
    recipe = make_recipe(phantom, real, fit__epochs=1)
    stores = (dataclasses.replace(recipe.data.stores[0], use="train"), recipe.data.stores[1])
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, stores=stores))
    found = crossvalidate(recipe, tmp_path / "cv", 2)
    assert set(found.predictions.groups) == {"r0", "r1", "r2", "r3"}
    text = (tmp_path / "cv" / "fold-1" / "split.csv").read_text()
    assert text.count(",train,") == 12 + 6
    assert text.count(",validation,") == 6


def test_another_recipe_or_number_of_folds_is_refused(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store(patients=4)
    crossvalidate(make_recipe(store, fit__epochs=1), tmp_path / "cv", 2)
    with pytest.raises(ConfigError, match="another recipe"):
        crossvalidate(make_recipe(store, fit__epochs=2), tmp_path / "cv", 2)
    with pytest.raises(ConfigError, match="with 2 folds"):
        crossvalidate(make_recipe(store, fit__epochs=1), tmp_path / "cv", 3)
    with pytest.raises(UsageError, match="at least 2"):
        crossvalidate(make_recipe(store), tmp_path / "other", 1)
    with pytest.raises(UsageError, match="hold_out"):
        crossvalidate(make_recipe(store, data__hold_out="[p1]"), tmp_path / "other", 2)


def test_it_goes_on_where_its_store_has_moved_to(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store(patients=4)
    whole = crossvalidate(make_recipe(store, fit__epochs=1), tmp_path / "cv", 2)
    store.rename(tmp_path / "moved")
    (tmp_path / "cv" / "fold-1" / "validation.npz").unlink()
    again = crossvalidate(make_recipe(tmp_path / "moved", fit__epochs=1), tmp_path / "cv", 2)
    np.testing.assert_array_equal(whole.predictions.logits, again.predictions.logits)


def test_folds_have_the_views_of_those_that_an_earlier_version_finished(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    views = ("A4C", "PSAX-MV", "PSAX-PM", "DOPPLER")
    recipe = make_recipe(make_store(patients=4, views=views), fit__epochs=1)

    def stop(event: Event) -> None:
        if isinstance(event, FoldStarted) and event.fold == 1:
            raise StopError

    with pytest.raises(StopError):  # as all views of a store were once taken
        crossvalidate(dataclasses.replace(recipe, views=views), tmp_path / "cv", 2, report=stop)
    config.save(recipe, tmp_path / "cv" / "recipe.yaml")
    assert crossvalidate(recipe, tmp_path / "cv", 2).predictions.views == views


def test_stores_that_have_changed_are_not_divided_anew(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(patients=4), fit__epochs=1)

    def stop(event: Event) -> None:
        if isinstance(event, FoldStarted) and event.fold == 1:
            raise StopError

    with pytest.raises(StopError):
        crossvalidate(recipe, tmp_path / "cv", 2, report=stop)
    before = (tmp_path / "cv" / "split.csv").read_bytes()
    grow(tmp_path / "store", make_store, first=4)
    with pytest.raises(ConfigError, match="the stores or the split have changed"):
        crossvalidate(recipe, tmp_path / "cv", 2)
    (tmp_path / "cv" / "data.sha256").unlink()  # begun before there was such a file
    with pytest.raises(ConfigError, match="the stores or the split have changed"):
        crossvalidate(recipe, tmp_path / "cv", 2)
    assert (tmp_path / "cv" / "split.csv").read_bytes() == before


def test_folds_do_not_start_from_different_weights(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store, folder = make_store(patients=4), tmp_path / "cv"
    fit.fit(make_recipe(make_store("other", 4, prefix="o", seed=9), fit__epochs=1), tmp_path / "first")
    weights = tmp_path / "first" / "best.safetensors"
    recipe = make_recipe(store, fit__epochs=1, network__weights=tmp_path / "first")

    def stop(event: Event) -> None:
        if isinstance(event, FoldStarted) and event.fold == 1:
            raise StopError

    with pytest.raises(StopError):
        crossvalidate(recipe, folder, 2, report=stop)
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(ConfigError, match=r"the weights in .*first have changed since this cross-validation was begun"):
        crossvalidate(recipe, folder, 2)
    weights.write_bytes(kept)
    crossvalidate(recipe, folder, 2)
    # Every fold has a state of its own by now, and needs none to begin with.
    before = (folder / "data.sha256").read_bytes()
    weights.unlink()
    (folder / "fold-1" / "validation.npz").unlink()
    crossvalidate(recipe, folder, 2)
    assert (folder / "data.sha256").read_bytes() == before
    # One begun before the weights were looked at goes on, with what is there now.
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    (folder / "data.sha256").write_text(before.decode().split()[0] + "\n")
    crossvalidate(recipe, folder, 2)
    assert len((folder / "data.sha256").read_text().split()) == 2


@pytest.mark.parametrize("split", [False, True])
def test_names_that_no_bundle_takes_are_refused_before_the_first_fold(
    make_store: Any, make_recipe: Any, tmp_path: Path, split: bool
) -> None:
    recipe = make_recipe(make_store(labels=("A4C", "_rest")))
    if split:
        text = "".join(f"p{p}/{view},train,{p % 2}\n" for p in range(8) for view in ("A4C", "_rest"))
        (tmp_path / "split.csv").write_text(f"cine,part,fold\n{text}")
        recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, split=str(tmp_path / "split.csv")))
    with pytest.raises(ConfigError, match=r"no bundle could hold .*'_rest'"):
        crossvalidate(recipe, tmp_path / "cv", 2)
    assert not (tmp_path / "cv").exists()


def grow(store: Path, make_store: Any, first: int) -> None:
    """Add patients to a store."""
    more = StoreReader(make_store("more", patients=2, seed=9, prefix=f"{first}-"))
    info = StoreReader(store).info
    with StoreWriter(store, recipe=dict(info.recipe), views=info.views, height=info.height, width=info.width) as writer:
        for i, row in enumerate(more.rows):
            writer.append(more.frames(i), row)


def test_a_fold_that_nobody_could_judge_is_refused_before_training(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    store = make_store(patients=3)
    info, frames = StoreReader(store).info, StoreReader(store).frames(0)
    with StoreWriter(store, recipe=dict(info.recipe), views=info.views, height=info.height, width=info.width) as writer:
        writer.append(255 - frames, StoreRow("v/PSAX", label="PSAX", group="v", fps=30.0))
    recipe = make_recipe(store)
    recipe = dataclasses.replace(recipe, views=("A4C", "PSAX-MV", "PSAX-PM"), labels={"PSAX": ("PSAX-MV", "PSAX-PM")})
    with pytest.raises(ConfigError, match="no cine whose view is known"):
        crossvalidate(recipe, tmp_path / "cv", 4)
    assert not (tmp_path / "cv").exists()


def test_a_store_for_validation_only_is_refused(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(), make_store("judge", prefix="j"))
    first, second = recipe.data.stores
    stores = (first, dataclasses.replace(second, use="validation"))
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, stores=stores))
    with pytest.raises(UsageError, match="would be answered in every fold"):
        crossvalidate(recipe, tmp_path / "cv", 2)
