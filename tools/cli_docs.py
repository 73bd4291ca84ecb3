"""Write docs/cli.md and tests/apps/cli_options.txt from the command line itself.

    python tools/cli_docs.py           write both
    python tools/cli_docs.py --check   say whether they are current (exit code 1 if not)

docs/cli.md is for people. cli_options.txt is the frozen list of options: a test compares it, so that an option is
never renamed or lost without someone seeing it in a diff.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from echoplane.apps.cli.main import build_app

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "cli.md"
OPTIONS = ROOT / "tests" / "apps" / "cli_options.txt"

_WIDTH = 100
_HEAD = """# Command line

Written from the commands themselves by `python tools/cli_docs.py`.

"""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group with its path, groups before what is in them."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


def docs_text() -> str:
    """Return docs/cli.md."""
    app = build_app()
    parts = [_HEAD]
    for path, _ in commands(typer.main.get_command(app)):
        words = " ".join(("echoplane", *path))
        parts.append(f"{'#' * min(2 + max(len(path) - 1, 0), 4)} {words}\n\n```text\n{help_text(app, path)}\n```\n\n")
    return "".join(parts).rstrip() + "\n"


def help_text(app: typer.Typer, path: tuple[str, ...]) -> str:
    """Return what ``--help`` prints, at a fixed width and without colours."""
    environment = {"COLUMNS": str(_WIDTH), "TERMINAL_WIDTH": str(_WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(app, [*path, "--help"], env=environment, prog_name="echoplane", terminal_width=_WIDTH)
    if result.exit_code != 0:
        raise RuntimeError(f"echoplane {' '.join(path)} --help: {result.output}")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    return "\n".join(line.rstrip() for line in plain.strip("\n").splitlines())


def options_text() -> str:
    """Return the frozen list: one line for each option and argument of each command."""
    lines = []
    for path, command in commands(typer.main.get_command(build_app())):
        words = " ".join(("echoplane", *path))
        for parameter in command.params:
            if parameter.name in ("install_completion", "show_completion", "help"):
                continue
            names = ", ".join((*parameter.opts, *parameter.secondary_opts))
            what = "argument" if parameter.param_type_name == "argument" else "option"
            required = ", required" if parameter.required else ""
            lines.append(f"{words}: {what} {names}{required}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write or check both files."""
    wanted = {DOCS: docs_text(), OPTIONS: options_text()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"not current: {', '.join(path.name for path in stale)}; run python tools/cli_docs.py")
            sys.exit(1)
        return
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
