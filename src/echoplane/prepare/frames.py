"""A cine and a recipe make the frames that a network sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from echoplane.errors import UsageError
from echoplane.prepare.geometry import Box, allowed_reduction, pixel_crop, wanted_crop
from echoplane.prepare.grayscale import to_grey
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.prepare.resize import resize
from echoplane.prepare.sector import find_sector
from echoplane.records import BoolArray, Cine, PreparedCine, Sector, SectorKind, UInt8Array

#: Decoded bytes held at once; keeps memory bounded whatever the cine's size.
CHUNK_BYTES = 48 * 2**20
#: Below this confidence the result says that the sector is a guess.
SURE_ENOUGH = 0.5


def prepare(
    cine: Cine, recipe: PrepareRecipe, indices: Sequence[int] | None = None, sector: Sector | None = None
) -> PreparedCine:
    """Decode, mask, crop and resize the frames asked for.

    Parameters
    ----------
    cine : Cine
    recipe : PrepareRecipe
    indices : sequence of int, optional
        Frame numbers in 0..n_frames-1; repeats and order do not matter. All frames when left out.
    sector : Sector, optional
        Where the ultrasound picture lies; found with :func:`find_sector` when left out and the recipe needs it.

    Returns
    -------
    PreparedCine
        Its frames stand in rising order of frame number, each once.

    Raises
    ------
    UsageError
        When a frame number lies outside the cine, or there are none.
    echoplane.errors.ReadError
        When a frame cannot be decoded.
    """
    numbers = sorted({int(i) for i in (range(cine.n_frames) if indices is None else indices)})
    if not numbers or numbers[0] < 0 or numbers[-1] >= cine.n_frames:
        raise UsageError(f"{cine.source}: frames {numbers[:1]}..{numbers[-1:]} asked for, of {cine.n_frames}.")
    if sector is None:
        sector = find_sector(cine) if recipe.needs_sector else whole_frame(cine)
    crop = wanted_crop(recipe, sector, cine.height, cine.width)
    out = np.empty((len(numbers), *recipe.size), np.uint8)
    used = crop
    done = 0
    for grey_THW in _decoded(cine, recipe, numbers, allowed_reduction(recipe, crop)):
        used, cropped_THW = _cut(grey_THW, cine, recipe, sector, crop)
        out[done : done + len(grey_THW)] = resize(cropped_THW, recipe.size, recipe.interpolation)
        done += len(grey_THW)
    assert done == len(numbers)
    return PreparedCine(frames=out, indices=tuple(numbers), sector=sector, crop=used, notes=_notes(recipe, sector))


def whole_frame(cine: Cine) -> Sector:
    """Return the sector that says "the whole frame, and nothing was looked for"."""
    return Sector(SectorKind.FULL, (0, 0, cine.width, cine.height), confidence=0.0, origin="none")


def _decoded(cine: Cine, recipe: PrepareRecipe, numbers: list[int], reduction: int) -> Iterator[UInt8Array]:
    color = recipe.decode == "exact" or recipe.grey != "luma"
    bytes_per_frame = cine.height * cine.width * (3 if color else 1) // reduction**2 + 1
    size = max(1, CHUNK_BYTES // bytes_per_frame)
    for start in range(0, len(numbers), size):
        frames = cine.reader.read(numbers[start : start + size], color=color, reduce=reduction)
        yield to_grey(frames, recipe.grey) if color else frames


def _cut(grey_THW: UInt8Array, cine: Cine, recipe: PrepareRecipe, sector: Sector, crop: Box) -> tuple[Box, UInt8Array]:
    """Mask and crop decoded frames; also return the crop after rounding to decoded pixels, in full-size pixels."""
    frames, height, width = grey_THW.shape
    # A decoder rounds the reduced size up, so the pixel pitch is a power of two, not the ratio of the sizes.
    pitch = _pitch(cine.height, height)
    x0, y0, x1, y1 = pixel_crop(crop, pitch)
    used = (float(x0 * pitch), float(y0 * pitch), float(x1 * pitch), float(y1 * pitch))
    inside = slice(max(y0, 0), max(min(y1, height), 0)), slice(max(x0, 0), max(min(x1, width), 0))
    part = grey_THW[:, inside[0], inside[1]]
    if recipe.mask:
        part = part * _mask(sector, height, width, pitch)[inside]
    if part.shape[1:] == (y1 - y0, x1 - x0):
        return used, part
    canvas = np.zeros((frames, y1 - y0, x1 - x0), np.uint8)
    top, left = inside[0].start - y0, inside[1].start - x0
    canvas[:, top : top + part.shape[1], left : left + part.shape[2]] = part
    return used, canvas


def _mask(sector: Sector, height: int, width: int, pitch: int) -> BoolArray:
    return sector.mask(height, width, 1 / pitch)


def _pitch(full: int, decoded: int) -> int:
    return min((1, 2, 4, 8), key=lambda r: abs(-(-full // r) - decoded))


def _notes(recipe: PrepareRecipe, sector: Sector) -> tuple[str, ...]:
    if recipe.needs_sector and sector.confidence < SURE_ENOUGH:
        return ("The ultrasound sector was not found with confidence; the area used is a guess.",)
    return ()
