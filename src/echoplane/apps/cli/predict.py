"""``echoplane predict``: which view does each clip show?"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from echoplane.apps.cli._common import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED, console, print_error, printable

if TYPE_CHECKING:
    from echoplane.records import ViewResult

_log = logging.getLogger(__name__)

_HELP = """Tell which view of the heart each clip shows.

Give files, folders, or a DICOMDIR. Folders are searched; numbered pictures in a folder are cines.

\b
  echoplane predict clip.dcm
  echoplane predict study/ -o views.csv
  echoplane predict archive/ -o views.parquet --resume     go on after a stop
  echoplane predict archive/ -o views.parquet --retry      ... and ask what failed, or has changed, once more
  echoplane predict study/ -o views.csv --cam looked/      and a small picture a cine of what the network looked at

Every input ends as one row. Its status:

\b
  ok            the view is offered as an answer
  other         an echo clip of none of the views that are answered
  unsure        the network ran, and its answer is not offered as one; best_view has its guess
  still, color_doppler, spectral_doppler, m_mode, volume, secondary_capture, not_b_mode
                not a moving B-mode picture; not answered
  not_image     no picture: a report, a text, a waveform
  too_short, unsupported, refused, unreadable
                could not be dealt with; the reason says why

The output is written row by row, and OUTPUT.manifest.json says how it was made.

Exit code: 0 every file was dealt with; 1 some were too_short, unsupported, refused or unreadable;
2 wrong usage, nothing found, or no usable bundle; 130 interrupted (what was done is kept).
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("predict", help=_HELP, short_help="Tell which view of the heart each clip shows.")
    def command(
        paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders.", show_default=False)],
        output: Annotated[
            Path | None,
            typer.Option("--output", "-o", help="Result file: .csv, .jsonl or .parquet.", show_default=False),
        ] = None,
        bundle: Annotated[
            str | None,
            typer.Option(help="Model bundle: a folder or .echoplane file.", show_default="the one that ships"),
        ] = None,
        engine: Annotated[str, typer.Option(help="auto, openvino, torch or cuda.")] = "auto",
        precision: Annotated[str, typer.Option(help="f32, bf16, int8, or auto: what the bundle names.")] = "auto",
        threads: Annotated[
            int | None,
            typer.Option(
                min=1,
                help="Threads of the network, and of decoding with one job.",
                show_default="all processors",
            ),
        ] = None,
        jobs: Annotated[
            int | None,
            typer.Option("--jobs", "-j", min=1, help="Files side by side.", show_default="one a processor"),
        ] = None,
        include_color: Annotated[bool, typer.Option("--include-color", help="Answer colour Doppler too.")] = False,
        include_stills: Annotated[bool, typer.Option("--include-stills", help="Answer single frames too.")] = False,
        all_clips: Annotated[
            bool, typer.Option("--all-clips", help="Look at every clip of a cine, also where two leave no doubt.")
        ] = False,
        stills: Annotated[
            bool, typer.Option("--stills", help="Numbered pictures are stills, not the frames of cines.")
        ] = False,
        follow_links: Annotated[bool, typer.Option("--follow-links", help="Walk into folders behind links.")] = False,
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on with the output: files that have a row are left out.")
        ] = False,
        retry: Annotated[
            bool,
            typer.Option("--retry", help="Go on, and ask files again that failed or have changed since."),
        ] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
        limit_pixels: Annotated[
            int | None,
            typer.Option(min=1, help="Refuse frames of more pixels than this.", show_default="50000000"),
        ] = None,
        cam: Annotated[
            Path | None,
            typer.Option(
                "--cam",
                metavar="DIR",
                help="Write a small overlay a cine there: where the network looked. For networks that end in a "
                "global average, such as the one that ships, on the CPU engine.",
                show_default=False,
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.apps.cli._results import Shown, print_results
        from echoplane.pipelines.predict import FAILED, PredictSettings, predict

        settings = PredictSettings(
            bundle=bundle,
            engine=engine,
            precision=precision,
            threads=threads,
            jobs=jobs,
            include_color=include_color,
            include_stills=include_stills,
            all_clips=all_clips,
            follow_links=follow_links,
            group_frames=not stills,
            max_pixels=limit_pixels,
            cam=None if cam is None else str(cam),
        )
        shown = Shown()
        logged = _log.isEnabledFor(logging.DEBUG)
        with progress("Reading", "files", quiet=quiet or logged) as bar:  # a bar and a log would write over each other

            def take(result: ViewResult) -> None:
                shown.add(result)
                bar.step()
                _log.debug("%s: %s", printable(result.file), result.status)
                if quiet and result.status in FAILED:
                    print_error(f"{result.file}: {' '.join(result.reasons)}")

            def tell(file: str, seconds: float) -> None:
                so_far = f"Waiting for {printable(file)}, {seconds:.0f} s so far."
                _log.debug(so_far)
                later = ", and --resume later" if output is not None else ""
                bar.note(f"{so_far} If its disk does not answer: Ctrl-C{later}.")

            run = predict(
                paths,
                settings,
                output=output,
                resume=resume,
                retry=retry,
                processes=not logged,  # other processes have no log
                overwrite=overwrite,
                on_start=bar.start,
                on_result=take,
                on_wait=tell,
            )
        if not quiet:
            print_results(shown, run, output)
            if cam is not None:
                pictures = "1 overlay" if run.overlays == 1 else f"{run.overlays} overlays"
                console(stderr=True).print(f"{pictures} in {printable(str(cam))}.", markup=False)
        if run.failed_before:  # these are in no table and no error above
            new = run.failed - run.failed_before
            print_error(
                f"{output}: {run.failed} of its files could not be dealt with, {new} in this run and "
                f"{run.failed_before} in an earlier one. --retry asks for them once more."
            )
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        raise typer.Exit(EXIT_SOME_FAILED if run.failed else EXIT_OK)
