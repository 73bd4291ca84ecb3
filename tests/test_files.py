import hashlib
import ntpath
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane._files import (
    absolute_name,
    atomic_write,
    each_path,
    read_table_text,
    safe_name,
    sha256,
    text_cell,
    text_of_cell,
)
from echoplane._optional import need
from echoplane.errors import DataError, MissingExtraError, UsageError


def test_a_full_disk_and_a_folder_that_may_not_be_written_to_are_told_with_the_file_that_was_meant(
    tmp_path: Path, nearly_full: Callable[[int], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with nearly_full(10), pytest.raises(OSError, match="File too large") as full, atomic_write(tmp_path / "x") as out:
        out.write("more than ten bytes")
    assert full.value.filename == str(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    with pytest.raises(PermissionError) as refused, atomic_write(tmp_path / "x"):
        pass
    assert refused.value.filename == str(tmp_path / "x")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["", "sep=;\r\n", '"sep=;"\n'])
def test_tables_as_spreadsheets_save_them(tmp_path: Path, encoding: str, first: str) -> None:
    (tmp_path / "t.csv").write_bytes((first + "Ärzte;A4C\r\n").encode(encoding))
    assert read_table_text(tmp_path / "t.csv", "a table") == ("Ärzte;A4C\r\n", 2 if first else 1)


def test_a_table_of_another_encoding_is_told_how_to_be_saved(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("Ärzte;A4C\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"t\.csv: cannot be read as a table: it is not UTF-8 \(byte 0xc4 at 0\)"):
        read_table_text(tmp_path / "t.csv", "a table")
    with pytest.raises(DataError, match=r"none\.csv: cannot be read as a table"):
        read_table_text(tmp_path / "none.csv", "a table")


@pytest.mark.parametrize("durable", [True, False])
def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "deep" / "x.csv"
    with atomic_write(path, durable=durable) as stream:
        stream.write("old")
    with pytest.raises(RuntimeError), atomic_write(path, durable=durable) as stream:
        stream.write("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["x.csv"]


def test_a_disk_that_refuses_to_change_rights_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as WSL says of /mnt/c

    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(Path, "chmod", refuse)
    with atomic_write(tmp_path / "x.csv") as stream:
        stream.write("whole")
    (tmp_path / "plain").touch()
    assert (tmp_path / "x.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_one_file_has_one_name_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "path", ntpath)
    names = (r"C:\Study\a.dcm", "c:/study/A.DCM", r"C:\Study\x\..\a.dcm")
    assert {absolute_name(name) for name in names} == {r"c:\study\a.dcm"}


@pytest.mark.skipif(os.path.sep != "/", reason="Windows takes '..' away before it looks at the disk")
def test_a_folder_above_is_that_of_what_a_link_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("there/below")
    monkeypatch.chdir(tmp_path)
    assert absolute_name("link/../a") == str(tmp_path / "there" / "a")
    assert absolute_name(f"{tmp_path}/link/x/.././a") == absolute_name("link/a") == str(tmp_path / "link" / "a")
    assert absolute_name("../../../../../../../../../..") == "/"


def test_a_path_by_itself_is_one_path_and_an_empty_one_is_none() -> None:
    for paths in ("ab", Path("ab"), ["ab"], (Path("ab"),), iter(["ab"])):
        assert list(each_path(paths)) == ["ab"]
    assert list(each_path([])) == []
    for lost in ("", ["a", ""]):
        with pytest.raises(UsageError, match="a path is empty: name a file or a folder"):
            list(each_path(lost))


@given(st.text(alphabet="'=+a", max_size=4))
def test_what_a_spreadsheet_would_run_is_disarmed_and_comes_back(text: str) -> None:
    assert not text_cell(text).startswith(("=", "+"))
    assert text_of_cell(text_cell(text)) == text
    assert text_cell(-1.0) == -1.0


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()


@given(st.text())
def test_names_are_safe_and_stable(text: str) -> None:
    name = safe_name(text)
    assert 1 <= len(name) <= 121
    assert not set(name) & set('<>:"/\\|?*\0\n\r\t ')
    assert name[-1] not in ". "
    assert safe_name(name) == name


def test_a_name_cut_short_ends_in_no_dot() -> None:
    assert safe_name("a" * 119 + ".dcm") == "a" * 119  # Windows would drop it, and look for another file


@pytest.mark.parametrize("text", ["CON", "nul.txt", "com1", "LPT³"])
def test_names_reserved_by_windows(text: str) -> None:
    assert safe_name(text) == f"_{text}"


def test_a_missing_extra_says_what_to_install() -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "echoplane\[train\]"'):
        need("no_such_module_here", "train", "train networks")
