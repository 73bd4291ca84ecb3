"""Patients: sizes, shapes, rhythm and chest, drawn with a seed.

Sizes of healthy adults follow the normal values of the American Society of Echocardiography and the European
Association of Cardiovascular Imaging (Lang et al., J Am Soc Echocardiogr 2015;28:1-39): left-ventricular volume index
54 (10) ml/m2 in men and 45 (8) in women (9 is drawn for both), ejection fraction 62 (5) and 64 (5) %,
right-ventricular basal width 3.3 (0.4) cm, TAPSE 2.4 (0.35) cm, atrial volume indices, aortic root diameters. Body
surface area is that of Mosteller (N Engl J Med 1987;317:1098). Mitral annular excursion and its fall with age follow
the HUNT study (Stoylen et al., Open Heart 2018;5:e000828). Where no published figure fits (positions, angles, chest),
the spread is our own.

All lengths are centimetres at end-diastole, angles degrees, in the heart frame of :mod:`echoplane.phantom.scene`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Body:
    """Who the patient is."""

    male: bool
    age: float
    height_cm: float
    weight_kg: float

    @property
    def surface_m2(self) -> float:
        """Body surface area after Mosteller, square metres."""
        return math.sqrt(self.height_cm * self.weight_kg / 3600.0)


@dataclass(frozen=True, slots=True)
class LeftVentricle:
    """Shape and work of the left ventricle.

    `ejection_fraction` and the volumes count papillary muscles and trabeculae as cavity, as echo readers do.
    """

    length: float  # mitral plane to endocardial apex
    radius: float  # largest endocardial radius
    wall: float  # mean thickness at the middle
    wall_apex: float
    septal_excess: float  # extra thickness of the basal and middle septum, as a share of `wall`
    base_drop: float  # how much narrower the base is: radius^2 falls by this share
    bend: tuple[float, float]  # how far the long axis bows to x and y at its middle
    oval: tuple[float, float]  # share of the radius that goes with cos and sin of twice the angle
    ejection_fraction: float
    mapse: float  # systolic descent of the mitral annulus
    twist_deg: float
    trabeculae: float  # height of the apical trabeculae
    papillary_deg: tuple[float, float]  # anterolateral, posteromedial
    papillary_radius: float
    flat_septum: float = 0.0  # 0 round, 1 flat: how far the right ventricle presses the septum in
    bounce: float = 0.0  # septal motion to the left in early systole (bundle branch block, pressure load)
    infarct_deg: float = 0.0
    infarct_level: float = 0.5  # share of the length from the base
    infarct_size_deg: float = 60.0
    infarct_depth: float = 0.0  # 0 none, 1 akinetic, above 1 dyskinetic


@dataclass(frozen=True, slots=True)
class RightVentricle:
    """Shape and work of the right ventricle."""

    width: float  # septum to free wall at the base, as in a four-chamber view
    reach: float  # where it ends, as a share of the left ventricle's length
    wall: float
    facing_deg: float  # direction of its widest part at the base
    tapse: float
    squeeze: float  # share by which the free wall comes nearer to the septum
    outflow: float  # radius of the outflow tract
    trabeculae: float
    moderator_level: float  # where the moderator band crosses, as a share of the left ventricle's length


@dataclass(frozen=True, slots=True)
class Atrium:
    """An atrium after its contraction (its smallest): an ellipsoid with lobes."""

    half_width: float  # septum to lateral wall
    half_depth: float  # front to back
    half_length: float  # along the heart's axis
    swell: float  # ratio of its widths at end-systole and end-diastole


@dataclass(frozen=True, slots=True)
class Vessels:
    """Radii of the great vessels."""

    aortic_annulus: float
    sinus: float
    junction: float
    ascending: float
    descending: float
    aortic_tilt_deg: float  # between the root and the long axis of the left ventricle
    pulmonary: float
    cava: float


@dataclass(frozen=True, slots=True)
class Valves:
    """Rings and leaflets; calcium and excess motion where ill."""

    mitral_depth: float  # half of the annulus, front to back
    mitral_width: float  # half of the annulus, commissure to commissure
    mitral_deg: float  # direction from the posterior to the anterior leaflet
    tricuspid: float  # radius of the annulus
    thickness: float  # of a mitral leaflet
    cusp_deg: float  # turn of the aortic cusps
    prolapse: float = 0.0  # how far the mitral leaflets bulge into the atrium in systole
    mitral_calcium: float = 0.0  # 0 to 1
    aortic_calcium: float = 0.0  # 0 to 1: thick cusps that open less
    sclerosis: float = 0.0  # 0 to 1: bright thick leaflet tips


@dataclass(frozen=True, slots=True)
class Thorax:
    """What lies around the heart."""

    wall_cm: float  # skin to pericardium
    window_cm: float  # radius of the lung-free passage between probe and heart
    fat_cm: float  # epicardial fat
    effusion_cm: float  # pericardial fluid, largest depth
    diaphragm_cm: float  # below the heart's centre, along the body
    rib_gap_cm: float  # half of an intercostal space
    roll_deg: float  # the heart's turn in the chest against the average


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How the heart beats."""

    rate: float  # beats a minute
    scatter: float  # relative standard deviation from beat to beat
    atrial_share: float  # share of filling that the atrial kick brings; 0 in fibrillation
    ectopic: float  # chance that a beat comes early
    breaths: float  # a minute


