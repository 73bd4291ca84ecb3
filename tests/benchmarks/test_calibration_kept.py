"""The calibration benchmark, on a handful of made-up answers."""

from pathlib import Path

import numpy as np
import pytest

from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule

ROOT = Path(__file__).resolve().parents[2]
VIEWS = ("A2C", "A4C", "PSAX-MV")


@pytest.fixture
def calibration(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import calibration

    return calibration


def test_sets_are_measured_for_both_ways_to_scale(calibration):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    logits = (rng.normal(size=(120, 3)) + 2 * np.eye(3)[y]).astype(np.float32)
    names = tuple(str(i) for i in range(120))
    patients = tuple(str(i // 3) for i in range(120))
    p = Predictions(VIEWS, names, patients, y, np.arange(120), logits, np.zeros(120, int), ("",) * 120)
    facts = BundleFacts("b", VIEWS, NetworkSpec("compact3d"), PrepareRecipe(), SamplingRule())
    cuts = [calibration.one_cut(*calibration.halves(p, rng), facts, 0.9, rng) for _ in range(2)]
    for beside in ("", " vector"):
        held = [cut[f"coverage 0.9{beside}"] for cut in cuts]
        assert all(0.6 < share <= 1 for share in held)
    made = [row.name for row in calibration.lines(cuts, 0.9)]
    assert made.count("... by vector scaling, hold it") == 3
