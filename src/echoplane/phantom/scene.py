"""The beating heart in its chest: ask any set of points at any time what they are.

Heart frame, centimetres: the origin is the centre of the mitral annulus at end-diastole; z points to the apex; x to
the side of the heart (right of a short-axis picture), y to the anterior wall (top of that picture). Angles count from
x to y: anterolateral 30 degrees, anterior 90, anteroseptal 150, inferoseptal 210, inferior 270, inferolateral 330.
"""

from __future__ import annotations

import math

import numpy as np

from echoplane.phantom.labels import BLOOD, Slice, Tissue
from echoplane.phantom.population import Patient, draw_patient
from echoplane.phantom.poses import Pose, draw_pose
from echoplane.records import FloatArray

__all__ = ["BLOOD", "Patient", "Pose", "Scene", "Slice", "Tissue", "draw_patient", "draw_pose"]


class Scene:
    """One patient during one recording.

    Parameters
    ----------
    patient : Patient
    seed : int
        Draws what differs from recording to recording: the lengths of the beats, the point of the beat at time zero.
    """

    def __init__(self, patient: Patient, seed: int = 0) -> None:
        self.patient = patient
        rng = np.random.default_rng([patient.seed, seed, 2])
        self._offset = float(rng.uniform(0, 1))

    def phase(self, time_s: float) -> float:
        """Phase of the beat in [0, 1); 0 is the R wave (end-diastole)."""
        return (time_s * self.patient.heart_rate / 60.0 + self._offset) % 1.0

    def volumes(self, time_s: float) -> dict[str, float]:
        """Volumes in millilitres."""
        p = self.patient
        edv = 2 / 3 * math.pi * p.lv_radius**2 * p.lv_length
        return {"lv": edv * (1 - p.ejection_fraction * self._contraction(time_s))}

    def _contraction(self, time_s: float) -> float:
        phase = self.phase(time_s)
        return 0.5 - 0.5 * math.cos(math.pi * (phase / 0.36 if phase < 0.36 else 1 + (phase - 0.36) / 0.64))

    def slice(self, points: FloatArray, time_s: float) -> Slice:
        """What the given points are.

        Parameters
        ----------
        points : float32 array, (B, D, 3)
            Heart frame, cm; neighbours in the array are neighbours in space.
        time_s : float
        """
        p = self.patient
        c = self._contraction(time_s)
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        base = np.float32(1.4 * c)
        stretch = (p.lv_length - base) / p.lv_length
        Z = p.lv_length - (p.lv_length - z) / np.where(z > base, stretch, 1.0)
        radius = np.sqrt(x * x + y * y) + 1e-4
        shrink = math.sqrt((1 - p.ejection_fraction * c) / stretch)
        label = np.zeros(z.shape, np.uint8)
        distance = np.full(z.shape, 9.0, np.float32)

        def paint(sdf: FloatArray, tissue: Tissue) -> None:
            nonlocal distance
            inside = sdf < 0
            label[inside] = tissue
            distance = np.where(inside, -sdf, np.minimum(distance, sdf))

        def ball(cx: float, cy: float, cz: float, r: float) -> FloatArray:
            return np.asarray(np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) - r, dtype=np.float32)

        profile = np.sqrt(np.clip(1 - np.clip(Z / p.lv_length, 0, 1) ** 2, 0, 1))
        outer = np.sqrt(np.clip(1 - np.clip(Z / (p.lv_length + p.wall), 0, 1) ** 2, 0, 1))
        endo = np.maximum(radius - p.lv_radius * shrink * profile, base - z)
        epi = np.maximum(radius - (p.lv_radius * (0.6 + 0.4 * shrink) + p.wall * 1.0) * outer, base - z)
        paint(ball(-1, 0, 2.5, 6.8), Tissue.PERICARDIUM)
        paint(ball(-1, 0, 2.5, 6.6), Tissue.FAT)
        rv = np.sqrt((x + 3.2) ** 2 + (y + 0.6) ** 2) - 3.4 * np.sqrt(np.clip(1 - np.clip(Z / 7.5, 0, 1) ** 2, 0, 1))
        paint(np.maximum(rv - 0.4, base - z), Tissue.MYO_RV)
        paint(np.maximum(rv, base - z), Tissue.BLOOD_RV)
        for cx, cy, blood in ((0.3, -0.8, Tissue.BLOOD_LA), (-4.6, -2.4, Tissue.BLOOD_RA)):
            paint(ball(cx, cy, -1.9, 2.2 + 0.3 * c), Tissue.WALL_ATRIA)
            paint(ball(cx, cy, -1.9, 2.0 + 0.3 * c), blood)
        paint(epi, Tissue.MYO_LV)
        paint(endo, Tissue.BLOOD_LV)
        scale = np.where(z > base, 1 / shrink, 1.0)
        material = np.stack([x * scale, y * scale, Z], axis=-1).astype(np.float32)
        return Slice(label, material, np.abs(distance).astype(np.float32))
