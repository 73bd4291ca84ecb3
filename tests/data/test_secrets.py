import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from echoplane.data.checks import check
from echoplane.data.secrets import KEY_FILE, fingerprint, fitting, other_secrets, own_secret
from echoplane.errors import StoreError, UsageError
from echoplane.store import StoreReader, StoreRow, StoreWriter


def store(folder: Path, key: bytes, group: str) -> StoreReader:
    with StoreWriter(folder, recipe={"name": "x"}, views=("A4C",), height=8, width=8) as writer:
        writer.append(np.full((20, 8, 8), len(group), np.uint8), StoreRow(f"{folder.name}/a", label="A4C", group=group))
    if key:
        (folder / KEY_FILE).write_bytes(key)
    return StoreReader(folder)


def test_stores_hashed_with_different_secrets_are_told(tmp_path: Path) -> None:
    both = [store(tmp_path / "one", b"1", "0123456789abcdef"), store(tmp_path / "two", b"2", "fedcba9876543210")]
    (warning,) = other_secrets(both)
    assert "one and " in warning
    assert "--patient-key FILE" in warning
    assert warning in [finding.text for finding in check(both, [])]


@pytest.mark.parametrize(
    ("key", "group"), [(b"1", "fedcba9876543210"), (b"2", "patient0001"), (b"", "fedcba9876543210")]
)
def test_one_secret_names_of_a_layout_and_no_secret_are_not(tmp_path: Path, key: bytes, group: str) -> None:
    assert not other_secrets([store(tmp_path / "one", b"1", "0123456789abcdef"), store(tmp_path / "two", key, group)])


def test_a_store_says_with_which_secret_when_its_file_is_gone(tmp_path: Path) -> None:
    both = []
    for name, secret in (("one", b"1" * 16), ("two", b"2" * 16)):
        both.append(store(tmp_path / name, b"", "0123456789abcdef"))
        with StoreWriter(tmp_path / name, recipe={"name": "x"}, views=("A4C",), height=8, width=8) as writer:
            writer.use_secret(fingerprint(secret))
            with pytest.raises(StoreError, match="another secret"):
                writer.use_secret(fingerprint(b"3" * 16))
    (warning,) = other_secrets([StoreReader(one.path) for one in both])
    assert "different secrets" in warning


def test_runs_that_begin_together_agree_on_one_secret(tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(own_secret, [folder] * 4))) == 1
        assert [file.name for file in folder.iterdir()] == [KEY_FILE]
        assert (folder / KEY_FILE).stat().st_mode & 0o077 == 0


def test_what_a_killed_run_left_of_a_secret_is_cleared_away(tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("new", 0)):
        (tmp_path / f"{KEY_FILE}-{name}").write_bytes(b"x" * 32)
        then = time.time() - age
        os.utime(tmp_path / f"{KEY_FILE}-{name}", (then, then))
    own_secret(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [KEY_FILE, f"{KEY_FILE}-new"]


def test_a_secret_that_is_found_by_trying_begins_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--patient-key: the file holds 15 bytes; a secret needs 16"):
        fitting(None, b"123456789012345")
    named = store(tmp_path / "named", b"", "named")
    with pytest.raises(UsageError, match="holds 0 bytes"):
        fitting(named, b"")
    assert fitting(named, b"x" * 100) == b"x" * 64
    assert fitting(named, None) is None
    (tmp_path / KEY_FILE).write_bytes(b"1")
    with pytest.raises(StoreError, match="is damaged: a secret of 1 bytes"):
        own_secret(tmp_path)


def test_a_store_of_before_fingerprints(tmp_path: Path) -> None:
    """Its own secret tells; a short one that was given then is taken, for there is no other way to go on."""
    own = store(tmp_path / "own", b"its own", "0123456789abcdef")
    assert fitting(own, None) == fitting(own, b"its own") == b"its own"
    with pytest.raises(StoreError, match="hashed with another secret"):
        fitting(own, b"x" * 32)
    given = store(tmp_path / "given", b"", "0123456789abcdef")
    assert fitting(given, b"short") == b"short"
    with pytest.raises(StoreError, match="secret that is not here"):
        fitting(given, None)


def test_views_of_another_writer_stay(tmp_path: Path) -> None:
    first = StoreWriter(tmp_path, recipe={}, views=("A4C",), height=8, width=8)
    with StoreWriter(tmp_path, recipe={}, views=("PLAX",), height=8, width=8) as second:
        second.append(np.zeros((3, 8, 8), np.uint8), StoreRow("x", label="PLAX"))
    first.use_secret(fingerprint(b"1" * 16))
    first.close()
    assert set(StoreReader(tmp_path).info.views) == {"A4C", "PLAX"}
