"""What all verbs share: exit codes, the two consoles, and text that is safe to print."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console

    from echoplane.data.manifest import Failure

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

#: What ``--split`` takes, wherever it is taken.
SPLIT_HELP = "Only these rows: a split that the store names, or FILE.csv (its validation cines), or FILE.csv:test."

#: Columns of a table that does not go to a terminal.
PIPE_WIDTH = 120


def console(*, stderr: bool = False) -> Console:
    """Return a console for results (stdout), or for progress and remarks (stderr)."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH, highlight=False)


def refuse_what_is_there(target: Path, allowed: bool, option: str = "--force") -> None:
    """Raise UsageError where a file would be written over without the option that allows it."""
    from echoplane.errors import UsageError

    if target.exists() and not allowed:
        raise UsageError(f"{target}: is there already; use {option} to replace it.")


def print_warning(text: str) -> None:
    """Print what a user should know before going on, to stderr."""
    console(stderr=True).print(f"warning: {printable(text)}", style="yellow", markup=False)


def print_error(text: str) -> None:
    """Print an error to stderr."""
    print(f"error: {printable(text)}", file=sys.stderr)


def print_failures(failures: Iterable[Failure]) -> None:
    """Print to stderr what ``--quiet`` leaves of a run over labelled cines: what failed, a line each."""
    for failure in failures:
        if failure.status != "left_out":
            print_error(f"{failure.file}: {failure.reason}")


def json_text(value: object) -> str:
    """Return JSON of plain letters, which comes through whatever letters a pipe or a file of this system holds."""
    import json

    import msgspec

    return json.dumps(json.loads(msgspec.json.encode(value)), indent=1)


def printable(text: str) -> str:
    """Return text without control characters and undecodable bytes, which could steer a terminal or fail to print."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def short_names(names: list[str], width: int) -> list[str]:
    """Shorten file names for a table: without the folder they share, and with the middle cut out where still too long.

    Parameters
    ----------
    names : list of str
    width : int
        Characters, at least 8.
    """
    # Elsewhere a backslash is a letter of the name, or stands before a byte that is no UTF-8 (`sources.item.shown`).
    parts = [(name.replace("\\", "/") if os.sep == "\\" else name).split("/") for name in names]
    shared = 0
    while parts and all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    short = ["/".join(p[shared:]) for p in parts]
    tail = (width - 1) * 2 // 3  # endings tell clips apart more often than beginnings
    return [s if len(s) <= width else f"{s[: width - 1 - tail]}\N{HORIZONTAL ELLIPSIS}{s[-tail:]}" for s in short]
