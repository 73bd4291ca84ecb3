"""``make demo`` in small: real input, one phantom clip, a table, the files it promises."""

import csv
import importlib.util
import json
from pathlib import Path

import pytest

from echoplane.errors import BundleError
from echoplane.models.bundle import Bundle

_SPEC = importlib.util.spec_from_file_location("demo", Path(__file__).resolve().parents[2] / "tools" / "demo.py")


@pytest.fixture
def demo(tmp_path, monkeypatch):
    module = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "MAIN_VIEWS", ("PSAX-PM",))
    monkeypatch.setattr(module, "BESIDES", ())
    return module


def test_the_demo_answers_and_says_what_next(demo, toy_bundle, monkeypatch, capsys):
    bundle = toy_bundle()
    monkeypatch.setattr(Bundle, "load", classmethod(lambda cls, path=None: bundle))
    demo.main()
    out = capsys.readouterr().out
    assert "real-A4C.dcm" in out
    assert "Try next:" in out
    assert "Not a medical device" in out
    with Path("demo/views.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == ["demo/real-A4C.dcm", "demo/phantom/PSAX-PM.dcm"]
    assert all(row["best_view"] for row in rows)
    assert json.loads(Path("demo/views.csv.manifest.json").read_text())["state"] == "finished"
    demo.main()  # again: over what is there


def test_without_weights_the_demo_says_so(demo, monkeypatch):
    def none(cls, path=None):
        raise BundleError("carries no default weights")

    monkeypatch.setattr(Bundle, "load", classmethod(none))
    with pytest.raises(SystemExit, match="carries no default weights"):
        demo.main()
    assert not Path("demo").exists()
