"""From labelled tissue to the complex echo field of one frame, on the polar grid.

::

    slice -> strength and scatterers -> + specular walls -> x losses -> point spread -> + clutter

The anatomy is asked on a coarse grid; the echoes are made on one that is finer along the beams, because a pulse is
shorter than anatomy is detailed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom import tissue
from echoplane.phantom.arrays import ComplexArray, f32
from echoplane.phantom.beam import PointSpread
from echoplane.phantom.clutter import Clutter, decibels, make_clutter
from echoplane.phantom.fan import FINE, PolarGrid
from echoplane.phantom.labels import Slice, Tissue
from echoplane.phantom.looks import Acoustics, Rng
from echoplane.phantom.poses import Pose
from echoplane.phantom.speckle import Scatterers
from echoplane.phantom.window import chest_wall, fixed_gain
from echoplane.records import FloatArray, UInt8Array

#: Most that attenuation differences may take or give along a beam, dB.
MOST_LOSS, MOST_GAIN = 48.0, 9.0
#: A unit impedance step is worth unit amplitude over this length.
WALL_CM = 0.04
#: Impedance steps (a sample, smoothed) above this reverberate.
STRONG = 0.3
#: Turns dB into the exponent of an amplitude.
NEPER = np.float32(np.log(10) / 20)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Everything about the sound that stays the same through a clip.

    Attributes
    ----------
    grid : PolarGrid
        Where the anatomy is asked for, (B, D).
    fine : PolarGrid
        Where the echoes are, (B, FINE * D).
    acoustics : Acoustics
    pose : Pose
        Of the reference instant; material coordinates are seen from here.
    strength, loss, impedance : float32 array, (256,)
        By tissue label: amplitude, dB a centimetre, specular impedance.
    fluid, outside, deep : float32 array, (256,)
        1 where scatterers swirl; 1 where the chest wall may be; 1 where reverberation is seen.
    gain : float32 array, (B, FINE * D)
        Fixed losses: edges, dropout, time-gain error.
    elevation : float32 array, (B, D)
        How far out of the plane each sample point lies, centimetres: a random point within the slice thickness, which
        gives boundaries that cross the slice obliquely the softness they have.
    wall, wall_share : float32 array, (B, D)
        Amplitude of the layered chest wall; 1 in it and 0 below.
    spread : PointSpread
    level : float32 array, (FINE * D,)
        Makes speckle of unit strength come out at unit power at every depth.
    scatterers : Scatterers
    clutter : Clutter
    """

    grid: PolarGrid
    fine: PolarGrid
    acoustics: Acoustics
    pose: Pose
    strength: FloatArray
    loss: FloatArray
    impedance: FloatArray
    fluid: FloatArray
    outside: FloatArray
    deep: FloatArray
    gain: FloatArray
    elevation: FloatArray
    wall: FloatArray
    wall_share: FloatArray
    spread: PointSpread
    level: FloatArray
    scatterers: Scatterers
    clutter: Clutter

    def points(self, pose: Pose) -> FloatArray:
        """Heart-frame coordinates of the sample points, centimetres, (B, D, 3)."""
        lateral, axis, normal = _frame(pose)
        points = self.grid.along[..., None] * axis
        points += self.grid.across[..., None] * lateral
        points += self.elevation[..., None] * normal
        points += f32(pose.origin)
        return points

    def echoes(self, cut: Slice, time_s: float, rng: Rng) -> ComplexArray:
        """Echo field of one frame, (B, FINE * D); myocardium has about unit power."""
        label = cut.label
        angle, radius, out_of_plane = self._seen_from_probe(cut.material)
        texture = self._texture(angle, radius)
        amplitude = self.strength[label] * np.exp(texture * np.float32(self.acoustics.texture_db * NEPER))
        share = self.wall_share * self.outside[label]
        amplitude += (self.wall - amplitude) * share
        out_of_plane += self.fluid[label] * np.float32(self.acoustics.swirl * time_s * self.scatterers.cell[2])
        scatter = self.scatterers.at(self._split(angle), self._split(radius), self._split(out_of_plane))
        squareness, walls = self._walls(label, texture, share)
        amplitude += self._tails(squareness, label)
        field = self._split(amplitude) * scatter
        field += walls
        field *= self.gain * self._split(self._losses(label))
        return self.clutter.frame(self.spread.apply(field) * self.level, time_s, rng)

    def _split(self, field: FloatArray) -> FloatArray:
        """Interpolate a field of the coarse grid on the fine one."""
        beams, samples = self.fine.shape
        return f32(cv2.resize(field, (samples, beams), interpolation=cv2.INTER_LINEAR))

    def _seen_from_probe(self, material: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Beam angle, range and elevation at which each piece of tissue was at the reference instant."""
        local = (material - f32(self.pose.origin)) @ np.stack(_frame(self.pose), 1)
        x, z = np.ascontiguousarray(local[..., 0]), local[..., 1] + np.float32(self.grid.fan.face_cm)
        # NumPy, not OpenCV, for functions of single values: OpenCV's last bits depend on where in memory an array
        # lies, and its angle jumps by a full turn in the middle of the fan.
        return f32(np.arctan2(x, z)), f32(np.sqrt(x * x + z * z)), f32(np.ascontiguousarray(local[..., 2]))

    def _texture(self, angle: FloatArray, radius: FloatArray) -> FloatArray:
        coarse = Scatterers((self.scatterers.cell[0] * 7, 0.5, 1.0), self.scatterers.offset)
        return f32(np.ascontiguousarray(coarse.at(angle, radius, np.zeros_like(angle)).real))

    def _walls(self, label: UInt8Array, texture: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How squarely the beam meets each boundary, (B, D), and the echo that this gives, (B, FINE * D)."""
        impedance = f32(cv2.GaussianBlur(self.impedance[label], (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE))
        along = f32(cv2.Scharr(impedance, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REPLICATE))
        across = f32(cv2.Scharr(impedance, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REPLICATE))
        # Both are steps per sample; the lateral one must count centimetres as the axial one does.
        across *= self.grid.sample_step / np.maximum(self.grid.radii * np.float32(self.grid.beam_step), 0.02)
        size = np.sqrt(along * along + across * across) + np.float32(1e-6)
        square = f32((np.abs(along) / size) ** np.float32(self.acoustics.specular_power))
        squareness = square * size
        square *= np.exp(texture * np.float32(0.25)) * (1 - share) * decibels(self.acoustics.specular_db)
        # The echo itself is as thin as the step is sharp; counted by length, so that it does not depend on the grid.
        square *= np.float32(WALL_CM / self.fine.sample_step)
        sharp = self._split(impedance)
        step = np.abs(cv2.Sobel(sharp, cv2.CV_32F, 1, 0, ksize=1, scale=FINE / 2, borderType=cv2.BORDER_REPLICATE))
        return squareness, self._split(square) * f32(step)

    def _tails(self, squareness: FloatArray, label: UInt8Array) -> FloatArray:
        """Reverberation behind strong reflectors that the beam meets squarely: the bright band behind the heart."""
        strong = np.maximum(squareness - np.float32(STRONG), 0)
        steps = np.arange(-self.tail_reach, self.tail_reach + 1, dtype=np.float32)
        kernel = np.where(steps <= 0, np.exp(steps * np.float32(self.grid.sample_step / self.acoustics.tail_cm)), 0)
        tail = cv2.filter2D(strong, -1, f32(kernel)[None, :], borderType=cv2.BORDER_REPLICATE)
        # Where there is air or bone, it is all there is; in tissue it adds little.
        return f32(tail) * decibels(self.acoustics.tail_db) * self.deep[label]

    @property
    def tail_reach(self) -> int:
        """Samples after which a tail has faded."""
        return max(2, round(2.5 * self.acoustics.tail_cm / self.grid.sample_step))

    def _losses(self, label: UInt8Array) -> FloatArray:
        loss = np.cumsum(self.loss[label], 1)
        loss *= np.float32(self.grid.sample_step)
        np.clip(loss, -MOST_GAIN, MOST_LOSS, out=loss)
        loss *= -NEPER
        return f32(np.exp(loss))


def make_body(grid: PolarGrid, acoustics: Acoustics, pose: Pose, rng: Rng) -> Body:
    """Prepare one clip's sound: everything that does not change from frame to frame."""
    # One generator for each part: how fine the grid is must not change what else is drawn.
    parts = [np.random.Generator(np.random.PCG64(int(seed))) for seed in rng.integers(2**63, size=6)]
    strength_db = tissue.lookup("strength_db")
    strength_db += acoustics.tissue_spread * tissue.lookup("spread_db") * f32(parts[0].standard_normal(256))
    fluid = tissue.lookup("fluid")
    strength_db += fluid * np.float32(acoustics.blood_db)
    outside = np.zeros(256, np.float32)
    outside[[Tissue.OUTSIDE, Tissue.FAT]] = 1
    deep = outside.copy()
    deep[[Tissue.LUNG, Tissue.LIVER, Tissue.PERICARDIUM, Tissue.RIB]] = 1
    fine = grid.refined(FINE)
    spread = PointSpread.of(fine, acoustics)
    offset = tuple(float(v) for v in parts[1].uniform(0, 100, 3))
    cell = 1.2 * fine.beam_step, 1.2 * fine.sample_step, acoustics.life_cm
    scatterers = Scatterers(cell, (offset[0], offset[1], offset[2]))
    wall, wall_share = chest_wall(grid, acoustics, parts[2])
    away = (grid.depths - acoustics.focus_cm) / acoustics.focal_range_cm
    elevation = parts[3].standard_normal(grid.shape) * acoustics.elevation_cm * np.sqrt(1 + away**2)
    return Body(
        grid=grid,
        fine=fine,
        acoustics=acoustics,
        pose=pose,
        strength=decibels(strength_db),
        loss=tissue.lookup("loss_db") * np.float32(acoustics.loss_scale),
        impedance=tissue.lookup("impedance"),
        fluid=fluid,
        outside=outside,
        deep=deep,
        gain=fixed_gain(fine, acoustics, parts[4]),
        elevation=f32(elevation),
        wall=wall,
        wall_share=wall_share,
        spread=spread,
        level=_level(fine, spread, scatterers),
        scatterers=scatterers,
        clutter=make_clutter(fine, acoustics, spread, parts[5]),
    )


def _level(grid: PolarGrid, spread: PointSpread, scatterers: Scatterers) -> FloatArray:
    angle = np.broadcast_to(grid.angles[:, None], grid.shape)
    radius = np.broadcast_to(grid.radii, grid.shape)
    power = (np.abs(spread.apply(scatterers.at(angle, radius, np.zeros(grid.shape, np.float32)))) ** 2).mean(0)
    # Few beams give a rough mean; the true curve is smooth in depth.
    smooth = f32(cv2.blur(f32(power[None, :]), (61, 1), borderType=cv2.BORDER_REFLECT_101))[0]
    return f32(1 / np.sqrt(smooth))


def _frame(pose: Pose) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Right, down and out of the picture, as unit vectors."""
    axis, lateral = (f32(v / np.linalg.norm(v)) for v in (pose.axis, pose.lateral))
    return lateral, axis, f32(np.cross(axis, lateral))
