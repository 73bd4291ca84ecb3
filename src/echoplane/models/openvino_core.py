"""The one OpenVINO core of a process.

A core that loads the CPU plug-in gives the calling thread a signal stack of its own, and puts back the one it found
when the core goes. Two cores that do not go in the reverse order of their coming leave the thread with a freed stack,
and the next signal with a handler (a Ctrl-C, a child that ends) is a crash. One core that stays cannot do that.

OpenVINO's Python side makes its table of sample types in the first call that needs it, and calls Python meanwhile. Two
threads that need it first (the first two cines of a run) wait for each other for ever: one has the table and wants the
interpreter, the other the other way round. So it is made here, by one thread, before there is a network to call.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

_one_at_a_time = Lock()


def openvino_core() -> Any:
    """Return the ``openvino.Core`` of this process; made when first asked for, and never let go."""
    with _one_at_a_time:
        return _made()


@cache
def _made() -> Any:
    import openvino

    openvino.Type.f32.to_dtype()
    return openvino.Core()
