import re
import warnings
import xml.etree.ElementTree as ET

import numpy as np

from echoplane.metrics import plots
from echoplane.metrics.calibration import reliability

VIEWS = ("A4C", "A2C", "PSAX-MV")


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()).strip() for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]


def test_confusion_shows_every_count_and_view() -> None:
    shown = texts(plots.confusion([[5, 1, 0], [0, 7, 0], [2, 0, 13]], VIEWS, "sums"))
    assert {"5", "1", "7", "2", "13", *VIEWS, "sums", "truth", "answer"} <= set(shown)


def test_long_names_leave_the_confusion_its_room() -> None:
    names = ("A4C", "apical four chamber view, right ventricle focus")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = texts(plots.confusion([[5, 1], [0, 7]], names, "sums"))
        for k in (2, 9):
            plots.confusion(np.eye(k, dtype=int).tolist(), ["W" * 200] * k)
    assert {"5", "1", "7", "A4C", "apical four chamber view\N{HORIZONTAL ELLIPSIS}e focus"} <= set(shown)


def test_curves_are_svg_that_does_not_change_from_run_to_run() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(3, size=50), rng.dirichlet([1, 1, 1], size=50)
    right = p.argmax(axis=1) == y
    for draw in (
        lambda: plots.roc(y, p, VIEWS),
        lambda: plots.risk_against_coverage(p.max(axis=1), right),
        lambda: plots.reliability(reliability(p.max(axis=1), right), 0.1),
    ):
        svg = draw()
        assert svg == draw()
        assert ET.fromstring(svg).tag.endswith("svg")
        assert not re.search(r"<script|<image", svg)


def test_roc_leaves_out_views_that_do_not_occur() -> None:
    shown = texts(plots.roc(np.array([0, 1, 0]), np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0]]), VIEWS))
    assert "A4C" in shown
    assert "PSAX-MV" not in shown
