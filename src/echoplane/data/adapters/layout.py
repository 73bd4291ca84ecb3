"""What an adapter is: a name, a way to read, and where the data come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from echoplane.data.labels import LabelTable
from echoplane.data.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Options:
    """What a user can say about a data set besides its folder.

    Attributes
    ----------
    sheet : Path or None
        ``sheet``: the label sheet. ``mimic-iv-echo``: the table of view probabilities.
    labels : LabelTable
        The user's own table: two labels that it takes for one view do not contradict each other.
    """

    sheet: Path | None = None
    labels: LabelTable = field(default_factory=LabelTable)


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
        ``read(root, options) -> Manifest``, in which a key may still stand several times; raises DataError when the
        folder does not look like this layout.
    origin : str
        Name and licence of the data, for the model card; empty for users' own.
    """

    name: str
    about: str
    read: Callable[[Path, Options], Manifest]
    origin: str = ""
