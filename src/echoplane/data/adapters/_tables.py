"""Tables and files of data sets, with errors that name the file and the column."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from echoplane._files import csv_mark, read_table_text
from echoplane.errors import DataError
from echoplane.sources.item import SourceItem, shown
from echoplane.views import suggest

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def read_table(path: Path, needs: Sequence[str | tuple[str, ...]]) -> list[dict[str, str]]:
    """Read a CSV with a header, separated by commas, semicolons or tabs.

    Parameters
    ----------
    path : Path
    needs : sequence of str or tuple of str
        Columns that must be there; a tuple names spellings of one column. Case and outer spaces do not matter. Each
        comes out under its first spelling.

    Returns
    -------
    list of dict
        One a line, all columns, values stripped.

    Raises
    ------
    DataError
        When the file is missing or no CSV, or a column is not there: names file, column, and what there is.
    """
    return [line for _, line in read_numbered(path, needs)]


def read_numbered(path: Path, needs: Sequence[str | tuple[str, ...]]) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV as :func:`read_table` does, each line with its number in the file."""
    text, first = read_table_text(path, "a CSV table")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=csv_mark(text.partition("\n")[0]))
        header = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = header
        numbered = ((reader.line_num + first - 1, line) for line in reader)
        # Spreadsheets write the empty rows below a table too, as nothing but separators.
        lines = [(n, line) for n, line in numbered if any(isinstance(v, str) and v.strip() for v in line.values())]
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read as a CSV table ({error}).") from error
    folded = {name.casefold(): name for name in header}
    renamed: dict[str, str] = {}
    for need in needs:
        spellings = (need,) if isinstance(need, str) else need
        found = next((folded[s.casefold()] for s in spellings if s.casefold() in folded), None)
        if found is None:
            raise DataError(
                f"{path}: has no column {' or '.join(map(repr, spellings))}{suggest(spellings[0], header) or '.'} "
                f"Its columns are: {', '.join(header) or 'none'}."
            )
        renamed[found] = spellings[0]
    return [
        (n, {renamed.get(name, name): (value or "").strip() for name, value in line.items() if isinstance(name, str)})
        for n, line in lines
    ]


def need_file(root: Path, *names: str) -> Path:
    """Return the first of the files that is there, looked for in `root` and one folder below.

    Raises
    ------
    DataError
        When none is there.
    """
    for name in names:
        for place in (root / name, *sorted(root.glob(f"*/{name}"))):
            if place.is_file():
                return place
    raise DataError(f"{root}: holds no {' or '.join(names)}; is this the folder of the data set, and its layout?")


def column_split(text: str, path: Path, column: str) -> str:
    """Turn TRAIN, VAL, Test, ... into the name of a part; empty stays empty.

    Raises
    ------
    DataError
        When it is none of these.
    """
    if not text:
        return ""
    try:
        return _SPLITS[text.casefold()]
    except KeyError:
        raise DataError(f"{path}: column {column!r} holds {text!r}; expected train, val or test.") from None


def number(text: str) -> float | None:
    """Return a number, or None where there is none."""
    try:
        return float(text)
    except ValueError:
        return None


def safe_below(root: Path, *parts: str) -> Path | None:
    """Join parts below `root`; None when they would lead out of it."""
    clean = PurePosixPath(*(part.replace("\\", "/") for part in parts))
    if clean.is_absolute() or ".." in clean.parts or PureWindowsPath(clean).drive:
        return None
    return root / clean


def first_file(candidates: Iterable[Path]) -> Path | None:
    """Return the first path that is a file."""
    return next((path for path in candidates if is_file(path)), None)


def is_file(path: Path) -> bool:
    """Tell whether there is such a file; what the system refuses (a name too long) is none."""
    return os.path.isfile(path)  # noqa: PTH113 -- Path.is_file() raises there


def files_ending(root: Path, ending: str) -> list[Path]:
    """Return what has this ending, in small letters or capitals, anywhere below `root`; broken links too."""
    return sorted(path for path in root.rglob("*") if path.suffix.lower() == ending and not path.is_dir())


def key_of(path: Path, root: Path) -> str:
    """Return the path below `root`, with ``/``."""
    return shown(path.relative_to(root).as_posix())


def item_of(path: Path, root: Path) -> SourceItem:
    """Return what `open_cine` opens, named by its path below `root`."""
    return SourceItem(key_of(path, root), path)
