from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echoplane.errors import StoreError
from echoplane.records import Sector, SectorKind
from echoplane.store import StoreReader, StoreRow, StoreWriter, open_stores
from echoplane.store.schema import digest

SIZE = {"height": 6, "width": 5}


def frames_of(seed: int, t: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (t, 6, 5), np.uint8)


def fill(path: Path, keys: list[str], **options: object) -> StoreWriter:
    with StoreWriter(path, recipe={"name": "x"}, views=["A2C", "A4C"], **SIZE, **options) as writer:
        for n, key in enumerate(keys):
            writer.append(frames_of(n, 3 + n), StoreRow(key, label="A4C", group=f"p{n}"))
    return writer


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda leaf: st.lists(leaf, max_size=3) | st.dictionaries(st.text(), leaf, max_size=3),
    max_leaves=6,
)
rows = st.builds(
    StoreRow,
    cine=st.text(min_size=1).filter(lambda text: text != "__metadata__"),
    label=st.sampled_from(["", "A2C", "A4C"]),
    group=st.text(),
    study=st.text(),
    split=st.sampled_from(["", "train", "test"]),
    source=st.text(),
    fps=st.none() | st.floats(1, 200),
    sector=st.none() | st.builds(Sector, st.sampled_from(SectorKind), st.just((0, 1, 2, 3))),
    notes=st.lists(st.text(), max_size=3).map(tuple),
    extra=st.dictionaries(st.text(), json_values, max_size=3),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(rows, max_size=4, unique_by=lambda row: row.cine), part_bytes=st.sampled_from([1, 300, 10**9]))
def test_what_goes_in_comes_out(tmp_path_factory, rows, part_bytes):
    path = tmp_path_factory.mktemp("store")
    with StoreWriter(path, recipe={}, views=["A2C"], part_bytes=part_bytes, **SIZE) as writer:
        for n, row in enumerate(rows):
            writer.append(frames_of(n, n + 1), row)
    reader = StoreReader(path)
    assert sorted(row.cine for row in rows) == [row.cine for row in reader.rows]
    for n, row in enumerate(rows):
        i = reader.find(row.cine)
        stored = reader.rows[i]
        assert (stored.label, stored.extra, stored.notes) == (row.label, dict(row.extra), row.notes)
        assert (stored.sector, stored.fps, stored.group) == (row.sector, row.fps, row.group)
        np.testing.assert_array_equal(reader.frames(i), frames_of(n, n + 1))
    assert reader.verify() == []


def test_the_parts_are_plain_safetensors(tmp_path):
    fill(tmp_path / "s", ["a", "b"])
    (part,) = (tmp_path / "s").glob("*.safetensors")
    tensors = safetensors.numpy.load_file(part)
    np.testing.assert_array_equal(tensors["b"], frames_of(1, 4))


def test_frames_by_number_and_without_a_copy(tmp_path):
    fill(tmp_path / "s", ["a"])
    reader = StoreReader(tmp_path / "s")
    whole = reader.frames(0)
    assert not whole.flags.writeable
    assert not whole.flags.owndata
    np.testing.assert_array_equal(whole, frames_of(0, 3))
    np.testing.assert_array_equal(reader.frames(0, [2, 0, 0]), frames_of(0, 3)[[2, 0, 0]])
    with pytest.raises(IndexError):
        reader.frames(0, [3])


def test_the_reader_travels_to_another_process(tmp_path):
    fill(tmp_path / "s", ["a"])
    reader = StoreReader(tmp_path / "s")
    reader.frames(0)
    data = pickle.dumps(reader)
    assert len(data) < 3000
    np.testing.assert_array_equal(pickle.loads(data).frames(0), frames_of(0, 3))


def test_the_same_cine_written_side_by_side_counts_once_and_another_of_its_name_is_told(tmp_path):
    def writer() -> StoreWriter:
        return StoreWriter(tmp_path / "s", recipe={}, views=[], **SIZE)

    one, two, three = writer(), writer(), writer()
    for side, seed in ((one, 0), (two, 0)):
        side.append(frames_of(seed), StoreRow("a", label="A4C"))
        side.append(frames_of(5), StoreRow("b"))
        side.close()
    reader = StoreReader(tmp_path / "s")
    assert [row.cine for row in reader] == ["a", "b"]
    assert reader.gone() == ()
    three.append(frames_of(0), StoreRow("a", label="A2C"))
    three.close()
    with pytest.raises(StoreError, match=r"'a' is there twice, each time another.*Remove .*part-.* or .*part-.*, and"):
        StoreReader(tmp_path / "s")


def test_several_writers_and_the_order_of_keys(tmp_path):
    fill(tmp_path / "s", ["b", "d"])
    fill(tmp_path / "s", ["c", "a"])
    assert [row.cine for row in StoreReader(tmp_path / "s")] == ["a", "b", "c", "d"]


