"""What a DICOM file shows, from its header: regions first, then ImageType, then the SOP class.

A region is the scanner's own word about pixels, so it weighs most. Without regions, value 4 of ImageType (PS3.3
C.8.5.6.1.1) codes the mode as a sum of bits; without that only the SOP class and the number of frames are left.
"""

from __future__ import annotations

from collections.abc import Iterable

from echoplane.records import CineKind
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.regions import is_empty

_SOP = "1.2.840.10008.5.1.4.1.1."
_VOLUME_CLASSES = frozenset({_SOP + "6.2"})
_ULTRASOUND_CLASSES = frozenset({_SOP + "6", _SOP + "6.1", _SOP + "3", _SOP + "3.1"})
_CAPTURE_CLASSES = frozenset({_SOP + "7", _SOP + "7.1", _SOP + "7.2", _SOP + "7.3", _SOP + "7.4"})

#: Modalities that are named in a note; others are not, for the element might hold anything.
_MODALITIES = frozenset(
    [
        "CR",
        "CT",
        "DX",
        "ECG",
        "ES",
        "IVOCT",
        "MG",
        "MR",
        "NM",
        "OPT",
        "OT",
        "PT",
        "RF",
        "RTDOSE",
        "RTIMAGE",
        "SC",
        "SEG",
        "SM",
        "XA",
        "XC",
    ]
)

# RegionSpatialFormat and RegionDataType, PS3.3 C.8.5.5.1.1 and C.8.5.5.1.2
_FORMAT_2D, _FORMAT_M, _FORMAT_SPECTRAL = 1, 2, 3
_TISSUE, _FLOW, _PW, _CW = 1, 2, 3, 4

# Bits of ImageType value 4
_BIT_2D, _BIT_M, _BIT_CW, _BIT_PW, _BIT_COLOR, _BIT_COLOR_M, _BIT_3D, _BIT_POWER = (
    *(0x0001, 0x0002, 0x0004, 0x0008),
    *(0x0010, 0x0020, 0x0040, 0x0100),
)


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
    sop = header.sop_class
    if sop in _VOLUME_CLASSES:
        return CineKind.VOLUME, True, ()
    kind, sure = _from_regions(_stated(header)), True
    if kind is None:
        kind = _from_image_type(header)
    if kind is None:
        kind, sure = _from_class(header, sop), False
    if kind is CineKind.B_MODE and header.integer("UltrasoundColorDataPresent") == 1:
        # Set by some scanners for tinted B-mode too, so it opens the question and does not answer it.
        sure = False
    if kind is CineKind.B_MODE and n_frames == 1:
        kind = CineKind.STILL
    if kind is not CineKind.UNKNOWN:
        return kind, sure, ()
    modality = header.text("Modality")
    if modality:
        return kind, sure, (f"The modality is {modality if modality in _MODALITIES else 'another one'}, not US.",)
    return kind, sure, ("No modality is given.",)


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


def _from_image_type(header: Header) -> CineKind | None:
    values = header.texts("ImageType")
    # Value 4 means the mode in ultrasound only.
    if len(values) < 4 or header.text("Modality") in _MODALITIES:
        return None
    try:
        bits = int(values[3], 16)
    except ValueError:
        return None
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
    if sop in _ULTRASOUND_CLASSES or header.text("Modality") in ("US", "IVUS"):
        return CineKind.B_MODE
    return CineKind.UNKNOWN
