"""Result files (CSV, JSON lines, Parquet): written row by row, whole after a kill, and gone on with later.

The three formats hold the same columns; JSON lines hold the whole record besides, under ``result``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec

from echoplane._files import atomic_write, csv_line, file_cell, put_whole, text_cell
from echoplane._optional import need
from echoplane.errors import UsageError
from echoplane.inference.rows import Row, columns, to_row
from echoplane.records import ViewResult

#: Endings of result files, and what each is.
SUFFIXES: dict[str, str] = {".csv": "CSV", ".jsonl": "JSON lines", ".parquet": "Parquet"}


class ResultWriter(Protocol):
    """Takes results one by one. What has been taken is on disk, in whole rows, whatever happens next."""

    def write(self, result: ViewResult) -> None:
        """Write one row."""

    def close(self) -> None:
        """Finish the file."""


def open_writer(path: str | Path, vocabulary: Sequence[str], *, append: bool = False) -> ResultWriter:
    """Open a result file of the format its ending says.

    Parameters
    ----------
    path : str or Path
        Ends in ``.csv``, ``.jsonl`` or ``.parquet``; its folder is made if needed.
    vocabulary : sequence of str
        Labels, in the order of their ``p_`` columns.
    append : bool
        Go on with a file that is there; a torn last row is cut off. Otherwise a file that is there is replaced.

    Raises
    ------
    UsageError
        For another ending, or a file to go on with that has other columns.
    MissingExtraError
        For Parquet without pyarrow.
    """
    path = Path(path)
    check_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        return _CsvWriter(path, vocabulary, append)
    if path.suffix == ".jsonl":
        return _JsonlWriter(path, vocabulary, append)
    return _ParquetWriter(path, vocabulary, append)


def check_suffix(path: Path) -> None:
    """Raise UsageError when the ending of a result file is none of :data:`SUFFIXES`."""
    if path.suffix not in SUFFIXES:
        known = ", ".join(f"{suffix} ({name})" for suffix, name in SUFFIXES.items())
        raise UsageError(f"{path}: the ending says the format; use one of {known}.")


def rows_done(path: str | Path) -> dict[str, str]:
    """Return file and status of every whole row in a result file; empty when there is no such file.

    Files are spelled as :func:`echoplane._files.file_cell` spells them. A torn last row is cut off the file.

    Raises
    ------
    UsageError
        When it holds no rows of results, for example since a spreadsheet has saved it anew.
    """
    path = Path(path)
    check_suffix(path)
    try:
        return _rows_done(path)
    # pyarrow's ArrowInvalid is a ValueError
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path}: cannot be gone on with, for its rows are not as they were written ({type(error).__name__}). "
            "If another program has saved it anew, write to another file."
        ) from error


def _rows_done(path: Path) -> dict[str, str]:
    if path.suffix == ".csv":
        if not path.exists():
            return {}
        _cut_torn_row(path)
        with path.open(encoding="utf-8", newline="") as stream:
            return {row["file"]: row["status"] for row in csv.DictReader(stream)}
    if path.suffix == ".jsonl":
        return {row["file"]: row["status"] for row in _json_rows(path)}
    done = {}
    if path.exists():
        parquet = need("pyarrow.parquet", "parquet", "read Parquet files")
        table = parquet.read_table(path, columns=["file", "status"])
        done = dict(zip(table["file"].to_pylist(), table["status"].to_pylist(), strict=True))
    return done | {row["file"]: row["status"] for row in _json_rows(journal_path(path))}


def drop_rows(path: str | Path, files: Set[str]) -> None:
    """Take the rows of some files out of a result file; the others stay as they are, byte for byte, and in order.

    Parameters
    ----------
    path : str or Path
    files : set of str
        As :func:`rows_done` gives them.
    """
    path = Path(path)
    for lines in (path, journal_path(path)):
        if lines.exists() and lines.suffix != ".parquet":
            rows = _csv_lines(lines) if lines.suffix == ".csv" else _json_lines(lines)
            with atomic_write(lines, "wb") as stream:
                stream.writelines(line for file, line in rows if file not in files)
    if path.suffix == ".parquet" and path.exists():
        parquet = need("pyarrow.parquet", "parquet", "read Parquet files")
        table = parquet.read_table(path)
        arrow = need("pyarrow", "parquet", "write Parquet files")
        kept = arrow.array([file not in files for file in table["file"].to_pylist()], arrow.bool_())
        with atomic_write(path, "wb") as stream:
            parquet.write_table(table.filter(kept), stream)


def _json_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as stream:
        for line in stream:
            yield json.loads(line)["file"], line


def _csv_lines(path: Path) -> Iterator[tuple[str | None, bytes]]:
    """Yield file and bytes of each row; None and those of the header first. A row may have several lines."""
    taken: list[bytes] = []

    def lines(stream: IO[bytes]) -> Iterator[str]:
        for line in stream:
            taken.append(line)
            yield line.decode()

    with path.open("rb") as stream:
        place: int | None = None
        for cells in csv.reader(lines(stream)):
            yield cells[place] if cells and place is not None else None, b"".join(taken)
            place = cells.index("file") if place is None else place
            taken.clear()


class _LineWriter:
    """Appends whole lines to a text file; each is handed to the system in one piece."""

    def __init__(self, path: Path, vocabulary: Sequence[str], append: bool) -> None:
        self._vocabulary = tuple(vocabulary)
        self._path = path
        if append:
            _cut_torn_row(path)
        self._stream: IO[bytes] = path.open("ab" if append else "wb", buffering=0)
        self._is_new = self._stream.tell() == 0

    def _put(self, line: str) -> None:
        put_whole(self._stream, line, self._path)

    def _row(self, result: ViewResult) -> Row:
        row = to_row(result, self._vocabulary)
        row["file"] = file_cell(result.file, self._path.suffix)
        return row

    def close(self) -> None:
        self._stream.close()


class _CsvWriter(_LineWriter):
    def __init__(self, path: Path, vocabulary: Sequence[str], append: bool) -> None:
        super().__init__(path, vocabulary, append)
        names = columns(vocabulary)
        if self._is_new:
            self._put(csv_line(names))
            return
        with path.open(encoding="utf-8", newline="") as stream:
            found = next(csv.reader(stream), [])
        if tuple(found) != names:
            self.close()
            raise UsageError(f"{path}: has other columns than this bundle gives; write to another file.")

    def write(self, result: ViewResult) -> None:
        row = self._row(result)
        self._put(csv_line([value if name == "file" else text_cell(value) for name, value in row.items()]))


class _JsonlWriter(_LineWriter):
    def write(self, result: ViewResult) -> None:
        row = {**self._row(result), "result": msgspec.to_builtins(result)}
        self._put(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


class _ParquetWriter:
    """Rows go to a journal of JSON lines beside the file, which becomes Parquet when closed.

    A Parquet file has its index at the end, so one that is half written cannot be read.
    """

    def __init__(self, path: Path, vocabulary: Sequence[str], append: bool) -> None:
        self._arrow = need("pyarrow", "parquet", "write Parquet files")
        self._parquet = need("pyarrow.parquet", "parquet", "write Parquet files")
        self._path, self._vocabulary = path, tuple(vocabulary)
        self._earlier = self._parquet.read_table(path) if append and path.exists() else None
        if self._earlier is not None and tuple(self._earlier.column_names) != columns(vocabulary):
            raise UsageError(f"{path}: has other columns than this bundle gives; write to another file.")
        if not append:  # else a run that is killed leaves rows of the old file beside its own
            path.unlink(missing_ok=True)
        self._lines = _JsonlWriter(journal_path(path), vocabulary, append)

    def write(self, result: ViewResult) -> None:
        self._lines.write(result)

    def close(self) -> None:
        self._lines.close()
        arrow, schema, journal = self._arrow, self._schema(), journal_path(self._path)
        # A run that was killed before it could remove its journal has left rows in both.
        there = set(self._earlier["file"].to_pylist()) if self._earlier is not None else set()
        with atomic_write(self._path, "wb") as stream, self._parquet.ParquetWriter(stream, schema) as writer:
            if self._earlier is not None:
                writer.write_table(self._earlier.cast(schema))
            for rows in _batches(_json_rows(journal), 10_000):
                plain = [{name: row[name] for name in schema.names} for row in rows if row["file"] not in there]
                writer.write_table(arrow.Table.from_pylist(plain, schema=schema))
        journal.unlink()

    def _schema(self) -> Any:
        arrow = self._arrow
        text, whole = ("file", "status", "view", "best_view", "votes", "reason"), ("frames",)
        types = {**dict.fromkeys(text, arrow.string()), **dict.fromkeys(whole, arrow.int64())}
        return arrow.schema([(name, types.get(name, arrow.float64())) for name in columns(self._vocabulary)])


def journal_path(path: Path) -> Path:
    """Return where the rows of a Parquet file lie until it is finished."""
    return path.with_name(path.name + ".partial.jsonl")


def _json_rows(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    _cut_torn_row(path)
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _cut_torn_row(path: Path) -> None:
    """Cut off what follows the last whole row: one that was being written when the process was killed."""
    if not path.exists():
        return
    with path.open("r+b") as stream:
        whole = _end_of_csv_rows(stream) if path.suffix == ".csv" else _end_of_lines(stream)
        if whole < stream.seek(0, io.SEEK_END):
            stream.truncate(whole)


def _end_of_lines(stream: IO[bytes]) -> int:
    """Return where the last whole line ends; only the end of the file is read."""
    position = stream.seek(0, io.SEEK_END)
    while position > 0:
        start = max(0, position - 65536)
        stream.seek(start)
        newline = stream.read(position - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0


def _end_of_csv_rows(stream: IO[bytes]) -> int:
    """Return where the last whole row ends: names may hold line breaks, so that only the reader of CSV can tell."""
    position, is_read = 0, False

    def whole_lines() -> Iterator[str]:
        nonlocal position, is_read
        for line in stream:
            if line.endswith(b"\n"):
                position += len(line)
                yield line.decode("utf-8", "replace")
        is_read = True

    end = 0
    for _ in csv.reader(whole_lines()):
        if not is_read:  # asked for more lines, in vain, the reader gives a row that has lost its end
            end = position
    return end


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
