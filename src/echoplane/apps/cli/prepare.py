"""``echoplane prepare``: labelled cines into a clip store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from echoplane.apps.cli._common import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, print_failures

if TYPE_CHECKING:
    from echoplane.data.labels import UnknownLabelsError
    from echoplane.pipelines.prepare import PrepareRun

_HELP = """Read labelled cines once, prepare them, and store them for training.

\b
  echoplane prepare clips/ -o store/                       one folder a view
  echoplane prepare exams/ -o store/ --layout sheet --sheet labels.txt
  echoplane prepare EV9V/ -o store/ --layout ev9v -j 8

Stopped or killed? Run the same command again: it goes on, and the store is the same as without the stop.

Labels are looked up in the table that comes with the layout, in the one you give with --labels (a CSV with the
columns given,label), and in the list of `echoplane views`. Labels that nobody knows are listed with suggestions
before anything is read; the label 'skip' leaves cines out on purpose.

Every cine that counts and is not stored is a line of store/failures.csv with its reason (docs/data.md says which
files count); store/labels.csv says what was made of each label. Patients: where the layout does not tell, the DICOM
PatientID is hashed with a secret kept in store/.patient-key; delete that file before you give the store away.

Exit code: 0 all stored; 1 some files were not, see failures.csv; 2 wrong usage, unknown labels, or not this layout;
130 interrupted (what was done is kept).

Layouts:

"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    from echoplane.apps.cli._layouts import layout_lines

    @app.command("prepare", help=_HELP + layout_lines(), short_help="Store labelled cines for training.")
    def command(
        source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of the data set.", show_default=False)],
        output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the store.", show_default=False)],
        layout: Annotated[str, typer.Option("--layout", "-l", help="How the data lie on disk; see above.")] = "folders",
        labels: Annotated[
            Path | None, typer.Option(help="Table: given label to view (CSV: given,label).", show_default=False)
        ] = None,
        sheet: Annotated[
            Path | None,
            typer.Option(
                help="Label sheet (sheet), label table (tmed2) or view probabilities (mimic-iv-echo).",
                show_default=False,
            ),
        ] = None,
        recipe: Annotated[str, typer.Option(help="Prepare recipe: a name, or a YAML file.")] = "default",
        patients: Annotated[
            str, typer.Option(help="'header', 'none', or a pattern such as '(?P<patient>P[0-9]+)' for the cine's path.")
        ] = "header",
        patient_key: Annotated[
            Path | None,
            typer.Option(help="Secret file, so that several stores agree on patients.", show_default="the store's own"),
        ] = None,
        include_color: Annotated[bool, typer.Option("--include-color", help="Store colour Doppler too.")] = False,
        include_stills: Annotated[bool, typer.Option("--include-stills", help="Store single frames too.")] = False,
        jobs: Annotated[
            int | None, typer.Option("--jobs", "-j", min=1, help="Processes.", show_default="one a processor")
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.config import load
        from echoplane.data.labels import LabelTable
        from echoplane.inference.engine import available_cpus
        from echoplane.pipelines.prepare import PrepareSettings, prepare_dataset
        from echoplane.prepare import PrepareRecipe

        settings = PrepareSettings(
            layout=layout,
            recipe=load(PrepareRecipe, recipe) if Path(recipe).suffix in (".yaml", ".yml", ".json") else recipe,
            labels=LabelTable.load(labels) if labels else LabelTable(),
            sheet=sheet,
            patients=patients,
            patient_key=patient_key.read_bytes() if patient_key else None,
            include_color=include_color,
            include_stills=include_stills,
            jobs=jobs or available_cpus(),
        )
        with offering_template(labels, output), progress("Preparing", "cines", quiet=quiet) as bar:
            run = prepare_dataset(source, output, settings, on_start=bar.start, on_cine=bar.step)
        if quiet:
            print_failures(run.failures)
        else:
            print_run(run, output)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        raise typer.Exit(EXIT_SOME_FAILED if run.failed else EXIT_OK)


@contextmanager
def offering_template(labels: Path | None, output: Path) -> Iterator[None]:
    """End with a table to fill in where the block meets labels that nobody knows."""
    from echoplane.data.labels import UnknownLabelsError

    try:
        yield
    except UnknownLabelsError as error:
        _offer_template(error, labels or output.with_name(output.name + ".labels.csv"))
        raise typer.Exit(EXIT_USAGE) from None


def _offer_template(error: UnknownLabelsError, path: Path) -> None:
    """Print which labels are unknown, and write a table to fill in."""
    from echoplane.apps.cli._common import print_error
    from echoplane.data.labels import save_table

    print_error(str(error))
    names = (path.with_name(f"{path.stem}.new{number}.csv") for number in ("", *range(2, 1000)))
    target = next((name for name in (path, *names) if not name.exists()), path)  # what is there was filled in by hand
    save_table(error.template, target, error.unknown)
    print_error(f"A table to fill in was written: {target}. Check every line, then give it as --labels {target}.")


def print_run(run: PrepareRun, output: Path) -> None:
    """Print how a run ended."""
    from collections import Counter

    from rich import box
    from rich.table import Table

    from echoplane.apps.cli._common import console, printable

    out = console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("view")
    table.add_column("cines", justify="right")
    for view, count in sorted(run.views.items()):
        table.add_row(view or "(no label)", str(count))
    if run.views:
        out.print(table)
    before = f" ({run.skipped} were there already)" if run.skipped else ""
    out.print(f"{run.stored} cines stored in {printable(str(output))}{before}.", markup=False)
    if run.gone:
        out.print(
            f"{run.gone} stored cines are not in this source; they stay. If files were moved or deleted there, "
            "prepare a new folder.", style="yellow", markup=False
        )  # fmt: skip
    for note in run.notes:
        out.print(printable(note), style="yellow", markup=False)
    if run.failures:
        counts = ", ".join(f"{n} {status}" for status, n in Counter(f.status for f in run.failures).most_common())
        out.print(f"{len(run.failures)} not stored ({counts}); each with its reason in:", markup=False)
        out.print(f"  {printable(str(output / 'failures.csv'))}", markup=False)
    if run.interrupted:
        out.print("Interrupted; the same command goes on.", markup=False)
