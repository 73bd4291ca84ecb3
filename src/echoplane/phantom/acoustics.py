"""From labelled tissue to the complex echo field of one frame, on the polar grid.

::

    slice -> strength and scatterers -> + specular walls -> x losses -> point spread -> + clutter
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom import tissue
from echoplane.phantom.arrays import ComplexArray, f32
from echoplane.phantom.beam import PointSpread
from echoplane.phantom.clutter import Clutter, decibels, make_clutter
from echoplane.phantom.fan import PolarGrid
from echoplane.phantom.labels import Slice
from echoplane.phantom.looks import Acoustics, Rng
from echoplane.phantom.poses import Pose
from echoplane.phantom.speckle import Scatterers
from echoplane.records import FloatArray, UInt8Array

#: Most that attenuation differences may take or give along a beam, dB.
MOST_LOSS, MOST_GAIN = 48.0, 9.0


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Everything about the sound that stays the same through a clip.

    Attributes
    ----------
    grid : PolarGrid
    acoustics : Acoustics
    pose : Pose
        Of the reference instant; material coordinates are seen from here.
    strength, loss, impedance : float32 array, (256,)
        By tissue label: amplitude, dB a centimetre, specular impedance.
    fluid : float32 array, (256,)
        1 where scatterers swirl.
    gain : float32 array, (B, D)
        Fixed losses: edges, dropout, time-gain error.
    elevation : float32 array, (B, D)
        How far out of the plane each sample point lies, centimetres: a random point within the slice thickness, which
        gives boundaries that cross the slice obliquely the softness they have.
    wall : float32 array, (B, D)
        Amplitude of the layered chest wall, and `wall_share`, 1 in it and 0 below.
    spread : PointSpread
    level : float32 array, (D,)
        Makes speckle of unit strength come out at unit power at every depth.
    scatterers : Scatterers
    clutter : Clutter
    """

    grid: PolarGrid
    acoustics: Acoustics
    pose: Pose
    strength: FloatArray
    loss: FloatArray
    impedance: FloatArray
    fluid: FloatArray
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
        axis, lateral = _unit(pose.axis), _unit(pose.lateral)
        normal = np.cross(axis, lateral)
        origin = np.asarray(pose.origin, np.float32)
        points = self.grid.along[..., None] * axis
        points += self.grid.across[..., None] * lateral
        points += self.elevation[..., None] * normal.astype(np.float32)
        points += origin
        return points

    def echoes(self, cut: Slice, time_s: float, rng: Rng) -> ComplexArray:
        """Echo field of one frame, (B, D); myocardium has about unit power."""
        label = cut.label
        amplitude = self.strength[label]
        fluid = self.fluid[label]
        angle, radius, out_of_plane = self._seen_from_probe(cut.material)
        texture = self._texture(angle, radius)
        amplitude *= np.exp(texture * np.float32(self.acoustics.texture_db * 0.115))
        amplitude += (self.wall - amplitude) * self.wall_share
        out_of_plane += fluid * np.float32(self.acoustics.swirl * time_s * self.scatterers.cell[2])
        field = amplitude * self.scatterers.at(angle, radius, out_of_plane)
        field += self._specular(label, texture)
        field *= self.gain * self._losses(label)
        return self.clutter.frame(self.spread.apply(field) * self.level, time_s, rng)

    def _seen_from_probe(self, material: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Beam angle, range and elevation at which each piece of tissue was at the reference instant."""
        axis, lateral = _unit(self.pose.axis), _unit(self.pose.lateral)
        normal = np.cross(axis, lateral)
        frame = np.stack([lateral, axis, normal], 1).astype(np.float32)
        local = (material - np.asarray(self.pose.origin, np.float32)) @ frame
        x, z = np.ascontiguousarray(local[..., 0]), local[..., 1] + np.float32(self.grid.fan.face_cm)
        return f32(cv2.phase(z, x)), f32(cv2.magnitude(x, z)), f32(np.ascontiguousarray(local[..., 2]))

    def _texture(self, angle: FloatArray, radius: FloatArray) -> FloatArray:
        coarse = Scatterers((self.scatterers.cell[0] * 7, 0.5, 1.0), self.scatterers.offset)
        return f32(np.ascontiguousarray(coarse.at(angle, radius, np.zeros_like(angle)).real))

    def _specular(self, label: UInt8Array, texture: FloatArray) -> FloatArray:
        """Echo of the boundaries: the impedance step, times how squarely the beam meets it."""
        impedance = f32(cv2.GaussianBlur(self.impedance[label], (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE))
        along = f32(cv2.Scharr(impedance, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REPLICATE))
        across = f32(cv2.Scharr(impedance, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REPLICATE))
        # Both are steps per sample; the lateral one must count centimetres as the axial one does.
        across *= self.grid.sample_step / np.maximum(self.grid.radii * np.float32(self.grid.beam_step), 0.02)
        size = f32(cv2.magnitude(along, across)) + np.float32(1e-6)
        square = f32(cv2.pow(np.abs(along) / size, self.acoustics.specular_power))
        square *= size
        square *= np.exp(texture * np.float32(0.25)) * self.specular_gain
        return f32(square * (1 - self.wall_share))

    @property
    def specular_gain(self) -> np.float32:
        """Amplitude of a unit impedance step at normal incidence."""
        return np.float32(10 ** (self.acoustics.specular_db / 20))

    def _losses(self, label: UInt8Array) -> FloatArray:
        loss = np.cumsum(self.loss[label], 1)
        loss *= np.float32(self.grid.sample_step)
        np.clip(loss, -MOST_GAIN, MOST_LOSS, out=loss)
        loss *= np.float32(-np.log(10) / 20)
        return f32(np.exp(loss))


def make_body(grid: PolarGrid, acoustics: Acoustics, pose: Pose, rng: Rng) -> Body:
    """Prepare one clip's sound: everything that does not change from frame to frame."""
    strength_db = tissue.lookup("strength_db")
    strength_db += acoustics.tissue_spread * tissue.lookup("spread_db") * rng.standard_normal(256).astype(np.float32)
    fluid = tissue.lookup("fluid")
    strength_db += fluid * np.float32(acoustics.blood_db)
    spread = PointSpread.of(grid, acoustics)
    offset = tuple(float(v) for v in rng.uniform(0, 100, 3))
    scatterers = Scatterers((1.2 * grid.beam_step, 1.2 * grid.sample_step, 0.25), (offset[0], offset[1], offset[2]))
    wall, wall_share = _chest_wall(grid, acoustics, rng)
    thickness = acoustics.elevation_cm * np.sqrt(
        1 + ((grid.depths - acoustics.focus_cm) / acoustics.focal_range_cm) ** 2
    )
    elevation = rng.standard_normal(grid.shape).astype(np.float32) * thickness.astype(np.float32)
    return Body(
        grid=grid,
        acoustics=acoustics,
        pose=pose,
        strength=decibels(strength_db),
        loss=tissue.lookup("loss_db") * np.float32(acoustics.loss_scale),
        impedance=tissue.lookup("impedance"),
        fluid=fluid,
        gain=_fixed_gain(grid, acoustics, rng),
        elevation=elevation,
        wall=wall,
        wall_share=wall_share,
        spread=spread,
        level=_level(grid, spread, scatterers),
        scatterers=scatterers,
        clutter=make_clutter(grid, acoustics, spread, rng),
    )


def _level(grid: PolarGrid, spread: PointSpread, scatterers: Scatterers) -> FloatArray:
    angle = np.broadcast_to(grid.angles[:, None], grid.shape)
    radius = np.broadcast_to(grid.radii, grid.shape)
    power = (np.abs(spread.apply(scatterers.at(angle, radius, np.zeros(grid.shape, np.float32)))) ** 2).mean(0)
    # Few beams give a rough mean; the true curve is smooth in depth.
    smooth = f32(cv2.blur(f32(power[None, :]), (31, 1), borderType=cv2.BORDER_REFLECT_101))[0]
    return f32(1 / np.sqrt(smooth))


def _fixed_gain(grid: PolarGrid, acoustics: Acoustics, rng: Rng) -> FloatArray:
    """Fan edges, patches, dropout wedges and the error of the time gain, amplitude (B, D)."""
    fan = grid.fan
    half = (fan.right - fan.left) / 2
    across = (grid.angles - (fan.left + fan.right) / 2) / np.float32(half)
    share = grid.depths / np.float32(fan.depth_cm)
    gain_db = np.interp(share, [0.0, 0.5, 1.0], acoustics.tgc_db).astype(np.float32)[None, :]
    gain_db = gain_db - acoustics.edge_loss_db * (across**2)[:, None]
    knots = f32(rng.standard_normal((6, 5)))
    patches = f32(cv2.resize(knots, (len(share), len(across)), interpolation=cv2.INTER_CUBIC))
    gain_db = gain_db + np.float32(acoustics.patch_db) * patches
    for wedge in acoustics.dropouts:
        shape = np.exp(-((np.abs(across - wedge.centre) / wedge.width) ** 3))
        below = 1 / (1 + np.exp((wedge.from_cm - grid.depths) / 0.4))
        gain_db = gain_db - wedge.loss_db * shape[:, None] * below[None, :]
    return decibels(gain_db.astype(np.float32))


def _chest_wall(grid: PolarGrid, acoustics: Acoustics, rng: Rng) -> tuple[FloatArray, FloatArray]:
    """Skin, fat and muscle: bright streaks along arcs under the probe, amplitude and share, both (B, D)."""
    # A slowly varying thickness, so that layers are not perfect arcs.
    bend = 1 + 0.25 * np.sin(grid.angles * rng.uniform(1, 4) + rng.uniform(0, 6.28))
    depth = grid.along / bend[:, None].astype(np.float32) / np.float32(acoustics.wall_cm)
    layers_db = np.full(grid.shape, acoustics.wall_db, np.float32)
    for _ in range(int(rng.integers(2, 6))):
        at, width, up = rng.uniform(0, 1), rng.uniform(0.02, 0.08), rng.uniform(3, 14)
        layers_db += np.float32(up) * np.exp(-(((depth - np.float32(at)) / np.float32(width)) ** 2))
    share = 1 / (1 + np.exp(np.clip((depth - 1) / np.float32(0.06), -30, 30)))
    return decibels(layers_db), share.astype(np.float32)


def _unit(vector: FloatArray) -> FloatArray:
    vector = np.asarray(vector, np.float32)
    return f32(vector / np.linalg.norm(vector))
