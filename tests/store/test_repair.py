from __future__ import annotations

import json

import numpy as np
import pytest

from echoplane.errors import StoreError, UsageError
from echoplane.store import StoreReader, StoreRow, StoreWriter, repair, writer


def frames_of(key: str) -> np.ndarray:
    return np.random.default_rng(ord(key)).integers(0, 256, (4, 6, 5), np.uint8)


@pytest.fixture
def store(tmp_path):
    """Parts with the cines ab, cd, ef, gh."""
    path = tmp_path / "s"
    for keys in ("ab", "cd", "ef", "gh"):
        with StoreWriter(path, recipe={}, views=["A4C"], height=6, width=5) as side:
            for key in keys:
                side.append(frames_of(key), StoreRow(key, label="A4C"))
    return path


def part_of(store, number: int):
    (found,) = store.glob(f"part-{number:05d}-*")
    return found


def test_a_whole_store_is_left_as_it_is(store):
    before = {file.name: file.read_bytes() for file in store.iterdir()}
    done = repair(store)
    assert (done.kept, done.lost, done.aside) == (8, (), ())
    assert {file.name: file.read_bytes() for file in store.iterdir()} == before


def test_what_is_whole_is_kept_and_what_is_lost_is_no_longer_missed(store):
    cut, flipped, unreadable, lost = (part_of(store, number) for number in range(4))
    data = cut.read_bytes()
    cut.write_bytes(data[:-1])  # b lacks a byte
    turned = flipped.read_bytes()
    flipped.write_bytes(turned[:-1] + bytes([turned[-1] ^ 1]))  # a bit of d
    unreadable.write_bytes(b"nonsense")  # e, f
    lost.unlink()  # g, h
    with pytest.raises(StoreError, match="echoplane data repair"):
        StoreReader(store)
    done = repair(store)
    assert (done.kept, done.lost) == (2, tuple("bdefgh"))
    assert [file.name for file in done.aside] == [f"damaged-{file.name}" for file in (cut, flipped, unreadable)]
    assert done.aside[0].read_bytes() == data[:-1]
    reader = StoreReader(store)
    assert [row.cine for row in reader] == ["a", "c"]
    for i, row in enumerate(reader):
        np.testing.assert_array_equal(reader.frames(i), frames_of(row.cine))
    assert reader.loss() == ""
    assert repair(store).aside == ()
    # The command that made the store makes the rest anew.
    with StoreWriter(store, recipe={}, views=["A4C"], height=6, width=5) as again:
        for key in "abcdefgh":
            if key not in again:
                again.append(frames_of(key), StoreRow(key, label="A4C"))
    assert [row.cine for row in StoreReader(store)] == list("abcdefgh")


def test_a_repair_that_was_killed_goes_on(store, monkeypatch):
    part = part_of(store, 0)
    part.write_bytes(part.read_bytes()[:-1])
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            repair(store)
    done = repair(store)
    assert (done.kept, done.lost) == (7, ("b",))
    assert [row.cine for row in StoreReader(store)] == list("acdefgh")


def test_only_a_store_on_a_disk(tmp_path):
    with pytest.raises(StoreError, match="is not a clip store"):
        repair(tmp_path)
    with pytest.raises(UsageError, match="copy it to one"):
        repair("memory://s")


def test_a_store_without_a_list(store):
    (store / writer.LEDGER_FILE).unlink()
    part_of(store, 1).write_bytes(part_of(store, 1).read_bytes()[:-1])
    assert repair(store).lost == ("d",)
    assert json.loads((store / writer.LEDGER_FILE).read_text()) == list("abcefgh")
