"""What a DICOM file shows, from its header: regions first, then ImageType, then the SOP class.

A region is the scanner's own word about pixels, so it weighs most. Without regions, value 4 of ImageType (PS3.3
C.8.5.6.1.1) codes the mode as a sum of bits; without that only the SOP class and the number of frames are left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from echoplane.records import CineKind
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.palette import IN_COLOUR
from echoplane.sources.dicom.regions import is_empty

_SOP = "1.2.840.10008.5.1.4.1.1."
_VOLUME_CLASSES = frozenset({_SOP + "6.2"})
_ULTRASOUND_CLASSES = frozenset({_SOP + "6", _SOP + "6.1", _SOP + "3", _SOP + "3.1"})
_CAPTURE_CLASSES = frozenset({_SOP + "7", _SOP + "7.1", _SOP + "7.2", _SOP + "7.3", _SOP + "7.4"})

#: The standard's terms for Modality (PS3.3 C.7.3.1.1.1, retired ones too) that are no ultrasound of the heart. Others
#: are named nowhere, for the element might hold anything.
_OTHER_MODALITIES = frozenset(
    [
        *("ANN", "AR", "AS", "ASMT", "AU", "BDUS", "BI", "BMD", "CF", "CFM", "CP", "CR", "CS", "CT"),
        *("CTPROTOCOL", "DF", "DG", "DM", "DMS", "DS", "DX", "ECG", "EEG", "EMG", "EOG", "EPS", "ES", "FA"),
        *("FID", "FS", "GM", "HC", "HD", "IO", "IOL", "IVOCT", "IVUS", "KER", "KO", "LEN", "LP", "LS", "M3D"),
        *("MA", "MG", "MR", "MS", "NM", "OAM", "OCT", "OP", "OPM", "OPR", "OPT", "OPTBSV", "OPTENF", "OPV"),
        *("OSS", "PA", "PLAN", "POS", "PR", "PT", "PX", "REG", "RESP", "RF", "RG", "RTDOSE", "RTIMAGE"),
        *("RTINTENT", "RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN", "RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR"),
        *("SRF", "ST", "STAIN", "TEXTUREMAP", "TG", "VA", "VF", "XA", "XAPROTOCOL"),
    ]
)
#: Ultrasound; EC, CD and DD (echocardiography, colour and duplex Doppler) are retired.
_ULTRASOUND = frozenset(["US", "EC", "CD", "DD"])
#: What frame grabbers and converters write; says nothing about the picture.
_VAGUE_MODALITIES = frozenset(["OT", "SC", "XC", "DOC"])
#: Catheters write ultrasound regions and classes too, but see the wall of a vessel.
_INSIDE_VESSELS = "IVUS"

# RegionSpatialFormat and RegionDataType, PS3.3 C.8.5.5.1.1 and C.8.5.5.1.2
_FORMAT_2D, _FORMAT_M, _FORMAT_SPECTRAL = 1, 2, 3
_TISSUE, _FLOW, _PW, _CW = 1, 2, 3, 4

# ImageType value 4: four hexadecimal digits, the sum of these bits and of two that tell no mode
_BIT_2D, _BIT_M, _BIT_CW, _BIT_PW, _BIT_COLOR, _BIT_COLOR_M, _BIT_3D, _BIT_POWER = (
    *(0x0001, 0x0002, 0x0004, 0x0008),
    *(0x0010, 0x0020, 0x0040, 0x0100),
)
_ALL_BITS = 0x077F
_FOUR_DIGITS = re.compile("[0-9A-F]{4}")


def read_kind(header: Header, n_frames: int) -> tuple[CineKind, bool, tuple[str, ...]]:
    """Tell what a file shows.

    Parameters
    ----------
    header : Header
    n_frames : int

    Returns
    -------
    kind : CineKind
    sure : bool
        False where the header leaves open whether colour Doppler is on, so that the pixels have to tell.
    notes : tuple of str
    """
    sop, modality = header.sop_class, modality_of(header)
    if modality == _INSIDE_VESSELS:
        return CineKind.OTHER_MODALITY, True, ()
    if sop in _VOLUME_CLASSES:
        return CineKind.VOLUME, True, ()
    bits = _mode_bits(header)
    regions = _from_regions(_stated(header))
    kind, sure = regions, True
    if kind is None:
        kind = _from_bits(bits)
    if kind is None:
        kind, sure = _from_class(header, sop), False
    if kind is CineKind.UNKNOWN and modality in _OTHER_MODALITIES:
        return CineKind.OTHER_MODALITY, True, ()
    if kind is CineKind.B_MODE:
        sure = sure and not _may_hold_colour(header, bits, said_twice=regions is kind and bool(bits & _BIT_2D))
        if n_frames == 1:
            kind = CineKind.STILL
    return kind, sure, _modality_notes(kind, header.text("Modality"), modality)


def modality_of(header: Header) -> str:
    """Return the modality where it is one of the standard's terms, else nothing: the element might hold anything."""
    modality = header.text("Modality")
    return modality if modality in _OTHER_MODALITIES | _VAGUE_MODALITIES | _ULTRASOUND else ""


