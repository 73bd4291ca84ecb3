"""The table of an export: which input became which output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from echoplane._files import csv_line, file_cell, put_whole
from echoplane.errors import UsageError

if TYPE_CHECKING:
    from echoplane.pipelines.export import ExportRow

COLUMNS = ("file", "status", "output", "frames", "fps", "masked", "sector_confidence", "reason")


class ExportTable:
    """A CSV file that takes rows one by one: what is exported is in it, also after a kill or on a full disk.

    Outputs are named after their content, so this table alone knows whose they are.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream

    @classmethod
    @contextmanager
    def opened(cls, path: str | Path | None, *, overwrite: bool) -> Iterator[ExportTable | None]:
        """Begin a table, the header first; None where no table is wanted.

        Parameters
        ----------
        path : str, Path or None
            Its folder is made if needed.
        overwrite : bool
            Replace a file that is there.

        Raises
        ------
        UsageError
            When it is there already, and not to be replaced.
        OSError
            When it cannot be written; here, or when a row is.
        """
        if path is None:
            yield None
            return
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            stream = path.open("wb" if overwrite else "xb", buffering=0)
        except FileExistsError:
            raise UsageError(f"{path}: is there already; --overwrite replaces it.") from None
        with stream:
            table = cls(path, stream)
            table._put(COLUMNS)
            yield table

    def write(self, row: ExportRow) -> None:
        """Write one row; it is handed to the system before this returns."""
        sure = "" if row.sector is None else f"{row.sector.confidence:.2f}"
        rate = "" if row.fps is None else f"{row.fps:.3f}".rstrip("0").rstrip(".")
        name, masked, reason = file_cell(row.file, ".csv"), str(row.masked).lower(), " ".join(row.reasons)
        self._put((name, str(row.status), row.output, row.n_frames or "", rate, masked, sure, reason))

    def _put(self, cells: tuple[object, ...]) -> None:
        put_whole(self._stream, csv_line(cells), self._path)
