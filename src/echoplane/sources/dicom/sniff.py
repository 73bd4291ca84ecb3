"""Is this a DICOM file? Answered from the first bytes, with or without preamble and file meta information."""

from __future__ import annotations

import stat
import struct
from pathlib import Path

PREAMBLE = 128
_MAGIC = b"DICM"
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
#: Groups that a data set without file meta information can start with.
_FIRST_GROUPS = (0x0002, 0x0004, 0x0008)


def start_of_data(head: bytes) -> int | None:
    """Find where the first data element starts.

    Parameters
    ----------
    head : bytes
        The first 144 bytes of a file, or more.

    Returns
    -------
    int or None
        132 after a preamble, 4 after a bare ``DICM``, 0 where the file starts with a plausible element of group
        0002, 0004 or 0008 (PS3.10 asks for a preamble; old archives leave it out), None for anything else.
    """
    if head[PREAMBLE : PREAMBLE + 4] == _MAGIC:
        return PREAMBLE + 4
    if head[:4] == _MAGIC:
        return 4
    return 0 if encoding_of(head) is not None else None


def encoding_of(head: bytes) -> tuple[bool, bool] | None:
    """Guess how the element at the start of `head` is written.

    Returns
    -------
    (implicit, little) : tuple of bool, or None
        None where `head` does not start with an element that a data set can start with.
    """
    if len(head) < 8:
        return None
    for little in (True, False):
        order = "<" if little else ">"
        group, element = struct.unpack(order + "HH", head[:4])
        if group not in _FIRST_GROUPS or element > 0x2000:
            continue
        if head[4:6] in _VRS:
            return False, little
        (length,) = struct.unpack(order + "I", head[4:8])
        # Without a VR to see, only a short value of one of the first elements is believed (an empty one just for
        # the character set), lest any file that starts with an 8 be taken for DICOM.
        if element <= 0x0070 and length % 2 == 0 and (0 < length <= 0x400 or (length, element) == (0, 0x0005)):
            return True, little
    return None


def is_dicom(path: str | Path) -> bool:
    """Tell whether a file is DICOM, from its first bytes.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    bool
        False also for what is not a readable regular file; never raises.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return False
        with Path(path).open("rb") as stream:
            return start_of_data(stream.read(PREAMBLE + 16)) is not None
    except (OSError, ValueError):
        return False
