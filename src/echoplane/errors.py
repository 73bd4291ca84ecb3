"""Every exception echoplane raises on purpose, in one tree.

::

    EchoplaneError
    ├── UsageError (ValueError)       a bad argument, option or setting
    │   └── ConfigError               a recipe or settings file that does not validate
    ├── ReadError                     a file that does not become a cine; knows its status
    │   ├── UnreadableError           damaged, truncated, lying header
    │   ├── UnsupportedError          a format or codec that is not read
    │   ├── NotImageError             holds no picture (report, waveform, text)
    │   ├── RefusedError              could be read, but must not be (archive, absurd size, symlink loop)
    │   └── NoFramesError             a picture format with no frame in it
    ├── PrepareError                  a cine that cannot be prepared by the recipe
    │   └── TooShortError             fewer frames than the sampling rule needs, and the policy is "refuse"
    ├── BundleError                   a model bundle that is damaged, foreign or too new
    ├── StoreError                    a clip store that is damaged, foreign or too new
    ├── DataError                     labels, manifests, splits that do not hold together
    │   └── LeakError                 one patient on two sides of a split
    └── MissingExtraError (ImportError)   an optional dependency that is not installed

Messages say what was wrong, with which value, in which file, and what to do about it. They never carry a
patient's name, identifier or birth date.
"""

from __future__ import annotations

from typing import ClassVar


class EchoplaneError(Exception):
    """Base of every error raised on purpose by echoplane."""


class UsageError(EchoplaneError, ValueError):
    """An argument, option or setting that makes no sense; the message says which and what is accepted."""


class ConfigError(UsageError):
    """A recipe or settings file that does not validate; the message names the key and the nearest known one."""


class _FileError(EchoplaneError):
    """An error about one input file, which becomes one row of the results.

    Parameters
    ----------
    path : str
        The file, as the user gave it.
    reason : str
        One sentence: what was wrong, with which value.
    fix : str, optional
        One sentence: what the user can do about it.
    """

    #: The value of :class:`echoplane.records.Status` that the row of this file carries.
    status: ClassVar[str] = "unreadable"

    def __init__(self, path: object, reason: str, fix: str = "") -> None:
        self.path = str(path)
        self.reason = reason
        self.fix = fix
        super().__init__(self.path, reason, fix)

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """Reason and fix without the path, as shown in the ``reason`` column."""
        return f"{self.reason} {self.fix}".strip()


class ReadError(_FileError):
    """A file that does not become a cine."""


class UnreadableError(ReadError):
    """A file of a known kind that is damaged, truncated, or whose header contradicts its content."""


class UnsupportedError(ReadError):
    """A file whose format, transfer syntax or codec is not read here; the message says what would read it."""

    status = "unsupported"


class NotImageError(ReadError):
    """A file that holds no picture at all: a report, a waveform, a text file."""

    status = "not_image"


class RefusedError(ReadError):
    """A file that is not opened on purpose: an archive, a decompression bomb, a link loop."""

    status = "refused"


class NoFramesError(ReadError):
    """A picture file or folder with no frame in it."""


class PrepareError(_FileError):
    """A cine that the recipe cannot prepare."""


class TooShortError(PrepareError):
    """Fewer frames than the sampling rule needs, under the policy ``refuse``."""

    status = "too_short"


class BundleError(EchoplaneError):
    """A model bundle that is damaged, foreign, unsafe or written by a newer version."""


class StoreError(EchoplaneError):
    """A clip store that is damaged, foreign or written by a newer version."""


class DataError(EchoplaneError):
    """Labels, manifests or splits that do not hold together."""


class LeakError(DataError):
    """One patient (or study, or cine) found on two sides of a split."""


class MissingExtraError(EchoplaneError, ImportError):
    """An optional dependency is needed and not installed; the message gives the ``pip install`` command."""