@dataclass(frozen=True, slots=True)
class Patient:
    """Everything about one heart and its chest that does not change from recording to recording."""

    seed: int
    disease: str
    body: Body
    lv: LeftVentricle
    rv: RightVentricle
    la: Atrium
    ra: Atrium
    vessels: Vessels
    valves: Valves
    thorax: Thorax
    rhythm: Rhythm


#: Volume of the modelled left ventricle is this times pi * radius^2 * length (see `heart.ventricles`).
WIDEST = 0.30


def cavity_share(base_drop: float) -> float:
    """Volume of the left ventricle over that of the cylinder around it, for round cross-sections."""
    return (1 - WIDEST) * 2 / 3 + WIDEST * (1 - base_drop / 3)


def _clipped(rng: np.random.Generator, mean: float, sd: float, reach: float = 2.2) -> float:
    return float(mean + sd * np.clip(rng.normal(), -reach, reach))


def _draw_body(rng: np.random.Generator) -> Body:
    male = bool(rng.random() < 0.55)
    height = _clipped(rng, 176 if male else 163, 7)
    index = float(np.exp(np.clip(rng.normal(math.log(26), 0.17), math.log(17), math.log(42))))
    age = float(np.clip(rng.normal(56, 17), 18, 94))
    return Body(male, round(age), round(height), round(index * (height / 100) ** 2))


def _draw_left_ventricle(body: Body, rng: np.random.Generator) -> LeftVentricle:
    volume = body.surface_m2 * _clipped(rng, 54 if body.male else 45, 9)
    ratio = _clipped(rng, 0.268, 0.018)
    drop = float(rng.uniform(0.22, 0.36))
    length = (volume / (cavity_share(drop) * math.pi * ratio**2)) ** (1 / 3)
    wall = _clipped(rng, 0.92 if body.male else 0.83, 0.09) * (1 + 0.002 * (body.age - 50))
    fraction = _clipped(rng, 0.62 if body.male else 0.64, 0.05)
    return LeftVentricle(
        length=length,
        radius=ratio * length,
        wall=wall,
        wall_apex=wall * float(rng.uniform(0.5, 0.75)),
        septal_excess=max(0.0, _clipped(rng, 0.08, 0.08)),
        base_drop=drop,
        bend=(_clipped(rng, 0.0, 0.12), _clipped(rng, 0.08, 0.12)),
        oval=(_clipped(rng, 0.0, 0.02), _clipped(rng, 0.0, 0.02)),
        ejection_fraction=fraction,
        mapse=_clipped(rng, 1.55, 0.15) * (1 - 0.004 * (body.age - 50)) * fraction / 0.62,
        twist_deg=_clipped(rng, 14, 4),
        trabeculae=float(rng.uniform(0.08, 0.35)),
        papillary_deg=(_clipped(rng, 10, 8), _clipped(rng, 252, 8)),
        papillary_radius=_clipped(rng, 0.62, 0.08),
    )


def _draw_right_ventricle(body: Body, rng: np.random.Generator) -> RightVentricle:
    scale = math.sqrt(body.surface_m2 / 1.85)
    return RightVentricle(
        width=_clipped(rng, 3.75, 0.38) * scale,
        reach=_clipped(rng, 0.88, 0.05),
        wall=_clipped(rng, 0.38, 0.06),
        facing_deg=_clipped(rng, 202, 5),
        tapse=_clipped(rng, 2.3, 0.3),
        squeeze=_clipped(rng, 0.40, 0.06),
        outflow=_clipped(rng, 1.4, 0.13) * scale,
        trabeculae=float(rng.uniform(0.25, 0.55)),
        moderator_level=_clipped(rng, 0.56, 0.06),
    )


