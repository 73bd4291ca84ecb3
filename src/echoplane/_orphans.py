"""Worker processes that end when the process that started them is gone, however it went."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection


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
