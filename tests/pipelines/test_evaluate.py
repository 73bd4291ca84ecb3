import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np

from echoplane.metrics.calibration import Scaling
from echoplane.metrics.predictions import Predictions
from echoplane.pipelines.evaluate import evaluate, report, verdict, write_evaluation

VIEWS = ("A4C", "A2C", "PSAX-MV")


def predictions(seed: int, skill: float) -> Predictions:
    rng = np.random.default_rng(seed)
    y = np.arange(60) % 3
    cine = np.repeat(np.arange(60), 2)
    logits = rng.normal(size=(120, 3)) + skill * np.eye(3)[y[cine]]
    names = tuple(f"study<{i}>&.dcm" for i in range(60))
    return Predictions(VIEWS, names, tuple(f"p{i // 3}" for i in range(60)), y, cine, logits.astype(np.float32),
                       np.zeros(60, dtype=int), names)  # fmt: skip


class Balanced(HTMLParser):
    """Counts tags that are opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "img", "path", "use", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_files_say_the_same_as_the_figures(tmp_path: Path) -> None:
    good, poor = predictions(0, 1.5), predictions(1, 0.3)
    found = evaluate(good, "ours", Scaling((1.2,)), ("baseline", poor), repeats=50)
    paths = write_evaluation(found, good, tmp_path / "new" / "folder")
    assert [p.name for p in paths] == ["evaluation.json", "report.html", "misread.csv"]
    assert msgspec.json.decode(paths[0].read_bytes()) == msgspec.json.decode(msgspec.json.encode(found))
    assert msgspec.json.decode(paths[0].read_bytes())["summary"]["figures"]["ece"]["low"] is None
    with paths[2].open(newline="", encoding="utf-8") as stream:
        assert [r["cine"] for r in csv.DictReader(stream)] == [m[0] for m in found.summary.misread]


def test_page_is_whole_safe_and_alone() -> None:
    p = predictions(0, 1.0)
    found = evaluate(p, "ours", repeats=20)
    shown: list[str] = []

    def pictures(cine: str, answer: str, truth: str) -> np.ndarray | None:
        assert found.summary.misread[len(shown)][:3] == (cine, truth, answer)
        shown.append(cine)
        return np.random.default_rng(0).integers(0, 255, size=(30, 128, 96), dtype=np.uint8) if len(shown) < 4 else None

    html = report(found, p, pictures, "What is <seen>.", most=5)
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    assert shown == [m[0] for m in found.summary.misread[:5]]
    assert html.count("data:image/webp;base64,") == 3
    assert "<script" not in html
    assert "study<0>" not in html
    assert "What is &lt;seen&gt;." in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    text = " ".join(parser.text)
    assert f"{found.summary.figures['accuracy'].value:.3f}" in text
    assert "ECE and MCE have no interval: chance makes them larger" in text


def test_verdict_says_who_is_better_or_that_it_cannot_be_told() -> None:
    good, poor, same = predictions(0, 3.0), predictions(1, 0.2), predictions(2, 3.0)
    better = evaluate(good, "3D", against=("2D", poor), repeats=100).comparison
    worse = evaluate(poor, "2D", against=("3D", good), repeats=100).comparison
    equal = evaluate(good, "3D", against=("2D", same), repeats=100).comparison
    assert better is not None
    assert worse is not None
    assert equal is not None
    assert verdict(better, "3D", "2D").startswith("3D reads more cines right than 2D: +")
    assert verdict(worse, "2D", "3D").startswith("3D reads more cines right than 2D: +")
    assert "Beware" not in verdict(better, "3D", "2D")
    assert verdict(equal, "3D", "2D").startswith("No difference between 3D and 2D can be told")


def test_a_verdict_between_networks_of_other_views_says_that_right_means_different_things() -> None:
    many = predictions(0, 0.5)
    two = np.array([0, 0, 1])[many.y_true]
    logits = np.c_[many.logits[:, :2].max(axis=1), many.logits[:, 2]]
    few = replace(many, views=("apical", "PSAX-MV"), y_true=two, logits=logits)
    found = evaluate(few, "few", against=("many", many), repeats=20).comparison
    assert found is not None
    assert "of 40 of these 60 cines the two give the true view other names" in verdict(found, "few", "many")
