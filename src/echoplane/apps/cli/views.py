"""``echoplane views``: the vocabulary."""

from __future__ import annotations

from typing import Annotated

import typer

_HELP = """List the views: label, meaning, accepted spellings, and the code of DICOM CID 12226.

The six main views come first. A bundle answers some of them: name one to see which.
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("views", help=_HELP, short_help="List the views, their spellings and codes.")
    def command(
        bundle: Annotated[
            str | None,
            typer.Option(help="Mark what this bundle answers ('default' for the one that ships).", show_default=False),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    ) -> None:
        from echoplane.models.bundle import Bundle
        from echoplane.views import MAIN_VIEWS, VIEWS

        facts = None if bundle is None else Bundle.load(bundle).facts
        rows: list[dict[str, object]] = [
            {
                "label": row.label,
                "main": row.label in MAIN_VIEWS,
                "meaning": row.meaning,
                "accepted": list(row.accepted),
                "family": str(row.family),
                "code": None if row.code is None else list(row.code),
                "code_is_wider": row.code_is_wider,
                **({} if facts is None else {"bundle": _role(row.label, facts.answers, facts.vocabulary)}),
            }
            for row in VIEWS
        ]
        if as_json:
            from echoplane.apps.cli._common import json_text

            print(json_text(rows))
        else:
            _print(rows, facts is not None)


def _role(label: str, answers: tuple[str, ...], vocabulary: tuple[str, ...]) -> str:
    return "answered" if label in answers else "known, as other" if label in vocabulary else ""


def _print(rows: list[dict[str, object]], with_bundle: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from echoplane.apps.cli._common import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("label", "meaning", "also accepted", "SNOMED CT code", *(("bundle",) if with_bundle else ())):
        table.add_column(name, no_wrap=name in ("label", "bundle"))
    for row in rows:
        code = row["code"]
        wider = " (wider)" if row["code_is_wider"] else ""
        text = f"{code[0]}{wider} {code[2]}" if isinstance(code, list) else "none in the standard"
        scheme = f"{code[1]} " if isinstance(code, list) and code[1] != "SCT" else ""
        accepted = row["accepted"]
        table.add_row(
            Text(str(row["label"]), style="bold" if row["main"] else ""),
            Text(str(row["meaning"])),
            Text(", ".join(accepted) if isinstance(accepted, list) else "", style="dim"),
            Text(scheme + text),
            *([Text(str(row["bundle"]))] if with_bundle else []),
        )
    console().print(table)
