"""Tables on a narrow terminal: they break lines and leave nothing out."""

import io
import re

import pytest
from rich.console import Console

from echoplane.apps.cli import _common, models
from echoplane.apps.cli._results import Shown, _table, print_results
from echoplane.apps.cli.data import _split_tables
from echoplane.apps.cli.info import _many
from echoplane.models.registry import NETWORKS
from echoplane.pipelines.info import FileInfo
from echoplane.pipelines.predict import PredictRun
from echoplane.records import Status, ViewResult

NOTE = "The answer is not sure enough to be offered as one: A4C has a probability of 0.52, and 0.80 is needed."
FILE = "apical_four_chamber_{}.dcm"


def results(n):
    votes = {"PSAX-AP": 3, "PSAX-PM": 2, "A4C": 1}
    return [
        ViewResult(FILE.format(k), Status.UNSURE, best_view="PSAX-AP", probability=0.52, reasons=(NOTE,),
                   clip_votes=votes, vote="PSAX-AP")
        for k in range(n)
    ]  # fmt: skip


def rendered(width, *tables):
    out = Console(width=width, file=io.StringIO(), highlight=False)
    for table in tables:
        out.print(table)
    text = out.file.getvalue()
    assert all(len(line) <= width for line in text.splitlines())
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    return text


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_table_of_results_has_its_notes_below_the_rows(width):
    text = rendered(width, _table(results(2), "To look at", width))
    flat = " ".join(text.split())
    assert flat.count(NOTE) == 2
    assert len(re.findall(r" 0\.52  ", text)) == 2
    assert text.splitlines()[1].split() == ["file", "view", "prob.", "votes"]
    for word in (FILE.format(0), FILE.format(1), "unsure", "(PSAX-AP?)", "PSAX-AP:3", "PSAX-PM:2", "A4C:1"):
        assert word in text


@pytest.mark.parametrize("width", [110, 200])
def test_a_wide_table_of_results_has_a_column_of_notes(width):
    text = rendered(width, _table(results(1), "", width))
    heads = next(line for line in text.splitlines() if "file" in line)
    assert heads.split() == ["file", "view", "prob.", "votes", "note"]
    note = " ".join(line[heads.index("note") :].strip() for line in text.splitlines()[3:])
    assert note.strip() == NOTE
    assert "0.52" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_list_of_what_is_in_files_keeps_status_and_note(width):
    files = [
        FileInfo(FILE.format(1), Status.NOT_IMAGE, ("Is a text file and holds no picture.",)),
        FileInfo(FILE.format(2), Status.OK, n_frames=30, height=1024, width=1280, fps=29.97, notes=(NOTE,)),
    ]
    text = rendered(width, _many(files, width))
    for word in ("not_image", "ok", "30", "1280 x 1024", "29.97"):
        assert word in text
    if width < 100:  # the notes stand below the rows
        assert "Is a text file and holds no picture." in text
        assert NOTE in " ".join(text.split())


def test_a_very_narrow_table_keeps_the_probability():
    text = rendered(40, _table(results(1), "", 40))
    assert " 0.52 " in text
    assert NOTE in " ".join(text.split())


def test_long_runs_print_what_to_look_at_whole(monkeypatch, capsys):
    monkeypatch.setattr(_common, "PIPE_WIDTH", 80)
    shown = Shown()
    for result in results(61):
        shown.add(result)
    print_results(shown, PredictRun({"unsure": 61}, 0, 1.0, False, "toy", None), None)
    out = capsys.readouterr().out
    assert " ".join(out.split()).count(NOTE) == 60
    assert out.count(" 0.52 ") == 60


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_names_of_networks_are_never_cut(monkeypatch, capsys, width):
    monkeypatch.setattr(_common, "PIPE_WIDTH", width)
    models._print_table()
    lines = capsys.readouterr().out.splitlines()
    flat = " ".join(" ".join(lines).split())
    for row in NETWORKS.values():
        assert any(line.split()[:1] == [row.name] for line in lines)
        assert row.summary in flat
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("sides", [["train", "validation", "test"], [f"fold {k}" for k in range(10)]])
def test_a_split_has_a_row_a_view(width, sides):
    views = ["A2C", "A3C", "A4C", "PLAX", "PSAX-AP", "PSAX-MV", "PSAX-PM", ""]
    counts = {side: {view: 1000 * s + v for v, view in enumerate(views)} for s, side in enumerate(sides)}
    text = rendered(width, *_split_tables(counts, width))
    for v, view in enumerate(views):
        rows = [line.split() for line in text.splitlines() if line.split()[:1] == [view or "(none)"]]
        assert [int(cell) for row in rows for cell in row[1:]] == [1000 * s + v for s in range(len(sides))]
    sums = [int(n) for line in text.splitlines() if line.split()[:1] == ["all"] for n in line.split()[1:]]
    assert sums == [sum(line.values()) for line in counts.values()]
    assert all(word in text for side in sides for word in side.split())
