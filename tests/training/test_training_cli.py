"""The verbs as a user meets them: what they print, and with which exit code."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from echoplane import config
from echoplane.apps.cli.main import main
from echoplane.models.bundle import Bundle
from echoplane.models.cnn3d import ModularCNN3d
from echoplane.models.registry import NETWORKS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    def invoke(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    yield invoke
    log = logging.getLogger("echoplane")
    log.handlers[:], log.propagate = [], True
    log.setLevel(logging.NOTSET)


@pytest.fixture
def recipe_file(make_store: Any, make_recipe: Any, tmp_path: Path) -> Path:
    config.save(make_recipe(make_store(), fit__epochs=1), tmp_path / "my.yaml")
    return tmp_path / "my.yaml"


def test_train_says_what_it_does_and_how_to_use_it(run: Run, recipe_file: Path, tmp_path: Path) -> None:
    code, out, err = run("train", recipe_file, "fit.epochs=2", "-o", tmp_path / "run")
    assert code == 0
    assert "Best epoch" in out
    assert f"--bundle {tmp_path / 'run' / 'bundle'}" in out
    assert err.count("epoch ") == 2
    assert "PSAX-MV" in err
    assert "parameters" in err
    code, _, err = run("train", recipe_file, "fit.epochs=2", "-o", tmp_path / "run")
    assert code == 2
    assert "--resume" in err
    code, _, err = run("train", recipe_file, "fit.epochs=2", "-o", tmp_path / "run", "--resume")
    assert code == 0
    assert "Going on after epoch 2 of 2" in err
    assert run("order", tmp_path / "run")[0] == 0
    code, out, _ = run("order", tmp_path / "run", "--json")
    assert [effect["order"] for effect in json.loads(out)] == ["recorded", "shuffled", "reversed", "frozen"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.yaml"], "compact, quick, reference"),
        (["quick"], "data.stores=store"),
        (["quick", "data.stores=[nowhere]"], "is not a clip store"),
        (["quick", "fit.epoch=2"], "did you mean 'epochs'"),
        (["quick", "fit.precision=f16", "data.stores=[x]", "--accelerator", "cpu"], "use bf16 or f32 on a CPU"),
        (["quick", "--accelerator", "tpu"], "accelerator 'tpu'"),
    ],
)
def test_mistakes_end_in_a_sentence(run: Run, words: list[str], message: str, tmp_path: Path) -> None:
    code, _, err = run("train", *words, "-o", tmp_path / "run")
    assert code == 2
    assert message in err
    assert not (tmp_path / "run").exists()


def test_crossval_prints_three_matrices_and_the_misread(run: Run, recipe_file: Path, tmp_path: Path) -> None:
    code, out, err = run("crossval", recipe_file, "-k", 2, "-o", tmp_path / "cv", "--order")
    assert code == 0
    for title in ("Single clips", "Summed probabilities", "Majority vote", "Order of the frames", "misread"):
        assert title in out
    assert "fold 2 of 2" in err
    code, _, err = run("crossval", recipe_file, "-k", 2, "-o", tmp_path / "cv", "--order", "--quiet")
    assert code == 0
    assert not err


def test_models_lists_every_network_with_its_paper(run: Run) -> None:
    code, out, _ = run("models")
    assert code == 0
    assert all(name in out for name in NETWORKS)
    assert "arXiv:1711.09577" in out
    rows = json.loads(run("models", "--json")[1])
    assert {row["name"]: row["macs"] for row in rows} == {name: row.macs for name, row in NETWORKS.items()}


def test_an_old_checkpoint_becomes_a_bundle(run: Run, tmp_path: Path) -> None:
    from echoplane.inference.engine import load_engine

    torch.manual_seed(0)
    network = ModularCNN3d(6, [4, "M", 4, "M"], classifier=(8, 0.5, 8, 0.5)).eval()
    torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, tmp_path / "model.pt")
    code, out, _ = run("models", "import", tmp_path / "model.pt", "-o", tmp_path / "old.echoplane")
    assert code == 0
    assert "PSAX-AP, PSAX-PM, PSAX-MV, A2C, A3C, A4C" in out
    bundle = Bundle.load(tmp_path / "old.echoplane")
    assert bundle.facts.recipe.name == "reference"
    clips = torch.randn(2, 1, *bundle.facts.clip_shape)
    with torch.no_grad():
        expected = network(clips).numpy()
    for engine in ("openvino", "torch"):
        assert load_engine(bundle, engine).run(clips.numpy()) == pytest.approx(expected, abs=1e-4)
    code, _, err = run("models", "import", tmp_path / "model.pt", "-o", tmp_path / "b", "--views", "A4C,A2C")
    assert code == 2
    assert "gives 6 answers" in err
    assert run("models", "import", tmp_path / "model.pt", "-o", tmp_path / "old.echoplane")[0] == 2
    assert "three numbers" in run("models", "import", tmp_path / "model.pt", "-o", tmp_path / "c", "--pool", "x")[2]
