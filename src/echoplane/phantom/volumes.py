"""Volumes of the left ventricle as the phantom states them."""

from __future__ import annotations

from functools import lru_cache

from echoplane.phantom.heart.ventricles import LeftShape
from echoplane.phantom.population import Patient


@lru_cache(maxsize=64)
def end_diastolic_volume(patient: Patient) -> float:
    """Millilitres, papillary muscles and trabeculae counted as cavity."""
    return LeftShape(patient).volume(1.0, 1.0)


def left_volume(patient: Patient, systole: float) -> dict[str, float]:
    """Volume now, at end-diastole and after a full stroke, millilitres.

    Parameters
    ----------
    patient : Patient
    systole : float
        Share of the stroke volume that has been ejected.
    """
    full = end_diastolic_volume(patient)
    fraction = patient.lv.ejection_fraction
    return {"lv": full * (1 - fraction * systole), "lv_ed": full, "lv_es": full * (1 - fraction)}
