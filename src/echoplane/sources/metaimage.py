"""MetaImage files (``.mha``, ``.mhd`` + ``.raw``): a header of ``Key = value`` lines, and samples, packed or not.

The format is described at https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from echoplane.errors import ReadError, RefusedError, UnreadableError, UnsupportedError
from echoplane.sources.limits import Limits
from echoplane.sources.samples import VolumeFile, check_shape, plain_samples, zlib_samples

_TYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_ULONG_LONG": "u8",
    "MET_LONG_LONG": "i8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
#: A header is some hundred bytes; nothing is looked for behind this.
_MAX_HEADER = 65536
_YES = ("true", "1", "yes", "t", "y")


def read_metaimage(path: Path, source: str, limits: Limits) -> VolumeFile:
    """Read a MetaImage file; unpacked samples are mapped, packed ones are unpacked into memory.

    Raises
    ------
    UnreadableError
        When it is damaged, shorter than its header says, or its data file is missing.
    UnsupportedError
        For samples as text, spread over several files, or of a type that is not read.
    RefusedError
        When it is bigger than the limits, or points at a file outside of its folder.
    """
    fields, end = _header(path, source)
    shape = _numbers(fields, "dimsize", source)
    channels = int((_numbers(fields, "elementnumberofchannels", source) or (1,))[0])
    kind = _TYPES.get(fields.get("elementtype", "").upper().removesuffix("_ARRAY"))
    if kind is None:
        raise UnsupportedError(source, f"Holds samples of type {fields.get('elementtype', '(not said)')}.")
    if channels not in (1, 3, 4):
        raise UnsupportedError(source, f"Has {channels} values a pixel; one (grey) or three (R, G, B) are read.")
    if not _yes(fields, "binarydata", "true"):
        raise UnsupportedError(source, "Holds its samples as text.", "Write it again in binary.")
    big = _yes(fields, "binarydatabyteordermsb", fields.get("elementbyteordermsb", "false"))
    dtype = np.dtype((">" if big else "<") + kind)
    sides = tuple(int(side) for side in shape)
    check_shape(sides, dtype.itemsize * channels, source, limits)
    full = sides[::-1] + ((channels,) if channels > 1 else ())
    place, offset = _data_place(path, fields, end, source)
    if _yes(fields, "compresseddata", "false"):
        limits.check_bytes(source, place.stat().st_size)
        with place.open("rb") as stream:
            stream.seek(max(offset, 0))
            samples = zlib_samples(stream.read(), dtype, full, source)
    else:
        samples = plain_samples(place, dtype, full, offset, source)
    steps = _numbers(fields, "elementspacing", source) or _numbers(fields, "elementsize", source)
    spacing = tuple(float(step) or 1.0 for step in steps[: len(sides)])
    return VolumeFile(
        samples=samples[..., :3] if channels > 1 else samples,
        spacing=spacing + (1.0,) * (len(sides) - len(spacing)),
        color=channels > 1,
    )


def samples_beside(path: Path) -> Path | None:
    """Return the file that a header names for its samples; None where they follow it, or it is no sound header."""
    if not path.is_file():  # opening a pipe would wait for ever
        return None
    try:
        place, _ = _data_place(path, *_header(path, str(path)), str(path))
    except (ReadError, OSError):
        return None
    return None if place == path else place


def _header(path: Path, source: str) -> tuple[Mapping[str, str], int]:
    """Return the fields, names in lower case, and where the header ends: ElementDataFile is its last line."""
    with path.open("rb") as stream:
        head = stream.read(_MAX_HEADER)
    last = re.search(rb"^[ \t]*ElementDataFile[ \t]*=[^\n]*\n?", head, re.IGNORECASE | re.MULTILINE)
    if last is None:
        raise UnreadableError(source, "The MetaImage header does not say where the samples are (ElementDataFile).")
    fields = {}
    for line in head[: last.end()].decode("latin-1").splitlines():
        key, sign, value = line.partition("=")
        if sign:
            fields[key.strip().lower()] = value.strip()
    return fields, last.end()


def _numbers(fields: Mapping[str, str], key: str, source: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in fields.get(key, "").split())
    except ValueError as error:
        raise UnreadableError(source, f"The MetaImage header has {key} = {fields[key][:40]}, no numbers.") from error
    if not np.isfinite(numbers).all():
        raise UnreadableError(source, f"The MetaImage header has {key} = {fields[key][:40]}, no numbers.")
    return numbers


def _yes(fields: Mapping[str, str], key: str, default: str) -> bool:
    return fields.get(key, default).lower() in _YES


def _data_place(path: Path, fields: Mapping[str, str], end: int, source: str) -> tuple[Path, int]:
    """Return the file of the samples and where they start in it. A header is data, not an order: no other folders."""
    name = fields["elementdatafile"]
    if name.upper() == "LOCAL":
        return path, end
    if name.upper().startswith("LIST") or "%" in name:
        raise UnsupportedError(source, "The samples are spread over several files.", "Write one .mha file.")
    name = re.sub(r"\A(?:\.[/\\])+", "", name)  # the folder of the header, spelled out
    if re.search(r"[/\\:\0]", name) or name in ("", ".", ".."):
        raise RefusedError(source, "The MetaImage header points at a file outside of its folder.")
    place = path.parent / name
    if not place.is_file():
        raise UnreadableError(source, f"The samples, {name}, are not beside the header.", "Copy both files.")
    skipped = _numbers(fields, "headersize", source)
    return place, int(skipped[0]) if skipped else 0