def _draw_atria(body: Body, rng: np.random.Generator) -> tuple[Atrium, Atrium]:
    scale = (body.surface_m2 / 1.85) ** (1 / 3) * _clipped(rng, 1.0, 0.06)
    shape = [_clipped(rng, 1.0, 0.05) for _ in range(6)]
    left = Atrium(2.1 * scale * shape[0], 1.75 * scale * shape[1], 2.0 * scale * shape[2], _clipped(rng, 1.22, 0.04))
    right = Atrium(1.95 * scale * shape[3], 2.0 * scale * shape[4], 2.05 * scale * shape[5], _clipped(rng, 1.18, 0.04))
    return left, right


def _draw_vessels(body: Body, rng: np.random.Generator) -> Vessels:
    scale = (1.0 if body.male else 0.9) * (1 + 0.002 * (body.age - 50))
    return Vessels(
        aortic_annulus=_clipped(rng, 1.18, 0.08) * scale,
        sinus=_clipped(rng, 1.68, 0.14) * scale,
        junction=_clipped(rng, 1.42, 0.12) * scale,
        ascending=_clipped(rng, 1.55, 0.15) * scale,
        descending=_clipped(rng, 1.15, 0.1) * scale,
        aortic_tilt_deg=_clipped(rng, 27, 6),
        pulmonary=_clipped(rng, 1.12, 0.1),
        cava=_clipped(rng, 0.85, 0.15),
    )


def _draw_valves(lv: LeftVentricle, rv: RightVentricle, rng: np.random.Generator) -> Valves:
    return Valves(
        mitral_depth=lv.radius * _clipped(rng, 0.61, 0.03),
        mitral_width=lv.radius * _clipped(rng, 0.79, 0.03),
        mitral_deg=_clipped(rng, 150, 5),
        tricuspid=rv.width * _clipped(rng, 0.43, 0.02),
        thickness=_clipped(rng, 0.17, 0.03),
        cusp_deg=_clipped(rng, 0, 10),
        sclerosis=float(max(0.0, rng.normal(0.0, 0.3))),
    )


def _draw_thorax(body: Body, rng: np.random.Generator) -> Thorax:
    index = body.weight_kg / (body.height_cm / 100) ** 2
    return Thorax(
        wall_cm=float(np.clip(_clipped(rng, 1.7, 0.35) + 0.06 * (index - 25), 0.9, 4.0)),
        window_cm=_clipped(rng, 3.6, 0.6),
        fat_cm=float(np.clip(_clipped(rng, 0.25, 0.12) + 0.02 * (index - 25), 0.05, 0.8)),
        effusion_cm=0.0,
        diaphragm_cm=_clipped(rng, 4.6, 0.5),
        rib_gap_cm=_clipped(rng, 1.35, 0.2),
        roll_deg=_clipped(rng, 0, 8),
    )


def _draw_rhythm(body: Body, rng: np.random.Generator) -> Rhythm:
    return Rhythm(
        rate=float(np.clip(rng.normal(69, 12), 44, 125)),
        scatter=float(rng.uniform(0.01, 0.05)),
        atrial_share=float(np.clip(0.18 + 0.005 * (body.age - 30) + rng.normal(0, 0.05), 0.1, 0.55)),
        ectopic=0.0,
        breaths=_clipped(rng, 14, 3),
    )


def draw_patient(seed: int, disease: str | None = None) -> Patient:
    """Draw a patient. The same seed and disease give the same patient, on every machine.

    Parameters
    ----------
    seed : int
        Any whole number from 0.
    disease : str, optional
        A name of :data:`echoplane.phantom.disease.DISEASES`, or ``"none"``. By default one is drawn: about six
        in ten patients are healthy.

    Raises
    ------
    UsageError
        When the disease is not known; the message names the nearest one.
    """
    from echoplane.phantom.disease import afflict, draw_disease

    rng = np.random.default_rng([seed, 1])
    body = _draw_body(rng)
    lv, rv = _draw_left_ventricle(body, rng), _draw_right_ventricle(body, rng)
    la, ra = _draw_atria(body, rng)
    healthy = Patient(
        seed=seed,
        disease="none",
        body=body,
        lv=lv,
        rv=replace(rv, tapse=min(rv.tapse, 0.3 * lv.length)),
        la=la,
        ra=ra,
        vessels=_draw_vessels(body, rng),
        valves=_draw_valves(lv, rv, rng),
        thorax=_draw_thorax(body, rng),
        rhythm=_draw_rhythm(body, rng),
    )
    name = draw_disease(rng) if disease is None else disease
    return afflict(healthy, name, rng)
