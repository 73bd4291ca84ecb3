"""The page of benchmarks: every benchmark is on it, and what one prints goes between its own marks."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("benchmark_report", FOLDER / "report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("_markdown", None)


def test_every_benchmark_is_on_the_page(report):
    page = report.README.read_text()
    scripts = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")} - {"report"}
    assert set(report.RUNS) <= scripts
    for name in scripts:
        assert f"{name}.py" in page, name
    for name in report.RUNS:
        assert f"\n## {name}\n" in page


def test_what_is_printed_goes_between_its_own_marks(report, tmp_path):
    def filled(text, name, printed):
        (tmp_path / "page.md").write_text(text)
        return report._markdown.filled(tmp_path / "page.md", name, printed)

    page = "a\n<!-- one -->\nold\nold\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n"
    once = filled(page, "one", r"| \1 | 3 |")
    assert once == page.replace("old\nold", r"| \1 | 3 |")
    assert filled(once, "one", "old\nold") == page
    for name in report.RUNS:
        assert "NEW" in report._markdown.filled(report.README, name, "NEW")
    for name in ("once", "folds"):
        assert "NEW" in report._markdown.filled(FOLDER.parent / "docs" / "thesis.md", name, "NEW")
    with pytest.raises(SystemExit, match="no marks <!-- three -->"):
        filled(page, "three", "x")


def test_tables(report):
    made = report._markdown.table(("what", "ms"), [("a", "1"), ("b", "2")])
    assert made.splitlines() == ["| what | ms |", "| --- | ---: |", "| a | 1 |", "| b | 2 |"]
    assert "no-such-library" not in report._markdown.machine("numpy", "no-such-library")
