"""One writer for one file: a lock that other processes see, that a kill lets go, and of which nothing stays behind."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from echoplane.errors import UsageError

#: How often a lock file is looked for that others remove at the very moment.
_TRIES = 10
#: Seconds in which a run that was killed a moment ago may still let go; and between two looks.
_DYING, _LOOK_EVERY = 2.0, 0.05
_WAIT = "Wait until it ends, or write to another file."

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock_path(target: Path) -> Path:
    """Return the file that is there, empty, while `target` is held."""
    return target.with_name(f".{target.name}.lock")


@contextmanager
def held(target: Path, busy: str = "") -> Iterator[None]:
    """Keep other runs from writing a file while the block runs; a kill lets them in again.

    Where the disk knows no such locks (some network shares), nobody is kept out.

    Parameters
    ----------
    target : Path
        The file; its folder is made if needed, and removed again if nothing was written into it.
    busy : str
        What to say when another run holds it, in place of the usual sentence.

    Raises
    ------
    UsageError
        When another run holds it.
    OSError
        When its folder cannot be made.
    """
    made = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    handle: int | None = None
    try:
        with suppress(OSError):
            handle = _taken(lock_path(target), busy or f"{target}: another run is writing this file. {_WAIT}")
        yield
    finally:
        if handle is not None:
            _let_go(handle, lock_path(target))
        for folder in made:  # the innermost first
            with suppress(OSError):
                folder.rmdir()


def _taken(place: Path, busy: str) -> int:
    until = time.monotonic() + _DYING
    while (handle := _tried(place)) is None:
        if time.monotonic() >= until:
            raise UsageError(busy)
        time.sleep(_LOOK_EVERY)
    return handle


def _tried(place: Path) -> int | None:
    """Return a handle that holds the lock; None when another one does."""
    for _ in range(_TRIES):
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle)
            # Who held it may have removed it after it was opened here: it keeps nobody out then.
            if os.path.samestat(os.fstat(handle), place.stat()):
                return handle
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.EAGAIN, errno.EACCES):  # the latter is what Windows says
                return None
            raise
        os.close(handle)
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(place))


def _let_go(handle: int, place: Path) -> None:
    """Remove the lock file where nobody else can hold it: before it is let go, on Windows while nobody has it open."""
    try:
        if sys.platform != "win32":
            with suppress(OSError):
                place.unlink()
    finally:  # also where Ctrl-C comes in between
        os.close(handle)
    if sys.platform == "win32":  # which removes no file that anybody has open
        with suppress(OSError):
            place.unlink()
