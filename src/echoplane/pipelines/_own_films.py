"""What an earlier export wrote, met again on the way through the folder around it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from echoplane._files import absolute_name
from echoplane.sources.item import SourceItem

#: What :func:`echoplane.prepare.deidentify.content_name` gives, and a number where two would share it.
_OWN_NAME = re.compile(r"clip_[0-9a-f]{12}(_\d+)?")


def without_own(items: Iterable[SourceItem], output: str | Path, given: Iterable[str]) -> list[SourceItem]:
    """Leave out the films and pictures that lie in the output folder under names that an export gives.

    Others there are input like any: nobody's film is passed over for where it lies.

    Parameters
    ----------
    items : iterable of SourceItem
    output : str or Path
    given : iterable of str
        The paths that the user named. Where one is the output, or is in it, its films are asked for, and all stay.
    """
    folder = Path(absolute_name(output))
    if any(Path(absolute_name(path)).is_relative_to(folder) for path in given):
        return list(items)

    def is_own(item: SourceItem) -> bool:
        place = Path(absolute_name(item.path))
        inside = place.relative_to(folder).parts if place.is_relative_to(folder) else ()
        return bool(inside) and _OWN_NAME.fullmatch(Path(inside[0]).stem) is not None

    return [item for item in items if not is_own(item)]
