"""Phantom clips as DICOM: Ultrasound (Multi-frame) Image Storage with JPEG baseline frames (PS3.3 A.6, A.7)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, JPEGBaseline8Bit

from echoplane._files import atomic_write
from echoplane.phantom.arrays import u8
from echoplane.phantom.clip import PhantomCine
from echoplane.phantom.pages import SWEEP_S, strip_top
from echoplane.records import UInt8Array
from echoplane.views import view

MULTI_FRAME = UID("1.2.840.10008.5.1.4.1.1.3.1")
SINGLE_FRAME = UID("1.2.840.10008.5.1.4.1.1.6.1")
MAKER = "echoplane phantom"
#: Value 4 of ImageType (PS3.3 C.8.5.6.1.1) and RegionSpatialFormat, RegionDataType (C.8.5.5.1), by content.
_MODES = {
    "colour": ("0011", 1, 2),
    "spectral": ("0008", 3, 3),
    "m-mode": ("0002", 2, 1),
}
_B_MODE = ("0001", 1, 1)
_CENTIMETRES, _SECONDS, _CM_PER_S = 3, 4, 7
TOP_CM_PER_S = 100.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a study a clip belongs.

    Attributes
    ----------
    study : str
        Any text; studies of the same text are the same study.
    patient : str
        Patient identifier, invented.
    number : int
        Instance number, from 1.
    sex : str
        ``"M"``, ``"F"`` or ``""``.
    """

    study: str
    patient: str
    number: int
    sex: str = ""

    def uid(self, *what: str) -> str:
        """Return an identifier that depends on the texts alone (PS3.5 B.2: 2.25 and a UUID as a number)."""
        digest = hashlib.sha256("/".join(("echoplane", self.study, *what)).encode()).digest()
        return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def write_dicom(
    cine: PhantomCine, path: str | Path, place: Place, *, view_codes: bool = False, quality: int = 90
) -> None:
    """Write one clip.

    Parameters
    ----------
    cine : PhantomCine
        One frame makes a still (Ultrasound Image Storage).
    path : str or Path
    place : Place
    view_codes : bool
        Write ViewCodeSequence (CID 12226) too. Left out by default: whoever is to find the view must not read it.
    quality : int
        JPEG quality, 1 to 100.
    """
    dataset = _dataset(cine, place, quality)
    row = view(cine.view)
    if view_codes and row.code is not None:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = row.code
        dataset.ViewCodeSequence = [code]
    # In memory first: pydicom wraps a full disk into an error of many lines.
    data = io.BytesIO()
    dataset.save_as(data, enforce_file_format=True)
    with atomic_write(path, "wb") as stream:
        stream.write(data.getbuffer())


def has_view_code(path: Path) -> bool | None:
    """Tell whether a file that :func:`write_dicom` wrote says its view; None where it is damaged."""
    try:
        return "ViewCodeSequence" in dcmread(path, stop_before_pixels=True, specific_tags=["ViewCodeSequence"])
    except (InvalidDicomError, EOFError):
        return None


def _dataset(cine: PhantomCine, place: Place, quality: int) -> Dataset:
    frames, height, width = cine.frames.shape[:3]
    still = frames == 1
    ds = Dataset()
    ds.SOPClassUID = SINGLE_FRAME if still else MULTI_FRAME
    encoded = [_jpeg(frame, quality) for frame in cine.frames]
    # By what is in it: the same seed gives other pictures of another view, size or disease, which are other instances.
    ds.SOPInstanceUID = place.uid("instance", str(place.number), hashlib.sha256(b"".join(encoded)).hexdigest())
    _add_patient_and_study(ds, place)
    mode = _MODES.get(cine.recording.content, _B_MODE)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "TTE", mode[0]]
    ds.InstanceNumber = place.number
    ds.ContentDate, ds.ContentTime = ds.StudyDate, ds.StudyTime
    ds.ImageComments = "Synthetic phantom; no patient was scanned."
    ds.BurnedInAnnotation = "YES" if cine.recording.screen.furniture else "NO"
    ds.UltrasoundColorDataPresent = int(cine.recording.content == "colour")
    if not still:
        ds.NumberOfFrames = frames
        ds.FrameTime = f"{1000 / cine.fps:.3f}"
        ds.FrameIncrementPointer = 0x00181063
        ds.CineRate = ds.RecommendedDisplayFrameRate = max(1, round(cine.fps))
    ds.SequenceOfUltrasoundRegions = _regions(cine, mode[1], mode[2])
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_FULL_422", 0
    ds.Rows, ds.Columns = height, width
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
    ds.LossyImageCompressionRatio = f"{frames * height * width * 3 / sum(map(len, encoded)):.2f}"
    ds.PixelData = encapsulate(encoded)
    ds["PixelData"].VR = "OB"
    ds.file_meta = _meta(ds)
    return ds


def _meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    return meta


def _add_patient_and_study(ds: Dataset, place: Place) -> None:
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID = "Phantom^Heart", place.patient
    ds.PatientBirthDate, ds.PatientSex = "", place.sex
    ds.StudyInstanceUID, ds.SeriesInstanceUID = place.uid("study"), place.uid("series")
    # A date that no archive holds real studies of.
    ds.StudyDate, ds.StudyTime = "19000101", "120000"
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "1", "", ""
    ds.Modality, ds.SeriesNumber = "US", 1
    ds.BodyPartExamined = "HEART"  # one that is not paired: else Laterality would be required
    ds.Manufacturer, ds.ManufacturerModelName = MAKER, "phantom"
    ds.PatientOrientation = ""


def _regions(cine: PhantomCine, spatial_format: int, data_type: int) -> list[Dataset]:
    framing = cine.recording.framing
    height, width = cine.frames.shape[1:3]
    if spatial_format == 1:
        pitch = 1 / framing.pixels_per_cm
        box = cine.sector.box
        regions = [_region(box, 1, 1, _CENTIMETRES, _CENTIMETRES, (pitch, pitch))]
        if data_type != 1:
            regions.append(_region(box, 1, data_type, _CENTIMETRES, _CENTIMETRES, (pitch, pitch)))
        return regions
    top = strip_top(cine.recording)
    # An M-mode strip shows the fan's depth; spectra have no scale of their own, and are given one of 1 m/s each way.
    vertical, span = (
        (_CENTIMETRES, cine.recording.fan.depth_cm) if spatial_format == 2 else (_CM_PER_S, 2 * TOP_CM_PER_S)
    )
    step = SWEEP_S / width, span / (height - top)
    return [_region((0, top, width, height), spatial_format, data_type, _SECONDS, vertical, step)]


def _region(
    box: Sequence[int], spatial_format: int, data_type: int, x_unit: int, y_unit: int, step: tuple[float, float]
) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = spatial_format, data_type, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = int(box[0]), int(box[1])
    # The standard's maximum is the last pixel itself.
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = int(box[2]) - 1, int(box[3]) - 1
    item.PhysicalUnitsXDirection, item.PhysicalUnitsYDirection = x_unit, y_unit
    item.PhysicalDeltaX, item.PhysicalDeltaY = step
    return item


def _jpeg(frame: UInt8Array, quality: int) -> bytes:
    colour = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    options: list[int] = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    return bytes(u8(cv2.imencode(".jpg", colour, options)[1]))
