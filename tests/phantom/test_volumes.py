"""The stated ejection fraction against counting points of a grid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from echoplane.phantom.population import cavity_share, draw_patient
from echoplane.phantom.scene import Scene, Tissue
from echoplane.phantom.volumes import end_diastolic_volume, left_volume

CELL = 0.19


def counted(scene: Scene, phase: float) -> np.ndarray:
    """Millilitres of every label, by counting."""
    now = scene.clock.at_phase(phase)
    x, y = np.meshgrid(np.arange(-4.6, 4.6, CELL), np.arange(-4.6, 4.6, CELL), indexing="ij")
    total = np.zeros(256)
    # The heights start at an uneven place so that the plane of the ring does not fall on a layer.
    for z in np.arange(-0.53 + CELL / 2, scene.patient.lv.length + 1.5, CELL):
        points = np.stack([x, y, np.full_like(x, z)], axis=-1).astype(np.float32)
        total += np.bincount(scene.slice_at(points, now, (1, 1)).label.ravel(), minlength=256)
    return total * CELL**3


@pytest.mark.parametrize(("seed", "disease"), [(1, "none"), (2, "none"), (4, "infarct"), (5, "right-overload")])
def test_counted_blood_gives_the_stated_ejection_fraction(seed: int, disease: str) -> None:
    patient = draw_patient(seed, disease)
    scene = Scene(patient)
    length = 60 / patient.rhythm.rate
    ed, es = counted(scene, 0.0), counted(scene, scene.clock.end_systole(length) / length)
    fraction = 1 - es[Tissue.BLOOD_LV] / ed[Tissue.BLOOD_LV]
    assert fraction == pytest.approx(patient.lv.ejection_fraction, abs=0.02)
    # Muscle is not compressed: its volume stays.
    assert es[Tissue.MYO_LV] == pytest.approx(ed[Tissue.MYO_LV], rel=0.06)


def test_counted_cavity_gives_the_stated_volume() -> None:
    patient = draw_patient(1, "none")
    volume = counted(Scene(patient), 0.0)
    cavity = sum(volume[t] for t in (Tissue.BLOOD_LV, Tissue.PAPILLARY, Tissue.CHORDAE, Tissue.LEAFLET_MITRAL))
    # Trabeculae are left out of the sum: the label holds those of the right ventricle too.
    assert cavity < end_diastolic_volume(patient) < 1.08 * cavity


def test_volume_of_a_round_ventricle_is_the_closed_form() -> None:
    for seed in range(20):
        patient = draw_patient(seed, "none")
        closed = cavity_share(patient.lv.base_drop) * math.pi * patient.lv.radius**2 * patient.lv.length
        assert end_diastolic_volume(patient) == pytest.approx(closed, rel=0.006)


def test_volumes_over_a_beat() -> None:
    patient = draw_patient(6, "none")
    scene = Scene(patient, 3)
    values = [scene.volumes(t)["lv"] for t in np.linspace(0, 4, 200)]
    stated = left_volume(patient, 1.0)
    assert max(values) == pytest.approx(stated["lv_ed"], rel=0.01)
    assert min(values) == pytest.approx(stated["lv_es"], rel=0.12)
    assert 1 - stated["lv_es"] / stated["lv_ed"] == pytest.approx(patient.lv.ejection_fraction)
