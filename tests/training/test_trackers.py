import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from echoplane.errors import MissingExtraError, UsageError
from echoplane.training import trackers
from echoplane.training.events import Noted
from echoplane.training.fit import fit
from echoplane.training.trackers import Guarded, flatten, open_trackers


def test_tensorboard_has_the_curve_once_after_a_resume(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = make_recipe(make_store())
    result = fit(recipe, tmp_path / "run")
    fit(recipe, tmp_path / "run", resume=True)
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    values = [event.value for event in found.Scalars("train/loss")]
    assert values == pytest.approx([row["train/loss"] for row in result.history])


def test_unknown_and_missing_trackers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="known: comet, mlflow, wandb"):
        open_trackers(tmp_path, "x", {"tensorbord": {}})
    import sys

    monkeypatch.setitem(sys.modules, "comet_ml", None)
    with pytest.raises(MissingExtraError, match=r"echoplane\[comet\]"):
        open_trackers(tmp_path, "x", {"comet": {}})


def test_a_server_that_is_away_is_found_out_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str | None] = {}

    def away(folder: Path, name: str, options: dict[str, Any]) -> Any:
        seen.update(
            {key: os.environ.get(key) for key in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT")}
        )
        raise ConnectionError("no answer")

    monkeypatch.setattr(trackers, "TRACKERS", {"mlflow": away})
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    with pytest.raises(UsageError, match="'mlflow' cannot be opened"):
        open_trackers(tmp_path, "x", {"mlflow": {}})
    assert list(seen.values()) == ["1", "7"]
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


class _Away:
    """A tracker whose server goes away after so many figures."""

    def __init__(self, figures: int) -> None:
        self.left = figures
        self.ended = ""

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        pass

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("the server is away\nand much more")

    def finalize(self, status: str) -> None:
        self.ended = status
        raise ConnectionError("still away")


def test_a_tracker_that_fails_is_told_of_once_and_does_not_end_the_run(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = _Away(figures=1)
    monkeypatch.setattr(trackers, "TRACKERS", {"away": lambda folder, name, options: away})
    events: list[Any] = []
    result = fit(make_recipe(make_store(), trackers="{away: {}}"), tmp_path / "run", report=events.append)
    assert len(result.history) == 3
    (note,) = [event.text for event in events if isinstance(event, Noted)]
    assert note == (
        "tracker away failed (ConnectionError: the server is away) and is left out from here on; history.csv has all "
        "figures."
    )
    assert away.ended == "success"


@pytest.mark.parametrize("call", ["log_hyperparams", "log_metrics", "finalize"])
def test_a_server_that_dies_later_is_found_out_as_soon(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT")
    for key in keys:
        monkeypatch.delenv(key, raising=False)
    seen: list[tuple[str | None, ...]] = []

    class Dead:
        def __getattr__(self, name: str) -> Any:
            def fail(*arguments: Any) -> None:
                seen.append(tuple(os.environ.get(key) for key in keys))
                raise ConnectionError("gone")

            return fail

    told: list[str] = []
    guarded = Guarded("mlflow", Dead(), told.append)
    arguments = {"log_hyperparams": ({},), "log_metrics": ({}, 1), "finalize": ("success",)}[call]
    getattr(guarded, call)(*arguments)
    assert seen == [("1", "20")]
    assert len(told) == 1
    assert not any(key in os.environ for key in keys)


def test_a_tracker_that_cannot_be_opened_leaves_no_run_behind(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, name: str, options: dict[str, Any]) -> Any:
        raise TypeError("init() got an unexpected keyword argument 'foo'")

    good = _Away(figures=9)
    monkeypatch.setattr(trackers, "TRACKERS", {"good": lambda folder, name, options: good, "bad": refuse})
    store = make_store()
    with pytest.raises(UsageError, match=r"tracker 'bad' cannot be opened \(TypeError: init.*'foo'\)"):
        fit(make_recipe(store, trackers="{good: {}, bad: {foo: 1}}"), tmp_path / "run")
    assert good.ended == "failed"
    fit(make_recipe(store, fit__epochs=1), tmp_path / "run")


def test_a_run_goes_on_without_its_tracker(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "TRACKERS", {"away": lambda folder, name, options: _Away(9)})
    store = make_store()
    whole = fit(make_recipe(store), tmp_path / "whole")

    def stop(event: Any) -> None:
        if type(event).__name__ == "EpochEnded":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(make_recipe(store, trackers="{away: {}}"), tmp_path / "run", report=stop)
    assert fit(make_recipe(store, fit__workers=0), tmp_path / "run", resume=True).history == whole.history


def test_settings_are_flat() -> None:
    assert flatten({"a": {"b": 1, "c": [1, 2]}, "d": None}) == {"a.b": 1, "a.c": "[1, 2]", "d": None}


def test_patients_held_out_are_not_named_to_trackers() -> None:
    assert flatten({"data": {"hold_out": ["Miller", "Smith"]}}) == {"data.hold_out": 2}


@pytest.mark.filterwarnings("ignore")  # other people's packages, not our code
def test_comet_offline_writes_an_archive(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("comet_ml")
    monkeypatch.delenv("COMET_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = make_recipe(make_store(), fit__epochs=1, trackers="{comet: {offline: true}}")
    fit(recipe, tmp_path / "run")
    (path,) = (tmp_path / "run" / "comet").glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        messages = [json.loads(line) for line in archive.read("messages.json").splitlines()]
    assert {"metric_msg", "parameter_msg"} <= {message["type"] for message in messages}
    # Nothing about the machine, its user, the command line or what is installed goes out.
    assert not {"system_details", "installed_packages", "os_packages"} & {message["type"] for message in messages}


@pytest.mark.filterwarnings("ignore")  # other people's packages, not our code
def test_mlflow_takes_the_figures(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    recipe = make_recipe(make_store(), fit__epochs=2, trackers="{mlflow: {offline: true}}")
    result = fit(recipe, tmp_path / "run")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'run' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("echoplane")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics["train/loss"] == pytest.approx(result.history[-1]["train/loss"])
    assert run.data.tags["mlflow.user"] == ""
    assert run.data.tags["mlflow.source.name"] == "echoplane"


@pytest.mark.filterwarnings("ignore")  # other people's packages, not our code
def test_wandb_offline_keeps_the_figures(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    recipe = make_recipe(make_store(), fit__epochs=2, trackers="{wandb: {offline: true}}")
    result = fit(recipe, tmp_path / "run")
    (path,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    rows, settings, kinds = [], set(), set()
    for data in leveldb_log(path.read_bytes()):
        record = Record.FromString(data)
        kinds.add(record.WhichOneof("record_type"))
        settings |= {item.key for item in record.config.update} | {item.key for item in record.run.config.update}
        rows.append({item.key or "/".join(item.nested_key): item.value_json for item in record.history.item})
    losses = [float(row["train/loss"]) for row in rows if "train/loss" in row]
    assert losses == pytest.approx([row["train/loss"] for row in result.history])
    assert "optimizer.lr" in settings
    # Nothing about the machine or the command line goes out.
    assert "environment" not in kinds
    assert not list(path.parent.rglob("requirements.txt"))


def leveldb_log(data: bytes, head: int = 7, block: int = 32768) -> Iterator[bytes]:
    """Yield the records of a LevelDB log with a head before it, which is what Weights & Biases writes offline."""
    at, parts = head, b""
    while at + 7 <= len(data):
        if block - at % block < 7:  # too little room for another piece
            at += block - at % block
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            yield parts
            parts = b""
