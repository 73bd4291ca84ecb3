"""Patients: sizes, shapes, rhythm and disease, drawn with a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Patient:
    """Everything about one heart that does not change from beat to beat."""

    seed: int
    disease: str
    heart_rate: float
    lv_length: float
    lv_radius: float
    wall: float
    ejection_fraction: float


def draw_patient(seed: int, disease: str | None = None) -> Patient:
    """Draw a patient; the same seed gives the same patient."""
    rng = np.random.default_rng([seed, 1])
    return Patient(
        seed=seed,
        disease=disease or "none",
        heart_rate=float(rng.uniform(55, 95)),
        lv_length=float(rng.uniform(8.0, 9.5)),
        lv_radius=float(rng.uniform(2.2, 2.6)),
        wall=float(rng.uniform(0.8, 1.05)),
        ejection_fraction=float(rng.uniform(0.55, 0.68)),
    )
