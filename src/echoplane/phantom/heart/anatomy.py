"""Put the anatomy together: from a set of points at one instant to their labels.

Painted from back to front: lungs, liver and ribs; the pericardial sac and its fat; walls; blood; then the thin and
small structures, each inside a window around it.
"""

from __future__ import annotations

import numpy as np

from echoplane.phantom.beat import Instant
from echoplane.phantom.heart import atria, details, thorax, vessels
from echoplane.phantom.heart.canvas import Canvas, as_float
from echoplane.phantom.heart.layout import layout
from echoplane.phantom.heart.motion import Motion
from echoplane.phantom.heart.shapes import Points, distance_to, smooth_union
from echoplane.phantom.heart.valves import Cusps, Leaflets
from echoplane.phantom.heart.ventricles import LeftShape, RightShape
from echoplane.phantom.labels import Slice, Tissue
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray


class Anatomy:
    """All structures of one patient."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.plan = layout(patient)
        self._left = LeftShape(patient)
        self._right = RightShape(patient, self.plan)
        self.motion = Motion(patient, self.plan, self._left)
        v, plan, vessels_ = patient.valves, self.plan, patient.vessels
        self._mitral = Leaflets(
            plan.mitral, plan.mitral_front, plan.mitral_side, v.mitral_depth, v.mitral_width,
            closing=-0.30, curve=0.72, thickness=v.thickness * (1 + 0.8 * v.sclerosis), saddle=0.12,
        )  # fmt: skip
        self._tricuspid = Leaflets(
            plan.tricuspid, -plan.septal, plan.forward, v.tricuspid, v.tricuspid,
            closing=0.15, curve=0.0, thickness=0.85 * v.thickness, saddle=0.0,
        )  # fmt: skip
        self._aortic = Cusps(
            plan.aortic, plan.aortic_axis, 0.92 * vessels_.sinus, 1.25, v.cusp_deg,
            0.12 + 0.2 * v.aortic_calcium, v.aortic_calcium,
        )  # fmt: skip
        self._pulmonary = Cusps(
            plan.pulmonary, plan.pulmonary_axis, vessels_.pulmonary, 0.9, v.cusp_deg + 30, 0.10, 0.0
        )

    def slice(self, points: FloatArray, now: Instant, time_s: float, step: tuple[int, int]) -> Slice:
        """Label all points. See :meth:`echoplane.phantom.scene.Scene.slice`."""
        canvas = Canvas(points, step)
        X, Y, Z = self.motion.pull_back(canvas.coarse, now)
        coarse: Points = (X, Y, Z)
        fine: Points = (canvas.fine(X), canvas.fine(Y), canvas.fine(Z))
        self._large(canvas, coarse, fine)
        material = np.stack(fine, axis=-1)
        return Slice(canvas.label, as_float(material), np.abs(canvas.distance))

    def _large(self, canvas: Canvas, coarse: Points, fine: Points) -> None:
        plan, patient = self.plan, self.patient
        cavity, whole, outer = self._left.surfaces(coarse)
        right = self._right.cavity(coarse, outer)
        la, ra = atria.atria(coarse, patient, plan)
        root = vessels.root(coarse, patient, plan)
        rising, falling = vessels.aorta_beyond(coarse, patient, plan)
        pulmonary = vessels.pulmonary(coarse, patient, plan)
        veins = vessels.caval_veins(coarse, patient, plan)
        walls = np.minimum(la, ra) - np.float32(atria.WALL)
        rv_outer = right - np.float32(patient.rv.wall)
        hull = smooth_union(smooth_union(whole, rv_outer, 1.2), walls, 1.6)
        hull = smooth_union(hull, root - 0.3, 1.2)
        f, paint = canvas.fine, canvas.paint
        still = canvas.coarse
        paint(f(thorax.lung(still, hull, patient, plan)), Tissue.LUNG)
        paint(f(thorax.liver(still, patient, plan)), Tissue.LIVER)
        paint(f(thorax.ribs(still, patient, plan)), Tissue.RIB)
        paint(f(veins - np.float32(0.12)), Tissue.WALL_VESSEL)
        paint(f(veins), Tissue.BLOOD_OTHER)
        sac = hull - thorax.effusion_depth(coarse, patient)
        paint(f(sac - 0.1), Tissue.PERICARDIUM)
        paint(f(sac), Tissue.EFFUSION if patient.thorax.effusion_cm > 0 else Tissue.FAT)
        paint(f(hull), Tissue.FAT)
        paint(f(falling - np.float32(vessels.WALL)), Tissue.WALL_VESSEL)
        paint(f(falling), Tissue.BLOOD_DAO)
        paint(f(walls), Tissue.WALL_ATRIA)
        paint(f(rv_outer), Tissue.MYO_RV)
        fine_pa = f(pulmonary)
        paint(fine_pa - np.float32(0.12), Tissue.WALL_VESSEL)
        paint(fine_pa, Tissue.BLOOD_PA)
        fine_whole = f(whole)
        paint(fine_whole, Tissue.MYO_LV)
        fine_right = f(right)
        paint(np.maximum(fine_right, -fine_whole), Tissue.BLOOD_RV)
        paint(f(ra), Tissue.BLOOD_RA)
        paint(f(la), Tissue.BLOOD_LA)
        aorta = f(np.minimum(root, rising))
        paint(aorta - np.float32(vessels.WALL), Tissue.WALL_VESSEL)
        paint(aorta, Tissue.BLOOD_AO)
        paint(f(cavity), Tissue.BLOOD_LV)
