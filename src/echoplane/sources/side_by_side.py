"""Decode the frames of one cine on several threads, where whoever reads it has threads to spare."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

#: Fewer frames are decoded before threads have got going.
WORTH_IT = 24

# One by default: where files are worked on side by side, their frames need not be.
_threads: ContextVar[int] = ContextVar("echoplane_decoding_threads", default=1)


@contextmanager
def decoding_threads(count: int) -> Iterator[None]:
    """Let cines that are read inside of the block, by this thread, be decoded on `count` threads."""
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def mapped(work: Callable[[A], B], items: Iterable[A], count: int) -> Iterator[B]:
    """Yield ``work(item)`` of each of `count` items in order, on as many threads as were allowed.

    Items are taken in the calling thread, at most two ahead for each thread, so that few are held in memory.
    """
    threads = _threads.get()
    if threads < 2 or count < WORTH_IT:
        yield from map(work, items)
        return
    waiting: deque[Future[B]] = deque()
    # Made anew each time: a pool that stays would be dead in a process that is forked later.
    with ThreadPoolExecutor(threads, thread_name_prefix="echoplane-decode") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
