"""Files that are whole or not there: atomic writes, hashes, names that are safe on every system."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from echoplane.errors import DataError, UsageError

#: What is said of a path that is the empty text.
EMPTY_PATH = "a path is empty: name a file or a folder; '.' is the folder you are in."

#: A spreadsheet takes a cell that starts with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{i}" for port in ("com", "lpt") for i in "123456789¹²³"),
}


def nothing_to_read(paths: Sequence[str]) -> UsageError:
    """Return what is said where no file is found in the paths that a user gave."""
    where = f"nothing to read in {', '.join(paths)}" if paths else "no path is given"
    return UsageError(f"{where}: give files, or folders that hold files.")


@contextmanager
def atomic_write(path: str | Path, mode: str = "w", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a temporary sibling of `path` and rename it over `path` only if the block ends well.

    Parameters
    ----------
    path : str or Path
        The final file; its folder is made if needed.
    mode : {"w", "wb"}
        Text (UTF-8, newlines untouched) or binary.
    durable : bool
        Wait until the disk has the bytes. False for pictures and the like, which can be made again: whole or not there
        after a kill of the process, but perhaps not after a power cut.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Opened as any new file is, so that it has the rights of one: some disks (of WSL, USB sticks, shares) let nobody
    # change them afterwards.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.tmp")
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with temporary.open(mode.replace("w", "x"), **text) as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        name_target(error, target, temporary)
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def put_whole(stream: IO[bytes], text: str, path: Path) -> None:
    """Hand all of a text to the system, through a stream that keeps nothing back.

    Raises
    ------
    OSError
        As the system says it, with `path` for its file.
    """
    data = memoryview(text.encode("utf-8", "replace"))
    try:
        while data:  # a disk that is nearly full takes a part, and says only the next time that it is full
            data = data[stream.write(data) :]
    except OSError as error:
        name_target(error, path)
        raise


def name_target(error: OSError, target: Path, temporary: Path | None = None) -> None:
    """Make the system's error name the file that was to be written: a full disk names none, others `temporary`."""
    if error.filename is None or (error.filename == str(temporary) and error.filename2 is None):
        error.filename = str(target)


def naming(error: OSError, target: Path, temporary: Path) -> OSError:
    """Return the system's error as one that names `target`, where it names none, or `temporary` or what is in it.

    For errors of PyAV, which cannot be changed.
    """
    name = error.filename
    if name is not None and not Path(os.fsdecode(name)).is_relative_to(temporary):
        return error
    return OSError(error.errno, error.strerror, str(target))


def absolute_name(path: str | Path) -> str:
    r"""Return one spelling for all the ways to name a file from here; links are left as they are.

    On Windows, where ``C:\A.dcm`` and ``c:/a.dcm`` are one file, that of small letters and backslashes.
    """
    return os.path.normcase(without_dots(path))


def without_dots(path: str | Path) -> str:
    """Return a path from the root on, without ``.`` and ``..``; links are left as they are, but those before a ``..``.

    ``link/..`` is the folder that holds what the link leads to, as the system has it, and not the one of the link.
    """
    text = os.fspath(path)
    if os.path.sep != "/" or ".." not in text.split("/"):  # Windows takes ".." away before it looks at the disk
        return os.path.abspath(text)  # noqa: PTH100 -- resolve() follows links, absolute() keeps "..", and this is fast
    place = "/" if text.startswith("/") else os.getcwd()  # noqa: PTH109
    for name in text.split("/"):
        if name == "..":
            place = os.path.dirname(os.path.realpath(place) if os.path.islink(place) else place)  # noqa: PTH114, PTH120
        elif name not in ("", "."):
            place = os.path.join(place, name)  # noqa: PTH118
    return place


def each_path(paths: str | Path | Iterable[str | Path]) -> Iterator[str]:
    """Yield paths that a caller gave, as text; a single one may be given by itself.

    Raises
    ------
    UsageError
        At an empty one. The system takes it for the present folder; it is a name that got lost on the way.
    """
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        if not (text := os.fspath(path)):
            raise UsageError(EMPTY_PATH)
        yield text


def csv_line(values: Iterable[Any]) -> str:
    """Return one line of CSV, ended by a line feed.

    Cells with a carriage return are quoted too, as spreadsheets and Python's reader want it; Python's writer does that
    only where the carriage return ends its lines.
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerow(values)
    return stream.getvalue()[:-2] + "\n"


def write_csv(path: str | Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write a table, the header first, whole or not at all."""
    with atomic_write(path) as stream:
        stream.writelines(csv_line(row) for row in rows)


def file_cell(name: str, suffix: str) -> str:
    """Return a file name as it stands in the `file` column.

    In CSV a relative name that a spreadsheet would take for a formula, or a label sheet for a remark, gets ``./`` in
    front, which names the same file.
    """
    name = name.encode("utf-8", "replace").decode()  # bytes in names that are no UTF-8 cannot be written
    is_remark = name.startswith("#") and name[1:2].isspace()
    return f"./{name}" if suffix == ".csv" and (is_remark or name.startswith(_FORMULA_STARTS)) else name


def text_cell(value: Any) -> Any:
    """Return a value as it may stand in a table: text that a spreadsheet would take for a formula gets ``'`` in front.

    So does text that has one there already, for :func:`text_of_cell` to give back what was meant.
    """
    is_formula = isinstance(value, str) and value.lstrip("'").startswith(_FORMULA_STARTS)
    return f"'{value}" if is_formula else value


def text_of_cell(cell: str) -> str:
    """Return the text that :func:`text_cell` has made a cell of."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS) else cell


def read_table_text(path: str | Path, kind: str) -> tuple[str, int]:
    """Read the text of a table that somebody made: UTF-8, or UTF-16 as spreadsheets call Unicode.

    Parameters
    ----------
    path : str or Path
    kind : str
        What it should be, for the message: ``"a label sheet"``.

    Returns
    -------
    text : str
        Without byte order mark, and without the first line ``sep=;`` that tells spreadsheets the separator.
    first : int
        Number of its first line in the file: 2 after such a line, else 1.

    Raises
    ------
    DataError
        When it cannot be read, or is text of another encoding.
    """
    try:
        data = Path(path).read_bytes()
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: cannot be read as {kind}: it is not UTF-8 (byte {error.object[error.start]:#04x} at "
            f"{error.start}). In a spreadsheet, save it as 'CSV UTF-8'."
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read as {kind} ({error}).") from error
    bare = re.sub(r"\A\"?sep=.\"?\r?\n", "", text)
    return bare, 1 if bare == text else 2


def csv_mark(header: str) -> str:
    """Return what separates the columns of a table: a comma, or the semicolon or tab that spreadsheets may write."""
    return next((mark for mark in ",;\t" if mark in header), ",")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def safe_name(text: str, limit: int = 120) -> str:
    """Turn any text into a file name that Windows, macOS and Linux accept.

    Letters and digits of every script stay; separators and control characters become ``_``; names that Windows
    reserves get a ``_`` in front.
    """
    name = re.sub(r"[^\w.\-]+", "_", unicodedata.normalize("NFC", text)).strip("._")[:limit].rstrip("._") or "unnamed"
    return f"_{name}" if name.split(".")[0].lower() in _RESERVED else name
