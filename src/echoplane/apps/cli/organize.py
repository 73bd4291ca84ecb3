"""``echoplane organize``: a label sheet to class folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from echoplane.apps.cli._common import EXIT_OK, EXIT_SOME_FAILED, print_error, print_failures

if TYPE_CHECKING:
    from echoplane.pipelines.organize import OrganizeRun

_HELP = """Sort the files of a label sheet into one folder a view.

The sheet has a line a file: study folder, file name (with or without .dcm), view; separated by commas, semicolons, tabs
or spaces. With a header line the columns may come in any order, and the study may be left out (file, view). The result
of predict (views.csv) is such a sheet; its rows without a view are left out.

Files end as OUTPUT/<view>/<study>/<file>; without a study, the folders below SOURCE that a file lies in stand for it.
DICOM files without .dcm get it.

\b
  echoplane organize exams/ -o sorted/ --sheet labels.txt --dry-run     look first
  echoplane organize exams/ -o sorted/ --sheet labels.txt
  echoplane organize exams/ -o sorted/ --sheet views.csv                what predict wrote
  echoplane organize --undo sorted/organize-undo.jsonl                  take it all back

Exit code: 0 all done; 1 some files could not be, they are listed; 2 wrong usage, unknown labels, or a full disk.
"""

#: Steps shown in a dry run.
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("organize", help=_HELP, short_help="Sort labelled files into one folder a view.")
    def command(
        source: Annotated[
            Path | None, typer.Argument(metavar="SOURCE", help="Folder of the studies.", show_default=False)
        ] = None,
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="Folder to sort into.", show_default=False)
        ] = None,
        sheet: Annotated[
            Path | None, typer.Option(help="Label sheet.", show_default="the only text table in SOURCE")
        ] = None,
        labels: Annotated[
            Path | None, typer.Option(help="Table: given label to view (CSV: given,label).", show_default=False)
        ] = None,
        how: Annotated[str, typer.Option(help="copy, link or move.")] = "copy",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, do nothing.")] = False,
        undo: Annotated[Path | None, typer.Option(help="Take back what this file lists.", show_default=False)] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.apps.cli.prepare import offering_template
        from echoplane.data.labels import LabelTable
        from echoplane.pipelines import organize as pipeline

        if undo is not None and (dry_run or source is not None or output is not None):
            raise typer.BadParameter("--undo takes all back at once; --dry-run, SOURCE and -o do not go with it.")
        if undo is not None:
            try:
                run = pipeline.undo(undo)
            except (OSError, KeyboardInterrupt):
                print_error("stopped; the same command goes on")
                raise
        elif source is None or output is None or how not in ("copy", "link", "move"):
            raise typer.BadParameter("give SOURCE and --output (and --how copy, link or move), or --undo FILE.")
        else:
            try:
                with offering_template(labels, output), progress("Sorting", "files", quiet=quiet) as bar:
                    run = pipeline.organize(
                        source,
                        output,
                        sheet=sheet,
                        labels=LabelTable.load(labels) if labels else None,
                        how=cast(Literal["copy", "link", "move"], how),
                        dry_run=dry_run,
                        on_start=bar.start,
                        on_step=bar.step,
                    )
            except (OSError, KeyboardInterrupt):  # a full disk, of which main() says what the system said; Ctrl-C
                _print_way_back(output)
                raise
        if quiet:
            print_failures(run.failures)
        else:
            _print(run, how, dry_run=dry_run, undone=undo is not None)
        raise typer.Exit(EXIT_SOME_FAILED if run.failed else EXIT_OK)


def _print_way_back(output: Path) -> None:
    from echoplane.data.organize import UNDO_FILE

    undo = output / UNDO_FILE
    if undo.exists() and undo.stat().st_size:
        print_error(f"stopped; the same command goes on, and echoplane organize --undo {undo} takes back what was done")
    else:
        print_error("stopped; nothing was done")


def _print(run: OrganizeRun, how: str, *, dry_run: bool, undone: bool) -> None:
    from echoplane.apps.cli._common import console, printable
    from echoplane.data.manifest import NO_VIEW

    out = console()
    told = [failure for failure in run.failures if failure.reason != NO_VIEW]
    for failure in told:
        out.print(printable(f"{failure.status}: {failure.file}: {failure.reason}"), markup=False)
    if untold := len(run.failures) - len(told):
        rows = "1 row without a view was" if untold == 1 else f"{untold} rows without a view were"
        out.print(f"{rows} left out.", markup=False)
    if undone:
        out.print(f"{run.done} files taken back.", markup=False)
        return
    if dry_run:
        for step in run.steps[:SHOWN]:
            out.print(printable(f"{how} {step.source} -> {step.target}"), markup=False, soft_wrap=True)
        if len(run.steps) > SHOWN:
            out.print(f"and {len(run.steps) - SHOWN} more", markup=False)
    views = ", ".join(f"{view} {count}" for view, count in sorted(run.views.items()))
    out.print(f"{len(run.steps)} files{': ' * bool(views)}{views}.", markup=False)
    if dry_run:
        out.print("Dry run: nothing was done.", markup=False)
        return
    done = {"copy": "copied", "link": "linked", "move": "moved"}[how]
    out.print(f"{run.done} {done}{f', {run.before} were there already' if run.before else ''}.", markup=False)
    out.print(f"Take back: echoplane organize --undo {printable(str(run.undo))}", markup=False, soft_wrap=True)
