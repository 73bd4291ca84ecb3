"""Every command is explained, documented, and keeps its options."""

import importlib.util
from pathlib import Path

import pytest
import typer

from echoplane.apps.cli.main import build_app

_SPEC = importlib.util.spec_from_file_location(
    "cli_docs", Path(__file__).resolve().parents[2] / "tools" / "cli_docs.py"
)
cli_docs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cli_docs)

COMMANDS = dict(cli_docs.commands(typer.main.get_command(build_app())))


def test_the_documentation_is_current():
    assert cli_docs.DOCS.read_text(encoding="utf-8") == cli_docs.docs_text(), "run: python tools/cli_docs.py"


def test_options_change_only_on_purpose():
    assert cli_docs.OPTIONS.read_text(encoding="utf-8") == cli_docs.options_text(), "run: python tools/cli_docs.py"


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "echoplane")
def test_every_command_and_every_option_has_help(path):
    command = COMMANDS[path]
    assert (command.help or "").strip()
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert (parameter.help or "").strip(), parameter.name


def test_options_are_spelled_the_same_everywhere():
    long_of_short = {}
    for path, command in COMMANDS.items():
        for parameter in command.params:
            short = [o for o in parameter.opts if len(o) == 2 and o.startswith("-")]
            long = [o for o in parameter.opts if o.startswith("--")]
            for one in short:
                assert long_of_short.setdefault(one, long[0]) == long[0], f"{path}: {one}"
            for one in long:
                assert one == one.lower(), one
                assert "_" not in one, one
