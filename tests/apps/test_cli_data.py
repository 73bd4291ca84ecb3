"""prepare, data and organize from the command line: exit codes, words, files."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from echoplane.apps.cli.main import build_app
from echoplane.data.split import Split
from echoplane.pipelines.prepare import PrepareRun
from echoplane.store import StoreReader


def avi(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for frame in np.random.default_rng(seed).integers(0, 255, (12, 48, 64, 1), np.uint8):
        writer.write(np.repeat(frame, 3, axis=2))  # grey
    writer.release()


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    for n in range(8):
        avi(root / ("A4C", "A2C")[n % 2] / f"p{n // 2}_{n}.avi", n)
    (tmp_path / "small.yaml").write_text("name: small\nmask: false\ncrop: none\nsize: [24, 28]\n")
    return root


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(), [str(w) for w in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        return 99, f"{type(done.exception).__name__}: {done.exception}"
    return done.exit_code, done.output


def prepare(clips: Path, *more: object) -> tuple[int, str]:
    words = ["prepare", clips, "-o", clips.parent / "s", "-j", 1, "--recipe", clips.parent / "small.yaml"]
    return run(*words, "--patients", r"/(?P<patient>p\d)_", *more)


def test_from_folder_to_split(clips: Path) -> None:
    code, text = prepare(clips)
    assert code == 0
    assert "8 cines stored" in text
    assert StoreReader(clips.parent / "s").info.recipe["name"] == "small"
    code, text = prepare(clips)
    assert "0 cines stored" in text
    assert "8 were there already" in text
    code, text = run("data", "report", clips.parent / "s", "-o", clips.parent / "r.html")
    assert code == 0
    assert "Views from fewer than 5 patients: A2C (4), A4C (4)" in text
    assert (clips.parent / "r.html").read_text().startswith("<!doctype html>")
    code, text = run("data", "split", clips.parent / "s", "-o", clips.parent / "split.csv", "-k", 2)
    assert code == 0
    assert "fold 1" in text
    assert Split.load(clips.parent / "split.csv").folds == 2


def test_some_files_fail(clips: Path) -> None:
    (clips / "A4C" / "x.dcm").write_bytes(b"nothing")
    code, text = prepare(clips, "--patients", "none")
    assert code == 1
    assert "1 not stored" in text
    assert "failures.csv" in text


def test_a_table_that_was_filled_in_is_not_written_over(clips: Path) -> None:
    (clips / "A2C").rename(clips / "foo")
    names = ["s.labels.csv", "s.labels.new.csv", "s.labels.new2.csv"]
    for name in names:
        code, text = prepare(clips)
        assert code == 2
        assert f"A table to fill in was written: {clips.parent / name}." in " ".join(text.split())
        (clips.parent / name).write_text(f"given,label\nfoo,{name}\n")
    assert [name in (clips.parent / name).read_text() for name in names] == [True] * 3


def test_quiet_runs_still_say_what_failed(clips: Path, tmp_path: Path) -> None:
    (clips / "A4C" / "broken.avi").write_bytes(b"RIFF")
    code, text = prepare(clips, "-q", "--patients", "none")
    assert code == 1, text
    assert text.startswith("error: A4C/broken.avi: ")
    assert text.count("\n") == 1
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("file,label\nA4C/p0_0.avi,A4C\nA4C/gone.avi,A4C\n")
    code, text = run("organize", clips, "-o", tmp_path / "sorted", "--sheet", sheet, "-q")
    assert code == 1
    assert text.startswith("error: A4C/gone.avi: ")
    assert text.count("\n") == 1


def test_unknown_labels_get_a_table_to_fill_in(clips: Path) -> None:
    (clips / "A2C").rename(clips / "apical 2 chambre")
    code, text = prepare(clips)
    assert code == 2
    assert "'apical 2 chambre' (4 cines); did you mean 'apical 2 chamber'?" in text
    table = clips.parent / "s.labels.csv"
    assert table.read_text() == "given,label,cines\nA4C,A4C,\napical 2 chambre,A2C,4\n"
    assert prepare(clips, "--labels", table)[0] == 0


def test_a_leaking_store_is_an_error(clips: Path) -> None:
    (clips / "A2C" / "copy_0.avi").write_bytes((clips / "A4C" / "p0_0.avi").read_bytes())
    prepare(clips, "--patients", "none")
    code, text = run("data", "report", clips.parent / "s", "-o", clips.parent / "r.html")
    assert code == 1
    said = "error: Two cines that are the same, bit for bit, labelled A2C and A4C.\n  A2C/copy_0.avi\n  A4C/p0_0.avi\n"
    assert said in text


def test_wrong_usage_is_a_sentence(clips: Path) -> None:
    for words, says in (
        (("prepare", clips, "-o", clips.parent / "t", "--layout", "folder"), "did you mean 'folders'"),
        (("prepare", clips / "none", "-o", clips.parent / "t"), "is no folder"),
        (("data", "report", clips, "-o", "r.html"), "is not a clip store"),
        (("organize", "-o", clips.parent / "t"), "give SOURCE and --output"),
    ):
        code, text = run(*words)
        assert code in (2, 99), text
        assert says in text.replace("\n", " ")


def test_organize_and_back(tmp_path: Path) -> None:
    for name in ("s1/a", "s1/b"):
        (tmp_path / "exams" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "exams" / name).write_bytes(b"\0" * 128 + b"DICM" + name.encode())
    (tmp_path / "exams" / "labels.txt").write_text("s1 a A4C\ns1 b A2C\n")
    words = ("organize", tmp_path / "exams", "-o", tmp_path / "sorted")
    code, text = run(*words, "--dry-run")
    assert (code, (tmp_path / "sorted").exists()) == (0, False)
    assert "Dry run: nothing was done." in text
    code, text = run(*words, "--how", "move")
    assert code == 0
    assert "2 moved" in text
    assert (tmp_path / "sorted/A4C/s1/a.dcm").exists()
    back = ("organize", "--undo", tmp_path / "sorted" / "organize-undo.jsonl")
    for more in (["--dry-run"], [tmp_path / "exams"], ["-o", tmp_path / "sorted"]):
        code, text = run(*back, *more)
        assert (code, "do not go with it" in text) == (2, True)
    assert (tmp_path / "sorted/A4C/s1/a.dcm").exists()
    code, text = run(*back)
    assert (code, "2 files taken back." in text) == (0, True)
    assert (tmp_path / "exams/s1/a").exists()


def test_organize_sorts_what_predict_has_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("s1/a", "s1/b", "s2/a", "s2/c"):
        (tmp_path / "laptop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "laptop" / name).write_bytes(b"\0" * 128 + b"DICM" + name.encode())
    views = tmp_path / "views.csv"
    rows = ("laptop/s1/a,ok,A4C", "laptop/s1/b,still,", "laptop/s2/a,ok,A4C", "laptop/s2/c,unsure,")
    views.write_text("\n".join(("file,status,view", *rows)))
    monkeypatch.chdir(tmp_path)
    words = ("organize", "laptop", "-o", "sorted", "--sheet", views)
    code, text = run(*words)
    assert code == 0
    assert text.splitlines()[:3] == ["2 rows without a view were left out.", "2 files: A4C 2.", "2 copied."]
    assert sorted(path.as_posix() for path in Path("sorted").rglob("*.dcm")) == [
        "sorted/A4C/s1/a.dcm",
        "sorted/A4C/s2/a.dcm",
    ]
    views.write_text("\n".join(("file,status,view", *rows[:2])))
    assert "1 row without a view was left out." in run(*words)[1]
    assert run(*words, "-q") == (0, "")
    (tmp_path / "table.csv").write_text("given,label\nA4C,skip\n")
    code, text = run(*words, "--labels", "table.csv")  # what a table leaves out is told by name
    assert "left_out: s1/a: Its label 'A4C' is left out.\n1 row without" in text


def test_organize_says_after_a_full_disk_how_to_go_on(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    sheet, out = clips.parent / "sheet.csv", clips.parent / "sorted"
    sheet.write_text("file,view\nA4C/p0_0.avi,A4C\n")
    done = CliRunner().invoke(build_app(), ["organize", str(clips), "-o", str(out), "--sheet", str(sheet)])
    assert isinstance(done.exception, OSError)  # main() makes a sentence of it
    assert done.exception.filename == str(out / "A4C/A4C/p0_0.avi")
    assert f"--undo {out / 'organize-undo.jsonl'} takes back what was done" in done.output


def test_organize_says_after_an_interrupt_how_to_go_on(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    sheet, out = clips.parent / "sheet.csv", clips.parent / "sorted"
    sheet.write_text("file,view\nA4C/p0_0.avi,A4C\n")
    words = ["organize", str(clips), "-o", str(out), "--sheet", str(sheet)]
    for place, said in (
        ("echoplane.pipelines.organize.make_plan", "stopped; nothing was done"),
        ("shutil.copyfile", f"--undo {out / 'organize-undo.jsonl'} takes back what was done"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, interrupted)
            done = CliRunner().invoke(build_app(), words)
        assert done.exit_code == 130
        assert said in done.output
    monkeypatch.setattr("echoplane.pipelines.organize.undo_all", interrupted)
    done = CliRunner().invoke(build_app(), ["organize", "--undo", str(out / "organize-undo.jsonl")])
    assert (done.exit_code, "the same command goes on" in done.output) == (130, True)


def test_an_interrupted_import_is_exit_code_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = PrepareRun(1, 0, (), {"A4C": 1}, interrupted=True)
    monkeypatch.setattr("echoplane.pipelines.import_legacy.import_legacy", lambda *_, **__: stopped)
    code, text = run("data", "import-legacy", tmp_path, "-o", tmp_path / "s")
    assert code == 130
    assert "1 cines stored" in text
