"""The sheet beside every result file that says how it was made: versions, bundle, settings, counts, time."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import echoplane
from echoplane import config
from echoplane.errors import ConfigError, UsageError

State = Literal["running", "finished", "interrupted"]

#: Distributions whose version can change an answer.
LIBRARIES: tuple[str, ...] = (
    "numpy",
    "openvino",
    "opencv-python-headless",
    "pydicom",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "pyjpegls",
    "av",
    "pillow",
    "torch",
)


@dataclass(frozen=True, slots=True)
class RunManifest:
    """Content of ``<output>.manifest.json``.

    Attributes
    ----------
    state : {"running", "finished", "interrupted"}
        ``running`` also after a kill, which leaves no time to write.
    started, ended : str
        UTC, ISO 8601; `ended` is empty while running.
    seconds : float
        Of all runs that wrote to the output, as far as they came to an end.
    bundle : mapping
        ``name`` and ``sha256`` (of its ``bundle.json``, which holds the hashes of its members).
    settings : mapping
        What was asked for and can change an answer.
    engine : mapping
        ``name``, ``device`` and ``precision``, as they really were.
    versions : mapping of str to str
    since : str
        When the oldest row may have been written, to the microsecond: the begin of the first run, where this one went
        on with it. Empty in manifests of before; then `started`.
    folder : str
        What relative names in the `file` column start from: the working folder, as seen from the folder of the output.
    files : int
        Rows in the output.
    counts : mapping of str to int
        Rows by status.
    """

    state: State
    started: str
    bundle: Mapping[str, str]
    settings: Mapping[str, Any]
    engine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    ended: str = ""
    seconds: float = 0.0
    files: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    since: str = ""
    format: str = "echoplane-run"
    format_version: int = 1


def manifest_path(output: str | Path) -> Path:
    """Return where the manifest of a result file lies."""
    return Path(f"{output}.manifest.json")


def versions() -> dict[str, str]:
    """Return the versions of echoplane, Python, the system and the libraries that are installed."""
    found = {"echoplane": echoplane.__version__, "python": platform.python_version(), "system": platform.platform()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load_manifest(output: str | Path) -> RunManifest:
    """Read the manifest of a result file.

    Raises
    ------
    UsageError
        When there is none, or it is damaged.
    """
    path = manifest_path(output)
    if not path.exists():
        raise UsageError(
            f"{output}: cannot be gone on with, since nothing tells how it was made: there is no {path.name} beside "
            "it. Write to another file, or use --overwrite."
        )
    try:
        return config.load(RunManifest, path)
    except ConfigError as error:
        raise UsageError(
            f"{output}: cannot be gone on with, since its manifest does not tell how it was made ({error}). "
            "Write to another file, or use --overwrite."
        ) from error


def check_same(earlier: RunManifest, now: RunManifest, output: str | Path) -> None:
    """Make sure that rows written now mean the same as those that are there.

    Raises
    ------
    UsageError
        When the bundle, a setting or the version of echoplane differs; the message names the first difference.
    """
    pairs = [
        ("echoplane", earlier.versions.get("echoplane"), now.versions.get("echoplane")),
        ("bundle", earlier.bundle.get("sha256", "")[:12], now.bundle.get("sha256", "")[:12]),
        *((name, earlier.settings.get(name), value) for name, value in now.settings.items()),
    ]
    for name, before, after in pairs:
        if before != after:
            raise UsageError(
                f"{output}: cannot be gone on with: it was made with {name} {before!r}, and this run has {after!r}. "
                "Use the same, or write to another file."
            )


def here_from(output: str | Path) -> str:
    """Return the working folder as seen from the folder of a result file; it tells of no more folders than needed."""
    here, there = Path.cwd(), Path(output).parent.resolve()
    try:
        return Path(os.path.relpath(here, there)).as_posix()
    except ValueError:  # another drive of Windows: no way leads there but the whole one
        return here.as_posix()


def check_folder(earlier: RunManifest, names: Iterable[str], output: str | Path) -> None:
    """Make sure that the relative file names of the rows that are there mean the same files from here.

    Parameters
    ----------
    earlier : RunManifest
    names : iterable of str
        The `file` column.
    output : str or Path

    Raises
    ------
    UsageError
        When a name is relative, and was given from another folder than this one.
    """
    if not earlier.folder or all(Path(name).is_absolute() for name in names):
        return
    folder = (Path(output).parent.resolve() / earlier.folder).resolve()
    if not folder.is_dir() or not folder.samefile(Path.cwd()):
        raise UsageError(
            f"{output}: cannot be gone on with from here: its rows name files as seen from {folder}. "
            "Go there and start again, or write to another file."
        )


def now(to: Literal["seconds", "microseconds"] = "seconds") -> str:
    """Return the present time, UTC, ISO 8601, to the second unless said otherwise."""
    return datetime.now(UTC).isoformat(timespec=to)
