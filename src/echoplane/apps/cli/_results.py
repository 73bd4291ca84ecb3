"""The table at the end of ``predict``: what a person wants to see, in colour, and readable without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from echoplane.apps.cli._common import console, printable, short_names
from echoplane.inference.rows import votes_text
from echoplane.records import Status, ViewResult

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from echoplane.pipelines.predict import PredictRun

#: More rows than this do not help on a screen; the result file has them all.
MOST_ROWS = 60

#: Widest file name in the table, characters.
NAME_WIDTH = 40

#: Where a note would have fewer columns than this beside its row, it stands below it.
NOTE_WIDTH = 30

#: A file name is not broken into pieces shorter than this to make room for a note, columns.
BROKEN_WIDTH = 24

#: Nor into pieces shorter than this for anything.
SHRED_WIDTH = 8

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
        out.print(_table(rows, "" if complete else "To look at (the first ones)", out.width))
    if not complete and shown.views:
        out.print("Views: " + ", ".join(f"{view} {n}" for view, n in sorted(shown.views.items())))
    remarks = console(stderr=True)
    counts = ", ".join(f"{n} {status}" for status, n in sorted(run.counts.items(), key=lambda item: -item[1]))
    skipped = f" {run.skipped} had a row already." if run.skipped else ""
    nothing = "none was done" if run.interrupted else "nothing to do"
    what = "1 file" if run.files == 1 else f"{run.files} files"
    remarks.print(f"{what} in {run.seconds:.1f} s: {counts or nothing}.{skipped}", markup=False)
    if output is not None:
        remarks.print(
            f"Written to {printable(str(output))}, with {run.manifest.name if run.manifest else ''}.", markup=False
        )
    if run.interrupted:
        again = "Go on with --resume." if output is not None else "Nothing was written; name an --output to keep rows."
        remarks.print(f"Interrupted. {again}", markup=False)


def _table(results: list[ViewResult], title: str, width: int) -> RenderableType:
    names = short_names([printable(result.file) for result in results], NAME_WIDTH)
    rows = []
    for name, result in zip(names, results, strict=True):
        style = _STYLES.get(result.status, "dim")
        rows.append(
            (
                (name, ""),
                (view_cell(result), style),
                ("" if result.probability is None else f"{result.probability:.2f}", ""),
                (votes_text(result), ""),
                (printable(" ".join(" ".join(result.reasons).split())), "" if style in ("red", "yellow") else "dim"),
            )
        )
    columns = (
        Column("file", breaks="anywhere"),
        Column("view", breaks="at spaces"),
        Column("prob.", right=True),
        Column("votes", breaks="at spaces"),
        Column("note"),
    )
    return noted_table(columns, rows, width, title)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of :func:`noted_table`: its head, and where its cells may break when the screen is narrow."""

    head: str
    right: bool = False
    breaks: Literal["", "at spaces", "anywhere"] = ""

    def widest(self, cells: Iterable[str]) -> int:
        """Return the columns that head and cells take on one line."""
        from rich.cells import cell_len

        return max(cell_len(text) for text in (self.head, *cells))

    def least(self, cells: Sequence[str], broken: int = BROKEN_WIDTH) -> int:
        """Return the columns below which this one does not shrink; `broken` where it may break anywhere."""
        if self.breaks == "at spaces":
            return self.widest(word for cell in cells for word in cell.split())
        return min(self.widest(cells), broken) if self.breaks else self.widest(cells)


def noted_table(
    columns: Sequence[Column], rows: Sequence[Sequence[tuple[str, str]]], width: int, title: str = ""
) -> RenderableType:
    """Return a table that leaves nothing out, however narrow the screen.

    Parameters
    ----------
    columns : sequence of Column
        The last one is a note: it wraps, and where too little is left for it each note stands below its row.
    rows : sequence of sequences
        Text and style of each cell.
    width : int
        Columns of the screen.
    title : str
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    note = min(columns[-1].widest(row[-1][0] for row in rows), NOTE_WIDTH)
    gaps = 3 * (len(columns) - 1) + 2
    cells = [[row[k][0] for row in rows] for k in range(len(columns) - 1)]
    widths = [column.widest(texts) for column, texts in zip(columns, cells, strict=False)]
    least = [column.least(texts) for column, texts in zip(columns, cells, strict=False)]
    if sum(least) + gaps + note <= width:
        table = _empty_table(columns, _shrunk(widths, least, width - gaps - note), title)
        for row in rows:
            table.add_row(*(Text(text, style=style) for text, style in row))
        return table
    # A row of rich's tables cannot hold a line across, so that each row is a table of its own, of the same widths.
    least = [column.least(texts, SHRED_WIDTH) for column, texts in zip(columns, cells, strict=False)]
    widths = _shrunk(widths, least, width - 2 * (len(widths) - 1))
    lines: list[RenderableType] = [Text(title, style="italic")] if title else []
    lines.append(_empty_table(columns[:-1], widths, head=True))
    for row in rows:
        table = _empty_table(columns[:-1], widths, head=False)
        table.add_row(*(Text(text, style=style) for text, style in row[:-1]))
        lines.append(table)
        if row[-1][0]:
            lines.append(Padding(Text(*row[-1]), (0, 0, 0, 4)))
    return Group(*lines)


def _shrunk(widths: list[int], least: list[int], room: int) -> list[int]:
    """Take what is too much from the last columns first: a file name reads worst when it breaks."""
    widths = list(widths)
    for k in reversed(range(len(widths))):
        widths[k] = max(least[k], widths[k] - max(0, sum(widths) - room))
    return widths


def _empty_table(columns: Sequence[Column], widths: Sequence[int], title: str = "", head: bool | None = None) -> Table:
    """Return a table of these widths; with `head` False or True one without lines, for pieces of a longer one."""
    from rich import box
    from rich.table import Table

    lines = box.SIMPLE_HEAD if head is None else None
    table = Table(box=lines, title=title or None, title_justify="left", pad_edge=False, show_header=head is not False)
    for column, width in zip_longest(columns, widths):
        table.add_column(column.head, width=width, justify="right" if column.right else "left", overflow="fold")
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
