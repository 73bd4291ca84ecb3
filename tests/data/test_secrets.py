from pathlib import Path

import numpy as np
import pytest

from echoplane.data.checks import check
from echoplane.data.secrets import KEY_FILE, other_secrets
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
