"""``echoplane data``: look at stores, split them, and bring in old pickled clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from echoplane.apps.cli._common import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED, print_failures

if TYPE_CHECKING:
    from rich.table import Table

    from echoplane.data.split import Split

#: Cines named after a finding; the page has more.
CINES_SHOWN = 3

_REPORT_HELP = """Check stores and write a page with tables and pictures.

Looks for: copies of a recording under other labels or patients (also re-encoded ones), one patient on two sides of a
split, cines without label, too short ones, damage, views of few patients.

\b
  echoplane data report store/ -o report.html
  echoplane data report store/ -o report.html --split split.csv

Exit code: 0 nothing that would make a result wrong; 1 there is, see the page; 2 wrong usage or an unreadable store.
"""

_SPLIT_HELP = """Split stores by patient, with the views spread evenly, into a file that travels.

Cines of one patient are never parted, nor copies of one recording. Where the patient is not known the study counts,
and else each cine alone: that is said. A split that the data came with is kept unless --ignore-given.

\b
  echoplane data split store/ -o split.csv                       80 % train, 20 % validation
  echoplane data split store/ -o split.csv --test 0.15
  echoplane data split store/ phantom/ -o split.csv -k 10        ten folds

Exit code: 0 done; 2 wrong usage, too few patients, or a given split that leaks.
"""

_REPAIR_HELP = """Make a damaged store usable again, where the data that it was made of are gone.

\b
  echoplane data repair store/

Cines that are whole stay, also those of a part file that is cut off or has a flipped bit; that file is kept, under the
name damaged-part-..., and no longer read. Cines that are lost are named, and no longer missed. Where the source is
still there, run the command that made the store afterwards: it makes the lost ones anew.

Let nothing else write to the store meanwhile. Exit code: 0 done, or nothing to do; 2 no store, or not readable.
"""

_LEGACY_HELP = """Bring old pickled clips into a store.

SOURCE holds one folder a view, with pickled NumPy arrays (T, H, W) or (1, T, H, W) in it. The pickles are read by a
reader that admits NumPy arrays and nothing else, so that a file from elsewhere cannot run a program. The clips are
taken as they are: they were prepared by whoever pickled them.

\b
  echoplane data import-legacy clips/ -o store/

