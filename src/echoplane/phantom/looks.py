"""What the machine and the body's window do to a picture: named numbers, drawn from named distributions.

Every clip's look is four frozen records, each drawn from its own stream of random numbers, so that one group can be
switched off (its record then holds the defaults) without a change in the others::

    Acoustics   the sound and the body it passes: resolution, losses, clutter, haze, dropout
    Scanner     what the machine makes of the echoes: gain, dynamic range, grey map, persistence, sharpening
    Shape       the fan: kind, width, depth, steer
    Screen      (in ``screen.py``) the picture around it, and its compression

The distributions are wider than those of any one clinic on purpose: a network that has seen worse is not surprised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from echoplane.records import SectorKind
from echoplane.views import Family, family_of

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Dropout:
    """A wedge of beams that comes back weak: a rib, lung, lost contact.

    Attributes
    ----------
    centre, width : float
        In units of the fan's half angle, centre in [-1, 1].
    from_cm : float
        Depth at which it begins.
    loss_db : float
        How much is lost in the middle of the wedge.
    """

    centre: float
    width: float
    from_cm: float
    loss_db: float


@dataclass(frozen=True, slots=True)
class Acoustics:
    """The sound and the body it passes. The defaults are a good window on a good machine.

    Attributes
    ----------
    axial_cm : float
        Standard deviation of the pulse's envelope.
    beam_rad : float
        Standard deviation of the two-way beam at its focus, as an angle.
    focus_cm, focal_range_cm : float
        Where the beam is narrowest; distance over which it grows by half again.
    elevation_cm : float
        Standard deviation of the slice thickness at the focus.
    life_cm : float
        How far tissue moves out of the plane before its speckle is another one.
    blood_db : float
        Added to the blood's strength.
    swirl : float
        How fast the blood's speckle moves and decorrelates, cells a second.
    tissue_spread : float
        Scales the tissues' own strength spreads, 0 switches them off.
    texture_db : float
        Slow variation of strength inside a tissue.
    specular_db : float
        Strength of boundary echoes at normal incidence, relative to myocardium.
    specular_power : float
        Fall-off with the angle: echo proportional to cos(angle) to this power.
    tail_db, tail_cm : float
        Reverberation behind strong reflectors such as the lung: level, and length over which it fades by 1/e.
    loss_scale : float
        Scales the tissues' attenuation differences.
    tgc_db : tuple of float
        Error of the time gain at the face, the middle and the bottom.
    edge_loss_db : float
        Loss at the fan's edges, growing with the square of the angle.
    patch_db : float
        Standard deviation of a smooth gain field over the fan: windows are never even.
    dropouts : tuple of Dropout
    wall_cm : float
        Thickness of the layered chest wall under the probe.
    wall_db : float
        Its strength.
    near_db, near_cm : float
        Near-field clutter at the face and the depth over which it fades by 1/e.
    reverberation_db : float
        Strength of the echo of the near layers seen again at twice their depth.
    side_lobe_db, side_lobe_width : float
        Level of the side lobes of bright reflectors; their reach in units of the half angle.
    haze_db : float
        Level of the haze (multi-path clutter) at its thickest.
    haze_centre, haze_width : float
        Where it lies across the fan, in units of the half angle.
    haze_from, haze_to : float
        Where it lies along the beam, shares of the depth.
    noise_db, noise_rise_db : float
        Electronic noise at the face and its rise to the bottom.
    """

    axial_cm: float = 0.035
    beam_rad: float = 0.013
    focus_cm: float = 8.0
    focal_range_cm: float = 6.0
    elevation_cm: float = 0.15
    life_cm: float = 0.25
    blood_db: float = 0.0
    swirl: float = 6.0
    tissue_spread: float = 0.0
    texture_db: float = 1.5
    specular_db: float = 8.0
    specular_power: float = 3.0
    tail_db: float = 14.0
    tail_cm: float = 1.0
    loss_scale: float = 1.0
    tgc_db: tuple[float, float, float] = (0.0, 0.0, 0.0)
    edge_loss_db: float = 3.0
    patch_db: float = 2.0
    dropouts: tuple[Dropout, ...] = ()
    wall_cm: float = 1.5
    wall_db: float = 0.0
    near_db: float = -6.0
    near_cm: float = 0.8
    reverberation_db: float = -30.0
    side_lobe_db: float = -38.0
    side_lobe_width: float = 0.4
    haze_db: float = -40.0
    haze_centre: float = 0.0
    haze_width: float = 2.0
    haze_from: float = 0.0
    haze_to: float = 1.0
    noise_db: float = -60.0
    noise_rise_db: float = 18.0


@dataclass(frozen=True, slots=True)
class Scanner:
    """What the machine makes of the echoes.

    Attributes
    ----------
    level : float
        Gain: the grey (0 black, 1 white) at which the brightest tenth of the picture begins. Whoever holds the
        probe turns the gain until the picture can be seen, so it is the picture, not the echo, that is drawn.
    range_db : float
        Dynamic range.
    gamma, contrast : float
        Grey map: power, then how much of an S-curve is mixed in, 0 to 1.
    reject : float
        Share of the range that is cut to black at the bottom.
    compound : int
        Looks averaged per frame (1 leaves full speckle).
    smooth : float
        Speckle reduction: share of an edge-keeping smoothed picture.
    persistence : float
        Share of the last frame kept, 0 to 0.7.
    sharpen : float
        Weight of the unsharp mask.
    beams, samples : int
        Of the polar picture.
    blur_px : float
        Softness of the display, standard deviation as a share of the picture's height times 1000.
    """

    level: float = 0.57
    range_db: float = 55.0
    gamma: float = 1.0
    contrast: float = 0.3
    reject: float = 0.0
    compound: int = 1
    smooth: float = 0.0
    persistence: float = 0.2
    sharpen: float = 0.3
    beams: int = 112
    samples: int = 208
    blur_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The fan, in terms a sonographer sets.

    Attributes
    ----------
    kind : SectorKind
    width : float
        Full angle, radians.
    steer : float
        The fan's middle, radians from the probe's axis.
    depth_cm : float
    face_cm : float
        As in :class:`echoplane.phantom.fan.Fan`.
    mirrored : bool
        The left-right convention is the other one.
    """

    kind: SectorKind = SectorKind.PHASED
    width: float = math.radians(80)
    steer: float = 0.0
    depth_cm: float = 16.0
    face_cm: float = 0.0
    mirrored: bool = False


