"""The fan of beams: its shape in centimetres, its polar sample points, and how it lies in a picture.

Shape letters: B beams, D samples along a beam, H rows, W columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.phantom.arrays import f32, u8
from echoplane.records import FloatArray, Sector, SectorKind, UInt8Array

#: Fixed-point lookup maps as ``cv2.convertMaps`` makes them.
Maps = tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]
#: Echo samples for every sample of anatomy along a beam.
FINE = 2
#: Masks are rasterised this much finer before they are averaged down to the prepared size.
MASK_OVERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Fan:
    """The insonified area in the plane of the scan.

    Attributes
    ----------
    kind : SectorKind
        PHASED or CURVED; says how the fan is described, the geometry is in the numbers below.
    face_cm : float
        Distance from the (virtual) apex to the face of the probe; 0 for a phased array whose beams meet in the skin.
    depth_cm : float
        Depth of the picture below the face.
    left, right : float
        Edge angles, radians from the axis of the probe, positive towards the picture's right.
    """

    kind: SectorKind
    face_cm: float
    depth_cm: float
    left: float
    right: float

    @property
    def far_cm(self) -> float:
        """Radius of the bottom arc."""
        return self.face_cm + self.depth_cm


@dataclass(frozen=True, slots=True, eq=False)
class PolarGrid:
    """Sample points of a fan.

    Attributes
    ----------
    fan : Fan
    angles : float32 array, (B,)
        Radians.
    radii : float32 array, (D,)
        Centimetres from the apex.
    across, along : float32 array, (B, D)
        Position in centimetres to the right of the probe and below its face.
    """

    fan: Fan
    angles: FloatArray
    radii: FloatArray
    across: FloatArray
    along: FloatArray

    @classmethod
    def of(cls, fan: Fan, beams: int, samples: int) -> PolarGrid:
        """Lay `beams` x `samples` points over a fan."""
        angles = np.linspace(fan.left, fan.right, beams, dtype=np.float32)
        radii = np.linspace(fan.face_cm, fan.far_cm, samples, dtype=np.float32)
        return cls._at(fan, angles, radii)

    @classmethod
    def _at(cls, fan: Fan, angles: FloatArray, radii: FloatArray) -> PolarGrid:
        across = np.sin(angles)[:, None] * radii
        along = np.cos(angles)[:, None] * radii - np.float32(fan.face_cm)
        return cls(fan, angles, radii, across, along)

    def refined(self, times: int) -> PolarGrid:
        """Split every sample along the beams into `times`, as ``cv2.resize`` splits pixels."""
        steps = (np.arange(len(self.radii) * times, dtype=np.float32) + 0.5) / times - 0.5
        return self._at(self.fan, self.angles, f32(self.radii[0] + steps * np.float32(self.sample_step)))

    @property
    def shape(self) -> tuple[int, int]:
        """(B, D)."""
        return len(self.angles), len(self.radii)

    @property
    def depths(self) -> FloatArray:
        """Centimetres below the face of the probe, (D,)."""
        return self.radii - np.float32(self.fan.face_cm)

    @property
    def beam_step(self) -> float:
        """Radians from one beam to the next."""
        return float(self.angles[1] - self.angles[0])

    @property
    def sample_step(self) -> float:
        """Centimetres from one sample to the next."""
        return float(self.radii[1] - self.radii[0])


@dataclass(frozen=True, slots=True)
class Framing:
    """How a fan lies in a picture.

    Attributes
    ----------
    height, width : int
        Of the picture, pixels.
    pixels_per_cm : float
    apex : tuple of float
        (x, y) of the fan's apex, pixels; may lie outside the picture.
    box : tuple of int
        (x0, y0, x1, y1): the fan is shown inside this box only.
    mirrored : bool
        True when the picture's right is the probe's left.
    """

    height: int
    width: int
    pixels_per_cm: float
    apex: tuple[float, float]
    box: tuple[int, int, int, int]
    mirrored: bool = False

    def sector(self, fan: Fan) -> Sector:
        """Return the exact sector record; its box is the part of `box` that the fan reaches."""
        left, right = (-fan.right, -fan.left) if self.mirrored else (fan.left, fan.right)
        r0, r1 = fan.face_cm * self.pixels_per_cm, fan.far_cm * self.pixels_per_cm
        sector = Sector(fan.kind, self.box, self.apex, r0, r1, left, right, confidence=1.0, origin="given")
        x0, y0, x1, y1 = extent(r0, r1, left, right)
        box = (
            max(self.box[0], math.floor(self.apex[0] + x0)),
            max(self.box[1], math.floor(self.apex[1] + y0)),
            min(self.box[2], math.ceil(self.apex[0] + x1) + 1),
            min(self.box[3], math.ceil(self.apex[1] + y1) + 1),
        )
        return replace(sector, box=box)

    def maps(self, grid: PolarGrid, crop: tuple[float, float, float, float], size: tuple[int, int]) -> Maps:
        """Fixed-point maps for ``cv2.remap`` from a (B, D) picture to rows x columns.

        Parameters
        ----------
        grid : PolarGrid
        crop : tuple of float
            (x0, y0, x1, y1) in pixels of the picture: what the result shows.
        size : tuple of int
            (rows, columns) of the result.
        """
        radius, angle = self.polar(crop, size)
        sample = (radius - float(grid.radii[0])) / grid.sample_step
        beam = (angle - grid.fan.left) / grid.beam_step
        # Half a cell of grace at the edges, so that the mask, not the lookup, draws the border.
        beams, samples = grid.shape
        beam = np.clip(beam, -1.0, beams)
        sample = np.clip(sample, -1.0, samples)
        whole, part = cv2.convertMaps(f32(sample), f32(beam), cv2.CV_16SC2)
        return np.asarray(whole, np.int16), np.asarray(part, np.uint16)

    def polar(
        self, crop: tuple[float, float, float, float], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Radius (cm from the apex) and angle (radians, probe's own left and right) of every pixel of a crop."""
        rows, columns = size
        x = crop[0] + (np.arange(columns) + 0.5) * (crop[2] - crop[0]) / columns - 0.5 - self.apex[0]
        y = crop[1] + (np.arange(rows) + 0.5) * (crop[3] - crop[1]) / rows - 0.5 - self.apex[1]
        if self.mirrored:
            x = -x
        radius = np.hypot(x[None, :], y[:, None]) / self.pixels_per_cm
        angle = np.arctan2(np.broadcast_to(x[None, :], radius.shape), np.broadcast_to(y[:, None], radius.shape))
        return radius, angle


