"""``echoplane train`` after Ctrl-C: the command that it prints goes on with the run."""

import shlex

import numpy as np
import pytest

from echoplane import config
from echoplane.apps.cli.main import main
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.store import StoreRow, StoreWriter

pytest.importorskip("lightning")

SIDE, VIEWS = 32, ("A2C", "A4C")


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """A folder with a store, a split and a recipe, and a function that trains in it; returns exit code and stderr."""
    rng = np.random.default_rng(0)
    recipe = config.to_mapping(PrepareRecipe(name="small", size=(SIDE, SIDE)))
    with StoreWriter(tmp_path / "store", recipe=recipe, views=VIEWS, height=SIDE, width=SIDE) as writer:
        for patient in range(6):
            for view in VIEWS:
                frames = rng.integers(0, 255, (24, SIDE, SIDE), np.uint8)
                writer.append(frames, StoreRow(f"p{patient}/{view}", label=view, group=f"p{patient}", fps=30.0))
    network = "network: {name: cnn3d, options: {spec: [4, M], classifier: [8, 0.0, 8, 0.0]}}"
    (tmp_path / "my.yaml").write_text(f"{network}\naugment: none\nfit: {{epochs: 3, batch: 4, workers: 0}}\n")
    monkeypatch.chdir(tmp_path)

    def invoke(*words):
        with pytest.raises(SystemExit) as end:
            main(["train", *words])
        return end.value.code or 0, capsys.readouterr().err

    with pytest.raises(SystemExit):
        main(["data", "split", "store", "-o", "my split.csv", "--validation", "0.34", "-q"])
    return invoke


@pytest.mark.parametrize(("moment", "says"), [("Stepped", "epoch 2/2"), ("EpochEnded", "Going on after epoch 1 of 2.")])
def test_the_command_that_an_interrupted_run_prints_goes_on(train, monkeypatch, moment, says):
    from echoplane.apps.cli import _training

    show = _training._Watcher.show

    def interrupt(self, event):
        show(self, event)
        if type(event).__name__ == moment:
            raise KeyboardInterrupt

    words = ("my.yaml", "data.stores=store", "data.split=my split.csv", "fit.epochs=2", "-o", "my run")
    with monkeypatch.context() as patch:
        patch.setattr(_training._Watcher, "show", interrupt)
        code, err = train(*words, "--accelerator", "cpu")
    assert code == 130
    command = err.splitlines()[-1].removeprefix("Interrupted. Go on with: ")
    assert command == "echoplane train 'my run/recipe.yaml' --resume -o 'my run' --accelerator=cpu"
    code, err = train(*shlex.split(command)[2:])
    assert code == 0, err
    assert says in err


def test_a_run_that_has_not_begun_is_begun_again(train, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("echoplane.training.fit.fit", interrupt)
    code, err = train("my.yaml", "data.stores=store", "-o", "run")
    assert code == 130
    assert err.endswith("Interrupted before the first step: nothing is written yet. The same command begins again.\n")
