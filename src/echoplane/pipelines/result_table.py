"""A result file and its manifest as one thing: begun, gone on with, written, closed."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from echoplane import config
from echoplane._files import absolute_name, file_cell
from echoplane._locks import held, lock_path
from echoplane.errors import UsageError
from echoplane.inference.report import (
    ResultWriter,
    check_suffix,
    drop_rows,
    journal_path,
    open_writer,
    rows_done,
)
from echoplane.pipelines.run_manifest import RunManifest, check_folder, check_same, load_manifest, manifest_path, now
from echoplane.records import ViewResult


class ResultTable:
    """The result file and its manifest; does nothing when no output is wanted."""

    def __init__(self, output: str | Path | None, *, resume: bool, overwrite: bool) -> None:
        self._given = None if output is None else Path(output)
        # Of a link the file it leads to: that is what is locked and, in --retry, replaced.
        is_link = self._given is not None and self._given.is_symlink()
        self.path = Path(os.path.realpath(self._given)) if self._given and is_link else self._given
        self._resume = resume
        self._writer: ResultWriter | None = None
        self._manifest: RunManifest | None = None
        self._seconds_before = 0.0
        #: When the oldest of the rows that are there may have been written, as the manifest says it.
        self.since_text = ""
        if self.path is None or self._given is None:
            if resume:
                raise UsageError("--resume and --retry go on with a result file: name it with --output.")
            return
        check_suffix(self._given)
        check_suffix(self.path)
        if resume and overwrite:
            raise UsageError(
                "--resume and --retry keep the rows that are there, --overwrite does not: give one of them."
            )

    @classmethod
    @contextlib.contextmanager
    def held(cls, output: str | Path | None, *, resume: bool, overwrite: bool) -> Iterator[ResultTable]:
        """Give the table, with other runs kept out of it while the block runs.

        Raises
        ------
        UsageError
            When the options make no sense, another run is writing the file, or it is there already and to be kept.
        """
        table = cls(output, resume=resume, overwrite=overwrite)
        if table.path is None:
            yield table
            return
        with held(table.path):
            if not (resume or overwrite) and (table.path.exists() or journal_path(table.path).exists()):
                raise UsageError(f"{output}: is there already. Use --resume to go on with it, or --overwrite.")
            yield table

    @property
    def manifest_path(self) -> Path | None:
        """Where the manifest lies, or None."""
        return None if self.path is None else manifest_path(self.path)

    @cached_property
    def _own_files(self) -> dict[str, str]:
        path, given = self.path, self._given
        if path is None or given is None:
            return {}
        files = (given, path, manifest_path(path), journal_path(path), lock_path(path))
        return {name.casefold(): name for name in map(absolute_name, files)}

    def is_own(self, place: str) -> bool:
        """Tell whether this table writes a file: none of it is input, where it lies in a folder that is read.

        Parameters
        ----------
        place : str
            As :func:`echoplane._files.absolute_name` gives it.
        """
        own = self._own_files.get(place.casefold())
        if own is None or own == place:
            return own is not None
        # Disks of macOS take both spellings for one file, and its folders are listed in that of the file.
        with contextlib.suppress(OSError):
            return Path(own).samefile(place)
        return False

    def rows_there(self, manifest: RunManifest) -> dict[str, str]:
        """Return file and status of the rows to keep, after making sure that this run would write the same."""
        if self.path is None or not self._resume:
            return {}
        files = [file for file in (self.path, journal_path(self.path)) if file.exists()]
        if not any(file.stat().st_size for file in files):
            self._resume = False
            return {}
        # Before the file is touched: without a manifest it may be anybody's.
        earlier = load_manifest(self.path)
        check_same(earlier, manifest, self.path)
        self._seconds_before = earlier.seconds
        self.since_text = earlier.since or earlier.started
        done = rows_done(self.path)
        check_folder(earlier, done, self.path)
        return done

    @property
    def since(self) -> float:
        """`since_text` in seconds since 1970; 0 where there is no row, and then nothing is older."""
        return datetime.fromisoformat(self.since_text).timestamp() if self.since_text else 0.0

    def drop(self, files: Set[str]) -> None:
        """Take out rows whose files are to be answered for once more."""
        if self.path is not None and files:
            drop_rows(self.path, files)

    def cell(self, source: str) -> str:
        """Return a file's name as the result file spells it."""
        return source if self.path is None else file_cell(source, self.path.suffix)

    def open(self, vocabulary: Sequence[str], manifest: RunManifest) -> None:
        """Open the file, and say in the manifest that a run is under way."""
        if self.path is None:
            return
        self._writer = open_writer(self.path, vocabulary, append=self._resume)
        self._manifest = manifest
        self._save(manifest)

    def write(self, result: ViewResult) -> None:
        """Write one row."""
        if self._writer is not None:
            self._writer.write(result)

    def close(self, counts: Counter[str], seconds: float, interrupted: bool) -> None:
        """Finish the file, and write into the manifest how it ended."""
        if self._writer is None or self._manifest is None:
            return
        self._writer.close()
        self._save(
            replace(
                self._manifest,
                state="interrupted" if interrupted else "finished",
                ended=now(),
                seconds=round(self._seconds_before + seconds, 3),
                files=sum(counts.values()),
                counts=dict(counts.most_common()),
            )
        )

    def _save(self, manifest: RunManifest) -> None:
        assert self.path is not None
        config.save(manifest, manifest_path(self.path))
