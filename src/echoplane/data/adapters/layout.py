"""What an adapter is: a name, a way to read, and where the data come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from echoplane.data.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Options:
    """What a user can say about a data set besides its folder.

    Attributes
    ----------
    sheet : Path or None
        ``sheet``: the label sheet. ``mimic-iv-echo``: the table of view probabilities.
    """

    sheet: Path | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout of a data set on disk.

    Attributes
    ----------
    name : str
        As given to ``--layout``.
    about : str
        The layout in one line.
    read : callable
        ``read(root, options) -> Manifest``; raises DataError when the folder does not look like this layout.
    origin : str
        Name and licence of the data, for the model card; empty for users' own.
    """

    name: str
    about: str
    read: Callable[[Path, Options], Manifest]
    origin: str = ""
