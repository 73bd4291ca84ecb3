"""Ultrasound regions (PS3.3 C.8.5.5): where in the picture what is shown, and how large a pixel is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from echoplane.records import Region
from echoplane.sources.dicom.header import Header, numbers_of

_CENTIMETRES = 3
_2D, _TISSUE, _FLOW = 1, 1, 2
#: Pixel sizes in millimetres that are believed.
_PLAUSIBLE_MM = (0.001, 10.0)
#: Pixels of which one side is longer by no more than this factor are square: sizes are rounded.
_SQUARE = 1.05


def read_regions(header: Header, height: int, width: int) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Read the regions that lie in the picture.

    Parameters
    ----------
    header : Header
    height, width : int
        Size of the picture in pixels.

    Returns
    -------
    regions : tuple of Region
        Bounds half open (DICOM's are inclusive).
    notes : tuple of str
        One sentence for those passed over.
    """
    regions, dropped = [], 0
    for item in header.items("SequenceOfUltrasoundRegions"):
        region = _region(item, height, width)
        if region is None:
            dropped += 1
        else:
            regions.append(region)
    if not dropped:
        return tuple(regions), ()
    what = "An ultrasound region lies" if dropped == 1 else f"{dropped} ultrasound regions lie"
    return tuple(regions), (f"{what} outside of the {width} x {height} picture; passed over.",)


def is_empty(item: Mapping[str, Any]) -> bool:
    """Tell whether a region has bounds, and no pixel between them."""
    x0, y0, x1, y1 = (_integer(item, f"RegionLocation{end}") for end in ("MinX0", "MinY0", "MaxX1", "MaxY1"))
    return None not in (x0, y0, x1, y1) and (x1 <= x0 or y1 <= y0)  # type: ignore[operator]


def _region(item: Mapping[str, Any], height: int, width: int) -> Region | None:
    bounds = [_integer(item, f"RegionLocation{end}") for end in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    if any(bound is None for bound in bounds):
        return None
    x0, y0, x1, y1 = (int(bound or 0) for bound in bounds)
    # Some scanners write the size where the last pixel is asked for: one pixel over is cut, more is another picture.
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        return None
    return Region(
        x0,
        y0,
        min(x1 + 1, width),
        min(y1 + 1, height),
        _integer(item, "RegionSpatialFormat") or 0,
        _integer(item, "RegionDataType") or 0,
        _integer(item, "RegionFlags") or 0,
        _spacing(item),
    )


def _integer(item: Mapping[str, Any], keyword: str) -> int | None:
    numbers = numbers_of(item.get(keyword))
    return int(numbers[0]) if numbers else None


def _spacing(item: Mapping[str, Any]) -> tuple[float, float] | None:
    units = [_integer(item, f"PhysicalUnits{axis}Direction") for axis in "YX"]
    if units != [_CENTIMETRES, _CENTIMETRES]:
        return None
    sizes = [abs(number) * 10 for axis in "YX" for number in numbers_of(item.get(f"PhysicalDelta{axis}"))[:1]]
    return _plausible(sizes)


def _plausible(sizes: list[float]) -> tuple[float, float] | None:
    if len(sizes) < 2 or not all(_PLAUSIBLE_MM[0] <= s <= _PLAUSIBLE_MM[1] and math.isfinite(s) for s in sizes):
        return None
    return sizes[0], sizes[1]


def picture_spacing(header: Header, regions: tuple[Region, ...]) -> tuple[float, float] | None:
    """Return the (row, column) pixel size in millimetres of the largest 2D region, or else PixelSpacing."""
    sized = [
        r for r in regions if r.spatial_format == _2D and r.data_type in (_TISSUE, _FLOW) and r.spacing_mm is not None
    ]
    if sized:
        return max(sized, key=lambda r: (r.x1 - r.x0) * (r.y1 - r.y0)).spacing_mm
    return _plausible(list(header.numbers("PixelSpacing")))


def aspect_notes(header: Header, spacing_mm: tuple[float, float] | None) -> tuple[str, ...]:
    """Note pixels that are not square, by their size or else by PixelAspectRatio (rows first, both)."""
    high, wide = spacing_mm or (*header.numbers("PixelAspectRatio"), 0.0, 0.0)[:2]
    if min(high, wide) <= 0 or max(high, wide) <= _SQUARE * min(high, wide):
        return ()
    return (f"Pixels are said to be {wide / high:.3g} times as wide as high; they are taken as square.",)
