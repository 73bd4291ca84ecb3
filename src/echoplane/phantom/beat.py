"""The clock of the heart: when it squeezes, when its valves are open.

Times follow textbook physiology: isovolumic contraction 50 ms, ejection time falling with heart rate (Weissler et al.,
Circulation 1968;37:149: 413 - 1.7 x rate ms in men), isovolumic relaxation 70 ms, an early and an atrial wave of
filling that merge when the heart is fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from echoplane.phantom.population import Patient

_BEATS = 512
_LAST = math.nextafter(1.0, 0.0)
CONTRACTION_S = 0.05
RELAXATION_S = 0.07


@dataclass(frozen=True, slots=True)
class Instant:
    """The state of the heart at one time.

    Attributes
    ----------
    phase : float
        In [0, 1): share of the beat since the R wave.
    systole : float
        In [0, 1]: how much of the stroke volume has left the left ventricle; 0 end-diastole, 1 end-systole.
    systole_rv : float
        The same for the right ventricle, a little later.
    atria : float
        In [0, 1]: filling of the atria between their smallest and largest size.
    mitral, aortic, tricuspid, pulmonary : float
        Opening of each valve in [0, 1].
    early : float
        In [0, 1]: pulse of early systole, for septal bounce.
    """

    phase: float
    systole: float
    systole_rv: float
    atria: float
    mitral: float
    aortic: float
    tricuspid: float
    pulmonary: float
    early: float


def _ramp(value: float, start: float, end: float) -> float:
    """0 before `start`, 1 after `end`, smooth between."""
    u = min(max((value - start) / max(end - start, 1e-6), 0.0), 1.0)
    return u * u * (3 - 2 * u)


class Clock:
    """The beats of one recording.

    Parameters
    ----------
    patient : Patient
    seed : int
        Draws the lengths of the beats and where in a beat the recording starts.
    """

    def __init__(self, patient: Patient, seed: int) -> None:
        rhythm = patient.rhythm
        rng = np.random.default_rng([patient.seed, seed, 2])
        lengths = 60.0 / rhythm.rate * np.exp(rhythm.scatter * np.clip(rng.normal(size=_BEATS), -2.5, 2.5))
        early = rng.random(_BEATS) < rhythm.ectopic
        lengths[early] *= 0.65
        strength = np.where(early, 0.65, 1.0)
        # A beat that follows a short pause finds a less filled ventricle.
        strength *= np.clip(np.roll(lengths, 1) * rhythm.rate / 60.0, 0.6, 1.0) ** 0.5
        self._starts = np.concatenate([[0.0], np.cumsum(lengths)]) - float(rng.uniform(0, lengths[0]))
        self._strength = strength
        self._atrial = rhythm.atrial_share
        self._rate = rhythm.rate

    def beat(self, time_s: float) -> tuple[float, float, float]:
        """Seconds since the R wave, length of the beat in seconds, and its strength in [0, 1]."""
        cycle = float(self._starts[-1] - self._starts[0])
        time_s = (time_s - float(self._starts[0])) % cycle + float(self._starts[0])
        k = min(int(np.searchsorted(self._starts, time_s, side="right")) - 1, _BEATS - 1)
        return (
            time_s - float(self._starts[k]),
            float(self._starts[k + 1] - self._starts[k]),
            float(self._strength[k]),
        )

    def phase(self, time_s: float) -> float:
        """Share of the beat since the R wave, in [0, 1)."""
        since, length, _ = self.beat(time_s)
        return min(max(since / length, 0.0), _LAST)

    def end_systole(self, length_s: float) -> float:
        """Seconds from the R wave to the closing of the aortic valve, for a beat of this length."""
        rate = 60.0 / length_s
        ejection = min(max(0.413 - 0.0017 * rate, 0.14), 0.40)
        return min(CONTRACTION_S + ejection, 0.55 * length_s)

    def instant(self, time_s: float) -> Instant:
        """Return the state of the heart at a time in seconds."""
        since, length, strength = self.beat(time_s)
        return self._state(since, length, strength)

    def at_phase(self, phase: float) -> Instant:
        """Return the state at a phase of an average beat."""
        length = 60.0 / self._rate
        return self._state(phase * length, length, 1.0)

    def _filled(self, since: float, opening: float, early_end: float, kick: float, length: float) -> float:
        """Share of the stroke volume that has come back: an early wave, a trickle, the kick of the atria."""
        share = self._atrial
        trickle_end = kick if share > 0 else length
        passive = 0.9 * _ramp(since, opening, early_end) + 0.1 * _ramp(since, opening, trickle_end)
        return (1 - share) * passive + share * _ramp(since, kick, length)

    def _mitral(self, since: float, opening: float, kick: float, length: float) -> float:
        """Return the opening of the mitral valve: wide early, half shut at rest, open again for the kick."""
        early = _ramp(since, opening, opening + 0.07) * (1 - 0.62 * _ramp(since, opening + 0.1, opening + 0.22))
        late = min(max((since - kick) / (length - kick), 0.0), 1.0)
        again = 0.4 * math.sin(math.pi * late) if self._atrial > 0 else 0.0
        return min(1.0, early + again) * (1 - _ramp(since, length - 0.03, length))

    def _state(self, since: float, length: float, strength: float) -> Instant:
        closing = self.end_systole(length)
        opening = closing + RELAXATION_S
        kick = max(length - 0.13, opening + 0.3 * (length - opening))
        early_end = min(opening + 0.24, kick + 0.3 * (length - kick))
        # Ejection is fast first: the mean of two ramps, one shorter.
        brisk = CONTRACTION_S + 0.8 * (closing - CONTRACTION_S)
        ejected = 0.5 * (_ramp(since, CONTRACTION_S, closing) + _ramp(since, CONTRACTION_S, brisk))
        filled = self._filled(since, opening, early_end, kick, length)
        mitral = self._mitral(since, opening, kick, length)
        semilunar = _ramp(since, CONTRACTION_S, CONTRACTION_S + 0.04) * (1 - _ramp(since, closing - 0.035, closing))
        return Instant(
            phase=min(max(since / length, 0.0), _LAST),
            systole=strength * max(0.0, ejected - filled),
            systole_rv=strength * max(0.0, ejected**1.15 - filled),
            atria=max(0.0, ejected - filled),
            mitral=mitral,
            aortic=semilunar,
            tricuspid=mitral,
            pulmonary=semilunar,
            early=_ramp(since, 0.0, 0.04) * (1 - _ramp(since, 0.07, 0.16)),
        )
