"""Read old pickled clips without running what is in them.

A pickle is a program. This reader lets it build tuples, lists, dictionaries, numbers and texts; NumPy's names mean
stand-ins, which keep an array's bytes, shape and kind of number and make the array themselves. NumPy's own functions
would believe a pickle that hands them addresses instead of objects, or asks for an array larger than its file. The
machine that runs the program is the standard library's in Python: the one in C can be made to ask for all the memory
there is, and nested keys of dictionaries make it crash.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from echoplane.errors import RefusedError, UnreadableError
from echoplane.records import UInt8Array

#: Axes that an array of NumPy can have.
MOST_AXES = 64
#: Kinds of numbers that arrays are made of; others are passed over.
_NUMBERS = re.compile(r"[<>=|]?([biuf]\d{1,2})")


class _Name:
    """What one of the admitted names means. A pickle can call it, and not change it."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> object:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("asks to change a name of NumPy")


class _Numbers:
    """Stands in for ``numpy.dtype``: the kind of number, and in which order its bytes lie."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object, *flags: object) -> None:
        del flags
        match = _NUMBERS.fullmatch(code) if isinstance(code, str) else None
        self._code = match[1] if match else ""
        self._order = ""

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("asks for an array of unknown byte order")
        self._order = "" if order == "|" else str(order)

    def dtype(self) -> np.dtype[Any] | None:
        """Return what it stands for; None for texts, objects and records."""
        return np.dtype(self._order + self._code) if self._code else None


class _Array:
    """Stands in for ``numpy.ndarray``; `value` is None for one that holds no numbers."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: np.ndarray[Any, np.dtype[Any]] | None = None

    def __setstate__(self, state: Any) -> None:
        # Of NumPy before 1.0 the version was left out.
        shape, numbers, fortran, data = state[-4:]
        data = data.encode("latin1") if isinstance(data, str) else data  # written by Python 2
        self.fill(data, numbers, shape, "F" if fortran else "C")

    def fill(self, data: Any, numbers: Any, shape: Any, order: Any) -> None:
        """Make the array, of exactly the bytes that the pickle holds for it."""
        kind = numbers.dtype() if isinstance(numbers, _Numbers) else None
        if kind is None or not isinstance(data, bytes | bytearray):
            return
        shape = shape if isinstance(shape, tuple) else (shape,)
        sound = len(shape) <= MOST_AXES and all(type(side) is int and side >= 0 for side in shape)
        if not sound or math.prod(shape) * kind.itemsize != len(data):
            raise pickle.UnpicklingError(f"asks for an array of shape {shape}, of {len(data)} bytes")
        self.value = np.frombuffer(data, kind).reshape(shape, order="F" if order == "F" else "C")


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``codecs.encode``, with which old protocols write bytes; does nothing else."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"asks for the codec {encoding}")
    return text.encode("latin1")


def _empty(*arguments: object) -> _Array:
    del arguments
    return _Array()


