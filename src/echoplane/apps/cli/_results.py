"""The table at the end of ``predict``: what a person wants to see, in colour, and readable without."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from echoplane.apps.cli._common import console, printable, short_names
from echoplane.inference.rows import votes_text
from echoplane.records import Status, ViewResult

if TYPE_CHECKING:
    from echoplane.pipelines.predict import PredictRun

#: More rows than this do not help on a screen; the result file has them all.
MOST_ROWS = 60

#: Widest file name in the table, characters.
NAME_WIDTH = 40

_STYLES = {
    Status.OK: "green",
    Status.UNSURE: "yellow",
    Status.TOO_SHORT: "red",
    Status.UNSUPPORTED: "red",
    Status.REFUSED: "red",
    Status.UNREADABLE: "red",
}


@dataclass(slots=True)
class Shown:
    """The results kept for the table: the first ones of each sort, so that a long run does not fill the memory."""

    first: list[ViewResult] = field(default_factory=list)
    to_look_at: list[ViewResult] = field(default_factory=list)
    views: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, result: ViewResult) -> None:
        """Take one more result."""
        self.total += 1
        if len(self.first) < MOST_ROWS:
            self.first.append(result)
        if _STYLES.get(result.status) in ("red", "yellow") and len(self.to_look_at) < MOST_ROWS:
            self.to_look_at.append(result)
        if result.view:
            self.views[result.view] = self.views.get(result.view, 0) + 1


def print_results(shown: Shown, run: PredictRun, output: Path | None) -> None:
    """Print the table and the closing lines."""
    complete = shown.total <= MOST_ROWS
    rows = shown.first if complete else shown.to_look_at
    out = console()
    if rows:
        out.print(_table(rows, "" if complete else "To look at (the first ones)"))
    if not complete and shown.views:
        out.print("Views: " + ", ".join(f"{view} {n}" for view, n in sorted(shown.views.items())))
    remarks = console(stderr=True)
    counts = ", ".join(f"{n} {status}" for status, n in sorted(run.counts.items(), key=lambda item: -item[1]))
    skipped = f" {run.skipped} had a row already." if run.skipped else ""
    what = "1 file" if run.files == 1 else f"{run.files} files"
    remarks.print(f"{what} in {run.seconds:.1f} s: {counts or 'nothing to do'}.{skipped}", markup=False)
    if output is not None:
        remarks.print(
            f"Written to {printable(str(output))}, with {run.manifest.name if run.manifest else ''}.", markup=False
        )
    if run.interrupted:
        again = "Go on with --resume." if output is not None else "Nothing was written; name an --output to keep rows."
        remarks.print(f"Interrupted. {again}", markup=False)


def _table(results: list[ViewResult], title: str) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    table.add_column("file", no_wrap=True)
    table.add_column("view", no_wrap=True)
    table.add_column("prob.", justify="right", no_wrap=True)
    table.add_column("votes", no_wrap=True)
    table.add_column("note")
    names = short_names([printable(result.file) for result in results], NAME_WIDTH)
    for name, result in zip(names, results, strict=True):
        style = _STYLES.get(result.status, "dim")
        table.add_row(
            Text(name),
            Text(view_cell(result), style=style),
            Text("" if result.probability is None else f"{result.probability:.2f}"),
            Text(votes_text(result)),
            Text(printable(" ".join(result.reasons)), style="" if style in ("red", "yellow") else "dim"),
        )
    return table


def view_cell(result: ViewResult) -> str:
    """Return what the `view` column of the printed table says: the view, or the status with the guess behind it."""
    if result.view:
        return result.view
    status = str(result.status).replace("_", " ")
    guess = result.best_view if result.best_view not in ("", str(result.status)) else ""
    return (
        f"{status} ({guess}?)"
        if guess and result.status is Status.UNSURE
        else f"{status} ({guess})"
        if guess
        else status
    )
