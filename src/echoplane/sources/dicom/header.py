"""The elements before the pixels, as plain values: the only module that parses DICOM, by pydicom.

Only elements that are asked for are read; unless one asks otherwise, no patient data enters a header, a note or an
error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence

from echoplane.errors import NotImageError
from echoplane.sources.dicom.failures import as_unreadable, quiet
from echoplane.sources.dicom.sniff import PREAMBLE, encoding_of, start_of_data
from echoplane.sources.dicom.stream import Cursor, Opener, Stream
from echoplane.sources.dicom.syntax import DEFLATED, EXPLICIT_BE, IMPLICIT_LE

_PIXEL_ELEMENTS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_META = ("TransferSyntaxUID", "MediaStorageSOPClassUID")
_WANTED = (
    # what it is
    *("SOPClassUID", "Modality", "ImageType", "Manufacturer", "ManufacturerModelName", "DirectoryRecordSequence"),
    # how pixels are stored
    *("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable"),
    *("ConcatenationUID", "InConcatenationNumber", "InConcatenationTotalNumber"),
    # how values become grey or colour
    *("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape"),
    *("ModalityLUTSequence", "VOILUTSequence", "SmallestImagePixelValue", "LargestImagePixelValue"),
    *(
        f"{part}{color}PaletteColorLookupTable{what}"
        for part, what in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
        for color in ("Red", "Green", "Blue")
    ),
    # time and place
    *("FrameIncrementPointer", "FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate"),
    *("ActualFrameDuration", "EffectiveDuration", "SequenceOfUltrasoundRegions", "PixelSpacing"),
    "PixelAspectRatio",
    *("UltrasoundColorDataPresent", "PixelPresentation", "WaveformSequence", "ContentSequence"),
)
_META_TAGS = [tag for tag in map(tag_for_keyword, _META) if tag is not None]
#: Longest element that is read into memory (palettes and offset tables are the long ones).
_LONGEST_VALUE = 1 << 24


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data lies: `length` is None for encapsulated data of undefined length."""

    keyword: str
    vr: str | None
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the pixels.

    Attributes
    ----------
    opener : Opener
        Opens the stream that `pixels.offset` counts in.
    syntax : str
        Transfer syntax UID; empty where the file does not say.
    little : bool
        Byte order of the data set.
    values : mapping
        By keyword: int, float, str, bytes, tuple of those, or tuple of mappings for a sequence.
    pixels : PixelElement or None
    cut : bool
        True where the file ends inside an element before any pixels.
    notes : tuple of str
    """

    opener: Opener
    syntax: str
    little: bool
    values: Mapping[str, Any]
    pixels: PixelElement | None
    cut: bool = False
    notes: tuple[str, ...] = ()

    @property
    def sop_class(self) -> str:
        """SOP class UID."""
        return self.text("SOPClassUID") or self.text("MediaStorageSOPClassUID")

    def integer(self, keyword: str) -> int | None:
        """Return the (first) value as an integer, or None."""
        number = self.number(keyword)
        return None if number is None else int(number)

    def number(self, keyword: str) -> float | None:
        """Return the (first) value as a finite number, or None."""
        numbers = numbers_of(self.values.get(keyword))
        return numbers[0] if numbers else None

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return every value as a number; empty where there is none."""
        return numbers_of(self.values.get(keyword))

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return every value as stripped text; empty where there is none."""
        value = self.values.get(keyword)
        if value is None or isinstance(value, bytes):
            return ()
        return tuple(str(v).strip() for v in (value if isinstance(value, tuple) else (value,)))

    def text(self, keyword: str) -> str:
        """Return the (first) value as text, or an empty string."""
        return next(iter(self.texts(keyword)), "")

    def items(self, keyword: str) -> tuple[Mapping[str, Any], ...]:
        """Return the items of a sequence."""
        value = self.values.get(keyword)
        return value if isinstance(value, tuple) and value and isinstance(value[0], Mapping) else ()


def numbers_of(value: Any) -> tuple[float, ...]:
    """Turn a header value into finite numbers; what is none is left out."""
    found = []
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, int | float) and math.isfinite(one):
            found.append(float(one))
    return tuple(found)


def read_header(opener: Opener, keywords: Iterable[str] = _WANTED) -> Header:
    """Read what stands before the pixels.

    Parameters
    ----------
    opener : Opener
    keywords : iterable of str
        Elements to keep; by default none that says who the patient is.

    Returns
    -------
    Header

    Raises
    ------
    NotImageError
        For a DICOMDIR, or a file that is not DICOM.
    UnreadableError
        For a damaged header.
    """
    with opener.open() as stream, as_unreadable(opener.name, "The DICOM header is damaged"), quiet():
        tags = [tag for tag in map(tag_for_keyword, keywords) if tag is not None]
        return _read_main(stream, _read_meta(stream, opener, tags))


@dataclass(slots=True)
class _Start:
    opener: Opener
    position: int
    meta: Mapping[str, Any]
    tags: list[int]
    notes: list[str] = field(default_factory=list)


def _read_meta(stream: Stream, opener: Opener, tags: list[int]) -> _Start:
    position = start_of_data(stream.at(0, PREAMBLE + 16))
    if position is None:
        raise NotImageError(opener.name, "Is not a DICOM file: it holds neither the DICM mark nor a data set.")
    notes = [] if position == PREAMBLE + 4 else ["The DICOM preamble is missing."]
    cursor = Cursor(stream, position)
    meta = _plain_dataset(
        read_dataset(cast(Any, cursor), False, True, stop_when=_not_meta, specific_tags=list(_META_TAGS)), notes
    )
    syntax = str(meta.get("TransferSyntaxUID", "") or "").strip()
    if syntax == DEFLATED:
        return _Start(replace(opener, inflate_from=cursor.tell()), 0, meta, tags, notes)
    return _Start(opener, cursor.tell(), meta, tags, notes)


def _not_meta(tag: int, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _read_main(stream: Stream, start: _Start) -> Header:
    if start.opener.inflate_from is not None:
        with start.opener.open() as inflated:
            return _read_elements(inflated, start)
    return _read_elements(stream, start)


def _read_elements(stream: Stream, start: _Start) -> Header:
    syntax, notes = str(start.meta.get("TransferSyntaxUID", "") or "").strip(), start.notes
    implicit, little = syntax == IMPLICIT_LE, syntax != EXPLICIT_BE
    seen = encoding_of(stream.at(start.position, 8))
    if not syntax:
        notes.append("The transfer syntax is missing; guessed from the data.")
    elif seen not in (None, (implicit, little)):
        notes.append("The data set is not written in its transfer syntax; read as it is written.")
    implicit, little = seen or (implicit, little)
    found: list[PixelElement] = []
    cursor = Cursor(stream, start.position)

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag not in _PIXEL_ELEMENTS:
            return False
        undefined = length == 0xFFFFFFFF
        found.append(PixelElement(_PIXEL_ELEMENTS[tag], vr, cursor.tell(), None if undefined else length))
        return True

    dataset = read_dataset(
        cast(Any, cursor),
        implicit,
        little,
        stop_when=at_pixels,
        defer_size=_LONGEST_VALUE,
        specific_tags=list(start.tags),
    )
    values = {**start.meta, **_plain_dataset(dataset, notes)}
    cut = not found and (cursor.overrun or cursor.tell() > stream.size)
    return Header(start.opener, syntax, little, values, found[-1] if found else None, cut, tuple(notes))


def _plain_dataset(dataset: Dataset, notes: list[str], depth: int = 0) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            if element.keyword:
                values[element.keyword] = _plain(element.value, notes, depth)
        except Exception:  # noqa: BLE001 - one bad element must not cost the file; pydicom raises a dozen kinds
            notes.append(f"The header element ({tag.group:04X},{tag.element:04X}) is damaged; passed over.")
    return values


def _plain(value: Any, notes: list[str], depth: int) -> Any:
    if isinstance(value, DicomSequence):
        return tuple(_plain_dataset(item, notes, depth + 1) for item in value) if depth < 2 else ()
    if isinstance(value, MultiValue | list | tuple):
        return tuple(_plain(v, notes, depth) for v in value)
    if isinstance(value, bytes) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if hasattr(value, "__float__"):  # DSfloat, DSdecimal, float
        return float(value)
    return str(value)
