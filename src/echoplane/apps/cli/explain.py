"""``echoplane explain``: what did the network look at?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from echoplane.apps.cli._common import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    console,
    print_error,
    print_warning,
    printable,
    refuse_what_is_there,
)

_HELP = """Show what the network looked at in a cine, and which moments mattered.

\b
  echoplane explain clip.dcm -o why.mp4                       moving, plain beside marked
  echoplane explain clip.dcm -o why.png                       the moments that matter, as one picture
  echoplane explain clip.dcm -o why.npz                       the numbers: values (frames, rows, columns)
  echoplane explain clip.dcm --method gradcam --view PSAX-PM --minus PSAX-MV -o why.mp4
  echoplane explain study/ --gallery -o gallery.html          a page for many cines, the most doubtful first
  echoplane explain phantom.npz -o why.mp4                    of `echoplane phantom clip`: with its ECG

Orange speaks for the view, blue against it; a line runs round more than half of the strongest. Outside the
ultrasound sector everything is black. Films run at the cine's own frame rate.

\b
Methods:
  auto                  cam where the network has it, else gradcam
  cam                   the network's own map, from the CPU engine; no torch needed (networks with a global average)
  gradcam, gradcam++    where the last feature map speaks for the view
  guided, guided-gradcam, integrated-gradients
                        pixel by pixel
  occlusion             how much the answer falls when blocks of space and time are blacked out
All but cam and auto need: pip install "echoplane[explain]"

Exit code: 0 done; 1 some cines of a gallery could not be explained; 2 wrong usage, or no such file or bundle.
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("explain", help=_HELP, short_help="Show what the network looked at.")
    def command(
        paths: Annotated[list[str], typer.Argument(metavar="CINE...", help="Files and folders.", show_default=False)],
        output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .mp4, .gif, .webp, .png, .npz or .html.")],
        method: Annotated[str, typer.Option(help="See above.")] = "auto",
        view: Annotated[str, typer.Option(help="Explain this view.", show_default="the network's answer")] = "",
        minus: Annotated[str, typer.Option(help="Explain why VIEW and not this one.", show_default=False)] = "",
        layer: Annotated[str, typer.Option(help="Feature layer, for gradcam.", show_default="the network's last")] = "",
        bundle: Annotated[
            str | None,
            typer.Option(
                "--bundle",
                "--model",
                help="Model bundle: a folder or .echoplane file.",
                show_default="the one that ships",
            ),
        ] = None,
        as_gallery: Annotated[bool, typer.Option("--gallery", help="One page for all cines given.")] = False,
        blended: Annotated[bool, typer.Option("--blended", help="Leave the plain cine out.")] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.errors import PrepareError, ReadError
        from echoplane.pipelines.explain import Explainer, ExplainSettings
        from echoplane.pipelines.explain_write import check_ending, gallery, write

        settings = ExplainSettings(bundle, method, view, minus, layer)
        if as_gallery:
            refuse_what_is_there(output, overwrite, "--overwrite")
            with progress("Explaining", "cines") as bar:
                shown, failed = gallery(paths, output, settings, on_start=bar.start, on_done=lambda _: bar.step())
            for name, reason in failed:
                print_error(f"{name}: {reason}")
            console(stderr=True).print(f"{shown} cines in {printable(str(output))}.", markup=False)
            raise typer.Exit(EXIT_SOME_FAILED if failed else EXIT_OK)
        if len(paths) != 1:
            print_error(f"{len(paths)} cines for one output; give one cine, or --gallery for a page of all.")
            raise typer.Exit(EXIT_USAGE)
        try:
            check_ending(output)  # before the work
            _refuse_the_cine_itself(output, paths[0])
            refuse_what_is_there(output, overwrite, "--overwrite")
            with progress("Explaining", "passes") as bar:  # of the network; how many it takes is the method's affair
                found = Explainer(settings, on_step=bar.step).explain(paths[0])
            write(found, output, side_by_side=not blended)
        except (ReadError, PrepareError) as error:
            print_error(str(error))
            raise typer.Exit(EXIT_USAGE) from error
        if not found.masked_surely:
            print_warning("The sector is a guess: burned-in text may be left in the pictures. Look before sharing.")
        answer, shown_map = found.answer, found.found
        if not shown_map.values.any():
            print_warning(f"Nothing in the picture speaks for {shown_map.target}: it is unmarked.")
        console(stderr=True).print(
            f"{answer.status}: {answer.best_view} {answer.probabilities[answer.best_view]:.2f}; "
            f"shown: {shown_map.target}, by {shown_map.method}. Written to {printable(str(output))}.", markup=False
        )  # fmt: skip


def _refuse_the_cine_itself(output: Path, cine: str) -> None:
    from echoplane.errors import UsageError
    from echoplane.sources.discover import discover

    files = (file for item in discover(cine) for file in item.all_files)
    if output.exists() and any(file.exists() and output.samefile(file) for file in files):
        raise UsageError(f"{output}: is the cine itself, or a part of it; write elsewhere.")
