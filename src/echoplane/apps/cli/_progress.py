"""A progress bar with rate and time left, on a terminal; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from echoplane.apps.cli._common import console


@dataclass(frozen=True, slots=True)
class Progress:
    """Handles to a running bar: `start` it with the total (None: not known), `step` it by one."""

    start: Callable[[int | None], None]
    step: Callable[[], None]


@contextmanager
def progress(what: str, unit: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Show a bar on stderr while the block runs; it is gone afterwards.

    Parameters
    ----------
    what : str
        In front of the bar, for example ``Reading``.
    unit : str
        What is counted, for example ``files``.
    quiet : bool
        Show nothing. Nothing is shown either when stderr is not a terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield Progress(lambda total: None, lambda: None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        console=console(stderr=True),
        transient=True,
    )
    task = bar.add_task(what, total=None, rate="")

    def step() -> None:
        bar.advance(task)
        speed = bar.tasks[0].speed
        bar.update(task, rate=f"{speed:.1f}/s" if speed else "")

    with bar:
        yield Progress(lambda total: bar.update(task, total=total), step)
