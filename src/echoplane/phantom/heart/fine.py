"""Thin and small structures, each painted on the fine grid inside a window around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echoplane.phantom.beat import Instant
from echoplane.phantom.heart import details
from echoplane.phantom.heart.canvas import Canvas, Window
from echoplane.phantom.heart.frame import Vector
from echoplane.phantom.heart.layout import Layout
from echoplane.phantom.heart.shapes import Points, distance_to, round_cone, round_cone_near, smoothstep
from echoplane.phantom.heart.valves import Cusps, Leaflets, across
from echoplane.phantom.labels import Tissue
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Large:
    """Signed distances of the cavities, coarse and fine, that small structures lean on."""

    cavity: FloatArray
    right: FloatArray
    fine_cavity: FloatArray
    fine_right: FloatArray


def _cut(p: Points, window: Window) -> Points:
    return p[0][window], p[1][window], p[2][window]


class FineStructures:
    """Valves, papillary muscles, chordae, trabeculae, rings and calcium of one patient."""

    def __init__(self, patient: Patient, plan: Layout) -> None:
        self._patient = patient
        self._plan = plan
        self.near: dict[str, bool] = {}
        v, vessels = patient.valves, patient.vessels
        self._mitral = Leaflets(
            plan.mitral, plan.mitral_front, plan.mitral_side, v.mitral_depth, v.mitral_width,
            closing=-0.30, curve=0.72, thickness=v.thickness * (1 + 0.8 * v.sclerosis), saddle=0.12,
        )  # fmt: skip
        self._tricuspid = Leaflets(
            plan.tricuspid, -plan.septal, plan.forward, v.tricuspid, v.tricuspid,
            closing=0.15, curve=0.0, thickness=0.85 * v.thickness, saddle=0.0,
        )  # fmt: skip
        self._aortic = Cusps(
            plan.aortic, plan.aortic_axis, *across(plan.aortic_axis), 0.92 * vessels.sinus, 1.25, v.cusp_deg,
            0.12 + 0.2 * v.aortic_calcium, v.aortic_calcium,
        )  # fmt: skip
        self._pulmonary = Cusps(
            plan.pulmonary,
            plan.pulmonary_axis,
            *across(plan.pulmonary_axis),
            vessels.pulmonary,
            0.9,
            v.cusp_deg + 30,
            0.10,
            0.0,
        )

    def look(self, p: Points) -> None:
        """Decide which structures can come near a plane while the heart beats, given its points at end-diastole."""
        plan, v = self._plan, self._patient.valves
        ends = details.chordae(self._patient, plan, 0.5)
        self.near = {
            "chordae": min(round_cone_near(p, *line) for line in ends) < 2.0,
            "aortic": float(distance_to(p, plan.aortic).min()) < self._aortic.radius + 2.2,
            "pulmonary": float(distance_to(p, plan.pulmonary).min()) < self._pulmonary.radius + 2.2,
            "tricuspid": float(distance_to(p, plan.tricuspid).min()) < v.tricuspid + 3.4,
            "sinus": float(details.coronary_sinus(p, plan).min()) < 2.2,
        }

    def paint(self, canvas: Canvas, coarse: Points, fine: Points, large: Large, now: Instant, narrow: float) -> None:
        """Paint everything that comes near the points."""
        self._left_wall(canvas, coarse, fine, large, narrow)
        self._right_wall(canvas, coarse, fine, large)
        self._grooves(canvas, coarse, fine)
        self._inlets(canvas, coarse, fine, now)
        self._outlets(canvas, coarse, fine, now)

    def _near(self, canvas: Canvas, coarse: Points, centre: Vector, reach: float) -> Window | None:
        return canvas.window(distance_to(coarse, centre) < reach)

    def _left_wall(self, canvas: Canvas, coarse: Points, fine: Points, large: Large, narrow: float) -> None:
        lv, plan = self._patient.lv, self._plan
        near = (np.abs(large.cavity + 0.3) < 0.6) & (coarse[2] > 0.45 * lv.length) & (coarse[2] < lv.length)
        window = canvas.window(near)
        if window is not None and lv.trabeculae > 0:
            p, edge = _cut(fine, window), large.fine_cavity[window]
            height = np.float32(lv.trabeculae / narrow) * smoothstep(p[2], 0.4 * lv.length, 0.85 * lv.length)
            rough = edge + height * (np.float32(0.5) + details.ridges(p, 0.9, self._patient.seed))
            canvas.paint(np.maximum(-rough, edge), Tissue.TRABECULA, window)
        for base, head in zip(plan.papillary_base, plan.papillary_head, strict=True):
            window = self._near(canvas, coarse, 0.5 * (base + head), 2.6)
            if window is not None:
                thick = 1.0 / narrow
                sdf = details.papillary(_cut(fine, window), base, head, lv.papillary_radius, thick)
                canvas.paint(np.maximum(sdf, large.fine_cavity[window]), Tissue.PAPILLARY, window)

    def _right_wall(self, canvas: Canvas, coarse: Points, fine: Points, large: Large) -> None:
        rv, lv = self._patient.rv, self._patient.lv
        near = (np.abs(large.right + 0.4) < 0.7) & (coarse[2] > 0.2 * lv.length)
        window = canvas.window(near)
        if window is None:
            return
        p, edge = _cut(fine, window), large.fine_right[window]
        height = np.float32(rv.trabeculae) * smoothstep(p[2], 0.15 * lv.length, 0.7 * rv.reach * lv.length)
        rough = edge + height * (np.float32(0.45) + details.ridges(p, 1.2, self._patient.seed + 31))
        blood = canvas.label[window] == Tissue.BLOOD_RV
        canvas.paint(np.where(blood, np.maximum(-rough, edge), np.float32(1.0)), Tissue.TRABECULA, window)
        start, end = details.band(self._patient, self._plan)
        sdf = round_cone(p, start, end, 0.26, 0.22)
        canvas.paint(np.where(blood, sdf, np.float32(1.0)), Tissue.TRABECULA, window)

    def _grooves(self, canvas: Canvas, coarse: Points, fine: Points) -> None:
        window = canvas.window(details.coronary_sinus(coarse, self._plan) < 0.3) if self.near["sinus"] else None
        if window is not None:
            sdf = details.coronary_sinus(_cut(fine, window), self._plan)
            sdf = np.where(canvas.label[window] == Tissue.BLOOD_RA, np.float32(1.0), sdf)
            canvas.paint(sdf - np.float32(0.08), Tissue.WALL_VESSEL, window)
            canvas.paint(sdf, Tissue.BLOOD_OTHER, window)

    def _inlets(self, canvas: Canvas, coarse: Points, fine: Points, now: Instant) -> None:
        v, plan = self._patient.valves, self._plan
        window = self._near(canvas, coarse, plan.tricuspid, v.tricuspid + 1.0) if self.near["tricuspid"] else None
        if window is not None:
            p = _cut(fine, window)
            half = (v.tricuspid, v.tricuspid)
            ring = details.ring(p, plan.tricuspid, plan.septal, plan.forward, half, 0.14)
            canvas.paint(ring, Tissue.ANNULUS, window)
            canvas.paint(self._tricuspid.distance(p, now.tricuspid, 0.0), Tissue.LEAFLET_TRICUSPID, window)
        window = self._near(canvas, coarse, plan.mitral, v.mitral_width + 1.2)
        if window is not None:
            p = _cut(fine, window)
            half = (v.mitral_depth + 0.05, v.mitral_width + 0.05)
            thick = 0.17 + 0.28 * v.mitral_calcium * (self._mitral.local(p)[0] < 0)
            ring = details.ring(p, plan.mitral, plan.mitral_front, plan.mitral_side, half, 0.0) - thick
            ill = v.mitral_calcium > 0
            canvas.paint(ring, Tissue.CALCIUM if ill else Tissue.ANNULUS, window)
            bulge = v.prolapse * min(1.0, 1.5 * now.systole)
            canvas.paint(self._mitral.distance(p, now.mitral, bulge), Tissue.LEAFLET_MITRAL, window)
        self._chordae(canvas, coarse, fine, now)

    def _chordae(self, canvas: Canvas, coarse: Points, fine: Points, now: Instant) -> None:
        if not self.near["chordae"]:
            return
        for head, edge in details.chordae(self._patient, self._plan, now.mitral):
            window = canvas.window(round_cone(coarse, head, edge, 0.0, 0.0) < 0.3)
            if window is not None:
                blood = canvas.label[window] == Tissue.BLOOD_LV
                sdf = round_cone(_cut(fine, window), head, edge, 0.10, 0.06)
                canvas.paint(np.where(blood, sdf, np.float32(1.0)), Tissue.CHORDAE, window)

    def _outlets(self, canvas: Canvas, coarse: Points, fine: Points, now: Instant) -> None:
        for name, cusps, opening, tissue, blood in (
            ("aortic", self._aortic, now.aortic, Tissue.CUSP_AORTIC, (Tissue.BLOOD_AO, Tissue.BLOOD_LV)),
            ("pulmonary", self._pulmonary, now.pulmonary, Tissue.CUSP_PULMONARY, (Tissue.BLOOD_PA, Tissue.BLOOD_RV)),
        ):
            if not self.near[name]:
                continue
            middle = cusps.centre + 0.5 * cusps.height * cusps.axis
            window = self._near(canvas, coarse, middle, cusps.radius + 0.6)
            if window is None:
                continue
            label = canvas.label[window]
            inside = (label == blood[0]) | (label == blood[1])
            sdf = cusps.distance(_cut(fine, window), opening)
            calcium = tissue == Tissue.CUSP_AORTIC and self._patient.valves.aortic_calcium > 0.5
            canvas.paint(np.where(inside, sdf, np.float32(1.0)), Tissue.CALCIUM if calcium else tissue, window)
