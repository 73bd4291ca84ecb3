"""Load the next batches while the network works on this one, in a thread of the same process.

On a machine with few cores this is cheaper than worker processes: nothing is copied between processes, and OpenCV and
NumPy let go of the interpreter lock while they work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()


def prefetch(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """Yield what `items` yields, up to `depth` ahead; errors of the thread are raised here.

    Parameters
    ----------
    items : iterable
        Iterated in another thread.
    depth : int
        At least 1.
    """
    waiting: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_END)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            put(_Failure(error))

    thread = threading.Thread(target=work, name="echoplane-prefetch", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()
