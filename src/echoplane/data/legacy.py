"""Read old pickled clips without running what is in them.

A pickle is a program. This reader lets it build NumPy arrays, tuples, lists, dictionaries, numbers and texts, and
refuses every other name before it is looked up.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from echoplane.errors import RefusedError, UnreadableError
from echoplane.records import UInt8Array


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``codecs.encode``, with which old protocols write bytes; does nothing else."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"asks for the codec {encoding}")
    return text.encode("latin1")


def _admitted() -> dict[tuple[str, str], Any]:
    """Return what a pickled NumPy array needs, under its names in NumPy 1 and 2."""
    home = "numpy._core" if importlib.util.find_spec("numpy._core") else "numpy.core"
    names: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _latin1,
    }
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer")):
        value = getattr(importlib.import_module(f"{home}.{module}"), name)
        names.update({(f"{package}.{module}", name): value for package in ("numpy.core", "numpy._core")})
    return names


_ADMITTED = _admitted()

#: Bytes of a pickle that are read at most.
MAX_BYTES = 2**31


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return one of the admitted names; called for every name in the pickle, before it is used."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("asks for an object outside of the file")


def load_pickled(path: str | Path) -> object:
    """Read a pickle that may hold NumPy arrays and plain data, nothing else.

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
        return _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except RefusedError:
        raise
    except pickle.UnpicklingError as error:
        if "asks for" in str(error):
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
        raise UnreadableError(path, "Holds no NumPy array.")
    frames = array[0] if array.ndim == 4 and array.shape[0] == 1 else array
    frames = frames[..., 0] if frames.ndim == 4 and frames.shape[-1] == 1 else frames
    if frames.ndim != 3 or 0 in frames.shape or frames.dtype.kind not in "uif":
        raise UnreadableError(path, f"Is {array.dtype} of shape {array.shape}; expected grey frames (T, H, W).")
    if frames.dtype == np.uint8:
        return np.ascontiguousarray(frames)
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
        if isinstance(item, np.ndarray) and item.dtype.kind != "O":
            return item
        if isinstance(item, dict | tuple | list) and id(item) not in seen:
            seen.add(id(item))
            todo.extend(reversed(list(item.values() if isinstance(item, dict) else item)))
    return None