def draw_acoustics(rng: Rng) -> Acoustics:
    """Draw a body and its window.

    One hidden number, the quality of the window in [0, 1], moves haze, noise, dropout and resolution together, as they
    move in patients.
    """
    poor = float(rng.beta(1.4, 2.2))
    coarse = float(rng.beta(1.3, 2.0))

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    return Acoustics(
        axial_cm=0.02 * 3.0 ** between(0, 1) * (1 + coarse),
        beam_rad=0.006 * (1 + 2.0 * coarse) * between(0.85, 1.25),
        focus_cm=between(5, 12),
        focal_range_cm=between(3.5, 9),
        elevation_cm=between(0.06, 0.25),
        life_cm=between(0.08, 0.35),
        blood_db=between(-6, 6) + 4 * poor,
        swirl=between(2, 12),
        tissue_spread=between(0.5, 1.5),
        texture_db=between(0.5, 3.5),
        specular_db=between(4, 20),
        specular_power=between(1.5, 6),
        tail_db=between(0, 26),
        tail_cm=between(0.4, 2.2),
        loss_scale=between(0.3, 1.8),
        tgc_db=(float(rng.normal(-1, 4)), float(rng.normal(0, 2)), float(rng.normal(2, 6))),
        edge_loss_db=between(0, 10) * (0.5 + poor),
        patch_db=between(0, 8),
        dropouts=_draw_dropouts(rng, poor),
        wall_cm=between(0.6, 3.0),
        wall_db=between(-12, 5),
        near_db=between(-22, 6) + 6 * poor,
        near_cm=between(0.3, 1.6),
        reverberation_db=between(-45, -14) + 5 * poor,
        side_lobe_db=between(-54, -34) + 6 * poor,
        side_lobe_width=between(0.2, 0.7),
        haze_db=between(-56, -34) + 26 * poor**1.8,
        haze_centre=between(-0.9, 0.9),
        haze_width=between(0.3, 2.0),
        haze_from=between(-0.2, 0.5),
        haze_to=between(0.4, 1.3),
        noise_db=between(-75, -50) + 6 * poor,
        noise_rise_db=between(5, 34) + 6 * poor,
    )


