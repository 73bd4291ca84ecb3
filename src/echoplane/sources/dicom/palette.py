"""Stored values to R, G, B by three tables (PS3.3 C.7.9), all of them or (C.7.6.19) only the higher ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.layout import Layout
from echoplane.sources.dicom.tone import Tone

_COLORS = ("Red", "Green", "Blue")
#: PixelPresentation (PS3.3 C.8.16.2.1.1) of grey pictures in which some values stand for colours.
IN_COLOUR = ("COLOR", "MIXED")


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Colour of each stored value from `first` on: `table` is uint8 (n, 3)."""

    table: npt.NDArray[np.uint8]
    first: int

    def apply(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Map samples (h, w) to R, G, B (h, w, 3)."""
        at = np.clip(samples.astype(np.int32) - self.first, 0, len(self.table) - 1)
        return np.asarray(self.table[at], np.uint8)


def read_palette(header: Header, layout: Layout) -> Palette:
    """Expand the (plain or segmented) tables for every value that can be stored.

    Raises
    ------
    Exception
        When the tables are missing or damaged.
    """
    low, high = layout.value_range
    holder = Dataset()
    holder.set_original_encoding(False, True)
    for color in _COLORS:
        descriptor = [int(v) for v in header.numbers(f"{color}PaletteColorLookupTableDescriptor")]
        if len(descriptor) != 3 or descriptor[2] not in (8, 16):
            raise DamagedError(f"the {color.lower()} palette is not described")
        setattr(holder, f"{color}PaletteColorLookupTableDescriptor", descriptor)
        for kind in ("", "Segmented"):
            data = header.values.get(f"{kind}{color}PaletteColorLookupTableData")
            if isinstance(data, bytes):
                if not header.little:
                    data = np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()
                setattr(holder, f"{kind}{color}PaletteColorLookupTableData", data)
    bits = int(header.numbers("RedPaletteColorLookupTableDescriptor")[2])
    stored = np.arange(low, high + 1, dtype=np.int32)
    colors = np.asarray(apply_color_lut(stored, holder))
    if bits == 16 and colors.max(initial=0) > 255:
        colors = colors >> 8
    return Palette(colors.astype(np.uint8), low)


def read_supplemental(header: Header, layout: Layout, tone: Tone) -> Palette:
    """Expand tables that colour only the values from their first entry on; those below are grey.

    Raises
    ------
    Exception
        When the tables are missing or damaged.
    """
    palette = read_palette(header, layout)
    low, high = layout.value_range
    stored = np.arange(low, high + 1)
    first = int(header.numbers("RedPaletteColorLookupTableDescriptor")[1])
    grey = tone.apply(stored)[:, None].repeat(3, axis=1)
    return Palette(np.where((stored < first)[:, None], grey, palette.table), low)