def test_a_key_is_taken_once(tmp_path):
    writer = fill(tmp_path / "s", ["a"])
    assert "a" in writer
    with pytest.raises(StoreError, match="already in the store"):
        fill(tmp_path / "s", ["a"])


def test_two_stores_are_read_together(tmp_path):
    fill(tmp_path / "s", ["a"])
    fill(tmp_path / "t", ["b"])
    assert [len(reader) for reader in open_stores([tmp_path / "s", tmp_path / "t"])] == [1, 1]
    assert [len(reader) for reader in open_stores(str(tmp_path / "s"))] == [1]
    fill(tmp_path / "u", ["a"])
    with pytest.raises(StoreError, match="'a' is in"):
        open_stores([tmp_path / "s", tmp_path / "u"])


def test_slow_sources_are_written_by_the_clock(tmp_path):
    now = [0.0]
    writer = StoreWriter(tmp_path / "s", recipe={}, views=[], part_seconds=5, clock=lambda: now[0], **SIZE)
    writer.append(frames_of(0), StoreRow("a"))
    assert len(StoreReader(tmp_path / "s")) == 0
    now[0] = 6.0
    writer.append(frames_of(1), StoreRow("b"))
    assert len(StoreReader(tmp_path / "s")) == 2


@pytest.mark.parametrize(
    ("frames", "row", "says"),
    [
        (frames_of(0), StoreRow(""), "key that is not empty"),
        (frames_of(0).astype(np.float32), StoreRow("a"), "uint8"),
        (frames_of(0)[:0], StoreRow("a"), "T > 0"),
        (frames_of(0)[:, :4], StoreRow("a"), "4 x 5, the store holds 6 x 5"),
        (frames_of(0), StoreRow("a", shares={"A2C": 0.5, "A4C": 0.3}), "sum to 0.800"),
    ],
)
def test_what_cannot_be_used_later_is_refused(tmp_path, frames, row, says):
    writer = StoreWriter(tmp_path / "s", recipe={}, views=[], **SIZE)
    with pytest.raises(StoreError, match=says):
        writer.append(frames, row)


def test_another_recipe_needs_another_folder(tmp_path):
    fill(tmp_path / "s", ["a"])
    with pytest.raises(StoreError, match="made with recipe"):
        StoreWriter(tmp_path / "s", recipe={"name": "y"}, views=[], **SIZE)
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "thesis.doc").write_text("x")
    with pytest.raises(StoreError, match="not empty and not a clip store"):
        StoreWriter(tmp_path / "t", recipe={}, views=[], **SIZE)


def test_a_recipe_with_tuples_is_the_same_recipe_next_time(tmp_path):
    for _ in range(2):
        StoreWriter(tmp_path / "s", recipe={"size": (6, 5)}, views=[], **SIZE).close()


def test_half_written_parts_of_a_killed_writer_are_swept(tmp_path):
    fill(tmp_path / "s", ["a"])
    old, new = (tmp_path / "s" / f".part-0000{n}-x.safetensors.abc.tmp" for n in (1, 2))
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (1, 1))
    fill(tmp_path / "s", ["b"])
    assert (old.exists(), new.exists()) == (False, True)
    assert len(StoreReader(tmp_path / "s")) == 2


def test_new_views_are_added_at_the_end(tmp_path):
    fill(tmp_path / "s", ["a"])
    with StoreWriter(tmp_path / "s", recipe={"name": "x"}, views=["PLAX", "A2C"], **SIZE):
        pass
    assert StoreReader(tmp_path / "s").views == ("A2C", "A4C", "PLAX")


def test_damage_is_named(tmp_path):
    with pytest.raises(StoreError, match="not a clip store"):
        StoreReader(tmp_path)
    fill(tmp_path / "s", ["a"])
    info = tmp_path / "s" / "store.json"
    (part,) = (tmp_path / "s").glob("*.safetensors")
    data = part.read_bytes()
    # A flipped bit in the frames is seen by the checksum when its cine is read; every truncation by the header.
    for cut in (0, 5, 40, len(data) - 1):
        part.write_bytes(data[:cut])
        with pytest.raises(StoreError, match=r"(damaged|is cut off).*Remove this file, and run the command that made"):
            StoreReader(tmp_path / "s")
    part.write_bytes(data)
    info.write_text(json.dumps({"format": "echoplane-store", "version": 99}))
    with pytest.raises(StoreError, match="newer"):
        StoreReader(tmp_path / "s")
    info.write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        StoreReader(tmp_path / "s")