Exit code: 0 all stored; 1 some files were not, see failures.csv; 2 wrong usage or unknown labels; 130 interrupted
(what was done is kept).
"""


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    data = typer.Typer(help="Look at clip stores, split them, import old clips.", no_args_is_help=True)
    app.add_typer(data, name="data")
    _register_report(data)
    _register_split(data)
    _register_repair(data)
    _register_legacy(data)


def _register_report(data: typer.Typer) -> None:
    @data.command("report", help=_REPORT_HELP, short_help="Check stores; a page with tables and pictures.")
    def report(
        stores: Annotated[list[str], typer.Argument(metavar="STORE...", help="Folders or URLs.", show_default=False)],
        output: Annotated[Path, typer.Option("--output", "-o", help="The page, .html.", show_default=False)],
        split: Annotated[Path | None, typer.Option(help="Split file to check for leaks.", show_default=False)] = None,
        min_frames: Annotated[int, typer.Option(min=1, help="Name cines of fewer frames.")] = 10,
        pictures: Annotated[int, typer.Option(min=0, help="Moving pictures a view.")] = 8,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._common import console, printable
        from echoplane.apps.cli._progress import progress
        from echoplane.pipelines.data import data_report

        with progress("Looking", "cines", quiet=quiet) as bar:
            found = data_report(
                stores,
                output,
                split=split,
                min_frames=min_frames,
                pictures=pictures,
                on_start=bar.start,
                on_cine=bar.step,
            )
        if not quiet:
            out = console()
            for finding in found.findings:
                out.print(printable(f"{finding.level}: {finding.text}"), markup=False)
                for cine in finding.cines[:CINES_SHOWN]:
                    out.print(printable(f"  {cine}"), markup=False, soft_wrap=True)
                if (more := len(finding.cines) - CINES_SHOWN) > 0:
                    out.print(f"  and {more} more", markup=False)
            out.print(f"Written to {printable(str(output))}.", markup=False)
        raise typer.Exit(EXIT_SOME_FAILED if found.errors else EXIT_OK)


def _register_split(data: typer.Typer) -> None:
    @data.command("split", help=_SPLIT_HELP, short_help="Split stores by patient.")
    def split(
        stores: Annotated[list[str], typer.Argument(metavar="STORE...", help="Folders or URLs.", show_default=False)],
        output: Annotated[Path, typer.Option("--output", "-o", help="Split file, .csv.", show_default=False)],
        folds: Annotated[int, typer.Option("--folds", "-k", min=0, help="Folds; 0: train and validation.")] = 0,
        validation: Annotated[float, typer.Option(help="Share of the cines; not used with folds.")] = 0.2,
        test: Annotated[float, typer.Option(help="Share of the cines kept for the end.")] = 0.0,
        seed: Annotated[int, typer.Option(min=0, help="Another seed, another split.")] = 0,
        ignore_given: Annotated[
            bool, typer.Option("--ignore-given", help="Do not keep to the split that the data came with.")
        ] = False,
        no_copies: Annotated[
            bool, typer.Option("--no-copies", help="Do not look for copies of recordings (faster).")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.pipelines.data import split_stores

        with progress("Looking", "cines", quiet=quiet) as bar:
            made, warnings = split_stores(
                stores,
                output,
                folds=folds,
                validation=validation,
                test=test,
                seed=seed,
                given=not ignore_given,
                copies=not no_copies,
                on_start=bar.start,
                on_cine=bar.step,
            )
        if not quiet:
            _print_split(made, warnings, output)


def _print_split(made: Split, warnings: tuple[str, ...], output: Path) -> None:
    from echoplane.apps.cli._common import console, printable

    out = console()
    for table in _split_tables(made.counts(), out.width):
        out.print(table)
    for warning in warnings:
        out.print(printable(f"warning: {warning}"), markup=False)
    out.print(f"Written to {printable(str(output))}.", markup=False)


def _split_tables(counts: Mapping[str, Mapping[str, int]], width: int) -> Iterator[Table]:
    """Give tables with a row a view and a column a side; more than one where the sides do not fit beside each other."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    views = sorted({view for line in counts.values() for view in line})
    sums = {side: sum(line.values()) for side, line in counts.items()}
    names = max(map(cell_len, views), default=0)
    # A head may break at its space ("fold 10"); numbers and names may not. Three columns part each from the next.
    widest = max((cell_len(word) for side in counts for word in (*side.split(), str(sums[side]))), default=1)
    beside = max(1, (width - max(names, len("(none)")) - 2) // (widest + 3))
    for first in range(0, len(counts), beside):
        sides = list(counts)[first : first + beside]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("view", no_wrap=True)
        for side in sides:
            table.add_column(side, justify="right", min_width=widest)
        for view in views:
            table.add_row(Text(view or "(none)"), *(str(counts[side].get(view, 0)) for side in sides))
        table.add_section()
        table.add_row("all", *(str(sums[side]) for side in sides))
        yield table


def _register_repair(data: typer.Typer) -> None:
    @data.command("repair", help=_REPAIR_HELP, short_help="Make a damaged store usable again.")
    def repair_store(
        store: Annotated[str, typer.Argument(metavar="STORE", help="Folder.", show_default=False)],
    ) -> None:
        from echoplane.apps.cli._common import console, printable
        from echoplane.store import repair

        done, out = repair(store), console()
        for file in done.aside:
            out.print(f"Damaged, not read any more: {printable(str(file))}", markup=False, soft_wrap=True)
        for cine in done.lost:
            out.print(f"Lost: {printable(cine)}", markup=False, soft_wrap=True)
        lost = f"{len(done.lost)} are lost" if done.lost else "none is lost"
        out.print(f"{printable(store)}: {done.kept} cines are whole, {lost}.", markup=False)


def _register_legacy(data: typer.Typer) -> None:
    @data.command("import-legacy", help=_LEGACY_HELP, short_help="Bring old pickled clips into a store.")
    def import_legacy(
        source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of view folders.", show_default=False)],
        output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the store.", show_default=False)],
        labels: Annotated[
            Path | None, typer.Option(help="Table: given label to view (CSV: given,label).", show_default=False)
        ] = None,
        recipe: Annotated[
            str | None,
            typer.Option(
                help="How the clips were prepared, for example reference. Needed to train on them.",
                show_default=False,
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.apps.cli.prepare import offering_template, print_run
        from echoplane.data.labels import LabelTable
        from echoplane.pipelines.import_legacy import import_legacy

        with offering_template(labels, output), progress("Importing", "clips", quiet=quiet) as bar:
            run = import_legacy(
                source,
                output,
                LabelTable.load(labels) if labels else LabelTable(),
                recipe=recipe,
                on_start=bar.start,
                on_cine=bar.step,
            )
        if quiet:
            print_failures(run.failures)
        else:
            print_run(run, output)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        raise typer.Exit(EXIT_SOME_FAILED if run.failed else EXIT_OK)
