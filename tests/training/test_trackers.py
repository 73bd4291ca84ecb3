from pathlib import Path
from typing import Any

import pytest

from echoplane.errors import MissingExtraError, UsageError
from echoplane.training.fit import fit
from echoplane.training.trackers import flatten, open_trackers


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


def test_settings_are_flat() -> None:
    assert flatten({"a": {"b": 1, "c": [1, 2]}, "d": None}) == {"a.b": 1, "a.c": "[1, 2]", "d": None}


@pytest.mark.filterwarnings("ignore")  # other people's packages, not our code
def test_comet_offline_writes_an_archive(
    make_store: Any, make_recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("comet_ml")
    monkeypatch.delenv("COMET_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = make_recipe(make_store(), fit__epochs=1, trackers="{comet: {offline: true}}")
    fit(recipe, tmp_path / "run")
    assert list((tmp_path / "run" / "comet").glob("*.zip"))


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
