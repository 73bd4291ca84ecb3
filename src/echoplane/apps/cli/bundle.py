"""``echoplane bundle``: look into model bundles, check them, pack them, make them faster, take the network out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from echoplane.apps.cli._common import SPLIT_HELP, printable, refuse_what_is_there

if TYPE_CHECKING:
    from echoplane.models.bundle import Bundle

_HELP = """Look into model bundles, check them, pack them, make them faster, take the network out.

A bundle is a folder or one .echoplane file with a network and all it needs to answer: vocabulary, recipe, sampling,
calibration, thresholds, the data it was trained on, its measured figures, and hashes.
"""

_Where = Annotated[str, typer.Argument(metavar="[BUNDLE]", help="Folder or file; 'default' is the one that ships.")]


def register(app: typer.Typer) -> None:
    """Add the verb and its sub-commands."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="bundle", short_help="Look into model bundles, check and pack them.")
    _add_looks(group)
    _add_pack(group)
    _add_variants(group)
    _add_export(group)


def _add_looks(group: typer.Typer) -> None:

    @group.command("inspect", help="Show what a bundle says about itself.")
    def inspect(
        where: _Where = "default",
        as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json as it is.")] = False,
    ) -> None:
        bundle = _load(where)
        if as_json:
            from echoplane import config
            from echoplane.apps.cli._common import json_text

            print(json_text(config.to_mapping(bundle.facts)))
        else:
            from echoplane.apps.cli._bundle_text import describe

            print(printable(describe(bundle)))

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

    @group.command("card", help="Print the model card that the bundle holds, or one written from its facts.")
    def card(where: _Where = "default") -> None:
        from echoplane.models.bundle import CARD_NAME
        from echoplane.models.card import model_card

        bundle = _load(where)
        held = CARD_NAME in bundle.facts.members
        text = bundle.read(CARD_NAME).decode("utf-8", "replace") if held else model_card(bundle.facts)
        print(printable(text), end="")


def _add_pack(group: typer.Typer) -> None:
    @group.command("pack", help=_PACK_HELP, short_help="Turn a folder into one file, or back.")
    def pack(
        source: Annotated[str, typer.Argument(help="Bundle folder or file.")],
        target: Annotated[Path, typer.Argument(help="FILE.echoplane, or a new folder.")],
        sampling: Annotated[
            str, typer.Option(help="Take clips by another rule: default or reference.", show_default="as before")
        ] = "",
        force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    ) -> None:
        from echoplane.pipelines.bundle import with_sampling

        refuse_what_is_there(target, force)
        bundle = with_sampling(_load(source), sampling) if sampling else _load(source)
        bundle.save(target)
        print(f"{bundle.name} {bundle.hash[:12]} written to {target}")