def _draw_dropouts(rng: Rng, poor: float) -> tuple[Dropout, ...]:
    found = []
    for _ in range(int(rng.poisson(0.4 + 2.2 * poor))):
        # More often towards the edges of the fan, where ribs and lung come in.
        side = rng.choice((-1.0, 1.0))
        found.append(
            Dropout(
                centre=float(side * rng.beta(2.0, 1.2)),
                width=float(rng.uniform(0.06, 0.45)),
                from_cm=float(rng.uniform(0.0, 6.0) * (rng.random() < 0.5)),
                loss_db=float(rng.uniform(5, 28)),
            )
        )
    return tuple(found)


def draw_scanner(rng: Rng) -> Scanner:
    """Draw a machine and its settings."""
    smooth_machine = rng.random() < 0.5
    return Scanner(
        level=float(np.clip(rng.normal(0.59, 0.15), 0.2, 0.98)),
        range_db=float(rng.uniform(30, 72)),
        gamma=float(np.exp(rng.normal(0.2, 0.3))),
        contrast=float(rng.uniform(0, 0.8)),
        reject=float(rng.uniform(0, 0.2) * (rng.random() < 0.6)),
        compound=int(rng.choice((1, 1, 2, 3))),
        smooth=float(rng.uniform(0.4, 1.0) if smooth_machine else rng.uniform(0, 0.3) * (rng.random() < 0.5)),
        persistence=float(rng.uniform(0, 0.6)),
        sharpen=float(rng.uniform(0, 1.2) * (rng.random() < 0.7)),
        beams=int(rng.integers(80, 129)),
        samples=int(rng.integers(160, 257)),
        blur_px=float(rng.exponential(4.0) * (rng.random() < 0.8)),
    )


#: Depth of the picture by family: at least this times the depth of what must be seen, at most that times the depth of
#: the heart's far end. Sonographers set the depth by what they see.
DEPTHS: dict[Family, tuple[float, float]] = {
    Family.APICAL: (1.08, 1.25),
    Family.SHORT_AXIS: (0.95, 1.4),
    Family.LONG_AXIS: (1.0, 1.6),
    Family.SUBCOSTAL: (0.9, 1.4),
    Family.SUPRASTERNAL: (0.9, 1.6),
    Family.NONE: (0.7, 1.4),
}


def draw_shape(rng: Rng, view: str, seen_cm: float = 10.0, heart_cm: float = 14.0) -> Shape:
    """Draw a fan that suits a view.

    Parameters
    ----------
    rng : Rng
    view : str
    seen_cm : float
        Depth of the far end of what the view is about: the left ventricle with its valve, for apical views.
    heart_cm : float
        Depth of the far end of the left heart below the probe.
    """
    low, high = DEPTHS[family_of(view)]
    low, high = low * seen_cm, max(high * heart_cm, 1.1 * low * seen_cm)
    width = math.radians(float(np.clip(rng.normal(80, 11), 55, 110)))
    style = rng.random()
    if style < 0.68:
        kind, face = SectorKind.PHASED, float(rng.uniform(0.0, 0.9) * (rng.random() < 0.5))
    elif style < 0.88:  # virtual convex and truncated apex
        kind, face = SectorKind.CURVED, float(rng.uniform(0.9, 3.0))
    else:  # a curved abdominal probe
        kind, face = SectorKind.CURVED, float(rng.uniform(3.5, 6.0))
        width = math.radians(float(rng.uniform(50, 75)))
    return Shape(
        kind=kind,
        width=width,
        steer=float(rng.normal(0, math.radians(4)) * (rng.random() < 0.3)),
        depth_cm=float(np.clip(rng.uniform(low, high), 6.0, 26.0)),
        face_cm=face,
        mirrored=bool(rng.random() < 0.04),
    )
