"""What is not the heart: chest wall, near field, haze, noise. Made once a clip, cheap a frame.

All of it is fixed to the probe, not to the tissue, as it is in a patient: when the heart moves, this stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom.arrays import ComplexArray, c64, f32
from echoplane.phantom.beam import PointSpread
from echoplane.phantom.fan import PolarGrid
from echoplane.phantom.looks import Acoustics, Rng
from echoplane.phantom.speckle import Scatterers
from echoplane.records import FloatArray


def decibels(value: float | FloatArray) -> FloatArray:
    """Turn dB into amplitude, float32."""
    return f32(10 ** (f32(value) / 20))


@dataclass(frozen=True, slots=True, eq=False)
class Clutter:
    """Probe-fixed echoes of one clip.

    Attributes
    ----------
    still : complex64 array, (B, D)
        Near field; does not move.
    haze : tuple of complex64 array, (B, D)
        Two independent haze fields; their mix drifts with time.
    noise : complex64 array, (2B, 2D)
        Electronic noise, already smeared; every frame takes another window of it.
    noise_gain : float32 array, (D,)
    lobe : float32 array
        Weights of the side lobes across the beams.
    lobe_gain : float
    echo_shift, echo_gain : int, float
        Reverberation: samples further down, and its amplitude.
    """

    still: ComplexArray
    haze: tuple[ComplexArray, ComplexArray]
    noise: ComplexArray
    noise_gain: FloatArray
    lobe: FloatArray
    lobe_gain: float
    echo_shift: int
    echo_gain: float

    def frame(self, echoes: ComplexArray, time_s: float, rng: Rng) -> ComplexArray:
        """Add everything to the smeared echoes of one frame."""
        out = echoes + self.still
        if self.echo_shift < echoes.shape[1]:
            out[:, self.echo_shift :] += self.echo_gain * out[:, : out.shape[1] - self.echo_shift]
        turn = 2.2 * time_s
        out += np.float32(np.cos(turn)) * self.haze[0] + np.float32(np.sin(turn)) * self.haze[1]
        beams, samples = echoes.shape
        row, column = int(rng.integers(beams)), int(rng.integers(samples))
        noise = self.noise[row : row + beams, column : column + samples]
        if self.lobe_gain > 0:
            bright = cv2.filter2D(np.abs(echoes), -1, self.lobe[:, None], borderType=cv2.BORDER_REFLECT_101)
            out += (bright * np.float32(self.lobe_gain)) * self.haze_texture
        out += noise * self.noise_gain
        return out

    @property
    def haze_texture(self) -> ComplexArray:
        """A unit speckle field for side lobes."""
        return self.noise[: self.still.shape[0], : self.still.shape[1]]


def make_clutter(grid: PolarGrid, acoustics: Acoustics, spread: PointSpread, rng: Rng) -> Clutter:
    """Prepare the probe-fixed echoes of one clip."""
    beams = grid.shape[0]
    angle = np.broadcast_to(grid.angles[:, None], grid.shape)
    radius = np.broadcast_to(grid.radii, grid.shape)

    def speckle(stretch: float) -> ComplexArray:
        cells = Scatterers((stretch * grid.beam_step, 1.2 * grid.sample_step, 1.0), tuple(rng.uniform(0, 50, 3)))
        field = spread.apply(cells.at(angle, radius, np.zeros(grid.shape, np.float32)))
        return c64(field / np.sqrt((np.abs(field) ** 2).mean()))

    depth_share = grid.depths / np.float32(grid.fan.depth_cm)
    across = grid.angles / np.float32(max(abs(grid.fan.left), abs(grid.fan.right)))
    near = decibels(acoustics.near_db) * np.exp(-grid.depths / np.float32(acoustics.near_cm))
    # The near field is streaky: wide across the beams, thin along them.
    still = near * speckle(4.0)
    across_shape = np.exp(-0.5 * ((across - acoustics.haze_centre) / acoustics.haze_width) ** 2)
    along_shape = _plateau(depth_share, acoustics.haze_from, acoustics.haze_to)
    haze_gain = decibels(acoustics.haze_db) * across_shape[:, None] * along_shape
    noise = np.concatenate([np.concatenate([speckle(1.0)] * 2, 1)] * 2)
    half = max(1, round(acoustics.side_lobe_width * beams / 2))
    lobe = np.hanning(2 * half + 3)[1:-1].astype(np.float32)
    return Clutter(
        still=still,
        haze=(haze_gain * speckle(2.0), haze_gain * speckle(2.0)),
        noise=noise,
        noise_gain=decibels(acoustics.noise_db + acoustics.noise_rise_db * depth_share),
        lobe=lobe / lobe.sum(),
        lobe_gain=float(decibels(acoustics.side_lobe_db) * np.sqrt(len(lobe))),
        echo_shift=max(2, round(acoustics.wall_cm / grid.sample_step)),
        echo_gain=float(decibels(acoustics.reverberation_db)),
    )


def _plateau(x: FloatArray, start: float, stop: float) -> FloatArray:
    """One between start and stop, falling off smoothly on both sides."""
    edge = np.float32(0.12)
    return np.asarray(1 / (1 + np.exp((start - x) / edge)) / (1 + np.exp((x - stop) / edge)), np.float32)