def test_a_cine_that_is_not_what_was_stored_is_not_given_out(tmp_path):
    fill(tmp_path / "s", ["a", "b"])
    (part,) = (tmp_path / "s").glob("*.safetensors")
    data = part.read_bytes()
    part.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # one bit of the last frame of b
    for read in (lambda reader: reader.frames(1), lambda reader: reader.frames(1, [0])):
        reader = StoreReader(tmp_path / "s")
        np.testing.assert_array_equal(reader.frames(0), frames_of(0, 3))
        for again in (reader, pickle.loads(pickle.dumps(reader))):
            with pytest.raises(StoreError, match=r"part-00000-.*: cine 'b' is damaged.*Remove this file, and run"):
                read(again)
    as_it_is = StoreReader(tmp_path / "s", checked=False)
    assert as_it_is.verify() == ["b"]
    np.testing.assert_array_equal(as_it_is.frames(1)[:-1], frames_of(1, 4)[:-1])


def test_a_part_that_is_cut_off_meanwhile_is_an_error_and_not_the_end_of_the_process(tmp_path):
    fill(tmp_path / "s", ["a", "b"])
    (part,) = (tmp_path / "s").glob("*.safetensors")
    script = f"""
        import os
        from echoplane.errors import StoreError
        from echoplane.store import StoreReader
        reader, cold = (StoreReader({str(tmp_path / "s")!r}) for _ in range(2))
        reader.frames(0), reader.frames(1)  # compared with their checksums: from now on trusted
        os.truncate({str(part)!r}, 100)
        for read in (lambda: reader.frames(1, [3]), lambda: reader.frames(0), lambda: cold.frames(1), cold.verify):
            try:
                read()
            except StoreError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.returncode
    lines = done.stdout.splitlines()
    assert len(lines) == 4, done.stderr
    assert all(line.startswith(f"{part}: was cut off while it was in use: cine ") for line in lines)


def test_a_share_that_is_gone_is_named_with_the_file(tmp_path, monkeypatch):
    def gone(*_: object) -> int:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    fill(tmp_path / "s", ["a"])
    reader = StoreReader(tmp_path / "s")
    reader.frames(0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", gone)
        told = ""
        try:
            reader.frames(0)
        except StoreError as error:
            told = str(error)
    assert "cine 'a' cannot be read (" in told
    assert "Look after the disk" in told


def test_a_part_of_another_store_is_named(tmp_path):
    fill(tmp_path / "s", ["a"])
    with StoreWriter(tmp_path / "t", recipe={}, views=[], height=6, width=8) as writer:
        writer.append(np.zeros((2, 6, 8), np.uint8), StoreRow("b"))
    (part,) = (tmp_path / "t").glob("part-*")
    part.rename(tmp_path / "s" / part.name)
    with pytest.raises(StoreError, match=r"cine 'b' has frames of 6 x 8, the store of 6 x 5; the file is of another"):
        StoreReader(tmp_path / "s")


def test_a_cine_is_compared_with_its_checksum_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("echoplane.store.reader.digest", lambda frames: asked.append(len(frames)) or digest(frames))
    fill(tmp_path / "s", ["a", "b"])
    reader = StoreReader(tmp_path / "s")
    for _ in range(3):
        reader.frames(1, [0])
        reader.frames(1)
    pickle.loads(pickle.dumps(reader)).frames(1)
    assert asked == [4]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_lying_header_never_reads_outside(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "s"
    fill(path, ["a", "b"])
    (part,) = path.glob("*.safetensors")
    whole = bytearray(part.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    part.write_bytes(whole)
    try:
        reader = StoreReader(path, checked=False)
    except StoreError:
        return
    for i in range(len(reader)):
        assert reader.frames(i).shape[0] == reader.rows[i].n_frames


def test_object_storage(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    fill(tmp_path / "s", ["a", "b"], part_bytes=1)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "s"), "/bucket/s", recursive=True)
    local, remote = StoreReader(tmp_path / "s"), StoreReader("memory://bucket/s")
    assert local.rows == remote.rows
    for i in range(2):
        np.testing.assert_array_equal(local.frames(i), remote.frames(i))
        np.testing.assert_array_equal(local.frames(i, [2, 1, 2]), remote.frames(i, [2, 1, 2]))
    with pytest.raises(IndexError):
        remote.frames(0, [99])
    assert remote.gone() == ()
    memory.rm(memory.glob("/bucket/s/part-00001-*")[0])
    assert StoreReader("memory://bucket/s").gone() == ("b",)
    with pytest.raises(StoreError, match="not a clip store"):
        StoreReader("memory://bucket/nothing")
    memory.rm("/bucket", recursive=True)


def test_a_part_that_is_gone_is_missed(tmp_path):
    fill(tmp_path / "s", ["a", "b", "c"], part_bytes=1)
    assert (StoreReader(tmp_path / "s").gone(), StoreReader(tmp_path / "s").loss()) == ((), "")
    first, second, last = sorted((tmp_path / "s").glob("part-*"))
    last.unlink()
    assert StoreReader(tmp_path / "s").gone() == ("c",)
    assert "1 cine is gone with the part file, for example 'c'" in StoreReader(tmp_path / "s").loss()
    second.unlink()
    assert "2 cines are gone" in StoreReader(tmp_path / "s").loss()
    first.unlink()
    assert StoreReader(tmp_path / "s").gone() == ("a", "b", "c")
    # What is prepared again closes the gap, in however few parts.
    fill(tmp_path / "s", ["a", "b", "c"])
    assert StoreReader(tmp_path / "s").gone() == ()


def test_parts_are_missed_of_stores_without_a_list_and_with_a_torn_one(tmp_path):
    fill(tmp_path / "s", ["a", "b"], part_bytes=1)
    ledger = tmp_path / "s" / "written.jsonl"
    ledger.unlink()
    assert StoreReader(tmp_path / "s").gone() == ()  # of an older version: nothing is known
    fill(tmp_path / "s", [])
    ledger.write_bytes(ledger.read_bytes()[:-3])
    assert StoreReader(tmp_path / "s").gone() == ()
    fill(tmp_path / "s", ["c"])
    next((tmp_path / "s").glob("part-00001-*")).unlink()
    assert StoreReader(tmp_path / "s").gone() == ("b",)


def test_writers_side_by_side_leave_no_gap(tmp_path):
    one, two = fill(tmp_path / "s", [], part_bytes=1), fill(tmp_path / "s", [], part_bytes=1)
    for writer, key in ((one, "a"), (two, "b"), (two, "c")):
        writer.append(frames_of(1), StoreRow(key))
    fill(tmp_path / "s", ["d"], part_bytes=1)
    assert len(list((tmp_path / "s").glob("part-*"))) == 4
    assert StoreReader(tmp_path / "s").gone() == ()


def test_what_is_stored_after_a_reader_was_opened_is_not_gone(tmp_path):
    fill(tmp_path / "s", ["a", "b"], part_bytes=1)
    reader = StoreReader(tmp_path / "s")
    fill(tmp_path / "s", ["c"])
    assert (reader.gone(), reader.loss()) == ((), "")
    next((tmp_path / "s").glob("part-00001-*")).unlink()
    assert StoreReader(tmp_path / "s").gone() == ("b",)


def test_a_writer_stopped_between_part_and_line_stores_nothing_twice(tmp_path, monkeypatch):
    def stop(path, keys):
        raise KeyboardInterrupt

    same = {"recipe": {"name": "x"}, "views": ["A2C", "A4C"], **SIZE}
    with pytest.raises(KeyboardInterrupt), StoreWriter(tmp_path, **same) as writer:
        monkeypatch.setattr("echoplane.store.writer.append_keys", stop)
        writer.append(frames_of(1), StoreRow("a"))
        writer.flush()
    monkeypatch.undo()
    assert [row.cine for row in StoreReader(tmp_path).rows] == ["a"]
    fill(tmp_path, ["b"])
    next(tmp_path.glob("part-00000-*")).unlink()
    assert StoreReader(tmp_path).gone() == ("a",)


def test_soft_labels():
    row = StoreRow("a", shares={"A2C": 0.2, "A4C": 0.6, "PLAX": 0.2})
    np.testing.assert_allclose(row.target(("A4C", "A2C")), [0.75, 0.25])
    assert row.top_label() == "A4C"
    np.testing.assert_array_equal(StoreRow("a", label="A2C").target(("A4C", "A2C")), [0, 1])
    assert StoreRow("a", label="PLAX").target(("A4C",)).sum() == 0
    assert StoreRow("a").top_label() == ""


def test_a_killed_writer_leaves_a_whole_store(tmp_path):
    """SIGKILL after a number of parts that the child reports; every finished part is readable, none is half."""
    script = textwrap.dedent("""
        import sys, itertools
        import numpy as np
        from echoplane.store import StoreRow, StoreWriter
        writer = StoreWriter(sys.argv[1], recipe={}, views=[], height=64, width=64, part_bytes=1)
        for n in itertools.count():
            writer.append(np.full((20, 64, 64), n % 256, np.uint8), StoreRow(f"{n:06d}"))
            print(n, flush=True)
    """)
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    seen = [child.stdout.readline() for _ in range(7)]
    child.kill()
    child.communicate()
    reader = StoreReader(tmp_path / "s")
    assert len(reader) >= len(seen)
    assert [row.cine for row in reader] == [f"{n:06d}" for n in range(len(reader))]
    assert reader.verify() == []
