"""``echoplane filters``: what the filters of a layer answer to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from echoplane.apps.cli._common import EXIT_USAGE, console, print_error, printable

_HELP = """Show what the filters of a layer answer to.

\b
  echoplane filters                                        the layers, and how many filters each has
  echoplane filters features.0.0 -o stem.gif               the favourite moving picture of every filter
  echoplane filters features.4.plane --filter 3 -o one.gif of one filter
  echoplane filters features.4.plane --on clip.dcm -o maps.gif     the feature maps of a cine instead

Favourites are searched by gradient ascent, with jitter, blur and smoothness so that they can be read. Needs torch:
pip install "echoplane[explain]"
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("filters", help=_HELP, short_help="Show what the filters of a layer answer to.")
    def command(
        layer: Annotated[
            str, typer.Argument(help="Dotted name of a layer or block.", show_default="list the layers")
        ] = "",
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="Ends in .mp4, .gif, .webp or .png.", show_default=False)
        ] = None,
        bundle: Annotated[
            str | None,
            typer.Option(help="Model bundle: a folder or .echoplane file.", show_default="the one that ships"),
        ] = None,
        filter_: Annotated[
            list[int] | None, typer.Option("--filter", min=0, help="Only this filter; may be repeated.")
        ] = None,
        on: Annotated[Path | None, typer.Option("--on", help="A cine: show feature maps instead.")] = None,
        steps: Annotated[int, typer.Option(min=1, help="Steps of the search.")] = 96,
    ) -> None:
        from echoplane.apps.cli._progress import progress
        from echoplane.models.bundle import Bundle
        from echoplane.pipelines import filters

        loaded = Bundle.load(bundle)
        if not layer and output is not None:
            print_error("say which layer to show in it; `echoplane filters` alone lists them.")
            raise typer.Exit(EXIT_USAGE)
        if not layer:
            for name, count in filters.layer_names(loaded):
                console().print(f"{name}  {count} filters", markup=False)
            return
        if output is None:
            print_error("say where to write: -o page.gif")
            raise typer.Exit(EXIT_USAGE)
        filters.check_ending(output)  # before the work
        if on is not None:
            pictures = filters.maps_of(loaded, layer, on)
            if filter_:
                if max(filter_) >= len(pictures):
                    print_error(f"--filter {max(filter_)}: {layer} has filters 0 to {len(pictures) - 1}.")
                    raise typer.Exit(EXIT_USAGE)
                pictures = pictures[filter_]
        else:
            with progress("Searching", "filters") as bar:
                pictures = filters.favourites(
                    loaded, layer, filter_, steps=steps, on_start=bar.start, on_done=lambda _: bar.step()
                )
        filters.write_page(pictures, output, filter_ or None)
        console(stderr=True).print(f"{len(pictures)} pictures in {printable(str(output))}.", markup=False)
