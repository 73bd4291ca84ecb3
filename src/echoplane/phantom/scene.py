"""The beating heart in its chest: ask any set of points at any time what they are.

Heart frame, centimetres. The origin is on the long axis of the left ventricle in the plane of the mitral ring at
end-diastole; z points to the apex; seen in a short axis, from the apex, x points to the side of the heart and y to its
anterior wall. Angles count from x to y: anterolateral 30 degrees, anterior 90, anteroseptal 150, inferoseptal 210,
inferior 270, inferolateral 330 (segments of Cerqueira et al., Circulation 2002;105:539).
"""

from __future__ import annotations

import copy

import numpy as np

from echoplane.phantom.beat import Clock, Instant
from echoplane.phantom.heart.anatomy import Anatomy
from echoplane.phantom.labels import BLOOD, Slice, Tissue
from echoplane.phantom.population import Patient, draw_patient
from echoplane.phantom.poses import Pose, draw_pose
from echoplane.phantom.volumes import left_volume
from echoplane.records import FloatArray

__all__ = ["BLOOD", "Patient", "Pose", "Scene", "Slice", "Tissue", "draw_patient", "draw_pose"]


class Scene:
    """One patient during one recording.

    Parameters
    ----------
    patient : Patient
    seed : int
        Draws what differs from recording to recording: the lengths of the beats, the point of the beat at time zero.
    probe : Pose, optional
        Where the probe is held; ribs lie beside it. Without it the chest has no ribs.
    """

    def __init__(self, patient: Patient, seed: int = 0, probe: Pose | None = None) -> None:
        self.patient = patient
        self.clock = Clock(patient, seed)
        self._held = None if probe is None else (probe.origin.astype(np.float64), probe.axis.astype(np.float64))
        self._anatomy = Anatomy(patient, self._held)

    def afresh(self) -> Scene:
        """Return this scene as it is before anybody has looked at it.

        What stands still is kept while the probe moves a little (see :meth:`slice`), so that a slice depends on those
        before it.
        """
        new = copy.copy(self)
        new._anatomy = Anatomy(self.patient, self._held)
        return new

    def look(self, points: FloatArray, step: tuple[int, int] = (3, 4)) -> None:
        """Follow the probe past a plane as :meth:`slice` does, without a slice of it."""
        self._anatomy.look(points, step)

    def phase(self, time_s: float) -> float:
        """Phase of the beat in [0, 1); 0 is the R wave (end-diastole)."""
        return self.clock.phase(time_s)

    def instant(self, time_s: float) -> Instant:
        """State of the heart (squeeze, opening of the valves) at a time."""
        return self.clock.instant(time_s)

    def volumes(self, time_s: float) -> dict[str, float]:
        """Volume of the left ventricle's cavity in millilitres now, at end-diastole and at the end of a full systole.

        Keys ``lv``, ``lv_ed``, ``lv_es``. Papillary muscles and trabeculae count as cavity.
        """
        return left_volume(self.patient, self.instant(time_s).systole)

    def slice(self, points: FloatArray, time_s: float, step: tuple[int, int] = (3, 4)) -> Slice:
        """Tissue, moving coordinates and distance to the nearest boundary of the given points.

        Parameters
        ----------
        points : float32 array, (B, D, 3)
            Heart frame, cm. Neighbours in the array must be neighbours in space (a few millimetres).
        time_s : float
            Seconds since the start of the recording.
        step : tuple of int
            Smooth structures are computed at every so many points along B and D, and interpolated. (1, 1) is exact.
        """
        return self._anatomy.slice(points, self.instant(time_s), time_s, step)

    def slice_at(self, points: FloatArray, now: Instant, step: tuple[int, int] = (3, 4)) -> Slice:
        """Like :meth:`slice`, for a state of the heart."""
        return self._anatomy.slice(points, now, 0.0, step)
