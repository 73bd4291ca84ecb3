"""``echoplane train``: from a store of labelled cines to a run folder with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from echoplane.pipelines.train import Trained

_HELP = """Train a network on stored cines.

\b
  echoplane train compact data.stores=store -o run       a recipe that ships, on your store
  echoplane train my.yaml fit.epochs=20 optimizer.lr=1e-3 -o run
  echoplane train my.yaml -o run --resume                go on after a stop or a kill
  echoplane train my.yaml -o run --devices 4             four GPUs

RECIPE is a YAML file or one of: reference (the thesis experiment), compact (the small network with everything that
helps), quick (a few minutes, to try it out). Words such as fit.epochs=20 change single settings.

The run folder holds recipe, split, figures of each epoch, TensorBoard files, last and best weights, and a bundle for
`echoplane predict --bundle run/bundle`. `echoplane train run/recipe.yaml -o again` makes the run again.

Killed at any moment, a run goes on with --resume, and its curve is the one it would have had.

Exit code: 0 trained; 2 wrong usage, or nothing to train on; 130 interrupted (--resume goes on).
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("train", help=_HELP, short_help="Train a network on stored cines.")
    def command(
        recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="YAML file, or the name of one that ships.")],
        settings: Annotated[
            list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change.", show_default=False)
        ] = None,
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="Run folder.", show_default="runs/<name>")
        ] = None,
        resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
        devices: Annotated[int, typer.Option(min=1, help="GPUs (or processes) of each machine.")] = 1,
        nodes: Annotated[int, typer.Option(min=1, help="Machines, under torchrun or SLURM.")] = 1,
        accelerator: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._common import EXIT_INTERRUPTED
        from echoplane.apps.cli._training import watch
        from echoplane.pipelines.train import train
        from echoplane.training.recipe import load_recipe

        loaded = load_recipe(recipe, settings or ())
        folder = output or Path("runs") / loaded.name
        try:
            with watch(quiet=quiet) as report:
                trained = train(
                    loaded, folder, resume=resume, devices=devices, nodes=nodes, accelerator=accelerator, report=report
                )
        except KeyboardInterrupt:
            more = (("--devices", devices, 1), ("--nodes", nodes, 1), ("--accelerator", accelerator, "auto"))
            typer.echo(
                _how_to_go_on(folder, [f"{name}={value}" for name, value, usual in more if value != usual]), err=True
            )
            raise typer.Exit(EXIT_INTERRUPTED) from None
        if trained.bundle and not quiet:
            _print_end(trained)


def _how_to_go_on(folder: Path, options: list[str]) -> str:
    """Return what an interrupted run says: a command that goes on, to be pasted where the run was started."""
    import shlex

    from echoplane.apps.cli._common import printable
    from echoplane.training.run_folder import RECIPE

    written = folder / RECIPE  # holds the settings of the command line too, and absolute paths
    if not written.is_file():
        return "Interrupted before the first step: nothing is written yet. The same command begins again."
    words = ["echoplane", "train", str(written), "--resume", "-o", str(folder), *options]
    return f"Interrupted. Go on with: {printable(shlex.join(words))}"


def _print_end(trained: Trained) -> None:
    from echoplane.apps.cli._common import console, printable

    out, result = console(), trained.result
    if result.figures:
        figures = ", ".join(
            f"{name.replace('_', ' ')} {100 * result.figures[name]:.1f} %" for name in ("balanced_accuracy", "accuracy")
        )
        out.print(f"Best epoch {result.best_epoch + 1} of {len(result.history)}: {figures} on the validation cines.")
    out.print(f"Run: {printable(str(trained.folder))}", markup=False)
    out.print(f"Use it: echoplane predict --bundle {printable(str(trained.folder / 'bundle'))} FILES", markup=False)
