"""Work spread over processes that survives its workers: a crash becomes one item's failure, Ctrl-C ends cleanly."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from echoplane._orphans import require_start, settle_in

A = TypeVar("A")
B = TypeVar("B")

#: Items under way or waiting, per process.
AHEAD = 3


def spread(
    work: Callable[[A], B], items: Iterable[A], jobs: int, crashed: Callable[[A], B]
) -> Generator[B, None, None]:
    """Apply `work` to every item, in this process or in several, and yield results as they come.

    Parameters
    ----------
    work : callable
        Picklable; should return its failures, not raise them.
    items : iterable
    jobs : int
        1 works in this process.
    crashed : callable
        Gives the result of an item that took its process down (a crash in a decoder, the kernel's memory killer).

    Yields
    ------
    result
        In no particular order.

    Raises
    ------
    UsageError
        When processes cannot start: the calling script has no ``if __name__ == "__main__"``.
    """
    if jobs <= 1:
        for item in items:
            yield work(item)
        return
    queue = iter(items)
    lost: list[A] = []
    yield from _run_pool(work, queue, jobs, lost)
    if lost:
        require_start()
    while lost:
        # A worker died. Which item did it? Each of those under way gets a process of its own.
        suspects, lost = lost, []
        for item in suspects:
            yield from _alone(work, item, crashed)
        yield from _run_pool(work, queue, jobs, lost)


def _run_pool(work: Callable[[A], B], queue: Iterator[A], jobs: int, lost: list[A]) -> Generator[B, None, None]:
    """Run until the queue is empty or a worker dies; then put the items that were under way into `lost`."""
    pool = _pool(jobs)
    running: dict[Future[B], A] = {}
    try:
        while True:
            for item in itertools.islice(queue, jobs * AHEAD - len(running)):
                try:
                    running[pool.submit(work, item)] = item
                except BrokenProcessPool:
                    lost.append(item)
                    raise
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                del running[future]
                yield result
    except BrokenProcessPool:
        lost.extend(running.values())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _alone(work: Callable[[A], B], item: A, crashed: Callable[[A], B]) -> Generator[B, None, None]:
    pool = _pool(1)
    try:
        yield pool.submit(work, item).result()
    except BrokenProcessPool:
        yield crashed(item)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Started afresh, not forked: OpenCV's and FFmpeg's threads do not survive a fork.
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_in)


def _settle_in() -> None:
    """Set up a worker: one thread, deaf to Ctrl-C (the parent handles it), gone when the parent is gone."""
    import cv2

    cv2.setNumThreads(1)
    settle_in()
