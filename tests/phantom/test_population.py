from __future__ import annotations

import pickle

import numpy as np
import pytest

from echoplane.errors import UsageError
from echoplane.phantom.disease import DISEASES
from echoplane.phantom.population import Patient, draw_patient
from echoplane.phantom.volumes import end_diastolic_volume


def _healthy(n: int = 300) -> list[Patient]:
    return [draw_patient(seed, "none") for seed in range(n)]


def test_same_seed_gives_the_same_bytes() -> None:
    assert pickle.dumps(draw_patient(7)) == pickle.dumps(draw_patient(7))
    assert draw_patient(7) == draw_patient(7)
    assert draw_patient(7, "none") != draw_patient(8, "none")


def test_a_disease_changes_the_same_patient() -> None:
    well, ill = draw_patient(9, "none"), draw_patient(9, "dilated")
    assert ill.body == well.body
    assert ill.disease == "dilated"


def test_healthy_sizes_follow_the_normal_values() -> None:
    # Lang et al. 2015: index of end-diastolic volume 54 (10) ml/m2 in men, 45 (8) in women; EF 62 (5), 64 (5) %.
    for male, volume, fraction in ((True, 54.0, 0.62), (False, 45.0, 0.64)):
        group = [p for p in _healthy() if p.body.male == male]
        indices = np.array([end_diastolic_volume(p) / p.body.surface_m2 for p in group])
        assert indices.mean() == pytest.approx(volume, abs=2.0)
        assert 7 < indices.std() < 11
        assert np.mean([p.lv.ejection_fraction for p in group]) == pytest.approx(fraction, abs=0.012)


def test_healthy_diameters_lie_in_the_reference_ranges() -> None:
    group = _healthy()

    def middle(values: list[float]) -> float:
        return float(np.mean(values))

    assert 4.2 < middle([2 * p.lv.radius for p in group]) < 5.2  # LV internal diameter, cm
    assert 2.9 < middle([p.rv.width for p in group]) < 4.1  # RV basal diameter
    assert 1.9 < middle([p.rv.tapse for p in group]) < 2.8
    assert 1.2 < middle([p.lv.mapse for p in group]) < 1.7
    assert 2.8 < middle([2 * p.vessels.sinus for p in group]) < 3.6


def test_diseases_do_what_their_names_say() -> None:
    seeds = range(40)

    def mean(disease: str, get: object) -> float:
        return float(np.mean([get(draw_patient(s, disease)) for s in seeds]))  # type: ignore[operator]

    assert mean("dilated", end_diastolic_volume) > 1.4 * mean("none", end_diastolic_volume)
    assert mean("dilated", lambda p: p.lv.ejection_fraction) < 0.42
    assert mean("hypertrophic", lambda p: p.lv.wall) > 1.15 * mean("none", lambda p: p.lv.wall)
    assert mean("right-overload", lambda p: p.rv.width) > 1.2 * mean("none", lambda p: p.rv.width)
    assert mean("right-overload", lambda p: p.lv.flat_septum) > 0.4
    assert mean("infarct", lambda p: p.lv.infarct_depth) > 0.6
    assert mean("effusion", lambda p: p.thorax.effusion_cm) > 0.5
    assert mean("atrial-enlargement", lambda p: p.la.half_width) > 1.15 * mean("none", lambda p: p.la.half_width)
    assert mean("calcified", lambda p: p.valves.mitral_calcium) > 0.3
    assert mean("prolapse", lambda p: p.valves.prolapse) > 0.4


def test_drawn_diseases_come_at_their_rates() -> None:
    drawn = [draw_patient(seed).disease for seed in range(600)]
    assert 0.52 < drawn.count("none") / 600 < 0.68
    assert set(DISEASES) <= set(drawn)


def test_an_unknown_disease_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'dilated'"):
        draw_patient(1, "dilatd")
