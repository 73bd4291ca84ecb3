"""The loop: it learns, it goes on where it stopped, it gives the same numbers again."""

import csv
import dataclasses
import hashlib
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision

from echoplane import config
from echoplane.data.split import Split
from echoplane.errors import ConfigError, DataError, StoreError, UsageError
from echoplane.metrics.predictions import Predictions
from echoplane.models.weights import read_state
from echoplane.pipelines.train import try_orders
from echoplane.store import StoreReader, StoreWriter
from echoplane.training.events import EpochEnded, Event, Started, Stepped
from echoplane.training.fit import FitResult, fit
from echoplane.training.recipe import load_recipe
from echoplane.training.run_folder import held

VIEWS = ("A4C", "PSAX-MV", "PSAX-PM")


class StopError(Exception):
    pass


def stop_after(epochs: int) -> Any:
    """A report that breaks off the run in the middle of an epoch."""

    def report(event: Event) -> None:
        if isinstance(event, Stepped) and event.epoch == epochs and event.step == 1:
            raise StopError

    return report


@pytest.fixture
def stopped(make_store: Any, make_recipe: Any, tmp_path: Path) -> Any:
    """The recipe of a run in ``tmp_path/run`` that was broken off in its second epoch."""
    recipe = make_recipe(make_store())
    with pytest.raises(StopError):
        fit(recipe, tmp_path / "run", report=stop_after(1))
    return recipe


def same(one: FitResult, two: FitResult) -> None:
    assert one.history == two.history
    first, second = one.network.state_dict(), two.network.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (one.folder / "history.csv").read_bytes() == (two.folder / "history.csv").read_bytes()


