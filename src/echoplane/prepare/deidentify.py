"""Keep a patient's identity from travelling with pictures.

Scanners burn names, dates and hospital names into the picture, around the ultrasound sector. Three things keep them
(and what the file says beside the pixels) from leaving with an export:

- everything outside the sector is black;
- where the sector is not found surely, or something inside of it looks like a line of writing, nothing is exported
  unless the user says so;
- file names are made from the content: they say nothing, and the same clip gets the same name wherever it lay.

Marks within the sector, writing that nothing here recognises, and what a heart itself shows, stay: no software makes
that anonymous.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path

from echoplane.errors import RefusedError
from echoplane.prepare.writing import lines_inside, looked_at, tightened
from echoplane.records import Cine, CineKind, Sector, SectorKind, UInt8Array
from echoplane.sources.guard import reading

#: Fans that open less than this (radians) are not believed when only pixels tell of them.
NARROW = math.radians(20)


def mask_outside(frames: UInt8Array, sector: Sector, scale: float = 1.0) -> UInt8Array:
    """Black out everything outside of the sector.

    Parameters
    ----------
    frames : uint8 array, (T, H, W) or (T, H, W, 3)
        Left as they are; a copy is returned.
    sector : Sector
        In pixels of the full-size frame.
    scale : float
        Pixels of `frames` per full-size pixel (0.5 for frames decoded at half size).

    Returns
    -------
    uint8 array of the same shape

    Examples
    --------
    >>> import numpy as np
    >>> box = Sector(SectorKind.LINEAR, box=(1, 0, 3, 2))
    >>> mask_outside(np.full((1, 2, 4), 7, np.uint8), box)[0].tolist()
    [[0, 7, 7, 0], [0, 7, 7, 0]]
    """
    masked = frames.copy()
    masked[:, ~sector.mask(frames.shape[1], frames.shape[2], scale)] = 0
    return masked


def is_sure(sector: Sector, n_frames: int, kind: CineKind = CineKind.B_MODE) -> bool:
    """Tell whether the sector's shape was found, so that its outside can be called outside.

    In a still of which only pixels tell, letters cannot be told from the picture that they touch; a fan that hardly
    opens is no heart's, but may be one that a column of text has made; and the pages of a secondary capture may be
    nothing but text.
    """
    if sector.kind is SectorKind.FULL or not sector.is_confident:
        return False
    by_pixels = sector.origin == "pixels"
    if by_pixels and sector.kind is not SectorKind.LINEAR and sector.right - sector.left < NARROW:
        return False
    return not (by_pixels and (n_frames == 1 or kind is CineKind.SECONDARY_CAPTURE))


def require_sure(sector: Sector, n_frames: int, source: str, kind: CineKind = CineKind.B_MODE) -> None:
    """Refuse to go on where the mask would be a guess.

    Raises
    ------
    RefusedError
        With what was found and what to do.
    """
    if not is_sure(sector, n_frames, kind):
        found = "no shape found" if sector.kind is SectorKind.FULL else str(sector.kind)
        if n_frames == 1:
            found += " in a still"
        elif kind is CineKind.SECONDARY_CAPTURE:
            found += " in a secondary capture, which may show pages of text"
        raise RefusedError(
            source,
            f"The sector is not sure ({found}, confidence {sector.confidence:.2f}): burned-in text might be left.",
            "Look at the file; then use --accept-guess or --no-mask.",
        )


def without_writing(cine: Cine, sector: Sector) -> Sector:
    """Return a sector that shows no writing: the one given, or a tighter one where names beside it have widened it.

    Parameters
    ----------
    cine : Cine
        A few of its frames are decoded.
    sector : Sector
        As :func:`echoplane.prepare.find_sector` gives it, and sure.

    Raises
    ------
    RefusedError
        Where writing stands on the picture, or beside it so that nobody can tell where the picture ends.
    """
    frames = looked_at(cine)
    found = tightened(frames, cine, sector)
    if found is None:
        reason = "Something like writing stands beside the picture, and the sector may reach over it."
    elif lines := lines_inside(frames, cine, found):
        reason = f"Something like writing stands on the picture ({lines} line{'s' * (lines > 1)})."
    else:
        return found
    raise RefusedError(cine.source, reason, "Look at the file; then use --accept-guess or --no-mask.")


def content_name(files: Iterable[Path], source: object, prefix: str = "clip") -> str:
    """Make a file name from the content of files, the same wherever they lie and whatever they are called.

    Parameters
    ----------
    files : iterable of Path
        In order; read whole.
    source : object
        Name for messages.
    prefix : str

    Returns
    -------
    str
        `prefix`, ``_``, and 12 hexadecimal digits of the SHA-256 over the files' own SHA-256 sums.

    Raises
    ------
    UnreadableError
        When a file cannot be read.
    """
    total = hashlib.sha256()
    with reading(source):
        for file in files:
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return f"{prefix}_{total.hexdigest()[:12]}"
