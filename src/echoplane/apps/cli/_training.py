"""Watching a training run: what it starts with, a bar for the steps, a line for each epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from echoplane.apps.cli._common import console, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@contextmanager
def watch(*, quiet: bool = False) -> Iterator[Callable[[Any], None]]:
    """Give a function that shows events on stderr while the block runs.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """
    if quiet:
        yield lambda _event: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    err = console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(compact=True),
        console=err,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    watcher = _Watcher(err, bar)
    with bar:
        yield watcher.show


class _Watcher:
    def __init__(self, err: Console, bar: Progress) -> None:
        self.err, self.bar = err, bar
        self.task = bar.add_task("", total=None, loss="")
        self.epochs = 0

    def show(self, event: Any) -> None:
        """Show one event."""
        from echoplane.training.events import EpochEnded, FoldStarted, Noted, Started, Stepped

        if isinstance(event, Stepped):
            self.bar.update(self.task, completed=event.step + 1, loss=f"{event.loss:.3f}")
        elif isinstance(event, EpochEnded):
            self.err.print(_epoch_line(event, self.epochs), markup=False)
            self.bar.update(self.task, completed=0, description=f"epoch {event.epoch + 2}/{self.epochs}")
        elif isinstance(event, Started):
            self.epochs = event.epochs
            self._start(event)
        elif isinstance(event, FoldStarted):
            done = ": finished before" if event.resumed else ""
            self.err.print(f"fold {event.fold + 1} of {event.folds}{done}", markup=False)
        elif isinstance(event, Noted):
            self.err.print(f"note: {printable(event.text)}", markup=False)

    def _start(self, event: Any) -> None:
        self.err.print(f"{event.device}; {printable(event.folder)}", markup=False)
        self.err.print(event.network.strip().splitlines()[-1], markup=False)
        self.err.print(_count_table(event.counts))
        for warning in event.warnings:
            self.err.print(f"note: {printable(warning)}", markup=False)
        if event.first_epoch:
            self.err.print(f"Going on after epoch {event.first_epoch} of {event.epochs}.", markup=False)
        self.bar.reset(self.task, total=event.steps, description=f"epoch {event.first_epoch + 1}/{event.epochs}")


def _epoch_line(event: Any, epochs: int) -> str:
    figures = event.figures
    parts = [f"epoch {event.epoch + 1:>{len(str(epochs))}}/{epochs}", f"loss {figures['train/loss']:.4f}"]
    if "validation/loss" in figures:
        parts += [
            f"validation {figures['validation/loss']:.4f}",
            f"balanced {100 * figures['validation/balanced_accuracy']:5.1f} %",
            f"right {100 * figures['validation/accuracy']:5.1f} %",
        ]
    parts.append(f"{event.clips_per_second:.0f} clips/s")
    if event.waiting > 0.1:
        parts.append(f"{100 * event.waiting:.0f} % waiting for clips")
    return "  ".join(parts) + ("  best" if event.is_best else "")


def _count_table(counts: Mapping[str, Mapping[str, int]]) -> Any:
    from rich import box
    from rich.table import Table

    views = list(dict.fromkeys(view for line in counts.values() for view in line))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("cines")
    for side in counts:
        table.add_column(side, justify="right")
    for view in views:
        table.add_row(view, *(str(line.get(view, 0)) for line in counts.values()))
    table.add_section()
    table.add_row("all", *(str(sum(line.values())) for line in counts.values()))
    return table
