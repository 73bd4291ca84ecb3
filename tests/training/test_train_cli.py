"""`echoplane train` from outside: two processes, kills, and the bundle at the end."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from echoplane import config
from echoplane.errors import UsageError
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.pipelines.train import train, try_orders
from echoplane.training.run_folder import write_table
from echoplane.training.scores import score

#: A command takes seconds; on a machine that is busy with other things it may take minutes, and is no failure then.
WAIT_S = 600


def command(verb: str, recipe: Any, folder: Path, *more: str) -> list[str]:
    path = folder.with_suffix(".yaml")
    config.save(recipe, path)
    return [sys.executable, "-m", "echoplane", verb, str(path), "-o", str(folder), "--quiet", *more]


def run(words: list[str]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_ends_in_a_bundle_that_answers_as_the_network_did(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    from echoplane.inference.engine import load_engine

    trained = train(make_recipe(make_store(), fit__epochs=2, licence="CC0-1.0"), tmp_path / "run")
    bundle = Bundle.load(tmp_path / "run" / "bundle")
    assert bundle.facts.vocabulary == ("A4C", "PSAX-MV", "PSAX-PM")
    assert bundle.facts.licence == "CC0-1.0"
    assert [(use.use, use.cines) for use in bundle.facts.data] == [("training", 18), ("validation", 6)]
    assert {metric.name for metric in bundle.facts.metrics} >= {"accuracy", "balanced accuracy"}
    part, prepare = trained.result.data.validation, trained.result.data.prepare
    assert part is not None
    clips = prepare.normalise(part.clips.__getitems__(list(range(len(part.clips))))["clip"].numpy())
    logits = load_engine(bundle, "openvino", precision="f32").run(clips)
    assert trained.result.predictions is not None
    np.testing.assert_allclose(logits, trained.result.predictions.logits, atol=1e-4)
    effects = try_orders(tmp_path / "run")
    assert effects[0].accuracy == pytest.approx(trained.result.figures["accuracy"])
    with (tmp_path / "run" / "split.csv").open("a") as split:
        split.write("nobody,train,,p99,A4C\n")
    told: list[str] = []
    try_orders(tmp_path / "run", tell=told.append)
    assert "1 cines of" in told[0]


def test_orders_of_what_is_no_run(make_store: Any) -> None:
    with pytest.raises(UsageError, match="is no folder of a run"):
        try_orders(make_store())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_processes_get_the_loss_of_one(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    network = "{name: cnn3d, options: {spec: [4, M, 8, M], classifier: [16, 0.0, 8, 0.0], batch_norm: false}}"
    recipe = make_recipe(make_store(patients=7), network=network, data__hold_out="[p3]", data__validation=0)
    run(command("train", recipe, tmp_path / "one", "--accelerator", "cpu"))
    run(command("train", recipe, tmp_path / "two", "--accelerator", "cpu", "--devices", "2"))
    one, two = (np.genfromtxt(tmp_path / n / "history.csv", delimiter=",", names=True) for n in ("one", "two"))
    assert one.dtype.names == two.dtype.names
    np.testing.assert_allclose(two["trainloss"], one["trainloss"], rtol=1e-5)
    first, second = (Predictions.load(tmp_path / n / "validation.npz") for n in ("one", "two"))
    np.testing.assert_allclose(first.logits, second.logits, atol=1e-4)
    assert Bundle.load(tmp_path / "two" / "bundle").verify() == ()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_processes_validate_with_the_network_that_is_kept(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    """Each takes the running statistics of batch norm from its own clips; those of the first are kept."""
    network = "{name: cnn3d, options: {spec: [4, M, 8, M], classifier: [16, 0.0, 8, 0.0]}}"
    # The last epoch is the best one, so its row of the history and the last validation are of the same weights.
    recipe = make_recipe(make_store(), network=network, fit__monitor="last", fit__ema=0.5, optimizer__lr=0.01)
    run(command("train", recipe, tmp_path / "run", "--accelerator", "cpu", "--devices", "2"))
    history = np.genfromtxt(tmp_path / "run" / "history.csv", delimiter=",", names=True)
    kept = Predictions.load(tmp_path / "run" / "validation.npz")
    figures = score(kept, np.zeros(len(kept.cines), np.int64), ["store"])
    assert history["validationloss"][-1] == pytest.approx(figures["loss"], rel=1e-9)


def kill_and_resume(words: Callable[[str], list[str]], kills: int, seed: int) -> None:
    """Run once to the end; then run, kill at random moments, and go on."""
    started = time.monotonic()
    run(words("whole"))
    whole = time.monotonic() - started
    luck = random.Random(seed)
    for _ in range(kills):
        process = subprocess.Popen(
            words("killed"), env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=luck.uniform(0.4 * whole, whole))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    run(words("killed"))


def killed_train(make_store: Any, make_recipe: Any, tmp_path: Path, kills: int, seed: int) -> None:
    recipe = make_recipe(make_store(), fit__epochs=6)
    kill_and_resume(lambda name: command("train", recipe, tmp_path / name, "--resume"), kills, seed)
    for name in ("history.csv", "split.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
    for name in ("best.safetensors", "bundle/weights.safetensors"):
        one, two = (load_file(tmp_path / folder / name) for folder in ("whole", "killed"))
        assert all(np.array_equal(tensor, two[name]) for name, tensor in one.items())


def killed_crossval(make_store: Any, make_recipe: Any, tmp_path: Path, kills: int, seed: int) -> None:
    recipe = make_recipe(make_store(), fit__epochs=3)
    kill_and_resume(lambda name: command("crossval", recipe, tmp_path / name, "-k", "3"), kills, seed)
    for name in ("predictions.csv", "confusion.json", "split.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("verb", [killed_train, killed_crossval])
def test_killed_at_random_it_gives_the_same(verb: Any, make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    verb(make_store, make_recipe, tmp_path, kills=1, seed=5)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("verb", [killed_train, killed_crossval])
@pytest.mark.parametrize("seed", range(10))
def test_killed_again_and_again_it_gives_the_same(
    verb: Any, make_store: Any, make_recipe: Any, tmp_path: Path, seed: int
) -> None:
    verb(make_store, make_recipe, tmp_path, kills=3, seed=seed)


def test_tables_keep_every_digit(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [{"epoch": 0.0, "loss": 1 / 3}, {"epoch": 1.0, "accuracy": 0.5}])
    assert (tmp_path / "t.csv").read_text() == f"epoch,loss,accuracy\n0,{1 / 3!r},\n1,,0.5\n"
