"""``echoplane explain`` for one cine: methods that take minutes show that they are at work."""

from contextlib import contextmanager

import pytest
import torch

from echoplane.apps.cli import _progress
from echoplane.apps.cli.main import main
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.pipelines.explain import Explainer, ExplainSettings
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule

pytest.importorskip("captum")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    torch.manual_seed(0)
    facts = BundleFacts(
        "b", ("A2C", "A4C"), NetworkSpec("compact3d-s"), PrepareRecipe(size=(48, 48)), SamplingRule(frames=6)
    )
    path = tmp_path_factory.mktemp("bundle") / "b.echoplane"
    export_bundle(build("compact3d-s", 2), facts).save(path)
    return str(path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("clip") / "clip.npz")
    with pytest.raises(SystemExit):
        main(["phantom", "clip", "-o", path, "--frames", "24"])
    return path


def test_every_pass_of_occlusion_is_a_step(bundle, clip, tmp_path, monkeypatch):
    steps = []

    @contextmanager
    def watched(what, unit, *, quiet=False):
        yield _progress.Progress(lambda total: None, lambda: steps.append(unit), lambda line: None)

    monkeypatch.setattr(_progress, "progress", watched)
    with pytest.raises(SystemExit) as end:
        main(["explain", clip, "--method", "occlusion", "--bundle", bundle, "-o", str(tmp_path / "why.npz")])
    assert not end.value.code
    # Blocks of 1 x 8 x 8, half overlapping: 6 x 11 x 11, four a pass, and one pass of the clip as it is.
    assert steps == ["passes"] * (1 + -(-6 * 11 * 11 // 4))


def test_what_a_step_returns_changes_nothing_and_is_forgotten(bundle, clip):
    steps = []

    def step():
        steps.append(1)
        return "not logits"

    settings = ExplainSettings(bundle, "gradcam")
    explainer = Explainer(settings, on_step=step)
    assert (explainer.explain(clip).found.values == Explainer(settings).explain(clip).found.values).all()
    once = len(steps)
    assert once > 0
    explainer.explain(clip)
    assert len(steps) == 2 * once
