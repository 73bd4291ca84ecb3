import json

import pytest
import soup
import torch
from safetensors.torch import load_file, save_file

from echoplane.data.split import TRAIN, VALIDATION, Split, SplitRow
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule

VIEWS = ("A2C", "A4C", "PSAX-MV")


@pytest.fixture
def runs(tmp_path):
    made = []
    for seed in range(3):
        torch.manual_seed(seed)
        run, network = tmp_path / f"run-{seed}", build("compact3d-s", 3).eval()
        run.mkdir()
        facts = BundleFacts(
            "b", VIEWS, NetworkSpec("compact3d-s"), PrepareRecipe(size=(48, 48)), SamplingRule(frames=4)
        )
        export_bundle(network, facts).save(run / "bundle")
        save_file(network.state_dict(), run / "best.safetensors")
        Split((SplitRow("a", VALIDATION), SplitRow("b", TRAIN))).save(run / "split.csv")
        made.append(run)
    return made


def test_the_mean_of_the_weights_is_what_is_written(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["soup.py", str(tmp_path / "soup"), *map(str, runs)])
    assert soup.main() == 0
    states = [load_file(run / "best.safetensors") for run in runs]
    mean = load_file(tmp_path / "soup" / "best.safetensors")
    for name, value in mean.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, sum(s[name] for s in states) / 3)
    assert json.loads((tmp_path / "soup" / "soup.json").read_text())["runs"] == ["run-0", "run-1", "run-2"]
    assert Bundle.load(tmp_path / "soup" / "bundle").facts.vocabulary == VIEWS


def test_a_run_that_saw_what_the_first_holds_out_is_refused(runs):
    Split((SplitRow("a", TRAIN),)).save(runs[2] / "split.csv")
    with pytest.raises(SystemExit, match=r"run-2: was trained on 1 cines"):
        soup.check(runs)
