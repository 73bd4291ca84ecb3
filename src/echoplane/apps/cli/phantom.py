"""``echoplane phantom``: beating hearts that never lived, with the truth beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from echoplane.apps.cli._common import console, printable

_HELP = """Make ultrasound clips of phantom hearts, whose view is known.

\b
  echoplane phantom clip --view A4C --seed 7 -o a4c.mp4         one clip
  echoplane phantom study OUT/ --patients 3                     whole examinations as DICOM, with truth.csv
  echoplane phantom dataset OUT/ --clips 20000 --jobs 2         a store to train on; goes on after a stop
  echoplane phantom sheet sheet.png --real clips/INDEX.csv      phantom beside real clips

The same seed gives the same bytes. No patient data is in any of it.
"""

Seed = Annotated[int, typer.Option(min=0, help="Draws everything.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="Switch a group of nuisances off: acoustics, screen, pose, disease. Repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="phantom", short_help="Make clips of phantom hearts, whose view is known.")
    _add_clip(group)
    _add_study(group)
    _add_dataset(group)
    _add_sheet(group)


def _add_clip(group: typer.Typer) -> None:
    @group.command("clip", short_help="One clip.")
    def clip(
        output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .mp4, .gif, .webp, .dcm, .png or .npz.")],
        view: Annotated[str, typer.Option(help="A2C, A3C, A4C, PSAX-MV, PLAX, ..., DOPPLER, M-MODE, NOISE.")] = "A4C",
        seed: Seed = 0,
        frames: Annotated[int, typer.Option(min=1, help="Number of frames.")] = 60,
        fps: Annotated[
            float | None, typer.Option(min=1, max=1000, help="Frames a second.", show_default="drawn with the seed")
        ] = None,
        size: Annotated[
            str, typer.Option(help="WIDTHxHEIGHT in pixels.", show_default="of the scanner drawn with the seed")
        ] = "",
        disease: Annotated[str, typer.Option(help="For example dilated, or none.", show_default="drawn")] = "",
        without: Without = None,
        view_codes: Annotated[bool, typer.Option("--with-view-codes", help="Write the view into the .dcm.")] = False,
    ) -> None:
        """Write one clip of a view.

        .npz holds the frames with the label of every pixel; .png shows six moments side by side.
        """
        from echoplane.phantom.clip import render_clip
        from echoplane.pipelines.phantom import check_ending, write_clip

        check_ending(output)
        cine = render_clip(
            view,
            seed,
            frames=frames,
            fps=fps,
            size=_size(size),
            disease=disease or None,
            nuisances=_groups(without),
        )
        write_clip(cine, output, view_codes=view_codes)
        facts = cine.recording.facts()
        height, width = cine.frames.shape[1:3]
        heart = f", ejection fraction {cine.ejection_fraction:.0%}" if cine.ejection_fraction is not None else ""
        illness = f", {facts['disease']}" if facts["disease"] not in ("", "none") else ""
        text = f"{cine.view}, {len(cine.frames)} frames of {width}x{height} at {cine.fps:g} a second{heart}{illness}."
        console(stderr=True).print(f"{printable(str(output))}: {text}", markup=False)


def _add_study(group: typer.Typer) -> None:
    @group.command("study", short_help="Whole examinations as DICOM.")
    def study(
        out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder.", show_default=False)],
        patients: Annotated[int, typer.Option(min=1, help="How many; each is one examination.")] = 1,
        seed: Seed = 0,
        disease: Annotated[str, typer.Option(help="Of all patients.", show_default="drawn for each")] = "",
        view_codes: Annotated[
            bool, typer.Option("--with-view-codes", help="Write the views into the files (ViewCodeSequence).")
        ] = False,
    ) -> None:
        """Write examinations: many clips each, main and other views, Doppler, stills, off one machine.

        Run it again to go on after a stop, or with more patients: those who are there are kept.
        truth.csv in OUT says what each file shows; the files themselves do not, unless --with-view-codes.
        """
        from echoplane.apps.cli._progress import progress
        from echoplane.pipelines.phantom import write_studies

        with progress("Scanning", "patients") as bar:
            bar.start(patients)
            files = write_studies(
                out,
                patients=patients,
                seed=seed,
                disease=disease or None,
                view_codes=view_codes,
                progress=lambda done, total: bar.step(),
            )
        text = f"{printable(str(out))}: {files} files written; what files show is in truth.csv."
        console(stderr=True).print(text, markup=False)


def _add_dataset(group: typer.Typer) -> None:
    @group.command("dataset", short_help="A store to train on.")
    def dataset(
        out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the store.", show_default=False)],
        clips: Annotated[int, typer.Option(min=1, help="How many.")] = 20000,
        jobs: Annotated[int, typer.Option(min=1, help="Processes. The data do not depend on it.")] = 1,
        seed: Seed = 0,
        frames: Annotated[int, typer.Option(min=1, help="Frames of a clip.")] = 20,
        fps: Annotated[float, typer.Option(min=1, max=1000, help="Frames a second.")] = 16.0,
        recipe: Annotated[
            str, typer.Option(help="How clips are prepared: default (112x112) or store (128x128).")
        ] = "store",
        without: Without = None,
    ) -> None:
        """Render a training set of prepared clips; run it again to go on after a stop, or to make it larger.

        Stores that train one network must be prepared alike: to train on these clips and on your own, give
        the same --recipe here as to `echoplane prepare`, which takes `default` unless told otherwise.
        """
        from echoplane.apps.cli._progress import progress
        from echoplane.phantom.dataset import DatasetPlan
        from echoplane.pipelines.phantom import write_dataset
        from echoplane.prepare.recipe import recipe_named
        from echoplane.store import StoreReader

        prepared = recipe_named(recipe)
        plan = DatasetPlan(clips, seed=seed, frames=frames, fps=fps, nuisances=_groups(without))
        with progress("Rendering", "clips") as bar:
            bar.start(clips)
            made = write_dataset(out, plan, jobs=jobs, recipe=prepared, progress=lambda done, total: bar.step())
        there = len(StoreReader(out))  # those of other seeds and of a larger run too
        console(stderr=True).print(f"{printable(str(out))}: {made} clips rendered, {there} there.", markup=False)


def _add_sheet(group: typer.Typer) -> None:
    @group.command("sheet", short_help="Phantom beside real clips.")
    def sheet(
        output: Annotated[Path, typer.Argument(metavar="PICTURE", help="Ends in .png or .jpg.", show_default=False)],
        real: Annotated[
            Path | None, typer.Option(help="CSV with the columns file, view and group.", show_default=False)
        ] = None,
        seed: Seed = 0,
        columns: Annotated[int, typer.Option(min=1, help="Clips in a row.")] = 10,
    ) -> None:
        """Draw real clips over phantom clips, prepared the same way, and print how their statistics differ."""
        from echoplane.pipelines.phantom_sheet import check_ending, compare, phantom_samples, real_samples, write_sheet
        from echoplane.views import MAIN_VIEWS

        check_ending(output)
        clips = real_samples(real) if real else []
        phantom = phantom_samples(MAIN_VIEWS, seed, columns)
        write_sheet(output, clips, phantom, columns)
        if clips:
            print(compare(clips, phantom))


def _groups(without: list[str] | None) -> tuple[str, ...]:
    from echoplane.errors import UsageError
    from echoplane.phantom.recording import GROUPS
    from echoplane.views import suggest

    for name in without or ():
        if name not in GROUPS:
            raise UsageError(f"--without {name!r}{suggest(name, GROUPS)}; known: {', '.join(GROUPS)}.")
    return tuple(name for name in GROUPS if name not in (without or ()))


def _size(text: str) -> tuple[int, int] | None:
    from echoplane.errors import UsageError

    if not text:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= int(width) <= 4096 and 16 <= int(height) <= 4096):
        raise UsageError(f"--size {text!r}: write WIDTHxHEIGHT, for example 640x480, each in 16..4096.")
    return int(height), int(width)
