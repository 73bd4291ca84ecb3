from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from echoplane.data.checks import check
from echoplane.data.secrets import KEY_FILE, fingerprint, other_secrets, own_secret, read_secret
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
        new = store(tmp_path / str(number), b"", "named")
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(own_secret, [new] * 4))) == 1
        assert [file.name for file in Path(new.path).glob(".patient*")] == [KEY_FILE]


def test_a_secret_that_is_found_by_trying_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"123456789012345")
    with pytest.raises(UsageError, match=r"secret: holds 15 bytes; a secret needs 16"):
        read_secret(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(b"x" * 100)
    assert read_secret(tmp_path / "secret") == b"x" * 64
    with pytest.raises(StoreError, match="is damaged: a secret of 1 bytes"):
        own_secret(store(tmp_path / "s", b"1", "named"))
