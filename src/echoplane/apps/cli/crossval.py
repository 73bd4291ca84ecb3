"""``echoplane crossval`` and ``echoplane order``: what a recipe is worth on patients it did not see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from echoplane.pipelines.crossvalidate import CrossValidated
    from echoplane.training.order_test import OrderEffect

_HELP = """Train a network for each fold of the patients, and gather what each answers on the cines it did not see.

\b
  echoplane crossval reference data.stores=store -k 10 -o cv
  echoplane crossval my.yaml -k 5 --order -o cv        also with frames shuffled, reversed and frozen

Stopped or killed? The same command goes on: finished folds are kept, the fold it stopped in goes on where it was.

The folder gets predictions.npz (for `echoplane evaluate`), predictions.csv (a row a clip), confusion.json (for each
fold and altogether: single clips, summed probabilities, majority vote), report.html with the misread cines as small
moving pictures, misread.csv, and a run folder for each fold.

Exit code: 0 done; 2 wrong usage, or nothing to train on; 130 interrupted (the same command goes on).
"""

_ORDER_HELP = """How much does a network use time? Answer the same clips with frames shuffled, reversed, and frozen.

\b
  echoplane order run/
  echoplane order run/ --store /new/place/store

RUN is the folder of `echoplane train`; its validation cines are answered by its best weights. A view whose recall falls
when nothing moves is read by its motion; one that keeps it is read from single frames.
"""


def register(app: typer.Typer) -> None:
    """Add both verbs."""

    @app.command("crossval", help=_HELP, short_help="Cross-validate a recipe by patient.")
    def crossval(
        recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="YAML file, or the name of one that ships.")],
        settings: Annotated[
            list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change.", show_default=False)
        ] = None,
        folds: Annotated[int, typer.Option("--folds", "-k", min=2, help="Number of folds.")] = 10,
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="Folder.", show_default="runs/<name>-crossval")
        ] = None,
        order: Annotated[bool, typer.Option("--order", help="Shuffle, reverse and freeze the frames as well.")] = False,
        jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Folds at the same time.")] = 1,
        accelerator: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._common import EXIT_INTERRUPTED
        from echoplane.apps.cli._training import watch
        from echoplane.pipelines.crossvalidate import crossvalidate
        from echoplane.training.recipe import load_recipe

        loaded = load_recipe(recipe, settings or ())
        folder = output or Path("runs") / f"{loaded.name}-crossval"
        try:
            with watch(quiet=quiet) as report:
                found = crossvalidate(
                    loaded, folder, folds, jobs=jobs, orders=order, accelerator=accelerator, report=report
                )
        except KeyboardInterrupt:
            typer.echo("Interrupted. The same command goes on.", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        if not quiet:
            _print_found(found)

    @app.command("order", help=_ORDER_HELP, short_help="How much does a network use time?")
    def order_verb(
        run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
        store: Annotated[
            list[str] | None,
            typer.Option(
                "--store",
                help="Where a store of the run lies now, if elsewhere; once for each, in the order of its recipe.",
                show_default=False,
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    ) -> None:
        from echoplane.apps.cli._common import print_warning
        from echoplane.pipelines.crossvalidate import order_facts
        from echoplane.pipelines.train import try_orders

        effects = try_orders(run, tell=print_warning, stores=store or ())
        if as_json:
            import json

            print(json.dumps([order_facts(effect) for effect in effects], indent=1))
        else:
            _print_orders(effects)


def _print_found(found: CrossValidated) -> None:
    from echoplane.apps.cli._common import console, printable

    out, summary = console(), found.summary
    for way, title in (("clips", "Single clips"), ("sums", "Summed probabilities"), ("votes", "Majority vote")):
        out.print(_matrix_table(found.confusions["all"][way], summary.views, title))
    for key, name in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy")):
        figure = summary.figures[key]
        out.print(
            f"{name}: {100 * figure.value:.1f} % ({100 * figure.low:.1f} to {100 * figure.high:.1f}, "
            f"95 % interval by patient)",
            markup=False,
        )
    out.print(f"{summary.cines} cines of {summary.people}, {len(summary.misread)} misread:", markup=False)
    for cine, truth, answer, probability in summary.misread[:10]:
        out.print(f"  {printable(cine)}: {truth}, read as {answer} ({probability:.2f})", markup=False)
    if len(summary.misread) > 10:
        out.print(f"  and {len(summary.misread) - 10} more", markup=False)
    if found.orders:
        _print_orders(found.orders)
    out.print(f"Report: {printable(str(found.folder / 'report.html'))}", markup=False)


#: More views than this, and a confusion matrix has letters above its columns: their names would not fit.
_NAMED_COLUMNS = 8


def _matrix_table(matrix: Sequence[Sequence[int]], views: Sequence[str], title: str) -> Any:
    from rich import box
    from rich.table import Table

    letters = [chr(ord("a") + k % 26) for k in range(len(views))]
    named = len(views) <= _NAMED_COLUMNS
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    table.add_column("truth \\ answer")
    for view, letter in zip(views, letters, strict=True):
        table.add_column(view if named else letter, justify="right", no_wrap=True)
    table.add_column("right", justify="right", no_wrap=True)
    for k, (view, line) in enumerate(zip(views, matrix, strict=True)):
        share = f"{100 * line[k] / sum(line):.0f} %" if sum(line) else ""
        name = view if named else f"{letters[k]} {view}"
        table.add_row(name, *(str(count) if count else "." for count in line), share)
    return table


def _print_orders(effects: Sequence[OrderEffect]) -> None:
    from rich import box
    from rich.table import Table

    from echoplane.apps.cli._common import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Order of the frames", title_justify="left")
    for name in ("frames", "right", "lost, points (95 % by patient)", "p"):
        table.add_column(name, justify="left" if name == "frames" else "right", no_wrap=True)
    for effect in effects:
        lost, p = "", ""
        if effect.against:
            lost = effect.against.difference.points()
            p = f"{effect.against.p_value:.2g}"
        table.add_row(effect.order, f"{100 * effect.accuracy:.1f} %", lost, p)
    views = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Right, by view", title_justify="left")
    views.add_column("view", no_wrap=True)
    for effect in effects:
        views.add_column(effect.order, justify="right", no_wrap=True)
    for view in effects[0].recall:
        views.add_row(view, *(f"{100 * effect.recall[view]:.0f} %" for effect in effects))
    console().print(table)
    console().print(views)
