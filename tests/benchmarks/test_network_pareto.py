"""The Pareto benchmark's own sums."""

from pathlib import Path

import numpy as np

from echoplane.metrics.predictions import Predictions


def test_labels_beside_the_main_views_are_summed_into_other(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import network_pareto

    views = ("PLAX", "A4C", "SSN", "PSAX-MV")
    logits = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    truth, clips = np.array([0, 1, 3]), np.repeat(np.arange(3), 2)
    given = Predictions(views, ("a", "b", "c"), ("p", "p", "q"), truth, clips, logits, np.zeros(3, int), ("",) * 3)
    found = network_pareto.coarse(given)
    assert found.views[-1] == "other"
    p, before = found.clip_probabilities(), given.clip_probabilities()
    np.testing.assert_allclose(p[:, -1], before[:, 0] + before[:, 2], rtol=1e-5)
    np.testing.assert_allclose(p[:, found.views.index("A4C")], before[:, 1], rtol=1e-5)
    assert [found.views[y] for y in found.y_true] == ["other", "A4C", "PSAX-MV"]