def _may_hold_colour(header: Header, bits: int, said_twice: bool) -> bool:
    """Tell whether B-mode may have colour Doppler in it.

    UltrasoundColorDataPresent says that there is none; where it is missing (type 3), regions of tissue and the mode 2D
    without colour together do (`said_twice`), either alone does not. Some scanners set the element for tinted B-mode
    and coloured text too, so that it opens the question and does not answer it.
    """
    if header.text("PixelPresentation") in IN_COLOUR or bits & (_BIT_COLOR | _BIT_POWER):
        return True
    flag = header.integer("UltrasoundColorDataPresent")
    return not said_twice if flag is None else flag != 0


def _modality_notes(kind: CineKind, said: str, known: str) -> tuple[str, ...]:
    if kind is CineKind.UNKNOWN:
        return (f"The modality is {known or 'another one'}, not US." if said else "No modality is given.",)
    if known in _OTHER_MODALITIES and kind is not CineKind.SECONDARY_CAPTURE:
        return (f"The modality is {known}, but the rest of the header says ultrasound; taken as that.",)
    return ()


def _stated(header: Header) -> list[tuple[int, int]]:
    """Format and data type of each region; of misplaced ones too, since the mode is right where the place is not."""
    pairs = []
    items = header.items("SequenceOfUltrasoundRegions")
    # Beside others an empty one is a leftover, of no part of any picture.
    for item in [item for item in items if not is_empty(item)] or items:
        form, data = item.get("RegionSpatialFormat"), item.get("RegionDataType")
        pairs.append((form if isinstance(form, int) else 0, data if isinstance(data, int) else 0))
    return pairs


def _from_regions(pairs: Iterable[tuple[int, int]]) -> CineKind | None:
    pairs = list(pairs)
    if any(form == _FORMAT_SPECTRAL or data in (_PW, _CW) for form, data in pairs):
        return CineKind.SPECTRAL_DOPPLER
    if any(form == _FORMAT_M for form, _ in pairs):
        return CineKind.M_MODE
    if any(data == _FLOW for _, data in pairs):
        return CineKind.COLOR_DOPPLER
    if any(form == _FORMAT_2D and data == _TISSUE for form, data in pairs):
        return CineKind.B_MODE
    return None


def _mode_bits(header: Header) -> int:
    """Return value 4 of ImageType, 0 where it has none of the standard's form (PS3.3 C.8.5.6.1.1)."""
    values = header.texts("ImageType")
    # Value 4 means the mode in ultrasound only.
    if len(values) < 4 or header.text("Modality") in _OTHER_MODALITIES | _VAGUE_MODALITIES:
        return 0
    bits = int(values[3], 16) if _FOUR_DIGITS.fullmatch(values[3]) else 0
    return 0 if bits & ~_ALL_BITS else bits


def _from_bits(bits: int) -> CineKind | None:
    if bits & (_BIT_CW | _BIT_PW):
        return CineKind.SPECTRAL_DOPPLER
    if bits & (_BIT_M | _BIT_COLOR_M):
        return CineKind.M_MODE
    if bits & (_BIT_COLOR | _BIT_POWER):
        return CineKind.COLOR_DOPPLER
    if bits & _BIT_3D:
        return CineKind.VOLUME
    return CineKind.B_MODE if bits & _BIT_2D else None


def _from_class(header: Header, sop: str) -> CineKind:
    if sop in _CAPTURE_CLASSES:
        return CineKind.SECONDARY_CAPTURE
    if sop in _ULTRASOUND_CLASSES or header.text("Modality") in _ULTRASOUND:
        return CineKind.B_MODE
    return CineKind.UNKNOWN
