"""Keep glibc from giving large tensors back to the system and taking them again at every step.

Each activation of a 3D network is tens of megabytes. By default glibc asks the kernel for each of them with mmap and
returns it when freed, and the kernel then zeroes fresh pages again and again; on two cores that takes up to half
of a training step (docs/decisions/0012-training.md). Nothing here needs torch, and nothing happens on systems without
glibc.
"""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4

#: The largest value that mallopt's int can hold, in bytes.
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Raise the mmap and trim thresholds of this process's allocator. Call before the first large tensor.

    The price: memory that was once used stays with the process until it ends.

    Returns
    -------
    bool
        Whether the allocator took the settings; False where it is not glibc's.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # Some versions of glibc refuse a threshold above 32 MB; "at most zero blocks by mmap" then says the same.
    threshold = mallopt(_M_MMAP_THRESHOLD, _MOST) or mallopt(_M_MMAP_MAX, 0)
    return bool(mallopt(_M_TRIM_THRESHOLD, _MOST)) and bool(threshold)
