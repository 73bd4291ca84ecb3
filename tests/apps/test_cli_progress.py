"""Progress: a bar on a terminal, lines in a log, nothing when quiet."""

import io
import sys

import pytest

from echoplane.apps.cli import _progress as module
from echoplane.apps.cli._progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_a_minute(capsys):
    now = 1000.0
    lines = module._Lines("Reading", "files", clock=lambda: now)
    lines.start(1000)
    for _ in range(130):
        now += 1
        lines.step()
    assert capsys.readouterr().err.splitlines() == [
        "Reading: 60 of 1000 files, 1.0/s, 16 min left",
        "Reading: 120 of 1000 files, 1.0/s, 15 min left",
    ]


def test_without_a_total_there_is_no_time_left(capsys):
    now = 0.0
    lines = module._Lines("Reading", "files", clock=lambda: now)
    now = 61.0
    lines.step()
    assert capsys.readouterr().err == "Reading: 1 files, 61 s each\n"


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_spans(seconds, text):
    assert module._span(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(12.34, "12.3/s"), (1, "1.0/s"), (0.456, "0.46/s"), (0.05, "20 s each"), (1e-3, "17 min each")]
)
def test_a_slow_pace_is_not_nought(rate, text):
    assert module._pace(rate) == text


def test_short_runs_print_nothing_into_a_log(capsys):
    with progress("Reading", "files") as bar:
        bar.start(3)
        bar.step()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("Reading", "files") as bar:
        bar.start(2)
        bar.step()
        bar.step()
    assert "Reading" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()


def test_quiet_is_quiet(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("Reading", "files", quiet=True) as bar:
        bar.start(2)
        bar.step()
    assert terminal.getvalue() == ""
