"""Arrays of the type that the code promises: NumPy and OpenCV hand back wider ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.records import FloatArray, UInt8Array

ComplexArray = npt.NDArray[np.complex64]


def f32(value: Any) -> FloatArray:
    """Return the value as a float32 array; no copy where it is one."""
    return np.asarray(value, np.float32)


def u8(value: Any) -> UInt8Array:
    """Return the value as a uint8 array; no copy where it is one."""
    return np.asarray(value, np.uint8)


def c64(value: Any) -> ComplexArray:
    """Return the value as a complex64 array; no copy where it is one."""
    return np.asarray(value, np.complex64)
