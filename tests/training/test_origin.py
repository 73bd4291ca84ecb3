"""Cines that the first weights know already are no measure, and whoever looks is told."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from echoplane import config
from echoplane.data.split import Split, SplitRow
from echoplane.store import open_stores
from echoplane.training.crossval import crossvalidate
from echoplane.training.events import Event, Noted, Started, Stepped
from echoplane.training.fit import fit
from echoplane.training.origin import seen_before
from echoplane.training.pack import pack
from echoplane.training.run_folder import absolute


class StopError(Exception):
    pass


def a_run(folder: Path, recipe: Any, trained: list[str], validated: list[str] | None = None) -> Path:
    """What a run leaves that says on which cines it was trained."""
    folder.mkdir()
    (folder / "best.safetensors").touch()
    rows = [*(SplitRow(cine, "train") for cine in trained), *(SplitRow(cine, "validation") for cine in validated or [])]
    Split(tuple(rows)).save(folder / "split.csv")
    config.save(absolute(recipe), folder / "recipe.yaml")
    return folder


def told(event: Event) -> list[str]:
    return list(event.warnings) if isinstance(event, Started) else [event.text] if isinstance(event, Noted) else []


def count(weights: Path, store: Path) -> str:
    stores = open_stores([str(store)])
    return seen_before(str(weights), stores[0].rows, stores, "cines").partition(" were")[0]


def test_cines_are_known_by_key_and_by_content(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store, renamed = make_store(patients=2), make_store("renamed", 2, prefix="q")
    other = make_store("other", 2, prefix="q", seed=9)
    run = a_run(tmp_path / "run", make_recipe(store), ["p0/A4C", "p0/PSAX-MV"], ["p1/A4C"])
    for weights in (run, run / "best.safetensors", run / "bundle", run / "bundle" / "weights.safetensors"):
        assert count(weights, store) == "2 of 6 cines"
    assert count(run, renamed) == "2 of 6 cines"
    assert not count(run, other)
    assert not count(run, make_store("hospital2", 2, seed=9))  # the same keys, and other cines
    assert not count(tmp_path / "w.safetensors", store)
    shutil.rmtree(store)
    assert not count(run, renamed)  # nothing says what the cines held


def test_all_runs_before_are_asked(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store(patients=2)
    first = a_run(tmp_path / "first", make_recipe(store, network__weights=tmp_path / "second"), ["p0/A4C"])
    second = a_run(tmp_path / "second", make_recipe(store, network__weights=first), ["p1/A4C"])  # a ring, of all things
    assert count(second, store) == count(first, store) == "2 of 6 cines"
    (second / "recipe.yaml").write_text("network: [\n")
    assert count(second, store) == "1 of 6 cines"


def test_a_split_that_cannot_be_read_is_said(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store(patients=2)
    run = a_run(tmp_path / "run", make_recipe(store), ["p0/A4C"])
    (run / "split.csv").write_text("nothing\n")
    said = seen_before(str(run), open_stores([str(store)])[0].rows, [], "cines")
    assert said.endswith("is not known, for run/split.csv cannot be read.")


def test_a_run_says_that_its_validation_is_no_measure(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store()
    fit(make_recipe(store, fit__epochs=1, data__validation=0), tmp_path / "first")
    recipe = make_recipe(
        store, fit__epochs=2, network__weights=tmp_path / "first", network__fine_tune_from="classifier"
    )
    heard: list[str] = []

    def stop(event: Event) -> None:
        heard.extend(told(event))
        if isinstance(event, Stepped) and event.epoch == 1:
            raise StopError

    whole = fit(recipe, tmp_path / "whole")
    with pytest.raises(StopError):
        fit(recipe, tmp_path / "broken", report=stop)
    said = "6 of 6 validation cines were trained on by the weights it starts from; its figures are no measure."
    assert sum(text.startswith(said) for text in heard) == 1
    facts = json.loads((tmp_path / "broken" / "run.json").read_text())
    assert facts["warnings"][0] == facts["weights"]["seen"]
    assert len(facts["weights"]["sha256"]) == 64
    # What began the run may be gone: its state holds all, and its folder what was said.
    shutil.rmtree(tmp_path / "first")
    heard.clear()
    again = fit(recipe, tmp_path / "broken", resume=True, report=lambda event: heard.extend(told(event)))
    assert sum(text.startswith(said) for text in heard) == 1
    assert again.history == whole.history
    for name, tensor in whole.network.state_dict().items():
        assert tensor.equal(again.network.state_dict()[name])
    frozen = [[p.requires_grad for p in result.network.parameters()] for result in (whole, again)]
    assert frozen[0] == frozen[1]
    assert pack(again, tmp_path / "bundle").facts.notes[-1].startswith(said)


def test_a_run_that_knows_none_says_nothing(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store, heard = make_store(), []
    fit(make_recipe(store, fit__epochs=1), tmp_path / "first")
    recipe = make_recipe(store, fit__epochs=1, network__weights=tmp_path / "first")
    result = fit(recipe, tmp_path / "run", report=lambda event: heard.extend(told(event)))
    assert len(heard) == 1  # all loaded
    assert not result.seen
    assert len(pack(result, tmp_path / "bundle").facts.notes) == 1


def test_a_run_goes_on_when_its_first_weights_have_changed_and_says_so(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    store, heard = make_store(patients=4), []
    fit(make_recipe(store, fit__epochs=1), tmp_path / "first")
    weights = tmp_path / "w.safetensors"
    shutil.copy(tmp_path / "first" / "best.safetensors", weights)
    recipe = make_recipe(store, fit__epochs=1, network__weights=weights)
    run = fit(recipe, tmp_path / "run")
    weights.write_bytes(b"no weights")
    again = fit(recipe, tmp_path / "run", resume=True, report=lambda event: heard.extend(told(event)))
    assert again.history == run.history
    assert "not those that this run began with" in heard[0]
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    del facts["weights"]  # begun before they were written down
    (tmp_path / "run" / "run.json").write_text(json.dumps(facts))
    heard.clear()
    fit(recipe, tmp_path / "run", resume=True, report=lambda event: heard.extend(told(event)))
    assert not heard


def test_a_crossval_says_it_before_the_first_fold_and_in_every_one(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    store, heard = make_store(patients=4), []
    first = fit(make_recipe(store, fit__epochs=1, data__validation=0.5), tmp_path / "first")
    crossvalidate(make_recipe(store, fit__epochs=1, network__weights=tmp_path / "first"), tmp_path / "cv", 2,
                  report=lambda event: heard.extend(told(event)))  # fmt: skip
    said = [text for text in heard if "were trained on" in text]
    assert said[0].startswith(f"{len(first.data.train.rows)} of 12 cines of the folds were trained on")
    trained = {row.cine for row in first.data.train.rows}
    for fold in range(2):
        held_out = Split.load(tmp_path / "cv" / "split.csv").cines("validation", fold)
        warning = json.loads((tmp_path / "cv" / f"fold-{fold}" / "run.json").read_text())["weights"]["seen"]
        known = len(trained & set(held_out))
        assert (warning in said) if known else not warning
        assert warning.startswith(f"{known} of {len(held_out)} validation cines") == bool(known)
