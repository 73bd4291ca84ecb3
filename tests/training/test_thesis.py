"""The thesis experiment, shortened, on phantom hearts: runs, resumes, reproduces."""

from pathlib import Path

import pytest
import torch

from echoplane import config
from echoplane.phantom.clip import render_clip
from echoplane.prepare import prepare
from echoplane.prepare.recipe import RECIPES
from echoplane.store import StoreRow, StoreWriter
from echoplane.training.events import Event, Stepped
from echoplane.training.fit import fit
from echoplane.training.recipe import load_recipe
from echoplane.views import MAIN_VIEWS


class StopError(Exception):
    pass


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thesis") / "store"
    recipe = RECIPES["reference"]
    height, width = recipe.size
    with StoreWriter(folder, recipe=config.to_mapping(recipe), views=MAIN_VIEWS, height=height, width=width) as writer:
        for patient in range(2):
            for number, view in enumerate(MAIN_VIEWS):
                cine = render_clip(view, 10 * patient + number, frames=50, fps=50.0).to_cine()
                frames = prepare(cine, recipe, range(50)).frames
                row = StoreRow(f"p{patient}/{view}", label=view, group=f"p{patient}", fps=cine.fps)
                writer.append(frames, row)
    return folder


@pytest.mark.slow
def test_runs_resumes_and_reproduces(store: Path, tmp_path: Path) -> None:
    recipe = load_recipe("reference", [f"data.stores=[{store}]", "data.validation=0.5", "fit.epochs=2", "fit.batch=16"])
    whole = fit(recipe, tmp_path / "whole")
    assert whole.data.views == MAIN_VIEWS
    assert len(whole.data.train.clips) == 6 * 5
    assert torch.isfinite(torch.tensor([row["train/loss"] for row in whole.history])).all()

    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.epoch == 1:
            raise StopError

    with pytest.raises(StopError):
        fit(recipe, tmp_path / "resumed", report=stop)
    resumed = fit(recipe, tmp_path / "resumed", resume=True)
    again = fit(load_recipe(tmp_path / "whole" / "recipe.yaml"), tmp_path / "again")
    for other in (resumed, again):
        assert other.history == whole.history
        assert other.figures == whole.figures
