"""Batches loaded ahead: what is drawn inside the network knows nothing of who loads them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from echoplane import config
from echoplane.errors import EchoplaneError
from echoplane.training.cines import open_data
from echoplane.training.loading import Batches, _in_words
from echoplane.training.order import EpochBatches


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_draws_nothing_from_the_generator_of_the_network(
    make_store: Any, make_recipe: Any, workers: int
) -> None:
    data = open_data(make_recipe(make_store()))
    batches = Batches(data.train.clips, EpochBatches(data.chance, data.epoch_clips, 8, 1), workers, False)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for epoch in range(2):
        assert len(list(batches.epoch(epoch))) == len(batches)
        assert torch.equal(torch.get_rng_state(), before)


UNGUARDED = """
from echoplane.pipelines.{module} import {verb}
from echoplane.training.recipe import load_recipe
{verb}(load_recipe("recipe.yaml"), "run"{more}, accelerator="cpu")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "verb", "more"), [("train", "train", ""), ("crossvalidate", "crossvalidate", ", 2")]
)
def test_a_script_without_a_guard_is_told_so_and_leaves_no_run(
    make_store: Any, make_recipe: Any, tmp_path: Path, module: str, verb: str, more: str
) -> None:
    config.save(make_recipe(make_store(patients=4), fit__workers=2, fit__epochs=1), tmp_path / "recipe.yaml")
    (tmp_path / "script.py").write_text(UNGUARDED.format(module=module, verb=verb, more=more))
    for _ in range(2):  # the second start finds nothing in its way
        run = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 1
        last = run.stderr.strip().splitlines()[-1]
        assert last.startswith("echoplane.errors.UsageError: ")
        assert 'if __name__ == "__main__":' in last
        assert "holds a run already" not in run.stderr
        assert "would do its work again" in run.stderr
    assert not list(tmp_path.glob("run/**/run.json"))


def test_a_loading_process_that_is_gone_ends_in_a_sentence() -> None:
    def gone(message: str) -> Iterator[Any]:
        yield {}
        raise RuntimeError(message)

    with pytest.raises(
        EchoplaneError, match=r"ended in the middle of its work \(DataLoader worker .*--resume, and set"
    ):
        list(_in_words(gone("DataLoader worker (pid(s) 7) exited unexpectedly")))
    with pytest.raises(RuntimeError, match="another"):
        list(_in_words(gone("another")))
