"""How each tissue looks to ultrasound: echo strength, attenuation, impedance.

Echo strengths are relative to healthy myocardium and follow the order that echo textbooks give (blood far below,
pericardium and valves above); attenuations are two-way at about 2.5 MHz, in dB a centimetre, relative to what the time
gain makes up for (blood hardly attenuates, so what lies behind a chamber is enhanced; bone, calcium and air cast
shadows). The impedances are not physical units: their steps set how bright a boundary shines when the beam hits it
square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echoplane.phantom.labels import BLOOD, Tissue
from echoplane.records import FloatArray


@dataclass(frozen=True, slots=True)
class Echo:
    """Acoustic properties of one tissue.

    Attributes
    ----------
    strength_db : float
        Scatter strength relative to myocardium.
    loss_db : float
        Attenuation, dB a centimetre of depth, relative to what the time gain makes up for; negative enhances.
    impedance : float
        Arbitrary unit; differences make specular echoes.
    spread_db : float
        Standard deviation of `strength_db` over patients and machines.
    fluid : bool
        Scatterers are not bound to a wall: they swirl, and their pattern does not last.
    """

    strength_db: float
    loss_db: float
    impedance: float
    spread_db: float = 2.0
    fluid: bool = False


_BLOOD = Echo(-36.0, -0.9, 0.0, spread_db=3.0, fluid=True)
_LEAFLET = Echo(6.0, 0.3, 2.2)

TABLE: dict[Tissue, Echo] = {
    **dict.fromkeys(BLOOD, _BLOOD),
    Tissue.OUTSIDE: Echo(1.0, 0.3, 1.2, spread_db=7.0),
    Tissue.MYO_LV: Echo(0.0, 0.0, 1.0),
    Tissue.MYO_RV: Echo(0.5, 0.0, 1.0),
    Tissue.WALL_ATRIA: Echo(2.0, 0.2, 1.3),
    Tissue.WALL_VESSEL: Echo(5.0, 0.4, 1.8),
    Tissue.PAPILLARY: Echo(1.5, 0.0, 1.1),
    Tissue.CHORDAE: Echo(2.0, 0.1, 1.5),
    Tissue.TRABECULA: Echo(1.0, 0.0, 1.1),
    Tissue.LEAFLET_MITRAL: _LEAFLET,
    Tissue.CUSP_AORTIC: _LEAFLET,
    Tissue.LEAFLET_TRICUSPID: _LEAFLET,
    Tissue.CUSP_PULMONARY: _LEAFLET,
    Tissue.ANNULUS: Echo(8.0, 0.6, 2.4),
    Tissue.PERICARDIUM: Echo(12.0, 0.6, 3.0, spread_db=3.0),
    Tissue.EFFUSION: Echo(-42.0, -0.9, 0.0, fluid=True),
    Tissue.FAT: Echo(3.0, 0.4, 1.2),
    # Lung scatters little by itself: what is seen in it are reverberations of its surface (`acoustics._tails`).
    Tissue.LUNG: Echo(0.0, 3.0, 4.0, spread_db=7.0),
    Tissue.LIVER: Echo(-1.0, 0.2, 1.1),
    Tissue.RIB: Echo(12.0, 14.0, 4.5),
    Tissue.CALCIUM: Echo(15.0, 9.0, 5.0),
}


def lookup(attribute: str) -> FloatArray:
    """Return one property as an array indexed by label, float32 (256,)."""
    table = np.zeros(256, np.float32)
    for tissue, echo in TABLE.items():
        table[tissue] = float(getattr(echo, attribute))
    return table
