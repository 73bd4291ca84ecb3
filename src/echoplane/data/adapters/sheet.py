"""A label sheet: study folder, file name, view; the files lie under ``<root>/<study>/<file>``, or ``<root>/<file>``."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from echoplane._files import read_table_text, without_dots
from echoplane.data.adapters._tables import column_split, first_file, item_of, key_of, number, safe_below
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import NO_VIEW, Failure, Manifest, ManifestRow
from echoplane.errors import DataError
from echoplane.sources.item import meant, shown

#: Spellings of the columns, without spaces, dots, hyphens and underscores.
_COLUMNS = {
    "study": ("study", "folder", "studyfolder", "studyid", "exam", "examid"),
    "file": ("file", "filename", "name", "path"),
    "view": ("view", "label", "class", "plane"),
    "patient": (
        *("patient", "patientid", "patientnumber", "patientnr", "patientno", "patid", "patnr", "pid"),
        *("mrn", "medicalrecordnumber", "subject", "subjectid", "subjectnumber", "subjectnr", "subjectno"),
    ),
    "split": ("split", "part", "set"),
    "fps": ("fps", "framerate"),
}
#: What may separate columns, beside white space; the first counts where nothing else tells.
_MARKS = (",", ";", "\t")
_ENDINGS = (".txt", ".csv", ".tsv", ".lst")
#: So many columns that are not used are named.
_NAMED = 8
#: A line break within a cell, as Alt+Enter makes it in a spreadsheet.
_BREAK = re.compile(r"\s*[\r\n]+\s*")

#: The number of the line where a row begins, and its cells.
_Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One line of a label sheet."""

    number: int
    study: str
    file: str
    view: str
    patient: str = ""
    split: str = ""
    fps: str = ""


def read_sheet(path: Path) -> Iterator[SheetLine]:
    """Read a sheet, separated by commas, semicolons, tabs or other white space.

    Without a header the columns are study, file, view, and the view may have spaces in it. With a header they may
    come in any order, study may be left out, and patient, split and fps are understood as well; where white space
    separates them, only the last column may have spaces in it. Empty lines and remarks do not count; a remark begins
    with ``#`` and a space, for a study may be called ``#12``. What separates the columns is what gives all lines
    equally many of them.

    Raises
    ------
    DataError
        Names the file and the line or column.
    """
    names, columns, separator, records = _table(path)
    for line_number, cells in records:
        if not any(cells):
            continue  # spreadsheets write the empty rows below a table too
        if separator is None and columns["view"] < len(names) - 1 and len(" ".join(cells).split()) > len(names):
            raise DataError(f"{path}:{line_number}: has more words than columns; separate them by commas or tabs.")
        needed = [name for name in ("study", "file", "view") if name in columns]
        if len(cells) <= max(columns[name] for name in needed):
            raise DataError(f"{path}:{line_number}: has {len(cells)} columns; expected {', '.join(needed)}.")
        values = {name: cells[place] for name, place in columns.items() if place < len(cells)}
        yield SheetLine(line_number, **{"study": "", **values})


def _table(path: Path) -> tuple[list[str], dict[str, int], str | None, list[_Record]]:
    """Return the names of all columns, the places of those that are understood, what separates them, and the lines."""
    text, first = read_table_text(path, "a label sheet")
    separator = _separator(text, path)
    if separator is None:
        lines = enumerate(text.splitlines(), first)
        records = [(n, [line]) for n, line in lines if line.strip() and not _is_remark(line)]
    else:
        records = list(_records(text, separator, path, first))
    if not records:
        raise DataError(f"{path}: is an empty label sheet.")
    names = records[0][1] if separator else records[0][1][0].split()
    columns = _header(names)
    if columns is None:
        names, columns = ["study", "file", "view"], {"study": 0, "file": 1, "view": 2}
    else:
        missing = [name for name in ("file", "view") if name not in columns]
        if missing:
            raise DataError(
                f"{path}: the header has no column {missing[0]!r}; needed are file and view, and study where the files "
                "lie in a folder for each."
            )
        records = records[1:]
    if separator is None:  # the last column may have spaces in it
        records = [(n, line.split(maxsplit=len(names) - 1)) for n, (line,) in records]
    return names, columns, separator, records


