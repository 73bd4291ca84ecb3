"""Worker processes: that they can start at all, and that they end when the one that started them is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection

from echoplane.errors import UsageError

#: Said in the process that called, and in each of those that it started.
_UNGUARDED = (
    "worker processes cannot start. A script that works in processes needs its calls under "
    '`if __name__ == "__main__":`, because each process imports it anew.'
)


def refuse_unguarded() -> None:
    """Stop where a worker process, importing the script that started it, is about to do the script's work again.

    Raises
    ------
    UsageError
        Before the worker touches what its parent writes.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # what multiprocessing itself asks
        raise UsageError(_UNGUARDED)


def require_start() -> None:
    """Start a process that does nothing: where even that fails, it is not the work that makes processes end.

    Raises
    ------
    UsageError
    """
    process = multiprocessing.get_context("spawn").Process(target=_nothing)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise UsageError(_UNGUARDED)


def _nothing() -> None:
    pass


def settle_in() -> None:
    """Make this worker process deaf to Ctrl-C, which the parent handles, and end it when the parent has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _watch_parent()


def leave_with_parent() -> None:
    """End this worker process when the parent has ended, and at Ctrl-C, for its work takes long."""
    # Python's own handler raises an error, which a pool takes for the end of one task, and goes on with the next.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _watch_parent()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    # A parent that was killed cannot tell its workers, and they would wait for work for ever.
    connection.wait([sentinel])
    os._exit(1)
