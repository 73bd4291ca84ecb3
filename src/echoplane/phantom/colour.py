"""Colour Doppler: a box over part of the fan in which moving blood is painted by its velocity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.phantom import tissue
from echoplane.phantom.arrays import f32, u8
from echoplane.phantom.fan import Fan, Framing, PolarGrid
from echoplane.phantom.looks import Rng
from echoplane.phantom.speckle import Scatterers
from echoplane.records import FloatArray, UInt8Array

#: Corners of a polygon in whole pixels, (n, 2).
Outline = npt.NDArray[np.int32]
#: Velocities slower than this share of the scale are not painted.
WALL_FILTER = 0.12


@dataclass(frozen=True, slots=True)
class ColourBox:
    """Where the box lies, and how it paints.

    Attributes
    ----------
    left, right : float
        Edge angles, radians from the probe's axis.
    near_cm, far_cm : float
        Radii from the apex.
    speed : float
        Peak velocity in units of the scale; above 1 it aliases.
    flash : float
        How much of the moving tissue is painted too.
    outlined : bool
    offset : tuple of float
        Which piece of the noise block the flow pattern is.
    """

    left: float
    right: float
    near_cm: float
    far_cm: float
    speed: float
    flash: float
    outlined: bool
    offset: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: Rng, fan: Fan) -> ColourBox:
        """Draw a box inside a fan."""
        span = fan.right - fan.left
        width = span * rng.uniform(0.25, 0.8)
        left = fan.left + (span - width) * rng.beta(2, 2)
        near = fan.face_cm + fan.depth_cm * rng.uniform(0.08, 0.5)
        far = near + (fan.far_cm - near) * rng.uniform(0.4, 0.95)
        offset = rng.uniform(0, 90, 3)
        return cls(
            left=float(left),
            right=float(left + width),
            near_cm=float(near),
            far_cm=float(far),
            speed=float(rng.uniform(0.6, 2.2)),
            flash=float(rng.uniform(0, 0.25)),
            outlined=bool(rng.random() < 0.85),
            offset=(float(offset[0]), float(offset[1]), float(offset[2])),
        )

    def velocity(self, grid: PolarGrid, label: UInt8Array, phase: float, time_s: float) -> FloatArray:
        """Velocity towards the probe in units of the scale, wrapped to [-1, 1]; 0 where nothing is painted."""
        angle = np.broadcast_to(grid.angles[:, None], grid.shape)
        radius = np.broadcast_to(grid.radii, grid.shape)
        cells = Scatterers((0.25, 1.6, 0.5), self.offset)
        swirl = cells.at(f32(angle), f32(radius - 2 * time_s), np.full(grid.shape, 0.8 * time_s, np.float32))
        # Out in systole, in twice in diastole: the sign that most of the box shows.
        pulse = math.exp(-(((phase - 0.18) / 0.12) ** 2)) - math.exp(-(((phase - 0.5) / 0.1) ** 2))
        pulse -= 0.6 * math.exp(-(((phase - 0.88) / 0.06) ** 2))
        moving = tissue.lookup("fluid")[label]
        moving += (1 - moving) * np.float32(self.flash * abs(pulse))
        speed = f32(cv2.GaussianBlur(moving, (5, 5), 1.2)) * np.float32(self.speed)
        value = speed * (np.float32(0.8 * pulse) + np.float32(0.35) * swirl.real)
        value = (value + 1) % 2 - 1
        inside = (angle >= self.left) & (angle <= self.right) & (radius >= self.near_cm) & (radius <= self.far_cm)
        value[~inside | (np.abs(value) < WALL_FILTER)] = 0
        return f32(value)

    def outline(self, framing: Framing, fan: Fan) -> FloatArray:
        """Corners of the box's outline in picture pixels, (n, 2), for ``cv2.polylines``."""
        arc = np.linspace(self.left, self.right, 16)
        angles = np.concatenate([arc, arc[::-1]])
        radii = np.repeat([self.near_cm, self.far_cm], len(arc)) * framing.pixels_per_cm
        side = -1 if framing.mirrored else 1
        x = framing.apex[0] + side * radii * np.sin(angles)
        y = framing.apex[1] + radii * np.cos(angles)
        return f32(np.stack([x, y], 1))


def _palette() -> UInt8Array:
    """R, G, B of velocities -1..1 in 255 steps: blue away from the probe, red towards it, bright where fast."""
    v = np.linspace(-1, 1, 255)[:, None]
    fast = np.abs(v) ** 0.8
    red = np.concatenate([90 + 165 * fast, 230 * fast**1.5, 20 * fast], 1)
    blue = np.concatenate([20 * fast, 210 * fast**1.5, 100 + 155 * fast], 1)
    return u8(np.clip(np.where(v > 0, red, blue), 0, 255))


PALETTE = _palette()


def paint(picture: UInt8Array, velocity: FloatArray) -> UInt8Array:
    """Paint velocities over a picture.

    Parameters
    ----------
    picture : uint8 array, (H, W, 3)
        R, G, B.
    velocity : float32 array, (H, W)
        In [-1, 1]; 0 is not painted.

    Returns
    -------
    uint8 array, (H, W, 3)
        R, G, B.
    """
    colours = PALETTE[np.clip(np.round(127 + 127 * velocity), 0, 254).astype(np.intp)]
    return u8(np.where((np.abs(velocity) > WALL_FILTER / 2)[..., None], colours, picture))