def columns_not_used(path: Path) -> list[str]:
    """Return the columns of a sheet that nobody looks at, as its header spells them."""
    names, columns, _, _ = _table(path)
    return [name for i, name in enumerate(names) if name and i not in columns.values()]


def _is_remark(line: str) -> bool:
    return line.startswith("#") and (len(line.rstrip()) == 1 or line[1].isspace())


def _separator(text: str, path: Path) -> str | None:
    """Return what separates the columns: what gives all lines as many, the most of them; else what the first has."""
    line = next((line for line in text.splitlines() if line.strip() and not _is_remark(line)), "")
    marks = [mark for mark in _MARKS if mark in line]
    widths = {mark: {len(cells) for _, cells in _records(text, mark, path, open_ended=True)} for mark in marks}
    even = [mark for mark in marks if len(widths[mark]) == 1]
    return max(even or marks[:1], key=lambda mark: max(widths[mark]), default=None)


def _records(text: str, separator: str, path: Path, first: int = 1, *, open_ended: bool = False) -> Iterator[_Record]:
    """Yield each row of a sheet with the number of the line where it begins; a quoted cell may have lines in it.

    `open_ended` lets a quote that nothing closes pass, to try a separator.
    """
    row: list[tuple[int, str]] = []  # the lines that the reader has taken for the present row

    def lines() -> Iterator[str]:
        for n, line in enumerate(io.StringIO(text, newline=""), first):
            if row or (line.strip() and not _is_remark(line)):
                row.append((n, line))
                yield line

    reader = csv.reader(lines(), delimiter=separator)
    try:
        for cells in reader:
            if len(row) > 1 and not open_ended and sum(line.count('"') for _, line in row) % 2:
                raise DataError(f'{path}:{row[0][0]}: opens a quote (") that nothing closes; close it, or take it out.')
            yield row[0][0], [_BREAK.sub(" ", cell.strip()) for cell in cells]
            row.clear()
    except csv.Error as error:
        raise DataError(f"{path}:{row[0][0] if row else first}: cannot be read as a label sheet ({error}).") from error


def _header(cells: list[str]) -> dict[str, int] | None:
    bare = [re.sub(r"[\s._#-]+", "", cell.casefold()) for cell in cells]
    names: dict[str, int] = {}
    for i, cell in enumerate(bare):
        for name in (name for name, known in _COLUMNS.items() if cell in known):
            names.setdefault(name, i)  # of two columns for one thing the first counts
    return names if "file" in names and ("view" in names or "study" in names) else None


def find_file(root: Path, line: SheetLine) -> Path | None:
    """Return the file that a line means, with or without ``.dcm``; None when it names none that is there.

    Result files of ``predict`` name files as seen from where it ran: ``exams/s1/a.dcm`` is looked up as ``s1/a.dcm``
    too where `root` is a folder ``exams``.
    """
    if not _names_a_file(line):
        return None
    return first_file(
        place.with_name(name) for place in places(root, line.study, line.file) for name in spellings(place.name)
    )


def places(root: Path, *parts: str) -> Iterator[Path]:
    """Yield where a file that a sheet names may lie, all below `root`: as named, then without the names of `root`.

    An absolute path counts where it lies below `root`, with or without the links on the way there. Bytes that are no
    text are named as results name them.
    """
    yield from _places(root, safe_below(root, *parts), parts[-1])
    if (names := tuple(map(meant, parts))) != parts:
        # Joined as they are: on systems where names are bytes, a backslash is one of them.
        yield from _places(root, root.joinpath(*names) if safe_below(root, *names) else None, names[-1])


