"""From a sector and a recipe to the crop, in pixels, and the cheapest decode that still shows it well."""

from __future__ import annotations

from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import Sector

Box = tuple[float, float, float, float]


def wanted_crop(recipe: PrepareRecipe, sector: Sector, height: int, width: int) -> Box:
    """Say which part of the full-size frame the prepared frame shows.

    Parameters
    ----------
    recipe : PrepareRecipe
    sector : Sector
        Only its box counts, and only for ``crop="sector"``.
    height, width : int
        Of the full-size frame, pixels.

    Returns
    -------
    tuple of float
        (x0, y0, x1, y1) in full-size pixels, half open; may reach outside the frame.
    """
    if recipe.crop == "none":
        return 0.0, 0.0, float(width), float(height)
    if recipe.crop == "center":
        assert recipe.crop_size is not None
        crop_height, crop_width = recipe.crop_size
        # Halves go to the even number, as in Pillow's Image.crop.
        x0, y0 = round((width - crop_width) / 2), round((height - crop_height) / 2)
        return float(x0), float(y0), float(x0 + crop_width), float(y0 + crop_height)
    x0, y0, x1, y1 = sector.box
    room = 1 - 2 * recipe.margin
    # Grow the shorter side of the box until it has the shape of the target: nothing is stretched.
    rows, columns = recipe.size
    scale = max((x1 - x0) / columns, (y1 - y0) / rows) / room
    half_width, half_height = columns * scale / 2, rows * scale / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return x - half_width, y - half_height, x + half_width, y + half_height


def allowed_reduction(recipe: PrepareRecipe, crop: Box) -> int:
    """Largest decode reduction that leaves the crop with `recipe.min_detail` times the target's pixels on each side.

    Returns
    -------
    {1, 2, 4, 8}
        1 for recipes whose decode is ``exact``.
    """
    if recipe.decode == "exact":
        return 1
    rows, columns = recipe.size
    detail = min((crop[2] - crop[0]) / columns, (crop[3] - crop[1]) / rows)
    return next((r for r in (8, 4, 2) if detail >= r * recipe.min_detail), 1)


def pixel_crop(crop: Box, pitch: int) -> tuple[int, int, int, int]:
    """Round a crop to whole pixels of a decoded frame, one decoded pixel being `pitch` full-size pixels wide.

    The size is rounded by itself, so that a square crop stays square; it is at least one pixel.
    """
    x0, y0 = round(crop[0] / pitch), round(crop[1] / pitch)
    columns, rows = round((crop[2] - crop[0]) / pitch), round((crop[3] - crop[1]) / pitch)
    return x0, y0, x0 + max(columns, 1), y0 + max(rows, 1)
