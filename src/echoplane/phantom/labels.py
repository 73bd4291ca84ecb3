"""What a point of the phantom is made of, and what a plane through the phantom shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from echoplane.records import FloatArray, UInt8Array


class Tissue(IntEnum):
    """Label of a point. The numbers are stored in label maps: append, never renumber."""

    OUTSIDE = 0  # chest wall, mediastinal soft tissue
    BLOOD_LV = 1
    BLOOD_RV = 2
    BLOOD_LA = 3
    BLOOD_RA = 4
    BLOOD_AO = 5  # aortic root, ascending aorta, arch
    BLOOD_PA = 6
    BLOOD_DAO = 7  # descending aorta
    BLOOD_OTHER = 8  # caval and pulmonary veins, coronary sinus, hepatic veins
    MYO_LV = 9  # septum included
    MYO_RV = 10
    WALL_ATRIA = 11  # interatrial septum included
    WALL_VESSEL = 12  # aorta, pulmonary artery, large veins
    PAPILLARY = 13
    CHORDAE = 14
    TRABECULA = 15  # moderator band included
    LEAFLET_MITRAL = 16
    CUSP_AORTIC = 17
    LEAFLET_TRICUSPID = 18
    CUSP_PULMONARY = 19
    ANNULUS = 20  # fibrous rings and skeleton
    PERICARDIUM = 21
    EFFUSION = 22
    FAT = 23
    LUNG = 24
    LIVER = 25
    RIB = 26
    CALCIUM = 27


BLOOD = frozenset(
    {
        Tissue.BLOOD_LV,
        Tissue.BLOOD_RV,
        Tissue.BLOOD_LA,
        Tissue.BLOOD_RA,
        Tissue.BLOOD_AO,
        Tissue.BLOOD_PA,
        Tissue.BLOOD_DAO,
        Tissue.BLOOD_OTHER,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """What a plane shows at one instant.

    Attributes
    ----------
    label : uint8 array, (B, D)
        :class:`Tissue` of each point.
    material : float32 array, (B, D, 3)
        Centimetres. Coordinates that move with the tissue: the place of the same piece of tissue at end-diastole.
        In blood, coordinates that are carried and stirred by the flow.
    distance : float32 array, (B, D)
        Approximate distance to the nearest boundary between tissues, centimetres, not negative.
    """

    label: UInt8Array
    material: FloatArray
    distance: FloatArray

    def __post_init__(self) -> None:
        assert self.label.dtype == np.uint8
        assert self.material.shape == (*self.label.shape, 3)
        assert self.distance.shape == self.label.shape
