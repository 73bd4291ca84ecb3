"""Disease as a change of a healthy patient."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from echoplane.errors import UsageError
from echoplane.phantom.population import Atrium, Patient
from echoplane.views import suggest

_Change = Callable[[Patient, np.random.Generator], Patient]


def _grown(atrium: Atrium, factor: float) -> Atrium:
    """Return the atrium `factor` times as large in every direction, and stiffer."""
    return replace(
        atrium,
        half_width=atrium.half_width * factor,
        half_depth=atrium.half_depth * factor,
        half_length=atrium.half_length * factor,
        swell=1 + (atrium.swell - 1) / factor**2,
    )


def _dilated(p: Patient, rng: np.random.Generator) -> Patient:
    fraction = float(rng.uniform(0.15, 0.40))
    wide, long = float(rng.uniform(1.18, 1.42)), float(rng.uniform(1.02, 1.15))
    lv = replace(
        p.lv,
        length=p.lv.length * long,
        radius=p.lv.radius * wide,
        wall=p.lv.wall * float(rng.uniform(0.8, 1.0)),
        ejection_fraction=fraction,
        mapse=p.lv.mapse * fraction / p.lv.ejection_fraction,
        twist_deg=p.lv.twist_deg * 0.3,
        bounce=float(rng.choice([0.0, 0.0, rng.uniform(0.2, 0.6)])),
    )
    valves = replace(p.valves, mitral_depth=p.valves.mitral_depth * 1.12, mitral_width=p.valves.mitral_width * 1.12)
    swollen = float(rng.uniform(1.05, 1.3))
    return replace(p, lv=lv, valves=valves, la=_grown(p.la, swollen), rv=replace(p.rv, tapse=p.rv.tapse * 0.75))


def _hypertrophic(p: Patient, rng: np.random.Generator) -> Patient:
    septal = bool(rng.random() < 0.6)
    lv = replace(
        p.lv,
        radius=p.lv.radius * float(rng.uniform(0.84, 0.97)),
        wall=p.lv.wall * float(rng.uniform(1.1, 1.3) if septal else rng.uniform(1.35, 1.8)),
        septal_excess=float(rng.uniform(0.5, 1.1)) if septal else p.lv.septal_excess,
        ejection_fraction=float(rng.uniform(0.60, 0.74)),
        mapse=p.lv.mapse * float(rng.uniform(0.6, 0.85)),
    )
    return replace(p, lv=lv, la=_grown(p.la, float(rng.uniform(1.0, 1.2))))


#: Territories of the coronary arteries: angle, level, spread in degrees.
_TERRITORIES = ((150.0, 0.75, 85.0), (270.0, 0.35, 60.0), (335.0, 0.4, 60.0), (90.0, 0.6, 60.0))


def _infarct(p: Patient, rng: np.random.Generator) -> Patient:
    angle, level, spread = _TERRITORIES[int(rng.integers(len(_TERRITORIES)))]
    lv = replace(
        p.lv,
        ejection_fraction=float(rng.uniform(0.32, 0.52)),
        infarct_deg=angle + float(rng.normal(0, 12)),
        infarct_level=level,
        infarct_size_deg=spread * float(rng.uniform(0.7, 1.1)),
        infarct_depth=float(rng.uniform(0.7, 1.2)),
        radius=p.lv.radius * float(rng.uniform(1.0, 1.15)),
        twist_deg=p.lv.twist_deg * 0.6,
        mapse=p.lv.mapse * float(rng.uniform(0.55, 0.85)),
    )
    return replace(p, lv=lv)


def _right_overload(p: Patient, rng: np.random.Generator) -> Patient:
    big = float(rng.uniform(1.25, 1.65))
    rv = replace(
        p.rv,
        width=p.rv.width * big,
        reach=min(0.99, p.rv.reach * 1.1),
        wall=p.rv.wall * float(rng.uniform(1.1, 1.9)),
        tapse=p.rv.tapse * float(rng.uniform(0.5, 0.85)),
        squeeze=p.rv.squeeze * float(rng.uniform(0.4, 0.8)),
        outflow=p.rv.outflow * math.sqrt(big),
    )
    lv = replace(
        p.lv,
        flat_septum=float(rng.uniform(0.45, 1.0)),
        bounce=float(rng.uniform(0.0, 0.5)),
        radius=p.lv.radius * float(rng.uniform(0.92, 1.02)),
    )
    valves = replace(p.valves, tricuspid=p.valves.tricuspid * big)
    vessels = replace(p.vessels, pulmonary=p.vessels.pulmonary * 1.15, cava=p.vessels.cava * 1.4)
    return replace(p, lv=lv, rv=rv, valves=valves, vessels=vessels, ra=_grown(p.ra, float(rng.uniform(1.1, 1.4))))


def _effusion(p: Patient, rng: np.random.Generator) -> Patient:
    return replace(p, thorax=replace(p.thorax, effusion_cm=float(rng.uniform(0.5, 2.2))))


def _atrial_enlargement(p: Patient, rng: np.random.Generator) -> Patient:
    left, right = float(rng.uniform(1.15, 1.5)), float(rng.uniform(1.0, 1.4))
    fibrillates = bool(rng.random() < 0.6)
    rhythm = p.rhythm
    if fibrillates:
        rhythm = replace(rhythm, scatter=float(rng.uniform(0.12, 0.25)), atrial_share=0.0, rate=rhythm.rate * 1.15)
    return replace(p, la=_grown(p.la, left), ra=_grown(p.ra, right), rhythm=rhythm)


def _calcified(p: Patient, rng: np.random.Generator) -> Patient:
    valves = replace(
        p.valves,
        mitral_calcium=float(rng.uniform(0.2, 1.0)),
        aortic_calcium=float(rng.uniform(0.2, 1.0)),
        sclerosis=float(rng.uniform(0.4, 1.0)),
    )
    return replace(p, valves=valves, lv=replace(p.lv, wall=p.lv.wall * float(rng.uniform(1.0, 1.35))))


def _prolapse(p: Patient, rng: np.random.Generator) -> Patient:
    valves = replace(p.valves, prolapse=float(rng.uniform(0.4, 0.9)), thickness=p.valves.thickness * 1.4)
    return replace(p, valves=valves, la=_grown(p.la, float(rng.uniform(1.0, 1.25))))


def _ectopic(p: Patient, rng: np.random.Generator) -> Patient:
    return replace(p, rhythm=replace(p.rhythm, ectopic=float(rng.uniform(0.1, 0.4))))


def _emphysema(p: Patient, rng: np.random.Generator) -> Patient:
    thorax = replace(p.thorax, window_cm=float(rng.uniform(1.6, 2.4)), wall_cm=p.thorax.wall_cm * 1.2)
    return replace(p, thorax=thorax)


#: Name of each disease, the change it makes, and how many of a hundred drawn patients have it.
DISEASES: Mapping[str, tuple[_Change, float]] = {
    "dilated": (_dilated, 6),
    "hypertrophic": (_hypertrophic, 5),
    "infarct": (_infarct, 6),
    "right-overload": (_right_overload, 4),
    "effusion": (_effusion, 3),
    "atrial-enlargement": (_atrial_enlargement, 5),
    "calcified": (_calcified, 4),
    "prolapse": (_prolapse, 2),
    "ectopic": (_ectopic, 2),
    "emphysema": (_emphysema, 3),
}


def draw_disease(rng: np.random.Generator) -> str:
    """Draw the name of a disease, ``"none"`` for about 60 of a hundred."""
    weights = np.array([weight for _, weight in DISEASES.values()]) / 100
    names = ["none", *DISEASES]
    return str(names[int(rng.choice(len(names), p=[1 - weights.sum(), *weights]))])


def afflict(patient: Patient, disease: str, rng: np.random.Generator) -> Patient:
    """Return the patient with a disease.

    Raises
    ------
    UsageError
        When the name is not known.
    """
    if disease == "none":
        return patient
    if disease not in DISEASES:
        near = suggest(disease, ["none", *DISEASES])
        raise UsageError(f"unknown disease {disease!r}{near}; known: none, {', '.join(DISEASES)}.")
    return replace(DISEASES[disease][0](patient, rng), disease=disease)
