"""The command line: builds the typer app from one module per verb, and turns errors into exit codes.

Exit codes: 0 all went well; 1 the command ran, and something in its input needs a look (see its help); 2 wrong usage,
or nothing to work with (no such file, no bundle, a damaged bundle); 130 interrupted (Ctrl-C, or a TERM signal).

Everything that costs time to import is imported inside the commands, so that ``--help`` comes at once.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
import time
from itertools import pairwise
from typing import Annotated

import typer

from echoplane._files import EMPTY_PATH
from echoplane.apps.cli import (
    bundle,
    crossval,
    data,
    doctor,
    evaluate,
    explain,
    export,
    filters,
    info,
    models,
    organize,
    phantom,
    predict,
    prepare,
    train,
    views,
)
from echoplane.apps.cli._common import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, print_error, printable
from echoplane.errors import EchoplaneError, UsageError

#: Verb modules, in the order of the help.
VERBS = (
    predict,
    info,
    export,
    explain,
    filters,
    organize,
    prepare,
    data,
    train,
    crossval,
    models,
    evaluate,
    phantom,
    views,
    bundle,
    doctor,
)

#: Signals that asked this run to end.
_interrupts: list[int] = []

_HELP = """Which view of the heart does this echocardiogram clip show?

\b
  echoplane predict clip.dcm                 one file
  echoplane predict study/ -o views.csv      a folder, answers to a table
  echoplane views                            what it can tell apart
  echoplane doctor                           what is installed, to paste into a report

Every file ends as one row: a view, 'other', 'unsure', or the reason why there is no answer.
Not a medical device: do not use it to diagnose.
"""


def build_app() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_version)
        ] = False,
        verbose: Annotated[
            bool,
            typer.Option(
                "--verbose",
                "-v",
                help="Show the log: the status of each file of predict, and tracebacks of what it could not deal with.",
            ),
        ] = False,
    ) -> None:
        del version
        _set_up_log(verbose)

    for verb in VERBS:
        verb.register(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's letters cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    _hear_interrupts()
    try:
        _run(arguments)
    except SystemExit as end:
        _leave_behind(end)
        raise


def _run(arguments: list[str] | None) -> None:
    try:
        _refuse_empty_paths(sys.argv[1:] if arguments is None else arguments)
        build_app()(arguments, prog_name="echoplane")
    except KeyboardInterrupt:  # before the command began; from then on typer catches it
        sys.exit(EXIT_INTERRUPTED)
    except EchoplaneError as error:
        print_error(str(error))
        sys.exit(EXIT_USAGE)
    except OSError as error:
        # Trouble with one input is a row; what gets here is an output that cannot be written, or a full disk.
        logging.getLogger("echoplane").debug("The system refused.", exc_info=True)
        name = error.filename2 or error.filename  # of a rename the target, which is what the user named
        where = f"{name}: " if name else ""
        print_error(f"{where}{error.strerror or error}.")
        sys.exit(EXIT_USAGE)
    except Exception:
        # A library in C that is interrupted while it is imported makes an ImportError of it.
        if not _interrupts:
            raise
        logging.getLogger("echoplane").debug("The interrupt became this.", exc_info=True)
        sys.exit(EXIT_INTERRUPTED)


def _leave_behind(end: SystemExit) -> None:
    """Leave at once, where a file that does not answer still holds a thread: Python would wait for it."""
    if threading.active_count() == 1:
        return
    from echoplane.inference.classifier import WORKERS

    workers = [thread for thread in threading.enumerate() if thread.name.startswith(WORKERS)]
    until = time.monotonic() + 1  # those that have nothing to do are just ending
    with contextlib.suppress(KeyboardInterrupt):  # asked twice: all the more reason to leave
        for thread in workers:
            thread.join(max(0.0, until - time.monotonic()))
    if not any(thread.is_alive() for thread in workers):
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it is gone
            stream.flush()
    os._exit(end.code if isinstance(end.code, int) else EXIT_USAGE if end.code else EXIT_OK)


def _refuse_empty_paths(arguments: list[str]) -> None:
    """Raise UsageError where an output, or an input, is the empty text.

    That is what a shell makes of a variable which is not set, and Python takes it for the folder one is in.
    """
    for before, argument in pairwise(["", *arguments]):
        if argument == "--output=" or (not argument and (before in ("-o", "--output") or not before.startswith("-"))):
            raise UsageError(EMPTY_PATH)


def _hear_interrupts() -> None:
    """Take TERM for Ctrl-C, and remember either.

    A shutdown, a container or a cluster ends programs by TERM; what is under way is tidied up all the same.
    """
    _interrupts.clear()
    if threading.current_thread() is not threading.main_thread():
        return
    for number, usual in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is usual:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    del frame
    _interrupts.append(number)
    raise KeyboardInterrupt


def _open_closed_streams() -> None:
    """Let what a daemon's closed stdin, stdout and stderr would take vanish.

    In this order each gets its own number (0, 1, 2) back, so that no file opened later takes it: libraries in C, and
    worker processes, write to the numbers.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123 - stays open to the end
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _version(wanted: bool) -> None:
    if wanted:
        from echoplane import __version__

        print(f"echoplane {__version__}")
        raise typer.Exit


class _Printable(logging.Formatter):
    """Names of files, also in tracebacks, must not steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _set_up_log(verbose: bool) -> None:
    log = logging.getLogger("echoplane")
    handler = logging.StreamHandler() if verbose else logging.NullHandler()
    handler.setFormatter(_Printable())
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if verbose else logging.WARNING)