def _places(root: Path, place: Path | None, last: str) -> Iterator[Path]:
    if os.path.isabs(last):  # noqa: PTH117
        whole = Path(without_dots(last))
        tops = [top for top in (Path(without_dots(root)), Path(os.path.realpath(root))) if top in whole.parents]
        if tops:
            yield root / whole.relative_to(tops[0])
        return
    if place is None:
        return
    yield place
    names = place.relative_to(root).parts
    if len(names) > 1 and (root / names[0]).is_dir():  # that folder is meant, also when the file is moved away by now
        return
    outer = Path(without_dots(root)).parts
    for count in range(1, min(len(names), len(outer))):
        if names[:count] == outer[-count:]:
            yield root.joinpath(*names[count:])


def _names_a_file(line: SheetLine) -> bool:
    """Tell an empty cell, or one of nothing but dots and slashes, from a name: it would mean the study's folder."""
    return bool(PurePosixPath(line.file.replace("\\", "/")).name)


def spellings(name: str) -> tuple[str, ...]:
    """Return the names of files that a name in a sheet may mean: with or without ``.dcm``."""
    bare = name[:-4] if name.lower().endswith(".dcm") and len(name) > 4 else name
    return name, f"{name}.dcm", f"{name}.DCM", bare


def sheet_in(root: Path, given: Path | None) -> Path:
    """Return the sheet: the one given, or the only text table in `root`.

    Raises
    ------
    DataError
        When none is given and there is none, or more than one.
    """
    if given is not None:
        return given
    found = sorted(path for path in root.iterdir() if path.suffix.lower() in _ENDINGS) if root.is_dir() else []
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{root}: give the label sheet as --sheet FILE; text tables found in the folder: {names}.")
    return found[0]


def read(root: Path, options: Options) -> Manifest:
    """List the cines of a label sheet."""
    sheet = sheet_in(root, options.sheet)
    rows, failures = [], []
    for line in read_sheet(sheet):
        path = find_file(root, line)
        if path is None:
            failure = _not_found(root, line, f"{sheet.name}:{line.number}")
            # What has no view is not wanted anyway: links and folders among what `predict` could not read.
            failures.append(failure if line.view else Failure(failure.file, "left_out", NO_VIEW))
            continue
        rows.append(
            ManifestRow(
                key_of(path, root),
                item_of(path, root),
                line.view,
                patient=line.patient,
                study=line.study,
                split=column_split(line.split, sheet, "split"),
                fps=_rate(line, sheet),
            )
        )
    return Manifest(tuple(rows), tuple(failures), _not_used(sheet))


def _not_used(sheet: Path) -> tuple[str, ...]:
    names = columns_not_used(sheet)
    if not names:
        return ()
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return (f"{sheet.name}: columns not used: {listed}. Understood are {', '.join(_COLUMNS)}.",)


def _not_found(root: Path, line: SheetLine, where: str) -> Failure:
    if not _names_a_file(line):
        return Failure(where, "missing", "Names no file.")
    is_whole = os.path.isabs(line.file)  # noqa: PTH117
    name = f"{line.study}/{line.file}" if line.study and not is_whole else line.file
    if next(places(root, line.study, line.file), None) is None:
        reason = (
            f"Is named in {where} by a path that is absolute or has '..' in it, and so may lead out of {shown(root)}; "
            "write it as a path below that folder."
        )
        return Failure(name, "missing", reason)
    return Failure(name, "missing", f"Is named in {where} and is not there.", line.view)


def _rate(line: SheetLine, sheet: Path) -> float | None:
    rate = number(line.fps.replace(",", "."))  # a decimal comma, as many spreadsheets write
    if line.fps and (rate is None or not 0 < rate < math.inf):
        raise DataError(f"{sheet}:{line.number}: the frame rate {line.fps!r} is no number above 0.")
    return rate


LAYOUT = Layout("sheet", "a label sheet (study, file, view), files in <study>/<file>, or (file, view)", read)
