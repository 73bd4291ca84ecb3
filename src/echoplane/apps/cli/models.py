"""``echoplane models``: the networks that recipes can name, and old checkpoints made into bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HELP = """List the networks that a recipe can name, with what each costs; import old checkpoints.

Multiply-adds are those of one clip of the size shown, convolutions and linear layers only; a FLOP figure is twice
as much. Networks of MONAI go by `monai:<name>` where MONAI is installed.
"""

_IMPORT_HELP = """Turn a checkpoint of the modular 3D CNN (.pt, a state dict, with or without 'module.') into a bundle.

\b
  echoplane models import model.pt -o thesis.echoplane
  echoplane models import model.pt --views A2C,A4C,other --recipe reference-swapped -o my.echoplane

The layers are read off the file; nothing in it is run. --views gives the order of the outputs; left out, it is that
of the thesis: apex, papillary, mitral, 2CH, 3CH, 4CH. The probabilities are not calibrated.
"""


def register(app: typer.Typer) -> None:
    """Add the verb and its sub-command."""
    group = typer.Typer(help=_HELP, rich_markup_mode=None, invoke_without_command=True)
    app.add_typer(group, name="models", short_help="The networks that recipes can name.")

    @group.callback()
    def models(
        context: typer.Context,
        as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    ) -> None:
        if context.invoked_subcommand is None:
            _print_json() if as_json else _print_table()

    @group.command("import", help=_IMPORT_HELP, short_help="Turn an old checkpoint into a bundle.")
    def import_checkpoint(
        checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="The checkpoint.", show_default=False)],
        output: Annotated[Path, typer.Option("--output", "-o", help="Bundle: folder or FILE.echoplane.")],
        views: Annotated[
            str, typer.Option(help="Labels of the outputs, separated by commas.", show_default="the six of the thesis")
        ] = "",
        recipe: Annotated[str, typer.Option(help="Prepare recipe it was trained with.")] = "reference",
        pool: Annotated[str, typer.Option(help="Size before the classifier: frames,rows,columns.")] = "7,5,5",
    ) -> None:
        from echoplane.apps.cli._common import printable
        from echoplane.errors import UsageError
        from echoplane.pipelines.import_checkpoint import import_checkpoint as do_import

        if output.exists():
            raise UsageError(f"{output}: is there already; choose another name.")
        try:
            sizes = tuple(int(size) for size in pool.split(","))
        except ValueError:
            raise UsageError(f"--pool {pool}: expected three numbers such as 7,5,5.") from None
        labels = tuple(view.strip() for view in views.split(",")) if views else ()
        bundle = do_import(checkpoint, output, views=labels, recipe=recipe, adaptive_pool=sizes)
        print(f"{bundle.name} {bundle.hash[:12]} written to {printable(str(output))}")
        print(f"Answers: {', '.join(bundle.facts.answers)}")


def _print_table() -> None:
    from echoplane.apps.cli._common import console
    from echoplane.apps.cli._results import Column, noted_table
    from echoplane.models.registry import NETWORKS

    heads = ("name", "clip", "parameters", "multiply-adds", "what it is")
    columns = [Column(head, right=head in ("parameters", "multiply-adds")) for head in heads]
    rows = []
    for row in NETWORKS.values():
        n, h, w = row.clip
        cost = (f"{row.parameters / 1e6:.2f} M", f"{row.macs / 1e6:,.0f} M")
        rows.append([(text, "") for text in (row.name, f"{n}x{h}x{w}", *cost, row.summary)])
    out = console()
    out.print(noted_table(columns, rows, out.width))
    for paper in dict.fromkeys(row.paper for row in NETWORKS.values()):
        names = ", ".join(row.name for row in NETWORKS.values() if row.paper == paper)
        out.print(f"{names}: {paper}", markup=False)


def _print_json() -> None:
    from echoplane import config
    from echoplane.apps.cli._common import json_text
    from echoplane.models.registry import NETWORKS

    rows = [config.to_mapping(row) for row in NETWORKS.values()]
    print(json_text(rows))
