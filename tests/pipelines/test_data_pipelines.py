from __future__ import annotations

import pickle
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from echoplane.config import from_mapping
from echoplane.data.labels import LabelTable
from echoplane.data.split import Split
from echoplane.errors import DataError, StoreError, UsageError
from echoplane.pipelines.data import data_report, split_stores
from echoplane.pipelines.import_legacy import import_legacy
from echoplane.pipelines.prepare import read_failures
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.store import StoreReader, StoreRow, StoreWriter


def picture(seed, frames=12):
    return np.random.default_rng(seed).integers(0, 256, (frames, 40, 48), np.uint8)


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, recipe={"name": "x"}, views=["A2C", "A4C"], height=40, width=48) as writer:
        for n in range(24):
            row = StoreRow(f"c<{n:02}>", label=("A2C", "A4C")[n % 2], group=f"p{n // 2}", fps=20.0)
            writer.append(picture(n), row)
        writer.append(picture(3), StoreRow("copy", label="A2C", group="p9", fps=20.0))
    (path / "failures.csv").write_text("file,status,reason\nx.dcm,unreadable,Is <cut> off.\n")
    return path


class _Balance(HTMLParser):
    """Every tag closed, nothing fetched from anywhere."""

    def __init__(self):
        super().__init__()
        self.open, self.pictures = [], 0

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href"):
                assert value.startswith("data:")
        self.pictures += tag == "img"
        if tag not in ("img", "meta", "line", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass  # <line .../> of a drawing

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_one_whole_page(store, tmp_path):
    steps = []
    report = data_report(
        [store], tmp_path / "r.html", pictures=3, on_start=steps.append, on_cine=lambda: steps.append(1)
    )
    assert steps == [25, *[1] * 25]
    assert report.errors == 1
    assert [(pair.one.cine, pair.two.cine) for pair in report.pairs] == [("c<03>", "copy")]
    page = (tmp_path / "r.html").read_text()
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    assert parser.pictures == 2 + 2 * 3
    assert "c&lt;03&gt;" in page
    assert "Is &lt;cut&gt; off." in page
    assert re.search(r"<td>A4C</td><td class=\"n\">12</td>", page)


def test_a_report_without_a_page(store, tmp_path):
    assert data_report([store], None).errors == 1
    with pytest.raises(StoreError, match="not a clip store"):
        data_report([tmp_path / "nothing"], None)


def test_copies_are_kept_on_one_side(store, tmp_path):
    split, _ = split_stores([store], tmp_path / "split.csv", folds=4)
    assert Split.load(tmp_path / "split.csv") == split
    fold = {row.cine: row.fold for row in split.rows}
    assert fold["copy"] == fold["c<03>"] == fold["c<02>"]
    report = data_report([store], tmp_path / "r.html", split=tmp_path / "split.csv")
    assert not any("parts cines" in finding.text for finding in report.findings)
    assert "fold 3" in (tmp_path / "r.html").read_text()


def test_import_of_pickled_clips(tmp_path):
    for n in range(6):
        path = tmp_path / "old" / ("4CH", "2CH")[n % 2] / f"video{n // 3}_{n}.pickle"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(picture(n)[None]))
    (tmp_path / "old" / "4CH" / "bad_0.pickle").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (tmp_path / "old" / "4CH" / "small_0.pickle").write_bytes(pickle.dumps(picture(0)[:, :9]))
    run = import_legacy(tmp_path / "old", tmp_path / "s")
    assert run.views == {"A4C": 3, "A2C": 3}
    assert {f.file: f.status for f in run.failures} == {
        "4CH/bad_0.pickle": "refused",
        "4CH/small_0.pickle": "unreadable",
    }
    reader = StoreReader(tmp_path / "s")
    assert [row.study for row in reader] == ["video0", "video1", "video1", "video0", "video0", "video1"]
    np.testing.assert_array_equal(reader.frames(reader.find("2CH/video0_1.pickle")), picture(1))
    frames = len(picture(1))
    assert f"{{kind: sliding, frames: {frames}, stride: {frames}, max_clips: 1}}" in run.notes[0]
    again = import_legacy(tmp_path / "old", tmp_path / "s")
    assert (again.stored, again.skipped) == (0, 6)
    left_out = import_legacy(tmp_path / "old", tmp_path / "t", LabelTable({"2ch": "skip"}))
    assert left_out.views == {"A4C": 3}
    with pytest.raises(UsageError, match="recipe 'reference' makes them 100 x 100"):
        import_legacy(tmp_path / "old", tmp_path / "r", recipe="reference")
    height, width = picture(0).shape[1:]
    known = PrepareRecipe(name="known", size=(height, width), mask=False, crop="none")
    import_legacy(tmp_path / "old", tmp_path / "r", recipe=known)
    assert from_mapping(PrepareRecipe, StoreReader(tmp_path / "r").info.recipe, "r") == known
    (tmp_path / "none" / "A4C").mkdir(parents=True)
    with pytest.raises(DataError, match="no readable pickled clip"):
        import_legacy(tmp_path / "none", tmp_path / "u")


def test_import_keeps_to_the_labels_it_began_with(tmp_path):
    for n in range(6):
        path = tmp_path / "old" / ("aaa", "2CH")[n % 2] / f"video_{n}.pickle"
        path.parent.mkdir(parents=True, exist_ok=True)
        # One clip of another size comes first, and those of a folder that is left out are of another size too.
        size = slice(0, 9) if n == 0 else slice(None)
        path.write_bytes(pickle.dumps(picture(n)[:, size]))
    import_legacy(tmp_path / "old", tmp_path / "s", LabelTable({"aaa": "A4C"}))
    assert [f.file for f in read_failures(tmp_path / "s" / "failures.csv")] == ["aaa/video_0.pickle"]
    before = {file.name: file.read_bytes() for file in (tmp_path / "s").iterdir()}
    for table in ({"aaa": "A3C"}, {"aaa": "skip"}):
        with pytest.raises(DataError, match=r"'aaa/video_.*was stored as 'A4C'"):
            import_legacy(tmp_path / "old", tmp_path / "s", LabelTable(table))
    assert {file.name: file.read_bytes() for file in (tmp_path / "s").iterdir()} == before
    for n in range(0, 6, 2):
        (tmp_path / "old" / "aaa" / f"video_{n}.pickle").write_bytes(pickle.dumps(picture(n)[:, :9]))
    run = import_legacy(tmp_path / "old", tmp_path / "t", LabelTable({"aaa": "skip"}))
    assert (run.stored, StoreReader(tmp_path / "t").info.views) == (3, ("A2C",))


def test_import_keeps_to_the_size_it_began_with(tmp_path):
    def clip(n, rows):
        path = tmp_path / "old" / "A4C" / f"video_{n}.pickle"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(picture(n)[:, :rows]))

    clip(0, 9)
    assert import_legacy(tmp_path / "old", tmp_path / "s").stored == 1
    for n in range(1, 5):
        clip(n, None)
    clip(5, 9)
    assert import_legacy(tmp_path / "old", tmp_path / "s").stored == 1
    run = import_legacy(tmp_path / "old", tmp_path / "t", LabelTable({"a4c": "skip"}))
    assert {failure.status for failure in run.failures} == {"left_out"}
