"""Work spread over processes, answers in order, and a crash that costs one row.

Finding the sector is many small steps of NumPy, which hold Python's lock: two threads answered 1.2 times as many files
a second as one. Processes share nothing, and a decoder that crashes takes one of them along and not the run.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from echoplane._orphans import require_start, settle_in
from echoplane.inference.classifier import AHEAD

Item = TypeVar("Item")
Result = TypeVar("Result")

_make: Callable[[], Callable[[Any], Any]]
_work: Callable[[Any], Any] | None = None


def in_processes(
    items: Iterable[Item],
    make: Callable[[], Callable[[Item], Result]],
    crashed: Callable[[Item], Result],
    jobs: int,
) -> Generator[Result, None, None]:
    """Give one result for each item, in their order.

    Parameters
    ----------
    items : iterable
        Each can be pickled.
    make : callable
        Called once in every process, where it is needed first; gives the function that does the work. Can be pickled.
    crashed : callable
        The result for an item whose process ended without one.
    jobs : int
        Processes.

    Yields
    ------
    object
        Exceptions of the work are raised here.

    Raises
    ------
    UsageError
        When processes cannot start: the calling script has no ``if __name__ == "__main__"``.
    """
    left, waiting, begun = deque(items), deque[tuple[Item, Future[Result]]](), False
    pool = _start(make, jobs)
    try:
        while left or waiting:
            try:
                while left and len(waiting) < jobs * AHEAD:
                    future = pool.submit(_run, left[0])
                    waiting.append((left.popleft(), future))
                result = waiting[0][1].result()
            except BrokenProcessPool:
                # One of those begun ended its process, and nobody can say which: each is tried alone.
                pool.shutdown(wait=True, cancel_futures=True)
                if not begun:
                    require_start()
                suspects = [item for item, _ in waiting] or [left.popleft()]
                waiting.clear()
                for item in suspects:
                    yield _alone(item, make, crashed)
                pool = _start(make, jobs)
                continue
            waiting.popleft()
            begun = True
            yield result
    finally:
        # Reached by an interrupt too: what has not begun is dropped, what has begun takes a moment to end.
        pool.shutdown(wait=True, cancel_futures=True)


def _alone(item: Item, make: Callable[[], Callable[[Item], Result]], crashed: Callable[[Item], Result]) -> Result:
    with _start(make, 1) as pool:
        try:
            result: Result = pool.submit(_run, item).result()
        except BrokenProcessPool:
            return crashed(item)
    return result


def _start(make: Callable[[], Callable[[Any], Any]], jobs: int) -> ProcessPoolExecutor:
    # Not forked: the threads of OpenVINO and OpenCV do not survive it.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(make,))


def _begin(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _make  # one process, one worker
    _make = make
    settle_in()  # Ctrl-C reaches all processes of a terminal; the first one decides what ends


def _run(item: Any) -> Any:
    global _work
    if _work is None:
        _work = _make()
    return _work(item)
