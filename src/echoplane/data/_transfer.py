"""Files copied and moved so that an original is never lost: whole under their new name, or not there."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

#: A copy that is not whole yet; earlier versions gave it no digits.
_HALF = re.compile(r"\.(.+?)(\.[0-9a-f]{8})?\.half", re.DOTALL)
_LONGEST = 80


def move(source: Path, target: Path) -> None:
    """Move a file; to another disk it is copied, and removed only where the copy is as long as it is.

    Raises
    ------
    OSError
        As the system says it; or when the copy is shorter than the original, which stays then.
    """
    if not target.exists():
        try:
            source.rename(target)
            return
        except OSError:
            pass  # on another disk: copied, then removed
    copy(source, target)
    if target.stat().st_size != source.stat().st_size:  # another program wrote to one of the two
        raise OSError(0, "the copy is not as long as the original, which was kept")
    source.unlink()


def copy(source: Path, target: Path) -> None:
    """Copy a file, with its times and rights where the disk has them; a `target` that is there is replaced."""
    half = target.with_name(f".{target.name[:_LONGEST]}.{secrets.token_hex(4)}.half")
    half.touch(exist_ok=False)  # a name of its own: another run may copy to this target where a disk knows no locks
    try:
        shutil.copyfile(source, half)
        with half.open("r+b") as stream:  # a name on the disk is worth nothing after a power cut without its bytes
            os.fsync(stream.fileno())
        with contextlib.suppress(OSError):  # disks without rights (WSL, USB sticks, shares) refuse them
            shutil.copystat(source, half)
        half.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise
    with contextlib.suppress(OSError):  # the name too, before a move removes the source; Windows has no such call
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def clear_halves(targets: Iterable[str]) -> None:
    """Remove what a run that was killed left of its copies to `targets`; each folder is listed once."""
    names: dict[Path, set[str]] = {}
    for target in map(Path, targets):
        names.setdefault(target.parent, set()).add(target.name[:_LONGEST])
    for folder, known in names.items():
        with contextlib.suppress(OSError):  # it may not be there yet
            for file in folder.iterdir():
                found = _HALF.fullmatch(file.name)
                if found and found[1] in known:
                    file.unlink()
