from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoplane.phantom.beat import Clock
from echoplane.phantom.population import draw_patient


def _clock(seed: int = 5, disease: str = "none", **rhythm: float) -> Clock:
    patient = draw_patient(seed, disease)
    return Clock(replace(patient, rhythm=replace(patient.rhythm, **rhythm)), 0)


def test_phase_runs_through_the_beats_at_the_stated_rate() -> None:
    clock = _clock(rate=72.0, scatter=0.0)
    times = np.arange(0, 60, 0.01)
    phases = np.array([clock.phase(t) for t in times])
    assert phases.min() >= 0
    assert phases.max() < 1
    assert int((np.diff(phases) < -0.5).sum()) == 72


def test_same_seed_same_beats_other_seed_other_beats() -> None:
    patient = draw_patient(3, "atrial-enlargement")
    a, b, c = Clock(patient, 1), Clock(patient, 1), Clock(patient, 2)
    times = np.linspace(0, 20, 50)
    assert [a.instant(t) for t in times] == [b.instant(t) for t in times]
    assert [a.phase(t) for t in times] != [c.phase(t) for t in times]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 60))
def test_states_stay_in_range_and_valves_never_let_blood_run_through(seed: int, time_s: float) -> None:
    now = Clock(draw_patient(seed), 0).instant(time_s)
    for name in ("phase", "systole", "systole_rv", "atria", "mitral", "aortic", "tricuspid", "pulmonary", "early"):
        assert 0 <= getattr(now, name) <= 1, name
    assert min(now.mitral, now.aortic) < 0.05
    assert min(now.tricuspid, now.pulmonary) < 0.05


def test_end_systole_is_when_the_ventricle_is_smallest_and_the_aortic_valve_shut() -> None:
    clock = _clock(rate=65.0)
    length = 60 / 65.0
    closing = clock.end_systole(length) / length
    assert clock.at_phase(closing).systole == pytest.approx(1.0, abs=1e-6)
    assert clock.at_phase(closing).aortic == pytest.approx(0.0, abs=1e-6)
    assert 0.30 < clock.end_systole(length) < 0.45  # seconds, textbook QRS to aortic closure at rest
    assert clock.at_phase(0.0).systole == pytest.approx(0.0, abs=1e-6)


def test_the_mitral_valve_opens_twice_and_once_without_atrial_kick() -> None:
    phases = np.linspace(0, 0.999, 400)

    def peaks(clock: Clock) -> int:
        opening = np.array([clock.at_phase(p).mitral for p in phases])
        inner = opening[1:-1]
        return int(((inner > opening[:-2] + 1e-9) & (inner >= opening[2:]) & (inner > 0.2)).sum())

    assert peaks(_clock(rate=60.0, atrial_share=0.25)) == 2
    assert peaks(_clock(rate=60.0, atrial_share=0.0)) == 1


def test_irregular_beats_have_other_lengths_and_weak_beats_after_short_ones() -> None:
    clock = _clock(rate=70.0, ectopic=0.3, scatter=0.02)
    beats = [clock.beat(t) for t in np.arange(0, 120, 0.2)]
    lengths = np.array([b[1] for b in beats])
    strengths = np.array([b[2] for b in beats])
    assert lengths.std() > 0.05
    assert strengths.min() < 0.8 < strengths.max()


def test_fast_hearts_still_fill() -> None:
    clock = _clock(rate=125.0)
    states = [clock.at_phase(p).systole for p in np.linspace(0, 0.9999, 200)]
    assert max(states) == pytest.approx(1.0, abs=0.02)
    assert states[-1] == pytest.approx(0.0, abs=0.02)
