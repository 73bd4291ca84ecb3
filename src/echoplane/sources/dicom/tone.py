"""Stored values to 8-bit grey or palette colours, as one table look-up.

Modality LUT or rescale, then VOI LUT or window, then the sense of MONOCHROME1 (PS3.3 C.7.6.3, C.11.1, C.11.2; PS3.4
N.2) are worked out once for every value that can be stored.

SmallestImagePixelValue and LargestImagePixelValue say which values a picture holds (PS3.3 C.7.6.3), not which of them
are black and white, and are often left over from before the picture was changed. Values of 8 bits are grey already;
deeper ones without a window are spread over what was measured, or over this pair where the two agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.records import UInt8Array
from echoplane.sources.dicom.header import Header, numbers_of
from echoplane.sources.dicom.layout import Layout

Float = npt.NDArray[np.float64]

#: Share of the header's range of values that pixels have to fill for it to be believed.
_FILLED = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """A table from stored value to grey.

    Attributes
    ----------
    table : uint8 array or None
        Grey of each value from `first` on; None where values are grey already.
    first : int
        The stored value of the first entry: 0, or negative for signed samples.
    """

    table: UInt8Array | None = None
    first: int = 0

    def apply(self, samples: npt.NDArray[Any]) -> UInt8Array:
        """Map samples of any integer type to grey."""
        if self.table is None:
            return np.asarray(samples, np.uint8)
        if samples.dtype == np.uint8 and len(self.table) == 256:
            return np.asarray(cv2.LUT(np.ascontiguousarray(samples), self.table), np.uint8)
        at = np.clip(samples.astype(np.int32) - self.first, 0, len(self.table) - 1)
        return self.table[at]


def needs_measuring(header: Header, layout: Layout) -> bool:
    """Tell whether nothing in the header says which values are black and white, and the depth does not either."""
    return layout.stored > 8 and _window(header) is None and _voi_lut(header) is None


def grey_range(header: Header, measured: tuple[float, float] | None) -> tuple[tuple[float, float] | None, str]:
    """Choose what becomes black and white where `needs_measuring` says so.

    Parameters
    ----------
    header : Header
    measured : tuple of float or None
        Lowest and highest stored value of some frames; None where all are alike.

    Returns
    -------
    ends : tuple of float or None
        Stored values; None where nothing is known, so that the depth has to do.
    note : str
    """
    said = _extremes(header)
    if said is not None and (measured is None or _agree(said, measured)):
        return said, "No grey window in the header; grey levels are spread over its smallest and largest value."
    note = "No grey window in the header; grey levels are spread over the range of frames looked at."
    if said is not None:
        note += f" Its smallest and largest value ({said[0]:g} and {said[1]:g}) are not those of the pixels."
    return measured, note


def build_tone(header: Header, layout: Layout, ends: tuple[float, float] | None = None) -> Tone:
    """Work out the table of a one-sample cine.

    Parameters
    ----------
    header : Header
    layout : Layout
    ends : tuple of float, optional
        Stored values that become black and white where the header says nothing (see `grey_range`).

    Returns
    -------
    Tone
    """
    low, high = layout.value_range
    stored = np.arange(low, high + 1, dtype=np.float64)
    values = _modality(header, stored)
    window, voi = _window(header), _voi_lut(header)
    if window is not None:
        grey = _windowed(values, *window, header.text("VOILUTFunction"))
    elif voi is not None:
        first, entries, top = voi
        picked = entries[np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.int64)]
        grey = picked / top
    elif ends is not None:
        grey = _linear(values, *_modality(header, np.asarray(ends, np.float64)))
    else:
        grey = _linear(values, values.min(), values.max())
    dark = layout.photometric == "MONOCHROME1"
    if dark or header.text("PresentationLUTShape") == "INVERSE":
        grey = 1.0 - grey
    table8 = np.rint(np.clip(grey, 0.0, 1.0) * 255).astype(np.uint8)
    if low == 0 and len(table8) == 256 and np.array_equal(table8, np.arange(256)):
        return Tone(None)
    return Tone(table8, low)


def _modality(header: Header, stored: Float) -> Float:
    luts = header.items("ModalityLUTSequence")
    if luts and (table := _lut(luts[0], header.little)) is not None:
        first, entries, _ = table
        picked: Float = entries[np.clip(stored - first, 0, len(entries) - 1).astype(np.int64)]
        return picked
    slope, intercept = header.number("RescaleSlope") or 1.0, header.number("RescaleIntercept") or 0.0
    if abs(slope) > 1e9 or abs(intercept) > 1e9:
        return stored  # no scanner means this, and the product would overflow
    return stored * slope + intercept


def _window(header: Header) -> tuple[float, float] | None:
    center, width = header.number("WindowCenter"), header.number("WindowWidth")
    if center is None or width is None or width < 1 or abs(center) > 1e9 or width > 1e9:
        return None
    return center, width


def _windowed(values: Float, center: float, width: float, function: str) -> Float:
    """Grey in 0..1, by PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return (values - center) / width + 0.5
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return (values - (center - 0.5)) / (width - 1) + 0.5


def _linear(values: Float, low: float, high: float) -> Float:
    low, high = min(low, high), max(low, high)
    return (values - low) / ((high - low) or 1.0)


def _extremes(header: Header) -> tuple[float, float] | None:
    low, high = header.number("SmallestImagePixelValue"), header.number("LargestImagePixelValue")
    return (low, high) if low is not None and high is not None and low < high else None


def _agree(said: tuple[float, float], measured: tuple[float, float]) -> bool:
    """Tell whether the pair can be that of the pixels: frames spread over a cine come near to its extremes."""
    inside = said[0] <= measured[0] and measured[1] <= said[1]
    return inside and measured[1] - measured[0] >= _FILLED * (said[1] - said[0])


def _voi_lut(header: Header) -> tuple[float, Float, float] | None:
    items = header.items("VOILUTSequence")
    return _lut(items[0], header.little) if items else None


def _lut(item: Mapping[str, Any], little: bool) -> tuple[float, Float, float] | None:
    """Return the first mapped value, the entries and what is white of a Modality or VOI LUT item.

    None where it is damaged.
    """
    descriptor, data = numbers_of(item.get("LUTDescriptor")), item.get("LUTData")
    if len(descriptor) != 3:
        return None
    count = int(descriptor[0]) or 65536
    if isinstance(data, bytes):
        entries = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2").astype(np.float64)
    else:
        entries = np.asarray(numbers_of(data), np.float64)
    if len(entries) < count or count < 2:
        return None
    entries = entries[:count]
    return descriptor[1], entries, float(2 ** _lut_bits(int(descriptor[2]), int(entries.max())) - 1)


def _lut_bits(declared: int, highest: int) -> int:
    """Return the bits of an output: those declared (PS3.3 C.11.2.1.1), unless the entries show that they are not meant.

    16 is what many write for the words that entries are stored in, however few bits of them are used.
    """
    used = max(8, highest.bit_length())
    return declared if used <= declared < 16 else used
