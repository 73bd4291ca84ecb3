"""What every frame reader checks, and how foreign exceptions become ours."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock

from echoplane.errors import EchoplaneError, RefusedError, UnreadableError, UsageError

#: Reductions a caller may allow, see :class:`echoplane.records.FrameReader`.
REDUCTIONS = (1, 2, 4, 8)

_FILTER = Lock()
#: The process's warnings filter as the first thread found it, and the threads that read with it closed.
_SAVED = ExitStack()
_INSIDE: list[None] = []


def checked_request(indices: Sequence[int], n_frames: int, reduce: int = 1) -> list[int]:
    """Return the frame numbers as a list of int.

    Raises
    ------
    UsageError
        When a frame number is outside 0..n_frames-1 or no whole number, or `reduce` is not 1, 2, 4 or 8.
    """
    if reduce not in REDUCTIONS:
        raise UsageError(f"reduce is {reduce!r}, expected one of {', '.join(map(str, REDUCTIONS))}.")
    try:
        wanted = [operator.index(i) for i in indices]
    except TypeError as error:
        raise UsageError(f"Frame numbers must be whole numbers ({error}).") from error
    for i in wanted:
        if not 0 <= i < n_frames:
            raise UsageError(f"Frame {i} was asked for; this cine has frames 0 to {n_frames - 1}.")
    return wanted


@contextmanager
def reading(source: object, what: str = "Cannot be read") -> Iterator[None]:
    """Turn whatever a decoding library raises inside the block into one of echoplane's errors.

    Parameters
    ----------
    source : object
        The file, as the user gave it.
    what : str
        Start of the sentence when the library fails, without a full stop.

    Raises
    ------
    UnreadableError
        For every failure of the system or of a library.
    RefusedError
        When the memory does not suffice.
    """
    try:
        yield
    except (EchoplaneError, ImportError):
        raise
    except MemoryError as error:
        raise RefusedError(source, f"{what}: more memory is needed than there is.") from error
    except OSError as error:
        raise UnreadableError(source, f"{what}: {_os_sentence(error)}.") from error
    except Exception as error:
        raise UnreadableError(source, f"{what}: {_one_line(error)}.") from error


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep the warnings of decoding libraries, which quote what they read, from being shown.

    The filter is one for the whole process. Threads that each swap it and put it back (``warnings.catch_warnings``) put
    back one another's, and leave it closed for good. So the first one in swaps it, and the last one out puts it back.
    """
    with _FILTER:
        if not _INSIDE:
            _SAVED.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _INSIDE.append(None)
    try:
        yield
    finally:
        with _FILTER:
            _INSIDE.pop()
            if not _INSIDE:
                _SAVED.close()


def _os_sentence(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return _one_line(error.strerror or error)


def _one_line(error: object) -> str:
    """First line of a library's message, cut short: they may quote file content at length."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160].rstrip(". ")
