"""From maps of clips to one map of the cine, and from the network's small picture back to the frame of the file."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.records import BoolArray, FloatArray, IntArray, SamplingPlan, Sector


@dataclass(frozen=True, slots=True, eq=False)
class CineMap:
    """What a network looked at, in a whole cine.

    Attributes
    ----------
    values : float32 array, (T, H, W)
        In the network's picture; scaled so that the largest magnitude is 1; 0 outside the sector.
    crop : tuple of float
        (x0, y0, x1, y1): what that picture shows, in pixels of the frame.
    sector : Sector
        In pixels of the frame; nothing outside of it is ever shown.
    seen : bool array, (T,)
        Frames that were really in a clip; the others are interpolated in time.
    method : str
    target : str
        In words: ``A4C``, or ``PSAX-PM, not PSAX-MV``.
    """

    values: FloatArray
    crop: tuple[float, float, float, float]
    sector: Sector
    seen: np.ndarray[tuple[int], np.dtype[np.bool_]]
    method: str
    target: str

    def moments(self) -> FloatArray:
        """Return how much each frame matters: the sum of its positive part, scaled so that the largest is 1; (T,)."""
        strength = np.maximum(self.values, 0).sum(axis=(1, 2))
        top = float(strength.max())
        result: FloatArray = (strength / top if top > 0 else strength).astype(np.float32)
        return result

    def on_frame(self, t: int, height: int, width: int) -> FloatArray:
        """Return the map of frame `t` in pixels of the original frame, float32 (height, width)."""
        rows, columns = self.values.shape[1:]
        x0, y0, x1, y1 = self.crop
        # Pixel centres: column c of the map lies at x0 + (c + 0.5) * (x1 - x0) / columns - 0.5 of the frame.
        sx, sy = (x1 - x0) / columns, (y1 - y0) / rows
        forward = np.array([[sx, 0, x0 + 0.5 * sx - 0.5], [0, sy, y0 + 0.5 * sy - 0.5]], np.float64)
        warped = cv2.warpAffine(self.values[t], forward, (width, height), flags=cv2.INTER_LINEAR)
        return np.where(self.sector.mask(height, width), warped, 0).astype(np.float32)


def to_cine(maps_CNHW: FloatArray, plan: SamplingPlan, n_frames: int) -> tuple[FloatArray, np.ndarray]:
    """Average the clips' maps on the frames they share, and interpolate the frames between.

    Parameters
    ----------
    maps_CNHW : float array, (C, N, H, W)
        One a clip.
    plan : SamplingPlan
        Which frame each of them belongs to.
    n_frames : int
        T.

    Returns
    -------
    values : float32 array, (T, H, W)
    seen : bool array, (T,)
    """
    indices: IntArray = plan.indices.ravel()
    flat = maps_CNHW.reshape(len(indices), *maps_CNHW.shape[2:])
    total = np.zeros((n_frames, *flat.shape[1:]), np.float32)
    for index, values in zip(indices, flat, strict=True):  # a frame may be in several clips; np.add.at is slow
        total[index] += values
    count = np.bincount(indices, minlength=n_frames)
    seen = count > 0
    known = np.flatnonzero(seen)
    means = total[known] / count[known, None, None]
    # Linear in time between the frames that were seen; held before the first and after the last.
    place = np.interp(np.arange(n_frames), known, np.arange(len(known)))
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, len(known) - 1)
    share = (place - low).astype(np.float32)[:, None, None]
    return (1 - share) * means[low] + share * means[high], seen


def cine_map(
    maps_CNHW: FloatArray,
    plan: SamplingPlan,
    n_frames: int,
    sector: Sector,
    crop: tuple[float, float, float, float],
    *,
    method: str,
    target: str,
) -> CineMap:
    """Build the map of a cine: clips joined, nothing outside the sector, largest magnitude 1."""
    values, seen = to_cine(maps_CNHW, plan, n_frames)
    values *= sector_in_crop(sector, crop, values.shape[1:])
    top = float(np.abs(values).max())
    return CineMap((values / top if top > 0 else values).astype(np.float32), crop, sector, seen, method, target)


def sector_in_crop(sector: Sector, crop: tuple[float, float, float, float], shape: tuple[int, ...]) -> BoolArray:
    """Say which pixels of a map of `shape`, which shows `crop`, have their centres in the sector; bool (H, W)."""
    x0, y0, x1, y1 = crop
    y = y0 + (np.arange(shape[0]) + 0.5) * (y1 - y0) / shape[0] - 0.5
    x = x0 + (np.arange(shape[1]) + 0.5) * (x1 - x0) / shape[1] - 0.5
    return sector.holds(x[None, :].astype(np.float32), y[:, None].astype(np.float32))
