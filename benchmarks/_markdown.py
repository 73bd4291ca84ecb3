"""Markdown that every benchmark prints: the machine, and tables."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    return "\n".join([*lines, *map(_line, rows)])


def show(text: str, output: Path | None) -> None:
    """Print, and write into a file where one is named."""
    print(text)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")


def filled(page: Path, name: str, printed: str) -> str:
    """Return the text of a page with what a benchmark printed between its marks."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    if not marks.search(text):
        sys.exit(f"{page}: has no marks <!-- {name} --> ... <!-- /{name} -->")
    return marks.sub(lambda found: f"{found[1]}{printed}\n{found[2]}", text)


def machine(*libraries: str) -> str:
    """Name processor, Python, libraries and what else the machine was doing."""
    names = ", ".join(f"{library} {found}" for library in libraries if (found := _version(library)))
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{_processor()}, {usable()} processors, Python {sys.version.split()[0]}{', ' if names else ''}{names}{load}"


def usable() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
