"""Work spread over processes that survives its workers: a crash becomes one item's failure, Ctrl-C ends cleanly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from echoplane._processes import Workers, result_of, settle_in

A = TypeVar("A")
B = TypeVar("B")

#: Items under way or waiting, per process.
AHEAD = 4


def spread(
    work: Callable[[A], B], items: Iterable[A], jobs: int, crashed: Callable[[A], B], *, in_order: bool = False
) -> Generator[B, None, None]:
    """Apply `work` to every item, in this process or in several, and yield results as they come.

    Parameters
    ----------
    work : callable
        Picklable; should return its failures, for what it raises ends everything.
    items : iterable
    jobs : int
        1 works in this process.
    crashed : callable
        Gives the result of an item that took its process down (a crash in a decoder, the kernel's memory killer).
    in_order : bool
        Yield results in the order of the items, else as soon as they are there.

    Yields
    ------
    result

    Raises
    ------
    UsageError
        When no process can start, as in a script without ``if __name__ == "__main__"``.
    """
    if jobs <= 1:
        yield from map(work, items)
        return
    queue = iter(items)
    lost: list[A] | None = []
    while lost is not None:
        # A worker died. Which item did it? Each of those under way gets a process of its own.
        for item in lost:
            yield _alone(work, item, crashed)
        lost = yield from _until_one_dies(work, queue, jobs, in_order)


def _until_one_dies(
    work: Callable[[A], B], queue: Iterator[A], jobs: int, in_order: bool
) -> Generator[B, None, list[A] | None]:
    """Run until the queue is empty, and return None, or until a worker dies, and return what was under way."""
    running: dict[Future[B], A] = {}
    with Workers(jobs, _settle_in) as pool:
        try:
            while True:
                for item in itertools.islice(queue, jobs * AHEAD - len(running)):
                    running[_submitted(pool, work, item)] = item
                if not running:
                    return None
                done = [next(iter(running))] if in_order else wait(running, return_when=FIRST_COMPLETED).done
                for future in done:
                    result = result_of(future)
                    del running[future]
                    yield result
        except BrokenProcessPool:
            return list(running.values())
        finally:
            pool.leave(running)  # reached by an interrupt too


def _submitted(pool: Workers, work: Callable[[A], B], item: A) -> Future[B]:
    try:
        return pool.submit(work, item)
    except BrokenProcessPool as error:  # since a moment ago; the item is under way like the others
        broken: Future[B] = Future()
        broken.set_exception(error)
        return broken


def _alone(work: Callable[[A], B], item: A, crashed: Callable[[A], B]) -> B:
    with Workers(1, _settle_in) as pool:
        pool.check_started()
        try:
            return pool.submit(work, item).result()
        except BrokenProcessPool:
            return crashed(item)


def _settle_in() -> None:
    """Set up a worker: one thread, for the processes are the parallel work; its parent decides when it ends."""
    import cv2

    cv2.setNumThreads(1)
    settle_in()
