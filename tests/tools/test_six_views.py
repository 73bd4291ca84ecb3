import numpy as np
import pytest
import six_views
from six_views import answers, bundle_of, confusion, figures

from echoplane.inference.engine import load_engine
from echoplane.models.bundle import Bundle
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter

ROWS = [
    {"truth": "A4C", "group": "a", "six": "A4C", "open": "A4C"},
    {"truth": "A4C", "group": "a", "six": "A2C", "open": "other"},
    {"truth": "A4C", "group": "b", "six": "PSAX-MV", "open": "PSAX-MV"},
    {"truth": "A2C", "group": "b", "six": "A2C", "open": "A2C"},
    {"truth": "A3C", "group": "c", "six": "A3C", "open": "A3C"},
    {"truth": "PSAX", "group": "c", "six": "PSAX-AP", "open": "other"},
    {"truth": "PSAX-MV", "group": "d", "six": "PSAX-PM", "open": "PSAX-PM"},
]


def told(rows, how, coarse):
    return {words: float(value.split(" ")[0]) for words, value, _ in figures(rows, how, coarse)}


def test_figures_by_hand():
    six, with_other = told(ROWS, "six", True), told(ROWS, "open", True)
    assert six["apical against short axis"] == pytest.approx(100 * 6 / 7, abs=0.05)
    assert with_other["apical against short axis"] == pytest.approx(100 * 4 / 7, abs=0.05)  # "other" is neither
    assert (six["A4C"], six["short axis"], with_other["short axis"]) == (33.3, 100, 50)
    assert six["balanced over the four labels"] == pytest.approx(100 * (1 + 1 + 1 / 3 + 1) / 4, abs=0.05)
    # A4C: half of group a, nothing of group b.
    assert six["and each group counted as one"] == pytest.approx(100 * (1 + 1 + 1 / 4 + 1) / 4, abs=0.05)
    assert told(ROWS, "six", False)["right"] == pytest.approx(100 * 4 / 7, abs=0.05)  # one level was wrong


def test_confusion_counts_every_cine_once():
    lines = confusion(ROWS, "open", True).splitlines()
    assert lines[0] == "| truth | A2C | A3C | A4C | short axis | other |"
    assert lines[2:] == [
        "| A2C | 1 | 0 | 0 | 0 | 0 |",
        "| A3C | 0 | 1 | 0 | 0 | 0 |",
        "| A4C | 0 | 0 | 1 | 1 | 1 |",
        "| short axis | 0 | 0 | 0 | 1 | 1 |",
    ]


def test_the_six_views_of_a_store_are_answered_by_the_weights_given(tmp_path):
    like = Bundle.load()
    weights = six_views.HERE / "phantom-only.safetensors"
    bundle = bundle_of(weights, like)
    assert bundle.hash != like.hash
    height, width = like.facts.recipe.size
    with StoreWriter(tmp_path / "s", recipe={}, views=[], height=height, width=width) as writer:
        noise = np.random.default_rng(0).integers(0, 255, (12, height, width), np.uint8)
        for cine, label in (("a", "RV-A4C"), ("b", "PLAX"), ("c", "PSAX"), ("d", "")):
            writer.append(noise, StoreRow(cine, label=label, fps=20.0))
    (one, two) = answers(bundle, load_engine(bundle), StoreReader(tmp_path / "s"))
    assert (one["truth"], one["group"], two["truth"]) == ("A4C", "a", "PSAX")
    assert one["six"] in six_views.MAIN_VIEWS
    assert one["open"] in (*six_views.MAIN_VIEWS, six_views.OTHER)
