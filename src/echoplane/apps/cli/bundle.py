"""``echoplane bundle``: look into model bundles, check them, pack them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from echoplane.models.bundle import Bundle

_HELP = """Look into model bundles, check them, pack them.

A bundle is a folder or one .echoplane file with a network and all it needs to answer: vocabulary, recipe, sampling,
calibration, thresholds, the data it was trained on, its measured figures, and hashes.
"""

_Where = Annotated[str, typer.Argument(metavar="[BUNDLE]", help="Folder or file; 'default' is the one that ships.")]


def register(app: typer.Typer) -> None:
    """Add the verb and its sub-commands."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="bundle", short_help="Look into model bundles, check them, pack them.")

    @group.command("inspect", help="Show what a bundle says about itself.")
    def inspect(
        where: _Where = "default",
        as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json as it is.")] = False,
    ) -> None:
        bundle = _load(where)
        if as_json:
            import msgspec

            from echoplane import config

            print(msgspec.json.format(msgspec.json.encode(config.to_mapping(bundle.facts)), indent=1).decode())
        else:
            from echoplane.apps.cli._bundle_text import describe

            print(describe(bundle))

    @group.command("verify", help=_VERIFY_HELP, short_help="Check hashes, and run the network once.")
    def verify(where: _Where = "default") -> None:
        from echoplane.pipelines.bundle import verify as check

        bundle = _load(where)
        report = check(bundle)
        print(f"{bundle.name} {bundle.hash[:12]}: {len(bundle.facts.members)} members whole")
        for precision, what in report.runs.items():
            print(f"  {precision}: {what}")
        for name in report.strangers:
            print(f"  {name}: is no part of the bundle; it is never read")

    @group.command("pack", help=_PACK_HELP, short_help="Turn a folder into one file, or back.")
    def pack(
        source: Annotated[str, typer.Argument(help="Bundle folder or file.")],
        target: Annotated[Path, typer.Argument(help="FILE.echoplane, or a new folder.")],
        force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    ) -> None:
        from echoplane.errors import UsageError

        if target.exists() and not force:
            raise UsageError(f"{target}: is there already; use --force to replace it.")
        bundle = _load(source)
        bundle.save(target)
        print(f"{bundle.name} {bundle.hash[:12]} written to {target}")


_VERIFY_HELP = """Check that every member is as it was written, and that the network loads and runs in each precision.

Exit code: 0 all is well; 2 something is damaged or does not run.
"""

_PACK_HELP = """Copy a bundle, every hash checked: to one file when TARGET ends in .echoplane or .zip, else to a folder.

\b
  echoplane bundle pack run/bundle/ heart.echoplane
  echoplane bundle pack heart.echoplane unpacked/
"""


def _load(where: str) -> Bundle:
    from echoplane.models.bundle import Bundle

    return Bundle.load(None if where == "default" else where)
