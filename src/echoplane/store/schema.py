"""What a store holds: one description for the whole, one row a cine.

On disk a store is a folder::

    store.json                   StoreInfo: format, version, recipe, views
    written.jsonl                a line a part: the keys of its cines, to tell when a part is lost
    part-00000-3f9a1c22.safetensors
    part-00001-b81d07e4.safetensors

Every part is an ordinary safetensors file with one uint8 tensor ``(T, H, W)`` a cine, named by the cine's key;
its row stands as JSON in the file's ``__metadata__`` under the same name. Parts appear by a rename, so a part is
whole or not there, and never changes afterwards.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from echoplane.errors import StoreError
from echoplane.records import Sector, UInt8Array

FORMAT = "echoplane-store"
VERSION = 1

INFO_FILE = "store.json"
PART_GLOB = "part-*.safetensors"

#: Shares of soft labels may miss 1 by this much: they come from CSV files with a few digits.
SHARE_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class StoreRow:
    """What is known about one stored cine.

    Attributes
    ----------
    cine : str
        Key, unique in a store: usually the path below the source folder, with ``/`` between its parts.
    label : str
        A view of the vocabulary, or ``""`` where only `shares` or nothing is known.
    shares : mapping of str to float
        Soft label: view to share in [0, 1], summing to 1. Empty for a hard label.
    group : str
        Patient (a name that means nothing outside of the data set); ``""`` when unknown.
    study : str
        Study; ``""`` when unknown.
    split : str
        ``"train"``, ``"validation"`` or ``"test"`` where the data set gives it, else ``""``.
    source : str
        The file, relative to the source folder.
    given_label : str
        The label as the data set spells it, before the label table.
    fps : float or None
        Frames a second.
    n_frames : int
        Stored frames, T.
    sector : Sector or None
        Where the ultrasound picture lay in the original frame.
    crop : tuple of float or None
        (x0, y0, x1, y1): what the stored frame shows of the original one, in original pixels.
    notes : tuple of str
        What was odd, one sentence each.
    extra : mapping of str to JSON value
        Anything else worth keeping: phantom truth, columns of the data set.
    sha256 : str
        Of the frames' bytes in C order; filled by the writer.
    """

    cine: str
    label: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    group: str = ""
    study: str = ""
    split: str = ""
    source: str = ""
    given_label: str = ""
    fps: float | None = None
    n_frames: int = 0
    sector: Sector | None = None
    crop: tuple[float, float, float, float] | None = None
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def target(self, views: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return the label as shares in the order of `views`.

        Returns
        -------
        float32 array, (K,)
            One-hot for a hard label; all zero when the label is not among `views` or the cine has none.
            Soft shares are cut to `views` and scaled to sum to 1.
        """
        shares = np.array([self.shares.get(view, 0.0) for view in views], np.float32)
        if not self.shares:
            shares = np.array([float(view == self.label) for view in views], np.float32)
        total = shares.sum()
        return shares / total if total > 0 else shares

    def top_label(self) -> str:
        """Return the label, or the view with the largest share, or ``""``."""
        if self.label or not self.shares:
            return self.label
        return max(self.shares, key=lambda view: self.shares[view])


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a whole store has in common.

    Attributes
    ----------
    recipe : mapping
        The prepare recipe as plain data; two runs into one store must agree on it.
    views : tuple of str
        Labels in use, in the order that networks list them; may be empty for unlabelled data.
    height, width : int
        Size of every stored frame, pixels.
    origin : str
        Name and licence of the data in one line, for the model card.
    secret : str
        Fingerprint of the secret that patients are hashed with; empty where none are.
    format, version : str, int
    """

    recipe: Mapping[str, Any]
    views: tuple[str, ...]
    height: int
    width: int
    origin: str = ""
    secret: str = ""
    format: str = FORMAT
    version: int = VERSION


def check_row(row: StoreRow, frames: UInt8Array, info: StoreInfo) -> None:
    """Refuse a row or frames that would make a store useless later.

    Raises
    ------
    StoreError
        Empty or doubled-up key, wrong dtype or size, shares that do not sum to 1.
    """
    where = f"cine {row.cine!r}"
    if not row.cine or row.cine == "__metadata__":
        raise StoreError(f"{where}: a cine needs a key that is not empty and not '__metadata__'.")
    if frames.dtype != np.uint8 or frames.ndim != 3 or frames.shape[0] == 0:
        raise StoreError(f"{where}: frames are {frames.dtype} {frames.shape}; a store takes uint8 (T, H, W), T > 0.")
    if frames.shape[1:] != (info.height, info.width):
        raise StoreError(
            f"{where}: frames are {frames.shape[1]} x {frames.shape[2]}, the store holds {info.height} x {info.width}."
        )
    if row.shares:
        values = list(row.shares.values())
        if min(values) < 0 or not math.isclose(sum(values), 1.0, abs_tol=SHARE_TOLERANCE):
            raise StoreError(f"{where}: label shares sum to {sum(values):.3f}; they must be >= 0 and sum to 1.")


def digest(frames: UInt8Array) -> str:
    """Return the SHA-256 of the frames' bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(frames).data).hexdigest()


def encode_row(row: StoreRow) -> str:
    """Return the row as one line of JSON, defaults left out."""
    data = msgspec.to_builtins(row, str_keys=True)
    return msgspec.json.encode({k: v for k, v in data.items() if v not in ("", None, [], {})}).decode()


def decode_row(text: str | bytes, where: str) -> StoreRow:
    """Read a row back.

    Raises
    ------
    StoreError
        When the text is no row.
    """
    try:
        return msgspec.json.decode(text, type=StoreRow)
    except msgspec.DecodeError as error:
        raise StoreError(f"{where}: row is damaged ({error}).") from error


def encode_info(info: StoreInfo) -> bytes:
    """Return the description as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n"


def read_info(folder: Path) -> StoreInfo:
    """Read the description in a store's folder.

    Raises
    ------
    StoreError
        When there is none, or as :func:`decode_info`.
    """
    file = folder / INFO_FILE
    try:
        return decode_info(file.read_bytes(), str(file))
    except OSError as error:
        raise StoreError(f"{folder}: is not a clip store (no readable {INFO_FILE} in it).") from error


def decode_info(data: bytes, where: str) -> StoreInfo:
    """Read a description back.

    Raises
    ------
    StoreError
        When it is damaged, of another format or of a newer version.
    """
    try:
        plain = msgspec.json.decode(data)
        found = plain.get("format") if isinstance(plain, dict) else None
        if found != FORMAT:
            raise StoreError(f"{where}: is not a clip store (format {found!r}, expected {FORMAT!r}).")
        if not isinstance(plain.get("version"), int) or plain["version"] > VERSION:
            raise StoreError(
                f"{where}: store version {plain.get('version')!r} is newer than {VERSION}, which this echoplane reads. "
                "Update echoplane."
            )
        return msgspec.convert(plain, type=StoreInfo)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{where}: is damaged ({error}).") from error
