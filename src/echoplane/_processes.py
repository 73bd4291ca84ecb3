"""Worker processes: where they start, what is said where they cannot, and that none outlives who started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from types import TracebackType
from typing import Any, TypeVar

from echoplane.errors import EchoplaneError, UsageError

T = TypeVar("T")

#: Seconds that work which has begun is given to end, where nobody takes its results any more.
PATIENCE = 10.0
#: Windows waits for no more in one pool.
_MOST_ON_WINDOWS = 61

_GUARD = (
    "Each of them imports the script that starts them, so what starts them must stand in a file, below "
    '`if __name__ == "__main__":`.'
)


class Workers(ProcessPoolExecutor):
    """A pool of processes that are started afresh, not forked: threads of OpenCV, FFmpeg, OpenVINO do not survive that.

    Parameters
    ----------
    jobs : int
        Processes, at least 1.
    begin : callable
        Called first in each of them; a function of a module.
    arguments : object
        For `begin`.

    Raises
    ------
    UsageError
        On leaving a ``with`` block in which all processes ended before they did anything.
    EchoplaneError
        On leaving one in which a process ended in the middle of its work.
    """

    def __init__(self, jobs: int, begin: Callable[..., None], *arguments: Any) -> None:
        jobs = min(jobs, _MOST_ON_WINDOWS) if sys.platform == "win32" else jobs
        context = multiprocessing.get_context("spawn")
        super().__init__(jobs, context, initializer=begin, initargs=arguments)
        # Taken before any other task, by the first process that is up.
        self._first = self.submit(_nothing)

    def check_started(self, advice: str = "use fewer jobs, or one") -> None:
        """Wait for the first process.

        Parameters
        ----------
        advice : str
            What to do where the memory is too small.

        Raises
        ------
        UsageError
            When it ended before it did anything.
        """
        try:
            self._first.result()
        except BrokenProcessPool:
            raise UsageError(
                f"{_script()}: its worker processes ended before they did anything. {_GUARD} "
                f"(If it does, the memory may be too small for so many: {advice}.)"
            ) from None

    def leave(self, futures: Iterable[Future[Any]]) -> None:
        """Drop what has not begun, and give what has some seconds (:data:`PATIENCE`) to end, then end its processes.

        For when nobody takes results any more: work takes a moment, but a disk that does not answer may take for ever.
        """
        processes = list((self._processes or {}).values())
        begun = [future for future in futures if not future.cancel()]
        late = wait(begun, PATIENCE).not_done
        self.shutdown(wait=not late, cancel_futures=True)
        if late:
            for process in processes:
                process.kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        under_way = list((self._processes or {}).values())
        # Of a block that ends by an error or Ctrl-C: what has not begun does not begin.
        self.shutdown(wait=error is None, cancel_futures=True)
        if isinstance(error, KeyboardInterrupt):
            # Ctrl-C reaches every process, a TERM signal this one alone, and it would wait for their work to its end.
            for process in under_way:
                process.terminate()
        if isinstance(error, BrokenProcessPool):
            self.check_started()
            raise EchoplaneError(
                "A worker process ended in the middle of its work; perhaps the memory is too small for so many. What "
                "was finished is kept: run the same again, with fewer jobs."
            ) from error


def result_of(future: Future[T]) -> T:
    """Wait for a result so that Ctrl-C is heard: on Windows nothing interrupts a wait without end."""
    while not future.done() and not wait([future], 1).done:
        pass
    return future.result()


def refuse_unguarded() -> None:
    """Stop a worker process that imports the script it was started by, and is about to do the script's work again.

    Called by what starts processes, before it writes anything that its parent writes too.

    Raises
    ------
    UsageError
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # what multiprocessing itself asks
        raise UsageError(f"{_script()}: a worker process would do its work again. {_GUARD}")


def check_guarded(advice: str) -> None:
    """Start a process and let it end, to learn early that others, which somebody else starts, would come up.

    Parameters
    ----------
    advice : str
        What to do where the memory is too small.

    Raises
    ------
    UsageError
        When it ended before it did anything.
    """
    with Workers(1, _nothing) as pool:
        pool.check_started(advice)


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


def _script() -> str:
    return getattr(sys.modules["__main__"], "__file__", None) or "the script"


def _nothing() -> None:
    """Do nothing: that it is done tells that a process is up."""
