"""How tissue moves: from a place now to the place of the same tissue at end-diastole.

One smooth field carries everything: the base descends as a piston (so the atria fill while the ventricles empty), the
cavity narrows, the wall thickens because its volume is conserved, the apex turns against the base, the right free
wall comes nearer to the septum. Valves move on their own, in :mod:`echoplane.phantom.heart.valves`.

Wall mechanics: a thick tube of constant volume under stretch and inflation, R^2 = k (r^2 - c), with k the ratio of
lengths (see any text on the mechanics of soft tissue, for example Humphrey, Cardiovascular Solid Mechanics, 2002).
"""

from __future__ import annotations

import math

import numpy as np

from echoplane.phantom.beat import Instant
from echoplane.phantom.heart.canvas import as_float
from echoplane.phantom.heart.frame import around
from echoplane.phantom.heart.layout import Layout
from echoplane.phantom.heart.shapes import Points, bounded, smoothstep
from echoplane.phantom.heart.ventricles import LeftShape
from echoplane.phantom.population import Patient
from echoplane.records import FloatArray

#: Below this height (behind the base) nothing follows the descent of the base.
_ROOF = 4.6
#: Largest jerk of the septum, cm.
_BOUNCE = 0.55


class Motion:
    """The inverse motion of one patient's heart.

    Parameters
    ----------
    patient : Patient
    plan : Layout
    shape : LeftShape
    """

    def __init__(self, patient: Patient, plan: Layout, shape: LeftShape) -> None:
        self._patient = patient
        self._plan = plan
        self._shape = shape
        self._facing = around(patient.rv.facing_deg)
        # Narrowing of the cavity that empties it by each share of the stroke volume.
        self._shares = np.linspace(0.0, 1.2, 25)
        self._narrow = np.array([self._solve(float(c)) for c in self._shares])

    def _descent(self, systole: float) -> float:
        return self._patient.lv.mapse * systole

    def _solve(self, systole: float) -> float:
        lv = self._patient.lv
        target = self._shape.volume(1.0, 1.0) * (1 - lv.ejection_fraction * systole)
        shortening = 1 - self._descent(systole) / lv.length
        low, high = 0.2, 1.1
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if self._shape.volume(middle, shortening) < target else (low, middle)
        return (low + high) / 2

    def narrowing(self, systole: float) -> float:
        """Ratio of the cavity's healthy radii now and at end-diastole."""
        return float(np.interp(systole, self._shares, self._narrow))

    def shortening(self, systole: float) -> float:
        """Ratio of the cavity's length now and at end-diastole."""
        return 1 - self._descent(systole) / self._patient.lv.length

    def pull_back(self, p: Points, now: Instant) -> Points:
        """Places at end-diastole of the tissue that is at `p` now."""
        x, y, z = p
        Z, k = self._lengthwise(x, y, z, now)
        cx, cy = self._shape.centre(Z)
        x, y = self._untwist(x - cx, y - cy, Z, now)
        scale = self._crosswise(x, y, Z, k, now)
        X, Y = self._unbounced(x * scale + cx, y * scale + cy, Z, now)
        return self._atria(as_float(X), as_float(Y), Z, now)

    def _lengthwise(self, x: FloatArray, y: FloatArray, z: FloatArray, now: Instant) -> tuple[FloatArray, FloatArray]:
        """Undo the descent of the base; also the local ratio of lengths."""
        length = np.float32(self._patient.lv.length)
        left = self._descent(now.systole)
        right = self._patient.rv.tapse * now.systole_rv
        toward_rv = x * np.float32(self._facing[0]) + y * np.float32(self._facing[1])
        rim = self._plan.base_outer
        base = np.float32(left) + np.float32(right - left) * smoothstep(toward_rv, 0.95 * rim, rim + 3.0)
        # Veins, lungs and liver outside the heart do not follow.
        ax, ay = x - np.float32(0.35 * rim * self._facing[0]), y - np.float32(0.35 * rim * self._facing[1])
        base *= smoothstep(ax * ax + ay * ay, (rim + 5.2) ** 2, (rim + 2.2) ** 2)
        ratio = (length - base) / length
        ventricular = length - (length - z) / ratio
        fraction = bounded((z + np.float32(_ROOF)) / (base + np.float32(_ROOF)), 0, 1)
        Z = np.where(z > base, np.where(z < length, ventricular, z), z - base * fraction)
        # The ratio matters for cross-sections of the ventricles only.
        k = 1 + (ratio - 1) * smoothstep(Z, -1.2, 0.0) * smoothstep(Z, float(length) + 0.8, float(length) - 0.5)
        return as_float(Z), as_float(k)

    def _untwist(self, x: FloatArray, y: FloatArray, Z: FloatArray, now: Instant) -> tuple[FloatArray, FloatArray]:
        lv = self._patient.lv
        apex = math.radians(0.72 * lv.twist_deg) * now.systole
        base = math.radians(-0.28 * lv.twist_deg) * now.systole
        rise = bounded(Z * np.float32(1 / lv.length), 0, 1)
        angle = np.float32(base) + np.float32(apex - base) * rise
        rim = lv.radius + 0.5 * lv.wall
        angle *= smoothstep(x * x + y * y, (rim + 2.0) ** 2, rim**2) * smoothstep(Z, -1.5, 0.0)
        sine, cosine = angle - angle**3 / 6, 1 - angle * angle / 2
        # Now = twisted by +angle, so turn back.
        return as_float(x * cosine + y * sine), as_float(y * cosine - x * sine)

    def _crosswise(self, x: FloatArray, y: FloatArray, Z: FloatArray, k: FloatArray, now: Instant) -> FloatArray:
        """Ratio of the distances from the axis then and now."""
        r = np.sqrt(x * x + y * y) + np.float32(1e-4)
        cosine, sine = x / r, y / r
        inner, outer = self._shape.radii(Z, cosine, sine)
        narrow = 1 - np.float32(1 - self.narrowing(now.systole)) * self._shape.vigour(Z, cosine, sine)
        narrow = 1 - (1 - narrow) * smoothstep(Z, -1.2, 0.0)
        inner_now = narrow * inner
        c = inner_now * inner_now - inner * inner / k
        outer_now = np.sqrt(np.maximum(outer * outer / k + c, np.float32(1e-4)))
        beyond = np.maximum(r - outer_now, 0)
        wall = np.sqrt(np.maximum(k * (r * r - c), 0))
        outside = (
            r
            + (outer - outer_now) * np.exp(beyond * np.float32(-1 / 2.5))
            + self._free_wall(beyond, cosine, sine, Z, now)
        )
        R = np.where(r < inner_now, r / narrow, np.where(r < outer_now, wall, outside))
        return as_float(R / r)

    def _free_wall(
        self, beyond: FloatArray, cosine: FloatArray, sine: FloatArray, Z: FloatArray, now: Instant
    ) -> FloatArray:
        """How much farther from the septum the right ventricle was."""
        rv, length = self._patient.rv, self._patient.lv.length
        facing = cosine * np.float32(self._facing[0]) + sine * np.float32(self._facing[1])
        there = smoothstep(facing, -0.1, 0.75) * smoothstep(Z, -2.5, 0.3) * smoothstep(Z, 1.05 * length, 0.75 * length)
        depth = 0.8 * rv.width
        gain = rv.squeeze * now.systole_rv / (1 - rv.squeeze * now.systole_rv)
        reach = depth / (1 + gain)
        near = beyond * np.float32(gain)
        far = np.float32(gain * reach) * np.exp((beyond - np.float32(reach)) * np.float32(-1 / 2.5))
        return as_float(there * np.where(beyond < reach, near, far))

    def _unbounced(self, X: FloatArray, Y: FloatArray, Z: FloatArray, now: Instant) -> tuple[FloatArray, FloatArray]:
        """Undo the jerk of the septum to the left in early systole."""
        size = _BOUNCE * self._patient.lv.bounce * now.early
        if size < 0.01:
            return as_float(X), as_float(Y)
        lv = self._patient.lv
        side, front = np.float32(self._facing[0]), np.float32(self._facing[1])
        reach = X * side + Y * front
        weight = smoothstep(reach, 0.2 * lv.radius, lv.radius) * smoothstep(reach, lv.radius + 3.5, lv.radius + 1.2)
        weight *= smoothstep(Z, -0.5, 1.5) * smoothstep(Z, lv.length, 0.7 * lv.length)
        return as_float(X + size * weight * side), as_float(Y + size * weight * front)

    def _atria(self, X: FloatArray, Y: FloatArray, Z: FloatArray, now: Instant) -> Points:
        """Undo the swelling of the atria across the axis."""
        for atrium, centre in ((self._patient.la, self._plan.la), (self._patient.ra, self._plan.ra)):
            swell = 1 + (atrium.swell - 1) * now.atria
            if swell < 1.002:
                continue
            dx, dy, dz = (q - np.float32(c) for q, c in zip((X, Y, Z), centre, strict=True))
            size = 0.55 * (atrium.half_width + atrium.half_depth)
            near = (dx * dx + dy * dy + dz * dz) * np.float32(1 / size**2)
            shrink = np.float32(1 / swell - 1) / (1 + 0.5 * near * near)
            X, Y = X + dx * shrink, Y + dy * shrink
        return as_float(X), as_float(Y), Z
