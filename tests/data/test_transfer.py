"""Copies and moves: no original is lost, whoever else is at work."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from echoplane import _locks
from echoplane.data import _transfer as module
from echoplane.data.organize import UNDO_FILE
from echoplane.errors import UsageError
from echoplane.pipelines.organize import organize, undo


@pytest.fixture
def study(tmp_path, monkeypatch):
    """One file to be moved, and a disk to which nothing can be renamed."""

    def other_disk(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", other_disk)
    root = tmp_path / "exams"
    root.mkdir()
    (root / "a.bin").write_bytes(b"original")
    (root / "sheet.csv").write_text("file,view\na.bin,A4C\n")
    return root


def test_a_run_is_kept_out_while_another_sorts_or_takes_back(study, tmp_path, monkeypatch):
    monkeypatch.setattr(_locks, "_DYING", 0.0)
    out = tmp_path / "sorted"
    with _locks.held(out / UNDO_FILE):
        with pytest.raises(UsageError, match="sorted: another run is sorting into this folder"):
            organize(study, out, how="move")
        assert len(organize(study, out, how="move", dry_run=True).steps) == 1
    assert not out.exists()
    assert organize(study, out, how="move").done == 1
    with _locks.held(out / UNDO_FILE), pytest.raises(UsageError, match="another run"):
        undo(out / UNDO_FILE)
    assert undo(out / UNDO_FILE).done == 1
    assert list(out.iterdir()) == []
    assert (study / "a.bin").read_bytes() == b"original"


def test_two_copies_to_one_target_do_not_disturb_each_other(tmp_path, monkeypatch):
    source, target, copyfile = tmp_path / "a.bin", tmp_path / "b.bin", shutil.copyfile
    source.write_bytes(b"original")

    def meanwhile(one, half):
        monkeypatch.setattr(shutil, "copyfile", copyfile)
        copyfile(one, half)
        module.copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", meanwhile)
    module.copy(source, target)
    assert target.read_bytes() == b"original"
    assert {path.name for path in tmp_path.iterdir()} == {"a.bin", "b.bin"}


def test_an_original_stays_where_its_copy_is_shorter(study, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "copyfile", lambda source, half: Path(half).write_bytes(b"orig"))
    run = organize(study, tmp_path / "sorted", how="move")
    assert "the copy is not as long as the original, which was kept" in run.failures[0].reason
    assert (study / "a.bin").read_bytes() == b"original"


@pytest.mark.parametrize("name", [".a.bin.0123abcd.half", ".a.bin.half"])
def test_what_a_killed_run_left_of_a_copy_is_cleared_away(study, tmp_path, name):
    place = tmp_path / "sorted" / "A4C"
    place.mkdir(parents=True)
    for file in (name, ".another.bin.0123abcd.half"):
        (place / file).write_bytes(b"ori")
    organize(study, tmp_path / "sorted", how="copy")
    assert {path.name for path in place.iterdir()} == {"a.bin", ".another.bin.0123abcd.half"}
    (place / name).write_bytes(b"ori")
    undo(tmp_path / "sorted" / UNDO_FILE)
    assert {path.name for path in place.iterdir()} == {".another.bin.0123abcd.half"}
