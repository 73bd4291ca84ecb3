"""One cine-to-be, as discovery hands it to opening."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from echoplane._files import each_path
from echoplane.errors import ReadError, UsageError

#: A backslash that looks as if a byte followed, as :func:`shown` writes them.
_LIKE_A_BYTE = re.compile(r"\\(?=x[89a-f][0-9a-f])")
_SHOWN_BYTE = re.compile(rb"\\x(5c|[89a-f][0-9a-f])")


@dataclass(frozen=True, slots=True)
class SourceItem:
    """What will become one row of the results; nothing of it has been read yet.

    Attributes
    ----------
    source : str
        Name shown to users: the path as they gave it, or ``folder/name`` for numbered frames in a folder.
    path : Path
        The file, or the folder that holds the frames.
    format : str
        ``"frames"`` for numbered pictures in a folder, ``""`` where the content will tell.
    files : tuple of str
        The names of all files this item is made of, inside the folder (`path` itself for frames, else its parent);
        frames in their order. Empty where it is `path` alone.
    error : ReadError or None
        Set where discovery already knows that it cannot become a cine (missing, a broken link, ...);
        :func:`echoplane.sources.open.open_cine` raises it.
    """

    source: str
    path: Path
    format: str = ""
    files: tuple[str, ...] = ()
    error: ReadError | None = None

    @property
    def all_files(self) -> list[Path]:
        """Every file it is made of."""
        folder = self.path if self.format == "frames" else self.path.parent
        return [folder / name for name in self.files] if self.files else [self.path]


def item_of(place: str | Path | SourceItem) -> SourceItem:
    """Return the item that a path names; an item stays as it is.

    Raises
    ------
    UsageError
        For what is neither, and for an empty path.
    """
    if isinstance(place, SourceItem):
        return place
    # Also bytes, which some programs take for paths: they have no spelling of their own in the results.
    if not (isinstance(place, str | os.PathLike) and isinstance(os.fspath(place), str)):
        raise UsageError(
            f"{type(place).__name__!r} is no cine; expected a path, an item of discovery, a Cine, or a NumPy array of "
            "uint8 frames (T, H, W) or (T, H, W, 3). numpy.asarray makes one of lists and tensors, os.fsdecode a path "
            "of bytes."
        )
    (path,) = each_path(place)
    return SourceItem(shown(path), Path(path))


def shown(path: str | Path) -> str:
    r"""Return a path as text that can be printed and written anywhere.

    Names on disk may be bytes that are no UTF-8; those bytes appear as ``\xe9``. Where a name holds these four
    characters themselves, its backslash appears as ``\x5c``, so that the two are told apart.
    """
    text = os.fspath(path)
    if os.path.sep == "/":  # elsewhere the backslash stands between folders
        text = _LIKE_A_BYTE.sub(r"\\x5c", text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    return text


def meant(text: str) -> str:
    """Return the path of which :func:`shown` has made a text; what holds nothing that it writes stays as it is."""
    if os.path.sep != "/" or "\\x" not in text:
        return text
    return os.fsdecode(_SHOWN_BYTE.sub(lambda found: bytes([int(found[1], 16)]), os.fsencode(text)))
