import threading
from collections.abc import Iterator

import pytest

from echoplane.training.prefetch import prefetch


def test_order_stays_and_another_thread_works() -> None:
    seen: list[int] = []

    def items() -> Iterator[int]:
        for i in range(50):
            seen.append(threading.get_ident())
            yield i

    assert list(prefetch(items())) == list(range(50))
    assert set(seen) != {threading.get_ident()}


def test_errors_arrive_after_what_came_before_them() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("bad clip")

    got = prefetch(items())
    assert next(got) == 1
    with pytest.raises(ValueError, match="bad clip"):
        next(got)


def test_a_consumer_that_stops_leaves_no_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 0

    before = set(threading.enumerate())  # other tests may have left one that still ends
    got = prefetch(endless())
    next(got)
    (thread,) = (t for t in threading.enumerate() if t.name == "echoplane-prefetch" and t not in before)
    got.close()  # type: ignore[attr-defined]
    assert not thread.is_alive()
