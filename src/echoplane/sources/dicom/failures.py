"""Whatever a parser or decoder raises, as one of echoplane's errors, in our words alone.

Libraries quote what they stumble over, and that may be a patient's name; so their messages are not passed on, only
the kind of exception.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

from echoplane.errors import EchoplaneError, RefusedError, UnreadableError
from echoplane.sources.guard import without_warnings

_HERE = local()
# pydicom logs the values that it warns about, which may be names; nothing of what it says while reading is passed on.
logging.getLogger("pydicom").addFilter(lambda record: not getattr(_HERE, "quiet", False))


class DamagedError(ValueError):
    """Bytes that do not hold together; the message is ours and carries no value from the file but sizes."""


@contextmanager
def as_unreadable(name: str, what: str) -> Iterator[None]:
    """Turn every failure inside the block into one sentence about the file.

    Parameters
    ----------
    name : str
        The file, as the user gave it.
    what : str
        Start of the sentence, without a full stop: ``"Frame 3 cannot be decoded"``.

    Raises
    ------
    UnreadableError
        For anything that is not already an error of echoplane.
    RefusedError
        When memory runs out.
    """
    try:
        yield
    except EchoplaneError:
        raise
    except DamagedError as error:
        raise UnreadableError(name, f"{what}: {error}.") from None
    except MemoryError:
        raise RefusedError(name, f"{what}: more memory is needed than there is.") from None
    except Exception as error:  # noqa: BLE001 - decoders raise a dozen kinds, and their words must not travel on
        raise UnreadableError(name, f"{what} ({type(error).__name__}).") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings, and this thread's log lines of it, from getting out: they quote values."""
    before = getattr(_HERE, "quiet", False)
    _HERE.quiet = True
    try:
        with without_warnings():
            yield
    finally:
        _HERE.quiet = before
