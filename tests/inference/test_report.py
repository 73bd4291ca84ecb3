"""Result files: the same rows in every format, whole after a kill, gone on with later."""

import csv
import json
import tracemalloc

import pyarrow.parquet as parquet
import pytest

from echoplane._files import file_cell
from echoplane.errors import UsageError
from echoplane.inference.report import journal_path, open_writer, rows_done
from echoplane.inference.rows import columns, from_json, to_row
from echoplane.records import Status, ViewResult

VOCABULARY = ("A2C", "A4C")
FORMATS = (".csv", ".jsonl", ".parquet")


def result(name, status=Status.OK, **more):
    p = {"A2C": 0.25, "A4C": 0.75} if status is Status.OK else {}
    return ViewResult(name, status, probabilities=p, n_frames=30, fps=25.0, reasons=('Because, "so".',), **more)


def read(path):
    """Read a result file with another library than the one that wrote it."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as stream:
            return [dict(row) for row in csv.DictReader(stream)]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return parquet.read_table(path).to_pylist()


def write(path, results, append=False):
    writer = open_writer(path, VOCABULARY, append=append)
    for one in results:
        writer.write(one)
    writer.close()


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_holds_the_same_rows(tmp_path, suffix):
    path = tmp_path / "sub" / f"out{suffix}"
    results = [result("a.dcm"), result("ñ/Ж 心.dcm"), result("b", Status.UNREADABLE)]
    write(path, results)
    rows = read(path)
    assert [row["file"] for row in rows] == ["a.dcm", "ñ/Ж 心.dcm", "b"]
    for row, one in zip(rows, results, strict=True):
        expected = to_row(one, VOCABULARY)
        if suffix == ".csv":
            expected = {k: "" if v is None else str(v) for k, v in expected.items()}
        assert {k: row[k] for k in columns(VOCABULARY)} == expected
    assert tuple(rows[0])[: len(columns(VOCABULARY))] == columns(VOCABULARY)
    assert not journal_path(path).exists()


def test_json_lines_hold_the_whole_record_besides(tmp_path):
    write(tmp_path / "o.jsonl", [result("a.dcm", frames_used=12)])
    row = read(tmp_path / "o.jsonl")[0]
    assert from_json(json.dumps(row["result"])) == result("a.dcm", frames_used=12)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_was_written_is_there_before_the_file_is_closed(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    writer = open_writer(path, VOCABULARY)
    writer.write(result("a"))
    writer.write(result("b", Status.STILL))
    assert rows_done(path) == {"a": "ok", "b": "still"}
    writer.close()
    assert rows_done(path) == {"a": "ok", "b": "still"}


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_are_added_to_a_file_that_is_there(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    write(path, [result("a")])
    write(path, [result("b")], append=True)
    assert [row["file"] for row in read(path)] == ["a", "b"]
    write(path, [result("c")])
    assert [row["file"] for row in read(path)] == ["c"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_torn_last_row_is_cut_off(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    write(path, [result(f"file {i}") for i in range(3)])
    whole = path.read_bytes()
    start_of_last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(start_of_last, len(whole), 7):
        path.write_bytes(whole[:end])
        assert list(rows_done(path)) == ["file 0", "file 1"]
        write(path, [result("file 2")], append=True)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_row_torn_inside_a_name_with_line_breaks_is_cut_off_as_a_whole(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    names = ['a\n"b",\nc.txt', "d\r\ne.txt", 'f\n"\n.txt']
    write(path, [result(name) for name in names[:2]])
    first = path.stat().st_size
    write(path, [result(names[2])], append=True)
    whole = path.read_bytes()
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        assert list(rows_done(path)) == names[:2]
        assert path.stat().st_size == first
    write(path, [result(names[2])], append=True)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_row_that_the_system_takes_in_parts_is_whole(tmp_path, suffix):
    class InParts:
        """A stream as of a pipe or a disk that is nearly full."""

        def __init__(self, stream):
            self.stream = stream
            self.close = stream.close

        def write(self, data):
            return self.stream.write(data[:7])

    write(tmp_path / f"whole{suffix}", [result("a"), result("b")])
    writer = open_writer(tmp_path / f"o{suffix}", VOCABULARY)
    writer._stream = InParts(writer._stream)
    writer.write(result("a"))
    writer.write(result("b"))
    writer.close()
    assert (tmp_path / f"o{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_row_for_which_the_disk_has_no_room_is_no_row_that_was_written(tmp_path, suffix, nearly_full):
    path = tmp_path / f"o{suffix}"
    write(path, [result("a"), result("b")])
    whole = path.read_bytes()
    writer = open_writer(path, VOCABULARY)
    writer.write(result("a"))
    with nearly_full(len(whole) - 10), pytest.raises(OSError, match=f"File too large: '.*o{suffix}'"):
        writer.write(result("b"))
    writer.close()
    assert list(rows_done(path)) == ["a"]
    write(path, [result("b")], append=True)
    assert path.read_bytes() == whole


def test_a_killed_parquet_run_goes_on_from_its_journal(tmp_path):
    path = tmp_path / "o.parquet"
    write(tmp_path / "o.jsonl", [result("a")])
    (tmp_path / "o.jsonl").rename(journal_path(path))
    with journal_path(path).open("ab") as stream:
        stream.write(b'{"file": "torn')
    assert rows_done(path) == {"a": "ok"}
    write(path, [result("b")], append=True)
    assert [row["file"] for row in read(path)] == ["a", "b"]
    # Killed when the file was whole and its journal still there: no row comes twice.
    write(tmp_path / "o.jsonl", [result("b")])
    (tmp_path / "o.jsonl").rename(journal_path(path))
    write(path, [result("c")], append=True)
    assert [row["file"] for row in read(path)] == ["a", "b", "c"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_that_replaces_a_file_and_is_killed_leaves_no_row_of_the_old_one(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    write(path, [result("old")])
    writer = open_writer(path, VOCABULARY)
    writer.write(result("new"))  # and no close
    assert list(rows_done(path)) == ["new"]
    writer.close()


def test_a_file_of_other_columns_is_not_added_to(tmp_path):
    for suffix in (".csv", ".parquet"):
        path = tmp_path / f"o{suffix}"
        write(path, [result("a")])
        before = path.read_bytes()
        with pytest.raises(UsageError, match="other columns"):
            open_writer(path, ("A2C", "A3C"), append=True)
        assert path.read_bytes() == before


def test_names_that_a_spreadsheet_would_run_are_disarmed(tmp_path):
    path = tmp_path / "o.csv"
    names = ["=cmd|' /C calc'!A0", "+1", "-1.dcm", "@sum", "plain.dcm", "/abs/=x", "# a.dcm", "#12/a.dcm", "'=x"]
    write(path, [result(name) for name in names])
    cells = [row["file"] for row in read(path)]
    assert cells[:4] == ["./=cmd|' /C calc'!A0", "./+1", "./-1.dcm", "./@sum"]
    assert cells[4:] == ["plain.dcm", "/abs/=x", "./# a.dcm", "#12/a.dcm", "'=x"]
    assert [file_cell(name, ".csv") for name in names] == cells
    assert file_cell("=x", ".jsonl") == "=x"
    write(path, [ViewResult("x", Status.REFUSED, reasons=("=HYPERLINK()",))])
    assert read(path)[0]["reason"] == "'=HYPERLINK()"


def test_names_that_are_no_text_are_written(tmp_path):
    name = b"caf\xe9.dcm".decode("utf-8", "surrogateescape")
    for suffix in FORMATS:
        path = tmp_path / f"o{suffix}"
        write(path, [result(name)])
        assert read(path)[0]["file"] == "caf?.dcm"
        assert file_cell(name, suffix) in rows_done(path)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"o\.xlsx: the ending says the format; use one of \.csv"):
        open_writer(tmp_path / "o.xlsx", VOCABULARY)


def test_cutting_a_torn_row_reads_only_the_end(tmp_path):
    path = tmp_path / "o.jsonl"
    path.write_bytes(b'{"file": "a", "status": "ok"}\n' * 200_000 + b"x" * 200_000)
    tracemalloc.start()
    assert len(rows_done(path)) == 1
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert path.stat().st_size == 200_000 * 30
