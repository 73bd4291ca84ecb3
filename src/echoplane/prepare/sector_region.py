"""Boxes of B-mode regions that the header claims and the pixels do not contradict."""

from __future__ import annotations

import numpy as np

from echoplane.records import BoolArray, Cine, Region

#: RegionSpatialFormat 2D, and the RegionDataTypes tissue and colour flow (PS3.3 C.8.5.5.1.1, C.8.5.5.1.2).
TWO_D, PICTURES = 1, (1, 2)
#: A region must hold at least this fraction of what moves (or is lit, in a still) in all B-mode regions together.
HOLDS = 0.5
#: Smaller than this fraction of the frame on a side, it is no picture of the heart; larger than that, it says nothing.
LEAST, MOST = 0.1, 0.97

Box = tuple[int, int, int, int]


def plausible_boxes(cine: Cine, lit_moving: tuple[BoolArray, BoolArray], scale: tuple[float, float]) -> list[Box]:
    """List the boxes of the B-mode regions, the one with most motion first.

    Parameters
    ----------
    cine : Cine
    lit_moving : pair of bool arrays, (h, w)
        What is lit and what moves, on small frames.
    scale : tuple of float
        Full-size pixels per small pixel: across, down.

    Returns
    -------
    list of tuple of int
        (x0, y0, x1, y1) in small pixels; empty when no region is worth believing.
    """
    boxes = [_small(region, cine, lit_moving[0].shape, scale) for region in cine.regions if _shows_tissue(region)]
    kept = sorted({box for box in boxes if box is not None})
    if not kept:
        return []
    lit, moving = lit_moving
    active = moving if np.count_nonzero(moving) > 0.01 * moving.size else lit
    amounts = {box: int(np.count_nonzero(active[box[1] : box[3], box[0] : box[2]])) for box in kept}
    if sum(amounts.values()) < HOLDS * np.count_nonzero(active):
        return []
    kept.sort(key=lambda box: -amounts[box])
    x0, y0, x1, y1 = kept[0]
    height, width = lit.shape
    return [] if x1 - x0 > MOST * width and y1 - y0 > MOST * height else kept


def _shows_tissue(region: Region) -> bool:
    return region.spatial_format == TWO_D and region.data_type in PICTURES


def _small(region: Region, cine: Cine, shape: tuple[int, ...], scale: tuple[float, float]) -> Box | None:
    x0, x1 = max(region.x0, 0), min(region.x1, cine.width)
    y0, y1 = max(region.y0, 0), min(region.y1, cine.height)
    if x1 - x0 < LEAST * cine.width or y1 - y0 < LEAST * cine.height:
        return None
    box = (round(x0 / scale[0]), round(y0 / scale[1]), round(x1 / scale[0]), round(y1 / scale[1]))
    return box[0], box[1], min(box[2], shape[1]), min(box[3], shape[0])