def _from_buffer(data: Any, numbers: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    made = _Array()
    made.fill(data, numbers, shape, order)
    if made.value is not None and order == "K" and axes is not None:
        made.value = made.value.transpose(axes)
    return made


def _no_number(*arguments: object) -> None:
    """Stand in for NumPy's single numbers: no clip is made of them."""
    del arguments


def _no_array(*arguments: object) -> object:
    raise pickle.UnpicklingError("asks for an array without its numbers")


def _admitted() -> dict[tuple[str, str], _Name]:
    """Return the names that a pickled array needs, as NumPy 1 and 2 spell them."""
    names = {
        ("numpy", "ndarray"): _Name(_no_array),
        ("numpy", "dtype"): _Name(_Numbers),
        ("_codecs", "encode"): _Name(_latin1),
    }
    for package in ("numpy.core", "numpy._core"):
        names[f"{package}.multiarray", "_reconstruct"] = _Name(_empty)
        names[f"{package}.multiarray", "scalar"] = _Name(_no_number)
        names[f"{package}.numeric", "_frombuffer"] = _Name(_from_buffer)
    return names


_ADMITTED = _admitted()

#: Bytes of a pickle that are read at most.
MAX_BYTES = 2**31


class _ArraysOnly(pickle._Unpickler):
    """The standard library's own unpickler, with fewer names and simpler keys."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the admitted names; called for every name in the pickle, before it is used."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("asks for an object outside of the file")


def _with_plain_keys(code: bytes, keys: slice) -> Callable[[Any], None]:
    """Return what an instruction does, after a look at what it takes for keys: they lie in this part of the stack.

    Keys are hashed. Of nested tuples that may take for ever, or overflow the interpreter's stack.
    """
    load = pickle._Unpickler.dispatch[code[0]]

    def checked(machine: Any) -> None:
        for key in machine.stack[keys]:
            parts = key if isinstance(key, tuple) else (key,)
            if not all(part is None or isinstance(part, str | bytes | int | float) for part in parts):
                raise pickle.UnpicklingError("asks for keys that are neither texts nor numbers")
        load(machine)

    return checked


_ArraysOnly.dispatch = pickle._Unpickler.dispatch | {
    code[0]: _with_plain_keys(code, keys)
    for code, keys in (
        (pickle.SETITEM, np.s_[-2:-1]),
        (pickle.SETITEMS, np.s_[::2]),
        (pickle.DICT, np.s_[::2]),
        (pickle.ADDITEMS, np.s_[:]),
        (pickle.FROZENSET, np.s_[:]),
    )
}


def load_pickled(path: str | Path) -> object:
    """Read a pickle that may hold NumPy arrays and plain data, nothing else.

    Returns
    -------
    object
        Of tuples, lists, dictionaries, numbers and texts; arrays are stand-ins (see :func:`load_clip`).

    Raises
    ------
    RefusedError
        When it asks for anything else, or is absurdly large; nothing of it has run.
    UnreadableError
        When it is damaged or no pickle.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RefusedError(path, f"Is larger than {MAX_BYTES:,} bytes.")
        return cast(object, _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load())
    except RefusedError:
        raise
    except pickle.UnpicklingError as error:
        if "asks " in str(error):
            raise RefusedError(path, f"Holds more than NumPy arrays: it {error}.", "It was not run.") from None
        raise UnreadableError(path, "Is no pickle, or a damaged one.") from None
    except Exception as error:  # noqa: BLE001 - damaged pickles raise about every kind there is
        raise UnreadableError(path, f"Is no pickle, or a damaged one ({type(error).__name__}).") from None


def load_clip(path: str | Path) -> UInt8Array:
    """Read one pickled clip as grey frames.

    Accepts arrays of shape (T, H, W), (1, T, H, W) and (T, H, W, 1), alone or as the first array of a tuple, list or
    dictionary; uint8, or floats in [0, 1], or floats and integers in [0, 255].

    Returns
    -------
    uint8 array, (T, H, W)

    Raises
    ------
    RefusedError, UnreadableError
        As :func:`load_pickled`; also for arrays of another shape or range.
    """
    array = _first_array(load_pickled(path))
    if array is None:
        raise UnreadableError(path, "Holds no NumPy array of numbers.")
    frames = array[0] if array.ndim == 4 and array.shape[0] == 1 else array
    frames = frames[..., 0] if frames.ndim == 4 and frames.shape[-1] == 1 else frames
    if frames.ndim != 3 or 0 in frames.shape or frames.dtype.kind not in "uif":
        raise UnreadableError(path, f"Is {array.dtype} of shape {array.shape}; expected grey frames (T, H, W).")
    if frames.dtype == np.uint8:
        return np.array(frames, order="C")
    low, high = float(frames.min()), float(frames.max())
    if not (low >= 0 and high <= 255):
        reason = f"Holds values from {low:g} to {high:g}; expected 0 to 1 or 0 to 255 (was it normalised?)."
        raise UnreadableError(path, reason)
    scale = 255.0 if high <= 1 and frames.dtype.kind == "f" else 1.0
    return np.rint(frames.astype(np.float64) * scale).astype(np.uint8)


def _first_array(value: object) -> np.ndarray[Any, np.dtype[Any]] | None:
    # A list of things to do and not a recursion, and nothing looked at twice: a pickle may nest as deep as it likes, or
    # hold itself.
    todo: list[object] = [value]
    seen: set[int] = set()
    while todo:
        item = todo.pop()
        if isinstance(item, _Array) and item.value is not None:
            return item.value
        if isinstance(item, dict | tuple | list) and id(item) not in seen:
            seen.add(id(item))
            todo.extend(reversed(list(item.values() if isinstance(item, dict) else item)))
    return None
