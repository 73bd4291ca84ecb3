"""The point spread: how the pulse and the beam smear a field of scatterers, on a polar grid.

The smearing is separable: one kernel along the beam for the whole picture, and one across the beams whose width
depends on depth. Both are Gaussian, which is what the main lobe of an apodised beam looks like (Szabo, Diagnostic
Ultrasound Imaging, chapter 6); side lobes are made apart, in ``clutter.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom.arrays import ComplexArray, c64, f32
from echoplane.phantom.fan import PolarGrid
from echoplane.phantom.looks import Acoustics
from echoplane.records import FloatArray

#: Beams this far away still add to a beam, at most.
MAX_TAPS = 7
#: A beam is never wider than this (radians), however near the probe.
WIDEST = 0.12


def beam_sigma(acoustics: Acoustics, depths: FloatArray, face_cm: float) -> FloatArray:
    """Return the standard deviation of the two-way beam, radians seen from the fan's apex, at every depth.

    Narrowest at the focus, growing as a Gaussian beam grows away from it.
    """
    away = (depths - acoustics.focus_cm) / acoustics.focal_range_cm
    width_cm = acoustics.beam_rad * acoustics.focus_cm * np.sqrt(1 + away**2)
    sigma = width_cm / np.maximum(depths + face_cm, 0.5)
    return f32(np.minimum(sigma, WIDEST))


@dataclass(frozen=True, slots=True, eq=False)
class PointSpread:
    """Kernels on one grid.

    Attributes
    ----------
    axial : float32 array, (n,)
        Along the beam; sums to 1.
    lateral : float32 array, (K, D)
        Weights of the beams 0..K-1 away, at every depth; the whole two-sided kernel sums to 1.
    """

    axial: FloatArray
    lateral: FloatArray

    @classmethod
    def of(cls, grid: PolarGrid, acoustics: Acoustics) -> PointSpread:
        """Sample the kernels on a grid."""
        sigma = beam_sigma(acoustics, grid.depths, grid.fan.face_cm) / np.float32(grid.beam_step)
        reach = int(np.clip(np.ceil(2.2 * float(np.percentile(sigma, 90))), 1, MAX_TAPS))
        steps = np.arange(reach + 1, dtype=np.float32)[:, None]
        lateral = np.exp(-0.5 * (steps / np.maximum(sigma, 0.2)) ** 2)
        lateral /= lateral[0] + 2 * lateral[1:].sum(0)
        along = acoustics.axial_cm / grid.sample_step
        half = int(np.clip(np.ceil(2.5 * along), 1, 8))
        axial = np.exp(-0.5 * (np.arange(-half, half + 1) / max(along, 0.2)) ** 2)
        return cls((axial / axial.sum()).astype(np.float32), np.ascontiguousarray(lateral, np.float32))

    def apply(self, field: ComplexArray) -> ComplexArray:
        """Smear a field; the beams at the edges are repeated outwards.

        Parameters
        ----------
        field : complex64 array, (B, D)
        """
        pairs = f32(np.ascontiguousarray(field).view(np.float32).reshape(*field.shape, 2))
        pairs = f32(cv2.filter2D(pairs, -1, self.axial[None, :], borderType=cv2.BORDER_REFLECT_101))
        smooth = pairs.reshape(len(field), -1).view(np.complex64)
        beams, reach = len(field), len(self.lateral) - 1
        padded = np.concatenate([smooth[:1].repeat(reach, 0), smooth, smooth[-1:].repeat(reach, 0)])
        out = padded[reach : reach + beams] * self.lateral[0]
        for k in range(1, reach + 1):
            pair = padded[reach - k : reach - k + beams] + padded[reach + k : reach + k + beams]
            pair *= self.lateral[k]
            out += pair
        return c64(out)
