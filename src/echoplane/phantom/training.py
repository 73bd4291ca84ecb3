"""Training clips: prepared frames straight from the polar picture, without drawing the screen first."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from echoplane.errors import UsageError
from echoplane.phantom.arrays import f32, u8
from echoplane.phantom.clip import box_outline, detail_for, paint_box
from echoplane.phantom.codec import through_jpeg
from echoplane.phantom.convert import ScanConverter, multiply, soften
from echoplane.phantom.fan import coverage
from echoplane.phantom.looks import Rng
from echoplane.phantom.overlays import Ecg, draw_furniture
from echoplane.phantom.pages import render_page
from echoplane.phantom.plan import check_timing, plan_recording
from echoplane.phantom.population import Patient
from echoplane.phantom.recording import FOUND_SECTOR, GROUPS, PAGES, Recording
from echoplane.prepare.frames import prepare
from echoplane.prepare.geometry import Box, wanted_crop
from echoplane.prepare.recipe import RECIPES, PrepareRecipe
from echoplane.records import FloatArray, Sector, SectorKind, UInt8Array
from echoplane.sources.array import cine_from_array


@dataclass(frozen=True, slots=True, eq=False)
class TrainingClip:
    """Prepared frames and what they show.

    Attributes
    ----------
    frames : uint8 array, (T, H, W)
        As the prepare step would give them.
    fps : float
    view : str
    shares : mapping of str to float
    sector : Sector
        As the prepare step found it, in pixels of the screen that was not drawn.
    crop : tuple of float
        (x0, y0, x1, y1) that the frames show, in the same pixels.
    facts : mapping of str to JSON value
        The drawn look, pose errors and disease, as plain data.
    """

    frames: UInt8Array
    fps: float
    view: str
    shares: Mapping[str, float]
    sector: Sector
    crop: Box
    facts: Mapping[str, Any] = field(repr=False)


def render_training_clip(
    view: str,
    seed: int,
    *,
    frames: int = 10,
    fps: float = 16.0,
    recipe: PrepareRecipe = RECIPES["store"],
    disease: str | None = None,
    patient: Patient | None = None,
    nuisances: Collection[str] = GROUPS,
    found: bool = True,
    detail: float | None = None,
) -> TrainingClip:
    """Render prepared frames.

    Parameters
    ----------
    view, seed, disease, patient, nuisances
        As for :func:`echoplane.phantom.clip.render_clip`.
    frames : int
    fps : float
        Frames a second of the result; a network needs no more than it samples.
    recipe : PrepareRecipe
        One that crops to the sector.
    found : bool
        Draw how well the sector is found, with the group "screen"; False takes the exact one.
    detail : float, optional
        Share of the machine's beams and samples to compute; what the size can show, when left out.

    Raises
    ------
    UsageError
        As for ``render_clip``, and for a recipe of another crop.
    """
    if recipe.crop != "sector":
        raise UsageError(f"recipe {recipe.name!r}: training clips need crop 'sector', not {recipe.crop!r}.")
    check_timing(frames, fps)
    rec = plan_recording(view, seed, disease=disease, patient=patient, nuisances=frozenset(nuisances))
    # A machine of fewer frames a second than asked for shows some of them twice.
    times = [math.floor(n / fps * rec.frame_rate + 1e-6) / rec.frame_rate for n in range(frames)]
    if rec.content in PAGES:
        return _page(rec, times, fps, recipe)
    exact = rec.framing.sector(rec.fan)
    sector = find(exact, rec) if found and "screen" in rec.groups else exact
    height, width = rec.screen.size
    crop = wanted_crop(recipe, sector, height, width)
    pictures = _frames(rec, times, sector, crop, recipe, detail)
    return TrainingClip(pictures, fps, rec.view, rec.shares, sector, crop, rec.facts())


def _page(rec: Recording, times: list[float], fps: float, recipe: PrepareRecipe) -> TrainingClip:
    """Prepare a page the long way: it has no fan of its own to take a short cut through."""
    cine = cine_from_array(render_page(rec, times), fps)
    margin = rec.stream(FOUND_SECTOR).integers(0, max(2, cine.height // 12), 4)
    box = (int(margin[0]), int(margin[1]), cine.width - int(margin[2]), cine.height - int(margin[3]))
    sector = Sector(SectorKind.FULL, box, confidence=0.2, origin="pixels")
    prepared = prepare(cine, recipe, sector=sector)
    return TrainingClip(prepared.frames, fps, rec.view, rec.shares, sector, prepared.crop, rec.facts())


def find(exact: Sector, rec: Recording) -> Sector:
    """Draw how the prepare step finds the sector: mostly right, sometimes a little off, sometimes only a box."""
    rng = rec.stream(FOUND_SECTOR)
    luck = rng.random()
    if luck < 0.5:
        return exact
    if luck < 0.9:
        return _a_little_off(exact, rng)
    height, width = rec.screen.size
    x0, y0, x1, y1 = exact.box
    grow = rng.integers(0, max(2, round(0.06 * (x1 - x0))), 4)
    box = (max(0, x0 - grow[0]), max(0, y0 - grow[1]), min(width, x1 + grow[2]), min(height, y1 + grow[3]))
    return Sector(
        SectorKind.FULL, (int(box[0]), int(box[1]), int(box[2]), int(box[3])), confidence=0.2, origin="pixels"
    )


def _a_little_off(exact: Sector, rng: Rng) -> Sector:
    r1 = exact.r1 * float(rng.normal(1, 0.015))
    left, right = exact.left + float(rng.normal(0, 0.015)), exact.right + float(rng.normal(0, 0.015))
    x0, y0, x1, y1 = exact.box
    wobble = [round(v) for v in rng.normal(0, 0.01 * (x1 - x0), 4)]
    box = (x0 + wobble[0], y0 + wobble[1], max(x1 + wobble[2], x0 + 9), max(y1 + wobble[3], y0 + 9))
    return replace(exact, r1=r1, left=left, right=right, box=box)


def _frames(
    rec: Recording, times: list[float], sector: Sector, crop: Box, recipe: PrepareRecipe, detail: float | None
) -> UInt8Array:
    height, width = rec.screen.size
    rows, columns = recipe.size
    zoom = columns / (crop[2] - crop[0])
    grid = rec.grid(detail or detail_for(rec.fan, rec.framing, zoom * 2))
    converter = ScanConverter.of(rec.framing, grid, crop, recipe.size)
    lit = coverage(rec.framing.sector(rec.fan), height, width, crop, recipe.size)
    kept = coverage(sector, height, width, crop, recipe.size) if recipe.mask else np.full(recipe.size, 255, np.uint8)
    luma, alpha = _furniture(rec, crop, recipe.size)
    ecg = Ecg.of(rec.screen) if "ecg" in rec.screen.furniture else None
    outline = box_outline(rec, zoom, (crop[0], crop[1]))
    # The display's blur, and the averaging that shrinking does on top of linear lookup.
    sigma = float(np.hypot(rec.scanner.blur_px * height / 1000 * zoom, 0.3 if zoom < 0.8 else 0.0))
    out = np.empty((len(times), rows, columns), np.uint8)
    for target, frame, time_s in zip(out, rec.polar(grid, times), times, strict=True):
        grey = multiply(soften(converter.grey(frame.grey), sigma), lit)
        if rec.screen.background:
            np.maximum(grey, rec.screen.background, out=grey)
        if frame.velocity is not None:
            colour = u8(np.repeat(grey[..., None], 3, 2))
            paint_box(colour, converter.velocity(frame.velocity), lit, outline)
            grey = u8(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY))
        if alpha is not None:
            grey = u8(np.round(grey + alpha * (luma - grey)).astype(np.uint8))
        if ecg:
            ecg.draw(grey, rec.source.phase, time_s, zoom, (crop[0], crop[1]))
        if rec.screen.jpeg_quality:
            grey = through_jpeg(grey, min(98, rec.screen.jpeg_quality + 8))
        target[...] = multiply(grey, kept)
    return out


def _furniture(rec: Recording, crop: Box, size: tuple[int, int]) -> tuple[FloatArray, FloatArray | None]:
    """Furniture as the crop shows it: luma and opacity in [0, 1], or no opacity where there is none."""
    canvas = draw_furniture(rec.screen, rec.fan, rec.framing)
    rows, columns = size
    place = np.array([[columns / (crop[2] - crop[0]), 0, 0], [0, rows / (crop[3] - crop[1]), 0]], np.float64)
    place[:, 2] = -np.array([crop[0], crop[1]]) * place[:, :2].sum(1) + 0.5 * place[:, :2].sum(1) - 0.5
    shrink = 1 / place[0, 0]
    weight = f32(canvas.alpha / np.float32(255))
    luma = f32(cv2.cvtColor(canvas.colour, cv2.COLOR_RGB2GRAY)) * weight
    if shrink > 1.2:  # average what several pixels become
        weight, luma = (f32(cv2.GaussianBlur(v, (0, 0), 0.4 * shrink)) for v in (weight, luma))
    alpha = f32(cv2.warpAffine(weight, place, (columns, rows), flags=cv2.INTER_LINEAR))
    value = f32(cv2.warpAffine(luma, place, (columns, rows), flags=cv2.INTER_LINEAR)) / np.maximum(alpha, 1e-3)
    return f32(value), alpha if alpha.max() > 0.02 else None