def test_learns_easy_views(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    events: list[Event] = []
    recipe = make_recipe(make_store(), fit__epochs=25, fit__ema=0.5, augment="none", optimizer__lr=0.01)
    result = fit(recipe, tmp_path / "run", report=events.append)
    assert result.figures["balanced_accuracy"] >= 0.8
    assert result.history[-1]["train/loss"] < result.history[0]["train/loss"] / 2
    assert isinstance(events[0], Started)
    assert sum(isinstance(event, EpochEnded) for event in events) == 25


def test_the_folder_holds_what_makes_the_run_again(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    result = fit(make_recipe(make_store()), tmp_path / "run")
    again = fit(load_recipe(tmp_path / "run" / "recipe.yaml"), tmp_path / "again")
    same(result, again)
    with (tmp_path / "run" / "history.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 3
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {"recipe.yaml", "split.csv", "run.json", "network.txt", "history.csv", "timings.csv", "last.ckpt",
                     "best.safetensors", "validation.npz", "tensorboard"}  # fmt: skip
    saved = Predictions.load(tmp_path / "run" / "validation.npz")
    np.testing.assert_array_equal(saved.logits, result.predictions.logits)
    best = read_state(tmp_path / "run" / "best.safetensors")
    assert all(torch.equal(tensor, best[name]) for name, tensor in result.network.state_dict().items())


@pytest.mark.parametrize("network", ["cnn3d", "compact3d-s"])
def test_a_resumed_run_has_the_very_same_curve(make_store: Any, make_recipe: Any, tmp_path: Path, network: str) -> None:
    changes = {} if network == "cnn3d" else {"network": "{name: compact3d-s}", "fit__precision": "bf16"}
    recipe = make_recipe(make_store(), **changes)
    whole = fit(recipe, tmp_path / "whole")
    for epochs in (0, 1, 2):
        with pytest.raises(StopError):
            fit(recipe, tmp_path / "broken", resume=True, report=stop_after(epochs))
    resumed = fit(recipe, tmp_path / "broken", resume=True)
    same(whole, resumed)
    same(whole, fit(recipe, tmp_path / "broken", resume=True))  # nothing left to do


def test_a_run_goes_on_with_the_recipe_that_it_wrote_down(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store())
    whole = fit(recipe, tmp_path / "whole")
    run = tmp_path / "broken"
    with pytest.raises(StopError):
        fit(recipe, run, report=stop_after(1))
    with pytest.raises(StopError):
        fit(load_recipe(run / "recipe.yaml"), run, resume=True, report=stop_after(2))
    with pytest.raises(ConfigError, match=r"\(optimizer\.lr differ\)"):  # nothing that the run itself wrote down
        fit(load_recipe(run / "recipe.yaml", ["optimizer.lr=0.5"]), run, resume=True)
    same(whole, fit(recipe, run, resume=True))  # and again with the one it was started with


@pytest.mark.parametrize("here", ["bf16", "f32"])
def test_a_run_that_goes_on_in_another_precision_says_so(
    stopped: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str
) -> None:
    monkeypatch.setattr("echoplane.training.fit.precision_of", lambda fabric: here)
    events: list[Event] = []
    fit(stopped, tmp_path / "run", resume=True, report=events.append)
    started = next(event for event in events if isinstance(event, Started))
    assert any("computed in f32 so far" in warning for warning in started.warnings) == (here == "bf16")


def test_a_run_without_its_last_state_is_not_begun_anew(stopped: Any, tmp_path: Path) -> None:
    (tmp_path / "run" / "last.ckpt").unlink()
    before = (tmp_path / "run" / "best.safetensors").read_bytes()
    with pytest.raises(DataError, match=r"last\.ckpt is gone"):
        fit(stopped, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == before


def test_neither_workers_nor_another_seed_go_unnoticed(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store()
    one = fit(make_recipe(store, fit__epochs=2), tmp_path / "one")
    with_workers = make_recipe(store, fit__epochs=2, fit__workers=2)
    same(one, fit(with_workers, tmp_path / "two"))
    with pytest.raises(StopError):
        fit(make_recipe(store, fit__epochs=2), tmp_path / "broken", report=stop_after(1))
    same(one, fit(with_workers, tmp_path / "broken", resume=True))
    other = fit(make_recipe(store, fit__epochs=2, seed=2), tmp_path / "other")
    assert other.history != one.history


def test_another_recipe_is_not_resumed(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store()
    fit(make_recipe(store, fit__epochs=1), tmp_path / "run")
    with pytest.raises(UsageError, match="holds a run already"):
        fit(make_recipe(store), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"fit\.epochs, optimizer\.lr differ"):
        fit(make_recipe(store, optimizer__lr=0.1), tmp_path / "run", resume=True)


def test_a_run_is_not_gone_on_with_when_its_cines_have_changed(stopped: Any, make_store: Any, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store")
    make_store(patients=9)
    with pytest.raises(ConfigError, match="the stores or the split have changed"):
        fit(stopped, tmp_path / "run", resume=True)
    shutil.rmtree(tmp_path / "store")
    make_store()
    assert len(fit(stopped, tmp_path / "run", resume=True).history) == 3


def test_a_run_goes_on_where_its_store_has_moved_to(
    stopped: Any, make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    (tmp_path / "store").rename(tmp_path / "moved")
    moved = make_recipe(tmp_path / "moved")
    assert len(fit(moved, tmp_path / "run", resume=True).history) == 3
    with pytest.raises(StoreError):
        try_orders(tmp_path / "run")
    assert try_orders(tmp_path / "run", stores=[tmp_path / "moved"])[0].order == "recorded"
    with pytest.raises(UsageError, match=r"was made of 1 stores \(.*store\), and places of 2 are given"):
        try_orders(tmp_path / "run", stores=["a", "b"])


def test_orders_of_a_run_that_was_stopped_in_its_first_epoch(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(StopError):
        fit(make_recipe(make_store()), run, report=stop_after(0))
    with pytest.raises(UsageError, match=r"none of its epochs was finished.*recipe\.yaml --resume -o "):
        try_orders(run)


def change(store: Path, **changes: Any) -> None:
    """Make a store anew with something else said of each cine, and the very same frames."""
    reader = StoreReader(store)
    info, cines = reader.info, [(reader.frames(i), row) for i, row in enumerate(reader.rows)]
    shutil.rmtree(store)
    with StoreWriter(store, recipe=dict(info.recipe), views=info.views, height=info.height, width=info.width) as writer:
        for frames, row in cines:
            writer.append(frames, dataclasses.replace(row, **changes))


@pytest.mark.parametrize("said", [{"fps": 15.0}, {"extra": {"mirrored": True}}, {"crop": (0.0, 0.0, 64.0, 64.0)}])
def test_frames_are_not_all_that_a_run_depends_on(stopped: Any, tmp_path: Path, said: dict[str, Any]) -> None:
    change(tmp_path / "store", **said)
    with pytest.raises(ConfigError, match="the stores or the split have changed"):
        fit(stopped, tmp_path / "run", resume=True)


def test_what_is_only_told_of_a_cine_may_change(stopped: Any, tmp_path: Path) -> None:
    change(tmp_path / "store", notes=("Was read with a newer library.",), source="elsewhere.dcm", extra={"age": 40})
    assert len(fit(stopped, tmp_path / "run", resume=True).history) == 3


def test_a_run_of_an_earlier_version_goes_on_by_what_that_looked_at(stopped: Any, tmp_path: Path) -> None:
    store, run = StoreReader(tmp_path / "store"), tmp_path / "run"
    text = "\n".join(f"{row.cine}\t{row.top_label()}\t{row.group}\t{row.sha256}" for row in store.rows)
    lines = [hashlib.sha256(text.encode()).hexdigest()]
    lines += [f"{row.cine}\t{row.part}\t{row.fold}" for row in Split.load(run / "split.csv").rows]
    saved = torch.load(run / "last.ckpt", weights_only=True)
    torch.save({**saved, "data": hashlib.sha256("\n".join(lines).encode()).hexdigest()}, run / "last.ckpt")
    with pytest.raises(StopError):
        fit(stopped, run, resume=True, report=stop_after(2))
    assert torch.load(run / "last.ckpt", weights_only=True)["data"] == saved["data"]  # from here on, by all of it


def test_a_run_of_an_earlier_version_keeps_its_outputs(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe, run = make_recipe(make_store(views=(*VIEWS, "DOPPLER"))), tmp_path / "run"
    named = dataclasses.replace(recipe, views=(*VIEWS, "DOPPLER"))  # as all views of a store were once taken
    with pytest.raises(StopError):
        fit(named, run, report=stop_after(1))
    saved = torch.load(run / "last.ckpt", weights_only=True)
    torch.save({**saved, "recipe": {**saved["recipe"], "views": ()}}, run / "last.ckpt")
    assert fit(recipe, run, resume=True).data.views == (*VIEWS, "DOPPLER")


def test_stops_early_and_keeps_the_best(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    result = fit(make_recipe(make_store(), fit__epochs=50, fit__patience=2, optimizer__lr=1e-9), tmp_path / "run")
    assert len(result.history) == 3
    assert len({figures["validation/balanced_accuracy"] for figures in result.history}) == 1  # nothing was learned


def test_of_equal_scores_the_epoch_of_least_loss_is_kept(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    """Few validation cines make many equal scores; the first of them is the least trained."""
    result = fit(make_recipe(make_store(), fit__epochs=6, optimizer__lr=1e-4), tmp_path / "run")
    name = "validation/balanced_accuracy"
    best = max(figures[name] for figures in result.history)
    equal = {epoch: figures["validation/loss"] for epoch, figures in enumerate(result.history) if figures[name] == best}
    assert len(equal) > 1
    assert result.best_epoch == min(equal, key=lambda epoch: equal[epoch]) > 0


def test_without_validation_the_last_weights_are_kept(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    result = fit(make_recipe(make_store(), data__validation=0, fit__epochs=2), tmp_path / "run")
    assert result.predictions is None
    assert result.best_epoch == 1


def test_a_loss_that_is_no_number_ends_in_advice(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(), optimizer__lr=1e30, optimizer__name="sgd", fit__epochs=5)
    with pytest.raises(DataError, match=r"in epoch 1, step \d+; no epoch is saved yet\. Try a smaller optimizer\.lr"):
        fit(recipe, tmp_path / "run")


@pytest.mark.parametrize("said", [0.0, 1.0])
def test_advice_is_nothing_that_is_done_already(make_store: Any, make_recipe: Any, tmp_path: Path, said: float) -> None:
    settings = {"fit__clip_gradient": said, "schedule__warmup": said, "optimizer__lr": 1e30, "optimizer__name": "sgd"}
    recipe = make_recipe(make_store(), schedule__kind="constant", fit__epochs=5, **settings)
    with pytest.raises(
        DataError, match=r"became (nan|inf) in epoch \d, step \d+; .*Try a smaller optimizer\.lr"
    ) as caught:
        fit(recipe, tmp_path / "run")
    for advice in ("fit.clip_gradient=1", "schedule.warmup=1"):
        assert (advice in str(caught.value)) == (not said)
    assert "fit.precision" not in str(caught.value)  # it is f32


@pytest.mark.parametrize(
    ("loss", "message"), [(math.nan, "the loss became nan"), (1.0, "norm of the gradient became inf")]
)
def test_a_gradient_that_is_no_number_never_reaches_the_weights(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: float, message: str
) -> None:
    def broken(logits: torch.Tensor, *_: object) -> torch.Tensor:
        return loss + logits.sum() * 0 * loss if math.isnan(loss) else loss + (logits - logits.detach()).sum() * 1e38

    steps: list[int] = []
    monkeypatch.setattr("echoplane.training.fit.soft_cross_entropy", broken)
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *_, **__: steps.append(1))
    with pytest.raises(DataError, match=rf"{message} in epoch 1, step 1; no epoch is saved yet"):
        fit(make_recipe(make_store(), fit__clip_gradient=1), tmp_path / "run")
    assert not steps


def test_a_scaler_leaves_out_a_step_whose_gradient_is_no_number(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    """As with f16 on a GPU, whose first steps overflow until the scale is found."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    recipe = make_recipe(make_store(), fit__clip_gradient=1, fit__epochs=1)
    result = fit(recipe, tmp_path / "run", fabric=fabric)
    assert scaler.get_scale() < 2.0**127
    assert all(tensor.isfinite().all() for tensor in result.network.state_dict().values())


def test_views_of_ones_own_are_doubted_when_mirrored_as_those_of_the_table_are(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    store, losses = make_store(), {}
    augment = {"augment": "{geometry: {flip_p: 1.0}}", "fit__epochs": 1}
    for views in (("A4C", "PSAX-MV", "PSAX-PM"), ("apikal", "basal", "mitte"), ("NOISE", "DOPPLER", "other")):
        labels = f"{{{', '.join(f'{old}: {new}' for old, new in zip(VIEWS, views, strict=True) if old != new)}}}"
        for share in (0.0, 0.9):
            recipe = make_recipe(store, views=f"[{', '.join(views)}]", labels=labels, loss__mirrored=share, **augment)
            run = fit(recipe, tmp_path / f"{views[0]}-{share}")
            losses[views[0], share] = run.history[0]["train/loss"]
    assert losses["A4C", 0.0] == losses["apikal", 0.0]
    assert losses["A4C", 0.9] == losses["apikal", 0.9] != losses["A4C", 0.0]
    assert losses["NOISE", 0.9] == losses["NOISE", 0.0]


def test_names_that_no_bundle_takes_are_refused_before_the_first_step(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"vocabulary has \['_rest'\]"):
        fit(make_recipe(make_store(labels=("A4C", "_rest"))), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_clip_too_small_for_the_network_leaves_no_run(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(), network="{name: cnn3d, options: {spec: [4, M, M, M, M]}}")
    with pytest.raises(UsageError, match=r"network 'cnn3d': cannot read a clip of 4 x 32 x 32"):
        fit(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("monitor", ["loss", "accuracy"])
def test_a_validation_loss_that_is_no_number_ends_in_advice(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: str
) -> None:
    losses = iter([1.0, float("nan")])
    monkeypatch.setattr("echoplane.training.fit.score", lambda *_: {"accuracy": 0.5, "loss": next(losses)})
    recipe = make_recipe(make_store(), fit__monitor=monitor, fit__epochs=3)
    with pytest.raises(DataError, match=r"the validation loss became nan in epoch 2; epoch 1 is saved\. Try a smaller"):
        fit(recipe, tmp_path / "run")
    assert (tmp_path / "run" / "best.safetensors").exists()
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2


def test_starts_from_another_run_with_a_new_head(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store()
    first = fit(make_recipe(store, fit__epochs=1), tmp_path / "first")
    two_views = {"views": "[A4C, other]", "labels": "{PSAX-MV: other, PSAX-PM: other}"}
    events: list[Event] = []
    recipe = make_recipe(store, fit__epochs=1, network__weights=str(tmp_path / "first"),
                         network__fine_tune_from="classifier", **two_views)  # fmt: skip
    second = fit(recipe, tmp_path / "second", report=events.append)
    before, after = first.network.state_dict(), second.network.state_dict()
    kept = [name for name in before if name.startswith("features") and "num_batches" not in name]
    assert kept
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert after["classifier.6.weight"].shape == (2, 8)
    weights, head = events[0].warnings[-2:]  # type: ignore[union-attr]
    assert "new: classifier.6.weight, classifier.6.bias" in weights
    assert "for the views A4C, PSAX-MV, PSAX-PM, in this order" in head


def test_several_stores_are_mixed_and_scored_apart(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    phantom, real = make_store("phantom", 6), make_store("real", 4, seed=9, prefix="r")
    recipe = make_recipe(phantom, real, fit__epochs=1, data__balance=1)
    stores = (recipe.data.stores[0], dataclasses.replace(recipe.data.stores[1], share=0.5))
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, stores=stores))
    result = fit(recipe, tmp_path / "run")
    assert {"phantom/balanced_accuracy", "real/balanced_accuracy"} <= result.figures.keys()
    again = load_recipe(tmp_path / "run" / "recipe.yaml")
    assert again.data.stores[1].share == 0.5


def test_held_out_patients_validate(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    recipe = make_recipe(make_store(), data__hold_out="[p3, p5]", data__validation=0, fit__epochs=1)
    result = fit(recipe, tmp_path / "run")
    assert set(result.predictions.groups) == {"p3", "p5"}
    assert config.to_mapping(result.recipe)["data"]["hold_out"] == ("p3", "p5")


def test_deterministic_mode_is_set_and_reset(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store()
    one = fit(make_recipe(store, fit__epochs=1, fit__deterministic=True), tmp_path / "one")
    assert torch.are_deterministic_algorithms_enabled()
    two = fit(make_recipe(store, fit__epochs=1), tmp_path / "two")
    assert not torch.are_deterministic_algorithms_enabled()
    assert one.history == two.history


def test_a_run_begun_before_a_key_of_the_recipe_existed_goes_on(stopped: Any, tmp_path: Path) -> None:
    content = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    del content["recipe"]["answers"], content["data"]
    torch.save(content, tmp_path / "run" / "last.ckpt")
    assert len(fit(stopped, tmp_path / "run", resume=True).history) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_cine_ends_the_run_in_a_sentence(
    make_store: Any, make_recipe: Any, tmp_path: Path, workers: int
) -> None:
    store = make_store()
    (part,) = store.glob("part-*")
    data = part.read_bytes()
    part.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StoreError) as caught:
        fit(make_recipe(store, fit__workers=workers), tmp_path / "run")
    assert str(caught.value).startswith(f"{part}: cine ")
    assert len(str(caught.value).splitlines()) == 1


def test_two_trainings_do_not_write_into_one_folder(stopped: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    before = {file: file.read_bytes() for file in run.iterdir() if file.is_file()}
    with held(run), pytest.raises(UsageError, match="another training is writing into this folder"):
        fit(stopped, run, resume=True)
    assert {file: file.read_bytes() for file in run.iterdir() if file.is_file()} == before
    with held(run):  # it was let go, and what was stopped let go too
        pass


def test_a_kill_between_the_state_and_its_table_costs_no_row(stopped: Any, tmp_path: Path) -> None:
    table = tmp_path / "run" / "history.csv"
    whole = table.read_bytes()
    table.unlink()
    with pytest.raises(StopError):
        fit(stopped, tmp_path / "run", resume=True, report=stop_after(1))
    assert table.read_bytes() == whole
