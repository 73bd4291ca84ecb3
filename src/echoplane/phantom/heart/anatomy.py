"""Put the anatomy together: from a set of points at one instant to their labels.

Painted from back to front: lungs, liver and ribs; the pericardial sac and its fat; walls; blood; then the thin and
small structures (:mod:`echoplane.phantom.heart.fine`), each inside a window around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom.beat import Instant
from echoplane.phantom.heart import atria, thorax, vessels
from echoplane.phantom.heart.canvas import Canvas, as_float
from echoplane.phantom.heart.fine import FineStructures, Large
from echoplane.phantom.heart.frame import Vector
from echoplane.phantom.heart.layout import layout
from echoplane.phantom.heart.motion import Motion
from echoplane.phantom.heart.shapes import Points, round_cone_near, smooth_union
from echoplane.phantom.heart.ventricles import LeftShape, RightShape
from echoplane.phantom.labels import BLOOD, Slice, Tissue
from echoplane.phantom.population import Patient
from echoplane.records import BoolArray, FloatArray

#: How far the points may move before what stands still is computed again, cm.
_DRIFT = 1.0
#: Structures farther from the plane than this at end-diastole, less the way that tissue moves, are left out.
_REACH = 2.6
#: Mean velocity at which the blood's speckle is carried through, cm/s.
_FLOW = np.array([9.0, 11.0, 14.0], np.float32)
_IS_BLOOD: BoolArray = np.isin(np.arange(256), [int(t) for t in BLOOD])


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """What stays the same while the probe looks at one plane: the chest, and which vessels are near."""

    corners: FloatArray
    shape: tuple[int, int, int, int]
    free: FloatArray  # coarse
    liver: FloatArray | None  # fine; None where not in sight
    ribs: FloatArray | None
    lobes: tuple[tuple[Vector, Vector, float, float], ...]
    cava: bool
    trunk: bool
    arch: bool


class Anatomy:
    """All structures of one patient.

    Parameters
    ----------
    patient : Patient
    probe : tuple of array, optional
        Face of the probe and direction of its middle beam: where ribs have to make room.
    """

    def __init__(self, patient: Patient, probe: tuple[Vector, Vector] | None = None) -> None:
        self.patient = patient
        self._probe = probe
        self.plan = layout(patient)
        self._left = LeftShape(patient)
        self._right = RightShape(patient, self.plan)
        self.motion = Motion(patient, self.plan, self._left)
        self._fine = FineStructures(patient, self.plan)
        self._seen: _Sight | None = None

    def slice(self, points: FloatArray, now: Instant, time_s: float, step: tuple[int, int]) -> Slice:
        """Label all points. See :meth:`echoplane.phantom.scene.Scene.slice`."""
        canvas = Canvas(points, step)
        sight = self._look(canvas, points)
        coarse = self.motion.pull_back(canvas.coarse, now)
        fine: Points = (canvas.fine(coarse[0]), canvas.fine(coarse[1]), canvas.fine(coarse[2]))
        large = self._large(canvas, coarse, sight)
        narrow = self.motion.narrowing(now.systole)
        self._fine.paint(canvas, coarse, fine, large, now, narrow)
        return Slice(canvas.label, self._material(canvas, coarse, fine, time_s), np.abs(canvas.distance))

    def look(self, points: FloatArray, step: tuple[int, int]) -> None:
        """Follow the probe past points that nobody asks the labels of."""
        self._look(Canvas(points, step), points)

    def _look(self, canvas: Canvas, points: FloatArray) -> _Sight:
        corners = points[[0, 0, -1, -1], [0, -1, 0, -1]]
        shape = (*canvas.shape, *canvas.coarse_shape)
        seen = self._seen
        if seen is not None and seen.shape == shape and float(np.abs(corners - seen.corners).max()) < _DRIFT:
            return seen
        p, patient, plan = canvas.coarse, self.patient, self.plan
        liver = thorax.liver(p, patient, plan)
        ribs = thorax.ribs(p, patient, plan, *self._probe) if self._probe else np.full_like(liver, 9.0)
        self._fine.look(p)
        self._seen = _Sight(
            corners=corners.copy(),
            shape=shape,
            free=thorax.free_of_lung(p, patient, plan),
            liver=canvas.fine(liver) if liver.min() < 0.5 else None,
            ribs=canvas.fine(ribs) if ribs.min() < 0.5 else None,
            lobes=tuple(b for b in atria.branches(plan) if round_cone_near(p, b[0], b[1]) < _REACH),
            cava=float(vessels.caval_veins(p, patient, plan).min()) < 0.8,
            trunk=float(vessels.pulmonary(p, patient, plan).min()) < 1.5,
            arch=min(float(f.min()) for f in vessels.aorta_beyond(p, patient, plan)) < 1.0,
        )
        return self._seen

    def _surroundings(self, canvas: Canvas, coarse: Points, hull: FloatArray, sight: _Sight) -> None:
        f, paint, chest = canvas.fine, canvas.paint, self.patient.thorax
        away = np.minimum(hull - np.float32(0.12 + chest.fat_cm), sight.free)
        paint(-f(away), Tissue.LUNG)
        if sight.liver is not None:
            paint(sight.liver, Tissue.LIVER)
        if sight.ribs is not None:
            paint(sight.ribs, Tissue.RIB)
        if sight.cava:
            veins = f(vessels.caval_veins(coarse, self.patient, self.plan))
            paint(veins - np.float32(0.12), Tissue.WALL_VESSEL)
            paint(veins, Tissue.BLOOD_OTHER)
        fine_hull = f(hull)
        if chest.effusion_cm > 0:
            sac = fine_hull - f(thorax.effusion_depth(coarse, self.patient))
            paint(sac - np.float32(0.1), Tissue.PERICARDIUM)
            paint(sac, Tissue.EFFUSION)
        else:
            paint(fine_hull - np.float32(0.1), Tissue.PERICARDIUM)
        paint(fine_hull, Tissue.FAT)

    def _large(self, canvas: Canvas, coarse: Points, sight: _Sight) -> Large:
        plan, patient = self.plan, self.patient
        cavity, whole, outer = self._left.surfaces(coarse)
        right = self._right.cavity(coarse, outer)
        la, ra = atria.atria(coarse, patient, plan, sight.lobes)
        root = vessels.root(coarse, patient, plan)
        walls = np.minimum(la, ra) - np.float32(atria.WALL)
        hull = smooth_union(smooth_union(whole, right - np.float32(patient.rv.wall), 1.2), walls, 1.6)
        hull = smooth_union(hull, root - np.float32(0.3), 1.2)
        self._surroundings(canvas, coarse, hull, sight)
        f, paint = canvas.fine, canvas.paint
        if sight.arch:
            rising, falling = vessels.aorta_beyond(coarse, patient, plan)
            root = np.minimum(root, rising)
            falling = f(falling)
            paint(falling - np.float32(vessels.WALL), Tissue.WALL_VESSEL)
            paint(falling, Tissue.BLOOD_DAO)
        fine_la, fine_ra, fine_right, fine_whole = f(la), f(ra), f(right), f(whole)
        paint(np.minimum(fine_la, fine_ra) - np.float32(atria.WALL), Tissue.WALL_ATRIA)
        paint(fine_right - np.float32(patient.rv.wall), Tissue.MYO_RV)
        if sight.trunk:
            trunk = f(vessels.pulmonary(coarse, patient, plan))
            paint(trunk - np.float32(0.12), Tissue.WALL_VESSEL)
            paint(trunk, Tissue.BLOOD_PA)
        paint(fine_whole, Tissue.MYO_LV)
        paint(np.maximum(fine_right, -fine_whole), Tissue.BLOOD_RV)
        paint(fine_ra, Tissue.BLOOD_RA)
        paint(fine_la, Tissue.BLOOD_LA)
        aorta = f(root)
        paint(aorta - np.float32(vessels.WALL), Tissue.WALL_VESSEL)
        paint(aorta, Tissue.BLOOD_AO)
        fine_cavity = f(cavity)
        paint(fine_cavity, Tissue.BLOOD_LV)
        return Large(cavity=cavity, right=np.maximum(right, -whole), fine_cavity=fine_cavity, fine_right=fine_right)

    def _material(self, canvas: Canvas, coarse: Points, fine: Points, time_s: float) -> FloatArray:
        """Coordinates that move with the tissue; in blood they are carried along and stirred."""
        flow = np.float32(time_s) * _FLOW
        swirl = np.float32(5.0 * time_s)
        x, y, z = coarse
        stirred = [
            canvas.fine(q + np.float32(0.5) * np.sin(np.float32(1.1) * other + swirl) + drift)
            for q, other, drift in zip((x, y, z), (y, z, x), flow, strict=True)
        ]
        material = cv2.merge(fine)
        np.copyto(material, cv2.merge(stirred), where=_IS_BLOOD[canvas.label][..., None])
        return as_float(material)
