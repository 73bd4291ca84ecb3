"""``echoplane export``: cines as films or pictures, without burned-in names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from echoplane.apps.cli._common import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    console,
    print_error,
    print_warning,
    printable,
)

if TYPE_CHECKING:
    from echoplane.pipelines.export import ExportRow, ExportRun

_HELP = """Write cines as films or as pictures: DICOM to AVI, DICOM to frames, and the like.

\b
  echoplane export clip.dcm -o clip.mp4
  echoplane export study/ -o films/                  every cine of a folder, as MP4
  echoplane export study/ -o films/ --to avi         motion JPEG in AVI
  echoplane export study/ -o frames/ --to png        frames/clip_3f2a9c1d04be/frame_000001.png ...

Everything outside the ultrasound sector is black, so that names, dates and hospitals that the scanner burned into
the picture do not travel. A cine whose sector is not found surely, or on which lines of writing seem to stand, is not
exported, unless --accept-guess (mask by the best guess) or --no-mask (no mask at all) is given: look at it first.
Marks and single words inside the sector stay.

Outputs are named after their content (clip_3f2a9c1d04be.mp4), not after the input, whose name may be a patient's:
the same clip always gets the same name. --table keeps which is which, row by row; it is not meant to travel.

Frame rates are kept. Frames are grey, unless --color.

Exit code: 0 all cines were exported; 1 some were not (the table says why); 2 wrong usage, or nothing found;
130 interrupted (what was written is whole).
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("export", help=_HELP, short_help="Write cines as films or pictures, masked.")
    def command(
        paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders.", show_default=False)],
        output: Annotated[
            Path, typer.Option("--output", "-o", help="A folder; for one cine also a .mp4, .avi or .gif file.")
        ],
        to: Annotated[
            str | None,
            typer.Option("--to", help="mp4, avi, gif, png or jpg.", show_default="the ending of OUTPUT, or mp4"),
        ] = None,
        color: Annotated[bool, typer.Option("--color", help="Keep colours.")] = False,
        no_mask: Annotated[
            bool, typer.Option("--no-mask", help="Leave everything in the picture, burned-in names too.")
        ] = False,
        accept_guess: Annotated[
            bool, typer.Option("--accept-guess", help="Mask by the best guess where the sector is not sure.")
        ] = False,
        keep_names: Annotated[
            bool, typer.Option("--keep-names", help="Name outputs after the inputs; these may hold names of patients.")
        ] = False,
        fps: Annotated[
            float | None,
            typer.Option(help="Frames a second where the input does not say.", show_default="25"),
        ] = None,
        table: Annotated[
            Path | None,
            typer.Option(help="Write which input became which output, as CSV.", show_default=False),
        ] = None,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")] = False,
        stills: Annotated[
            bool, typer.Option("--stills", help="Numbered pictures are stills, not the frames of cines.")
        ] = False,
        follow_links: Annotated[bool, typer.Option("--follow-links", help="Walk into folders behind links.")] = False,
        limit_pixels: Annotated[
            int | None,
            typer.Option(min=1, help="Refuse frames of more pixels than this.", show_default="50000000"),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.pipelines.export import ExportSettings, export
        from echoplane.sources.limits import DEFAULT_LIMITS, Limits

        settings = ExportSettings(
            kind=(to or "").lower(),
            color=color,
            mask=not no_mask,
            accept_guess=accept_guess,
            keep_names=keep_names,
            fps=fps,
            overwrite=overwrite,
            follow_links=follow_links,
            group_frames=not stills,
            limits=DEFAULT_LIMITS if limit_pixels is None else Limits(max_pixels=limit_pixels),
        )
        if no_mask:
            print_warning("--no-mask: names and dates burned into the pictures are exported too.")
        if keep_names:
            print_warning("--keep-names: if the names of the inputs hold names of patients, so will the outputs.")
        rows: list[ExportRow] = []
        with progress("Exporting", "cines", quiet=quiet) as bar:

            def take(row: ExportRow) -> None:
                rows.append(row)
                bar.step()

            run = export(paths, output, settings, table=table, on_start=bar.start, on_row=take)
        _print(rows, run, output, quiet=quiet)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        raise typer.Exit(EXIT_SOME_FAILED if run.failed else EXIT_OK)


def _print(rows: list[ExportRow], run: ExportRun, output: Path, *, quiet: bool) -> None:
    if quiet:
        for row in rows:
            if row.status not in ("ok", "not_image"):  # what holds no picture is no failure
                print_error(f"{row.file}: {' '.join(row.reasons)}")
        return
    from echoplane.apps.cli._common import short_names

    most = 60
    shown = rows if len(rows) <= most else [row for row in rows if row.status != "ok"][:most]
    names = short_names([printable(row.file) for row in shown], 36)
    if shown:
        console().print(_table(list(zip(names, shown, strict=True)), "" if shown is rows else "Not exported"))
    remarks = console(stderr=True)
    what = "1 cine" if run.written == 1 else f"{run.written} cines"
    failed = f"; {run.files - run.written} not exported" if run.files > run.written else ""
    remarks.print(f"{what} to {printable(str(output))} in {run.seconds:.1f} s{failed}.", markup=False)
    if run.interrupted:
        remarks.print("Interrupted; what was written is whole.", markup=False)


def _table(rows: list[tuple[str, ExportRow]], title: str) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for name in ("file", "output", "frames", "fps", "note"):
        table.add_column(
            name, no_wrap=name in ("frames", "fps"), justify="right" if name in ("frames", "fps") else "left"
        )
    for name, row in rows:
        written = Text(Path(row.output).name) if row.status == "ok" else Text(str(row.status), style="red")
        rate = "" if row.fps is None else f"{row.fps:.4g}"
        table.add_row(Text(name), written, str(row.n_frames or ""), rate, Text(printable(" ".join(row.reasons))))
    return table
