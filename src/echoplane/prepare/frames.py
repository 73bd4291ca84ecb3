"""A cine and a recipe make the frames that a network sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from echoplane.errors import RefusedError, UsageError
from echoplane.prepare.geometry import Box, allowed_reduction, pixel_crop, wanted_crop
from echoplane.prepare.grayscale import to_grey
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.prepare.resize import resize
from echoplane.prepare.sector import Located, locate, probe_reduction, spread
from echoplane.records import BoolArray, Cine, PreparedCine, Sector, SectorKind, UInt8Array

#: Decoded bytes held at once; keeps memory bounded whatever the cine's size.
CHUNK_BYTES = 48 * 2**20
#: A crop of more pixels than this, and of so many times the sector's, is that of a strip: nothing but black would be
#: held in memory and resized.
_STRIP_PIXELS, _STRIP_TIMES = 50_000_000, 16

#: Frames already decoded, by the reduction they were asked at.
_Decoded = dict[int, UInt8Array]


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
    RefusedError
        When the area to show is a long strip.
    echoplane.errors.ReadError
        When a frame cannot be decoded.
    """
    numbers = sorted({int(i) for i in (range(cine.n_frames) if indices is None else indices)})
    if not numbers or numbers[0] < 0 or numbers[-1] >= cine.n_frames:
        raise UsageError(f"{cine.source}: frames {numbers[:1]}..{numbers[-1:]} asked for, of {cine.n_frames}.")
    decoded: _Decoded = {}
    if sector is not None:
        located = Located(sector)
    elif recipe.needs_sector:
        located, decoded = _locate(cine, recipe, numbers)
    else:
        located = Located(whole_frame(cine))
    crop = wanted_crop(recipe, located.sector, cine.height, cine.width)
    _refuse_strip(cine, located.sector, crop)
    out = np.empty((len(numbers), *recipe.size), np.uint8)
    used, done = crop, 0
    for grey_THW in _decode(cine, recipe, numbers, _reduction(cine, recipe, crop), decoded):
        used, cropped_THW = _cut(grey_THW, cine, recipe, located.sector, crop)
        out[done : done + len(grey_THW)] = resize(cropped_THW, recipe.size, recipe.interpolation)
        done += len(grey_THW)
    assert done == len(numbers)
    return PreparedCine(out, tuple(numbers), located.sector, used, _notes(recipe, located))


def with_frames(prepared: PreparedCine, cine: Cine, recipe: PrepareRecipe, indices: Sequence[int]) -> PreparedCine:
    """Prepare more frames of a cine, with the sector that was found already.

    Parameters
    ----------
    prepared : PreparedCine
        Of the same cine by the same recipe.
    cine : Cine
    recipe : PrepareRecipe
    indices : sequence of int
        Frame numbers that the result must hold; those that it holds already are not decoded again.

    Returns
    -------
    PreparedCine

    Raises
    ------
    UsageError, RefusedError, echoplane.errors.ReadError
        As :func:`prepare`.
    """
    missing = sorted({int(i) for i in indices} - set(prepared.indices))
    if not missing:
        return prepared
    more = prepare(cine, recipe, missing, prepared.sector)
    numbers = np.array((*prepared.indices, *more.indices))
    order = np.argsort(numbers)
    return replace(
        prepared,
        frames=np.concatenate([prepared.frames, more.frames])[order],
        indices=tuple(int(i) for i in numbers[order]),
    )


def whole_frame(cine: Cine) -> Sector:
    """Return the sector that says "the whole frame, and nothing was looked for"."""
    return Sector(SectorKind.FULL, (0, 0, cine.width, cine.height), confidence=0.0, origin="none")


def _refuse_strip(cine: Cine, sector: Sector, crop: Box) -> None:
    x0, y0, x1, y1 = sector.box
    area = (crop[2] - crop[0]) * (crop[3] - crop[1])
    if area > _STRIP_PIXELS and area > _STRIP_TIMES * (x1 - x0) * (y1 - y0):
        raise RefusedError(cine.source, f"What is lit is {x1 - x0} x {y1 - y0} pixels: a strip, and no picture.")


def _in_color(recipe: PrepareRecipe) -> bool:
    return recipe.decode == "exact" or recipe.grey != "luma"


def _reduction(cine: Cine, recipe: PrepareRecipe, crop: Box) -> int:
    # Never more than for finding the sector: then the frames are decoded once, and a sector given changes nothing.
    return min(allowed_reduction(recipe, crop), probe_reduction(cine.height, cine.width))


def _chunk(cine: Cine, recipe: PrepareRecipe, reduction: int) -> int:
    """How many frames to decode at once."""
    return max(1, CHUNK_BYTES // (cine.height * cine.width * (3 if _in_color(recipe) else 1) // reduction**2 + 1))


def _locate(cine: Cine, recipe: PrepareRecipe, numbers: list[int]) -> tuple[Located, _Decoded]:
    """Find the sector in the frames that are needed anyway; where they fit into memory, decode them only once."""
    reduction = probe_reduction(cine.height, cine.width)
    probes = spread(len(numbers))
    if _in_color(recipe) or len(numbers) > _chunk(cine, recipe, 1):
        return locate(cine.reader.read([numbers[i] for i in probes], reduce=reduction), cine), {}
    frames = cine.reader.read(numbers, reduce=reduction)
    return locate(frames[probes], cine), {reduction: frames}


def _decode(
    cine: Cine, recipe: PrepareRecipe, numbers: list[int], reduction: int, decoded: _Decoded
) -> Iterator[UInt8Array]:
    for asked, frames in decoded.items():
        # A reader that cannot reduce gives full-size frames whatever is asked.
        if asked == reduction or (asked > 1 and frames.shape[1:] == (cine.height, cine.width)):
            yield frames
            return
    size = _chunk(cine, recipe, reduction)
    for start in range(0, len(numbers), size):
        frames = cine.reader.read(numbers[start : start + size], color=_in_color(recipe), reduce=reduction)
        yield to_grey(frames, recipe.grey) if _in_color(recipe) else frames


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
    """Mark the decoded pixels that lie inside with all of their area: others would let an overlay shine in."""
    if pitch == 1:
        return sector.mask(height, width)
    half = pitch // 2
    x0, y0, x1, y1 = sector.box
    # Moved by half a decoded pixel, pixel centres become pixel corners.
    moved = replace(
        sector,
        apex=(sector.apex[0] + half, sector.apex[1] + half),
        box=(x0 + half, y0 + half, x1 + half + 1, y1 + half + 1),
    )
    corner = moved.mask(height + 1, width + 1, 1 / pitch)
    return corner[:-1, :-1] & corner[1:, :-1] & corner[:-1, 1:] & corner[1:, 1:]


def _pitch(full: int, decoded: int) -> int:
    return min((1, 2, 4, 8), key=lambda r: abs(-(-full // r) - decoded))


def _notes(recipe: PrepareRecipe, located: Located) -> tuple[str, ...]:
    if recipe.needs_sector and not located.sector.is_confident:
        return (*located.notes, "The ultrasound sector was not found with confidence; the area used is a guess.")
    return located.notes
