"""Somebody who says which file is waited for: a dead network disk answers to nobody, and names nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

#: Seconds without a result after which the file that is waited for is named.
SLOW = 30.0


class Watch:
    """Calls `on_wait` with the file's name and the seconds so far, from a thread of its own, once a file.

    Parameters
    ----------
    on_wait : callable
    slow : float, optional
        Seconds to wait before; :data:`SLOW` when left out.
    """

    def __init__(self, on_wait: Callable[[str, float], None], slow: float | None = None) -> None:
        self._on_wait, self._slow = on_wait, SLOW if slow is None else slow
        self._changed, self._ended = threading.Condition(), False
        self._name, self._since = "", 0.0
        self._thread = threading.Thread(target=self._run, name="echoplane-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def waits_for(self, name: str) -> None:
        """Say what is waited for from now on; nothing, with an empty name."""
        with self._changed:
            self._name, self._since = name, time.monotonic()

    def _run(self) -> None:
        while late := self._wait():
            self._on_wait(*late)  # without the lock: rows need not wait for what it does

    def _wait(self) -> tuple[str, float] | None:
        """Wait until something has not come for too long; None at the end."""
        with self._changed:
            while not self._ended:
                left = self._slow - (time.monotonic() - self._since) if self._name else self._slow
                if left <= 0:
                    name, seconds, self._name = self._name, time.monotonic() - self._since, ""
                    return name, seconds
                self._changed.wait(left)
        return None
