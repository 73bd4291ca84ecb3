"""The one OpenVINO core of a process.

A core that loads the CPU plug-in gives the calling thread a signal stack of its own, and puts back the one it found
when the core goes. Two cores that do not go in the reverse order of their coming leave the thread with a freed stack,
and the next signal with a handler (a Ctrl-C, a child that ends) is a crash. One core that stays cannot do that.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def openvino_core() -> Any:
    """Return the ``openvino.Core`` of this process; made when first asked for, and never let go."""
    import openvino

    return openvino.Core()
