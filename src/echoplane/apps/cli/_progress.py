"""A progress bar with rate and time left on a terminal; in a log, a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from echoplane.apps.cli._common import console

#: Seconds between two lines where stderr is a file or a pipe.
LOG_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A running bar: `start` it with the total (None: not known), `step` it by one, `note` a line above it."""

    start: Callable[[int | None], None]
    step: Callable[[], None]
    note: Callable[[str], None]


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
        Show nothing.

    Notes
    -----
    Where stderr is not a terminal (a job on a cluster) a line is printed every :data:`LOG_EVERY` seconds.
    """
    if quiet:
        yield Progress(lambda total: None, lambda: None, lambda line: None)
        return
    if not sys.stderr.isatty():
        lines = _Lines(what, unit)
        yield Progress(lines.start, lines.step, lines.note)
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
        bar.update(task, rate=_pace(speed) if speed else "")

    with bar:
        yield Progress(
            lambda total: bar.reset(task, total=total),
            step,
            lambda line: bar.console.print(line, markup=False, emoji=False, soft_wrap=True),
        )


class _Lines:
    """Progress for a log: how far, how fast, how long still."""

    def __init__(self, what: str, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._unit, self._clock = what, unit, clock
        self._total: int | None = None
        self._done = 0
        self._begun = self._next = clock()
        self._next += LOG_EVERY

    def start(self, total: int | None) -> None:
        self._total, self._done = total, 0
        self._begun = self._clock()

    def note(self, line: str) -> None:
        with contextlib.suppress(OSError):  # whoever read it is gone
            print(line, file=sys.stderr, flush=True)

    def step(self) -> None:
        self._done += 1
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LOG_EVERY
        rate = self._done / max(now - self._begun, 1e-9)
        of, left = "", ""
        if self._total is not None:
            of, left = f" of {self._total}", f", {_span((self._total - self._done) / rate)} left"
        print(f"{self._what}: {self._done}{of} {self._unit}, {_pace(rate)}{left}", file=sys.stderr, flush=True)


def _pace(rate: float) -> str:
    """Return how fast it goes; what takes long is counted in time each, for "0.0/s" says nothing."""
    return f"{rate:.1f}/s" if rate >= 1 else f"{rate:.2g}/s" if rate >= 0.1 else f"{_span(1 / rate)} each"


def _span(seconds: float) -> str:
    minutes, hours = round(seconds / 60), seconds / 3600
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{hours:.1f} h"
