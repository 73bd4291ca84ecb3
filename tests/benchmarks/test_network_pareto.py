"""The Pareto benchmark's own sums and sentences."""

import re
from pathlib import Path

import numpy as np
import pytest

from echoplane.metrics.intervals import compare
from echoplane.metrics.predictions import Predictions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def network_pareto(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import network_pareto

    return network_pareto


def test_labels_beside_the_main_views_are_summed_into_other(network_pareto):
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


def test_the_time_is_of_the_network_that_is_named(network_pareto):
    groups = [str(i) for i in range(40)]
    good, bad = np.ones(40, bool), np.zeros(40, bool)
    ms = {"slow": {"f32": 8.0}, "fast": {"f32": 2.0}}
    for one, other in (("slow", "fast"), ("fast", "slow")):
        right = {"slow": good, "fast": bad}
        text = network_pareto.sentence(compare(right[one], right[other], groups, 50), ms, one, other)
        assert text.startswith("slow reads more cines right than fast")
        assert text.endswith(" slow takes 4.00 of the time of fast.")
    equal = compare(good, good, groups, 50)
    assert network_pareto.sentence(equal, ms, "fast", "slow").endswith(" fast takes 0.25 of the time of slow.")


def test_times_in_the_sentences_of_the_page_are_those_of_its_table():
    page = (ROOT / "docs/network-pareto.md").read_text(encoding="utf-8")
    ms = {name: float(value) for name, value in re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \|", page, re.MULTILINE)}
    found = re.findall(r"^- .* ([\w-]+) takes ([\d.]+) of the time of ([\w-]+)\.$", page, re.MULTILINE)
    assert len(found) == len(re.findall(r"^- ", page, re.MULTILINE)) == 3
    for one, part, other in found:
        # Both times are rounded to a hundredth of a millisecond.
        assert float(part) == pytest.approx(ms[one] / ms[other], abs=0.01)
