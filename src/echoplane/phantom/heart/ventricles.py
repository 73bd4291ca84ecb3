"""The two ventricles at end-diastole.

Left: a surface of revolution about a slightly bent axis, widest at 30 % of the length from the base, an ellipse to the
apex and a gentle narrowing to the base, with harmonics around it. Right: a crescent between the left epicardium and
a shifted circle, ending before the apex, with the outflow tract as a tube in front of the aortic root.
"""

from __future__ import annotations

import math

import numpy as np

from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import around
from echoplane.phantom.heart.layout import Layout
from echoplane.phantom.heart.shapes import Points, bounded, round_cone, smooth_union, smoothstep
from echoplane.phantom.population import WIDEST, Patient
from echoplane.records import FloatArray

#: Muscle reaches this far behind the plane of the mitral ring.
_SHELF = 0.3


class LeftShape:
    """Radii and signed distances of the left ventricle."""

    def __init__(self, patient: Patient) -> None:
        self._lv = patient.lv
        lv = patient.lv
        self._widest = WIDEST * lv.length
        self._septum = around(165.0)
        self._flat = around(190.0)
        self._infarct = around(lv.infarct_deg)
        self._sharp = 1.0 / max(1 - math.cos(math.radians(lv.infarct_size_deg)), 1e-3)
        self._moments = self._integrate()

    def centre(self, Z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where the bent axis is at each height."""
        u = bounded(Z * np.float32(1 / self._lv.length), -0.1, 1.1)
        bow = 4 * u * (1 - u)
        return bow * np.float32(self._lv.bend[0]), bow * np.float32(self._lv.bend[1])

    def _narrowing(self, Z: FloatArray, top: float) -> tuple[FloatArray, FloatArray]:
        """Share by which the squared radius falls at each height, and its slope, for a wall ending at `top`."""
        d = Z - np.float32(self._widest)
        apical, basal = 1 / (top - self._widest) ** 2, self._lv.base_drop / self._widest**2
        curve = np.where(d > 0, np.float32(apical), np.float32(basal))
        d = np.maximum(d, np.float32(-1.15 * self._widest))
        slope = curve * d
        return slope * d, 2 * slope

    def _flattening(self, cosine: FloatArray, sine: FloatArray) -> FloatArray | float:
        lv = self._lv
        if lv.flat_septum <= 0:
            return 1.0
        facing = np.maximum(cosine * np.float32(self._flat[0]) + sine * np.float32(self._flat[1]), 0)
        return 1 - np.float32(0.36 * lv.flat_septum) * facing * facing

    def _harmonic(self, cosine: FloatArray, sine: FloatArray) -> FloatArray:
        a, b = self._lv.oval
        return 1 + np.float32(a) * (cosine * cosine - sine * sine) + np.float32(2 * b) * cosine * sine

    def vigour(self, Z: FloatArray, cosine: FloatArray, sine: FloatArray) -> FloatArray:
        """Share of the normal narrowing that each place does: 1 healthy, 0 akinetic, below 0 dyskinetic."""
        lv = self._lv
        if lv.infarct_depth <= 0:
            return np.ones_like(Z)
        return as_float(1 - np.float32(lv.infarct_depth) * self._scar(Z, cosine, sine))

    def _scar(self, Z: FloatArray, cosine: FloatArray, sine: FloatArray) -> FloatArray:
        facing = cosine * np.float32(self._infarct[0]) + sine * np.float32(self._infarct[1])
        u = (Z * np.float32(1 / self._lv.length) - np.float32(self._lv.infarct_level)) * np.float32(1 / 0.33)
        return as_float(np.exp((facing - 1) * np.float32(self._sharp) - u * u))

    def thickness(self, Z: FloatArray, cosine: FloatArray, sine: FloatArray) -> FloatArray:
        """Wall thickness before it is narrowed towards the apex."""
        lv = self._lv
        facing = np.maximum(cosine * np.float32(self._septum[0]) + sine * np.float32(self._septum[1]), 0)
        excess = facing * facing * smoothstep(Z, 0.85 * lv.length, 0.45 * lv.length)
        wall = np.float32(lv.wall) * (1 + np.float32(lv.septal_excess) * excess)
        if lv.infarct_depth > 0:
            wall = wall * (1 - np.float32(0.35 * min(1.0, lv.infarct_depth)) * self._scar(Z, cosine, sine))
        return as_float(wall)

    def radii(self, Z: FloatArray, cosine: FloatArray, sine: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Endocardial and epicardial radius at each height and angle."""
        lv = self._lv
        around_ = self._harmonic(cosine, sine) * np.float32(lv.radius)
        flat = self._flattening(cosine, sine)
        inside, _ = self._narrowing(Z, lv.length)
        outside, _ = self._narrowing(Z, lv.length + lv.wall_apex)
        inner = around_ * flat * np.sqrt(np.maximum(1 - inside, 0))
        outer = (around_ * flat + self.thickness(Z, cosine, sine)) * np.sqrt(np.maximum(1 - outside, 0))
        return as_float(inner), as_float(np.maximum(outer, inner + np.float32(0.05)))

    def surfaces(self, p: Points) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Signed distances of the cavity and of the whole ventricle; also the mean epicardial radius."""
        lv = self._lv
        X, Y, Z = p
        cx, cy = self.centre(Z)
        x, y = X - cx, Y - cy
        r = np.sqrt(x * x + y * y) + np.float32(1e-4)
        cosine, sine = x / r, y / r
        around_ = self._harmonic(cosine, sine) * np.float32(lv.radius) * self._flattening(cosine, sine)
        outer_ = around_ + self.thickness(Z, cosine, sine)
        cavity = self._implicit(r, around_, Z, lv.length)
        whole = self._implicit(r, outer_, Z, lv.length + lv.wall_apex)
        # Without the septum's flattening: what the septum leaves, the right ventricle takes.
        share, _ = self._narrowing(Z, lv.length + lv.wall_apex)
        mean = np.float32(lv.radius + lv.wall * (1 + 0.5 * lv.septal_excess))
        outer = as_float(mean * np.sqrt(np.maximum(1 - share, np.float32(1e-3))))
        return np.maximum(cavity, -Z), np.maximum(whole, -np.float32(_SHELF) - Z), outer

    def _implicit(self, r: FloatArray, widest: FloatArray, Z: FloatArray, top: float) -> FloatArray:
        share, slope = self._narrowing(Z, top)
        inverse = 1 / (widest * widest)
        value = r * r * inverse + share - 1
        across = 2 * r * inverse
        return as_float(value / np.maximum(np.sqrt(across * across + slope * slope), np.float32(0.35)))

    def volume(self, narrow: float, shortening: float) -> float:
        """Volume of the cavity in millilitres when healthy radii are `narrow` times those at end-diastole."""
        a, b, c = self._moments
        loss = 1 - narrow
        return (a - 2 * loss * b + loss * loss * c) * shortening

    def _integrate(self) -> tuple[float, float, float]:
        """Integrals over the cavity of 1, vigour and its square: a local radius shrinks by loss times vigour."""
        n = 64
        heights = (np.arange(n) + 0.5) * (self._lv.length / n)
        angles = (np.arange(n) + 0.5) * (2 * math.pi / n)
        grid = np.meshgrid(heights, angles, indexing="ij")
        Z, a = (as_float(g) for g in grid)
        cosine, sine = np.cos(a), np.sin(a)
        inner, _ = self.radii(Z, cosine, sine)
        half_square = inner.astype(np.float64) ** 2 / 2
        vigour = self.vigour(Z, cosine, sine).astype(np.float64)
        cell = 2 * math.pi * self._lv.length
        return tuple(float((half_square * vigour**k).mean() * cell) for k in range(3))  # type: ignore[return-value]


class RightShape:
    """Signed distance of the right ventricle's cavity, left ventricle not yet cut out."""

    def __init__(self, patient: Patient, plan: Layout) -> None:
        self._patient = patient
        self._plan = plan

    def cavity(self, p: Points, left_outer: FloatArray) -> FloatArray:
        """Crescent and outflow tract."""
        return smooth_union(self._crescent(p, left_outer), self._outflow(p), 1.3)

    def _crescent(self, p: Points, left_outer: FloatArray) -> FloatArray:
        rv, lv = self._patient.rv, self._patient.lv
        X, Y, Z = p
        v = bounded(Z * np.float32(1 / (rv.reach * lv.length)), 0, 1.2)
        width = np.float32(rv.width) * (1 - v**2.3)
        outer = np.minimum(left_outer, np.float32(self._plan.base_outer + 0.35))
        # A wide ventricle also reaches farther around.
        girth = 1.04 + 0.09 * max(0.0, rv.width - 3.75)
        radius = (np.float32(girth) - np.float32(0.4) * v * v * v) * outer
        offset = outer + width - radius
        turn = np.radians(np.float32(rv.facing_deg) - np.float32(10.0) * v)
        dx, dy = X - offset * np.cos(turn), Y - offset * np.sin(turn)
        side = (np.sqrt(dx * dx + dy * dy) - radius) * np.float32(0.93)
        cap = np.float32(self._plan.tricuspid[2]) - Z
        h = np.maximum(0.5 - np.abs(side - cap), 0)
        return as_float(np.maximum(side, cap) + h * h * np.float32(0.5))

    def _outflow(self, p: Points) -> FloatArray:
        start, middle = self._plan.outflow
        radius, ring = self._patient.rv.outflow, self._patient.vessels.pulmonary
        return smooth_union(
            round_cone(p, start, middle, radius, radius),
            round_cone(p, middle, self._plan.pulmonary, radius, ring),
            0.3,
        )