def extent(r0: float, r1: float, left: float, right: float) -> tuple[float, float, float, float]:
    """Bounding box (x0, y0, x1, y1) of a fan about its apex, in the unit of the radii."""
    angles = [left, right] + ([0.0] if left < 0 < right else [])
    xs = [r * math.sin(a) for a in angles for r in (r0, r1)]
    ys = [r * math.cos(a) for a in angles for r in (r0, r1)]
    return min(xs), min(ys), max(xs), max(ys)


def coverage(
    sector: Sector, height: int, width: int, crop: tuple[float, float, float, float], size: tuple[int, int]
) -> UInt8Array:
    """Share of every crop pixel that lies in the sector and in the frame, 0..255.

    Parameters
    ----------
    sector : Sector
    height, width : int
        Of the full frame, pixels.
    crop : tuple of float
        (x0, y0, x1, y1) in pixels of the frame.
    size : tuple of int
        (rows, columns) of the result.

    Returns
    -------
    uint8 array, (rows, columns)
    """
    rows, columns = (n * MASK_OVERSAMPLING for n in size)
    x = (crop[0] + (np.arange(columns) + 0.5) * (crop[2] - crop[0]) / columns - 0.5)[None, :]
    y = (crop[1] + (np.arange(rows) + 0.5) * (crop[3] - crop[1]) / rows - 0.5)[:, None]
    x0, y0, x1, y1 = sector.box
    inside = (
        (x >= max(x0, 0) - 0.5) & (x < min(x1, width) - 0.5) & (y >= max(y0, 0) - 0.5) & (y < min(y1, height) - 0.5)
    )
    if sector.kind in (SectorKind.PHASED, SectorKind.CURVED):
        dx, dy = x - sector.apex[0], y - sector.apex[1]
        radius, angle = np.hypot(dx, dy), np.arctan2(dx, dy)
        inside &= (radius >= sector.r0) & (radius <= sector.r1) & (angle >= sector.left) & (angle <= sector.right)
    fine = inside.astype(np.uint8) * np.uint8(255)
    return u8(cv2.resize(fine, (size[1], size[0]), interpolation=cv2.INTER_AREA))
