import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane._files import atomic_write, safe_name, sha256
from echoplane._optional import need
from echoplane.errors import MissingExtraError


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


@pytest.mark.parametrize("text", ["CON", "nul.txt", "com1"])
def test_names_reserved_by_windows(text: str) -> None:
    assert safe_name(text) == f"_{text}"


def test_a_missing_extra_says_what_to_install() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'echoplane\[train\]'"):
        need("no_such_module_here", "train", "train networks")