def _add_variants(group: typer.Typer) -> None:
    @group.command("variants", help=_VARIANTS_HELP, short_help="Add int8 and bf16, each measured.")
    def variants(
        source: Annotated[
            str, typer.Argument(metavar="BUNDLE", help="Folder or file; 'default' is the one that ships.")
        ],
        calibrate: Annotated[list[str], typer.Option(help="Store with clips to fit int8 on. Repeatable.")],
        test: Annotated[list[str], typer.Option(help="Store with labelled cines to measure on. Repeatable.")],
        output: Annotated[Path, typer.Option("--output", "-o", help="New bundle: a folder, or a .echoplane file.")],
        split: Annotated[
            str | None, typer.Option(help=f"Of --test: {SPLIT_HELP[0].lower()}{SPLIT_HELP[1:]}", show_default="all")
        ] = None,
        run: Annotated[
            str, typer.Option(help="What is run from now on: f32, bf16 or int8.", show_default="as before")
        ] = "",
        may_lose: Annotated[
            float, typer.Option(min=0.0, max=100.0, help="Points of accuracy that --run may cost.")
        ] = 0.3,
        on: Annotated[str, typer.Option(help="The test data in words, kept in the bundle.", show_default="names")] = "",
        force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        from echoplane.apps.cli._bundle_text import variants_table
        from echoplane.apps.cli._common import console, print_warning
        from echoplane.apps.cli._progress import progress
        from echoplane.pipelines.answer import rows_in
        from echoplane.pipelines.variants import add_variants, prefer
        from echoplane.store import losses, open_stores

        refuse_what_is_there(output, force)
        bundle, fitted, measured = _load(source), open_stores(calibrate), open_stores(test)
        for loss in () if quiet else losses((*fitted, *measured)):
            print_warning(loss)
        with progress("Answering", "cines", quiet=quiet) as bar:

            def step(precision: str, done: int, total: int) -> None:
                if done == 1:
                    bar.start(total)
                bar.step()

            made, figures = add_variants(
                bundle, fitted, measured, keep=rows_in(split),
                on=on or ", ".join(Path(path).name for path in test), progress=step,
            )  # fmt: skip
        if not quiet:
            console().print(variants_table(figures))
        made = prefer(made, figures, run, may_lose / 100) if run else made
        made.save(output)
        if not quiet:
            print(f"{made.name} {made.hash[:12]}, which runs {made.facts.precision}, written to {output}")


def _add_export(group: typer.Typer) -> None:
    @group.command("export", help=_EXPORT_HELP, short_help="The network alone, for other programs.")
    def export(
        source: Annotated[
            str, typer.Argument(metavar="BUNDLE", help="Folder or file; 'default' is the one that ships.")
        ],
        output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")],
        to: Annotated[str, typer.Option(help="onnx or openvino.")] = "onnx",
        precision: Annotated[
            str, typer.Option(help="f32; for openvino also bf16, and int8 where the bundle has it.")
        ] = "f32",
        force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    ) -> None:
        from echoplane.pipelines.bundle_export import export_network

        for path in export_network(_load(source), output, to, precision, force=force):
            print(path)


_VERIFY_HELP = """Check that every member is as it was written, and that the network loads and runs in each precision.

Exit code: 0 all is well; 2 something is damaged or does not run.
"""

_PACK_HELP = """Copy a bundle, every hash checked: to one file when TARGET ends in .echoplane or .zip, else to a folder.

\b
  echoplane bundle pack run/bundle/ heart.echoplane
  echoplane bundle pack heart.echoplane unpacked/
  echoplane bundle pack run/bundle/ heart.echoplane --sampling reference

--sampling is for networks trained on clips that were made beforehand (`data import-legacy`): the rule that takes these
as they are would take the frames of a whole cine too densely.
"""

_VARIANTS_HELP = """Make an int8 network of a bundle's f32 one, and measure f32, bf16 and int8 on the same cines.

\b
  echoplane bundle variants run/bundle --calibrate store/ --test store/ --split run/split.csv -o fast.echoplane
  echoplane bundle variants my.echoplane --calibrate store/ --test held-out/ --run int8 -o fast.echoplane

int8 (OpenVINO's NNCF) is fitted on up to 300 clips of --calibrate, labelled or not; cines that --split picks for the
test are left out of them. The new bundle keeps every precision with its accuracy and its milliseconds on one thread,
and runs the one it ran before, unless --run names another and that one loses no more than --may-lose points. bf16 is
measured where the processor has it. The model card is written anew.

The table's intervals are by patient; "ms alone" is for one clip, "ms of many" for a clip among eight, as many as
predict runs at once.

Exit code: 0 written; 2 too few clips, a store of another recipe, or --run loses too much (nothing is written then).
"""

_EXPORT_HELP = """Write the network into a folder as ONNX or OpenVINO files, with a .json that says what to feed it.

\b
  echoplane bundle export my.echoplane -o onnx/
  echoplane bundle export fast.echoplane --to openvino --precision int8 -o openvino/

The .json holds the shape and the normalisation of the input, the labels of the output, the calibration, and the
accuracy and time measured for this precision. Answers from these files alone lack what makes echoplane's honest: the
sector, the sampling, the thresholds.
"""


def _load(where: str) -> Bundle:
    from echoplane.models.bundle import Bundle

    return Bundle.load(where)
