"""Where things lie: rotation, scale, shift, shear, imaging depth, crop, flip; one affine map, one resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.data.augment_base import Between, between, chance, unit
from echoplane.data.augment_fan import Fan
from echoplane.records import UInt8Array

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class GeometryDraw:
    """One affine map.

    Attributes
    ----------
    rotate : float
        Degrees, clockwise on the screen, about the apex of the fan: a tilted probe, not a tilted screen.
    scale : float
        About the middle of the frame.
    shift : (float, float)
        (x, y) as shares of width and height.
    shear : float
        Degrees.
    depth : float
        Zoom about the apex: above 1 less depth is shown.
    stretch : float
        Width alone, about the apex: above 1 hearts are wider in the fan.
    crop : (float, float, float, float)
        How far the left, top, right and bottom edge of the crop move outwards, as shares of the frame.
    zoom : (float, float, float)
        Magnification, and the middle (x, y) of the part that fills the frame, as shares of the frame.
    flip : bool
        Left and right exchanged.
    """

    rotate: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    shear: float = 0.0
    depth: float = 1.0
    stretch: float = 1.0
    crop: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    zoom: tuple[float, float, float] = (1.0, 0.5, 0.5)
    flip: bool = False


@dataclass(frozen=True, slots=True)
class Geometry:
    """Affine changes of the picture.

    Attributes
    ----------
    affine_p : float
        Probability of rotation, scale, shift and shear.
    rotate, shear : float
        Largest angle, degrees.
    scale : (float, float)
    shift : float
        Largest shift, share of the frame.
    depth_p, depth : float, (float, float)
        Another imaging depth.
    stretch_p, stretch : float, (float, float)
        Wider or narrower hearts, and exports that did not keep the shape of their pixels.
    crop_p, crop : float, float
        Every edge of the crop moves by up to this share of the frame, in or out.
    zoom_p, zoom : float, (float, float)
        A part of the frame fills it, as with the zoom of a scanner: the apex of the fan may be out of the picture. The
        middle of the part is drawn around the middle of the frame, a little deeper.
    flip_p : float
        Left and right exchanged; 0 by default. A network that is shown mirrored pictures reads them too; for it to
        notice them, ``loss.mirrored`` of the training recipe asks it to be less sure of them.
    """

    affine_p: float = 0.7
    rotate: float = 12.0
    scale: Between = (0.9, 1.1)
    shift: float = 0.05
    shear: float = 5.0
    depth_p: float = 0.3
    depth: Between = (0.8, 1.25)
    stretch_p: float = 0.3
    stretch: Between = (0.88, 1.18)
    crop_p: float = 0.5
    crop: float = 0.06
    zoom_p: float = 0.0
    zoom: Between = (1.15, 1.6)
    flip_p: float = 0.0

    def __post_init__(self) -> None:
        unit("geometry", affine_p=self.affine_p, depth_p=self.depth_p, crop_p=self.crop_p, flip_p=self.flip_p)
        unit("geometry", stretch_p=self.stretch_p, zoom_p=self.zoom_p)
        unit("geometry", shift=self.shift, crop=self.crop * 2.5)

    def draw(self, rng: np.random.Generator) -> GeometryDraw | None:
        """Draw, or None for no change."""
        values: dict[str, object] = {}
        if chance(rng, self.affine_p):
            values["rotate"] = between(rng, (-self.rotate, self.rotate))
            values["scale"] = between(rng, self.scale)
            values["shift"] = tuple(between(rng, (-self.shift, self.shift)) for _ in range(2))
            values["shear"] = between(rng, (-self.shear, self.shear))
        if chance(rng, self.depth_p):
            values["depth"] = between(rng, self.depth)
        if chance(rng, self.stretch_p):
            values["stretch"] = between(rng, self.stretch)
        if chance(rng, self.crop_p):
            values["crop"] = tuple(between(rng, (-self.crop, self.crop)) for _ in range(4))
        if chance(rng, self.zoom_p):
            times = between(rng, self.zoom)
            room = min(0.25, 0.5 - 0.5 / times)
            values["zoom"] = times, 0.5 + between(rng, (-room, room)), 0.55 + between(rng, (-room, room)) * 0.9
        if chance(rng, self.flip_p):
            values["flip"] = True
        return GeometryDraw(**values) if values else None  # type: ignore[arg-type]


def matrix(drawn: GeometryDraw, fan: Fan, height: int, width: int) -> Matrix:
    """Return the 3 x 3 map from pixel (x, y) of the old frame to that of the new one."""
    middle = (width - 1) / 2, (height - 1) / 2
    apex = fan.apex(height, width)
    turn = math.radians(drawn.rotate)
    c, s = math.cos(turn), math.sin(turn)
    about_apex = _about(apex, np.array([[c * drawn.stretch, -s], [s * drawn.stretch, c]]) * drawn.depth)
    sheared = np.array([[-1.0 if drawn.flip else 1.0, math.tan(math.radians(drawn.shear))], [0.0, 1.0]])
    about_middle = _about(middle, sheared * drawn.scale)
    left, top, right, bottom = drawn.crop
    wider, taller = 1 / (1 + left + right), 1 / (1 + top + bottom)
    recrop = np.array(
        [
            [wider, 0, (left * width + 0.5) * wider - 0.5 + drawn.shift[0] * width],
            [0, taller, (top * height + 0.5) * taller - 0.5 + drawn.shift[1] * height],
            [0, 0, 1.0],
        ]
    )
    times, x, y = drawn.zoom
    zoom = np.array(
        [
            [times, 0, (0.5 - x * times) * width + (times - 1) / 2],
            [0, times, (0.5 - y * times) * height + (times - 1) / 2],
            [0, 0, 1.0],
        ]
    )
    whole: Matrix = zoom @ recrop @ about_middle @ about_apex
    return whole


def _about(point: tuple[float, float], linear: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Matrix:
    whole = np.eye(3)
    whole[:2, :2] = linear
    whole[:2, 2] = np.asarray(point) - linear @ np.asarray(point)
    return whole


def move(clip: UInt8Array, drawn: GeometryDraw, fan: Fan) -> UInt8Array:
    """Apply one affine map to all frames, bilinear, black from outside."""
    _, height, width = clip.shape
    m = matrix(drawn, fan, height, width)[:2]
    out = np.empty_like(clip)
    for frame, target in zip(clip, out, strict=True):
        cv2.warpAffine(frame, m, (width, height), dst=target, flags=cv2.INTER_LINEAR)
    return out
