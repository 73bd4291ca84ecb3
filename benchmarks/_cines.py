"""Files to measure on, made on the fly from the real A4C cine that pydicom ships."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from pydicom import examples
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

QUALITY = 90
FPS = 30.0


def a4c_frames(count: int, width: int, height: int) -> np.ndarray:
    """Return frames (T, H, W, 3) R, G, B of the real cine, enlarged and repeated."""
    frames = pixel_array(examples.get_path("ybr_color"))  # R, G, B, whatever the file holds
    large = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in frames]
    return np.stack([large[i % len(large)] for i in range(count)])


def write_jpeg_cine(path: Path, count: int = 60, width: int = 800, height: int = 600, *, regions: bool = True) -> Path:
    """Write a JPEG 4:2:2 multi-frame ultrasound DICOM file, with the region that scanners write, or without."""
    # Where the sector of that cine is.
    box = round(0.1 * width), round(0.03 * height), round(0.96 * width), round(0.87 * height)
    return write_frames(path, a4c_frames(count, width, height), FPS, box if regions else None)


def write_frames(path: Path, frames: np.ndarray, fps: float, box: tuple[int, int, int, int] | None) -> Path:
    """Write frames (T, H, W, 3) R, G, B as JPEG 4:2:2 ultrasound, with a 2D tissue region (x0, y0, x1, y1), or none."""
    setting = [
        cv2.IMWRITE_JPEG_QUALITY, QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    ]  # fmt: skip
    encoded = [cv2.imencode(".jpg", frame[..., ::-1], setting)[1].tobytes() for frame in frames]
    count, height, width = frames.shape[:3]
    dataset = _dataset(count, width, height, "YBR_FULL_422", JPEGBaseline8Bit)
    dataset.FrameTime = 1000 / fps
    if box:
        dataset.SequenceOfUltrasoundRegions = [_region(box, height)]
    dataset.PixelData = encapsulate(encoded)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_raw_cine(path: Path, count: int = 300, width: int = 1024, height: int = 768) -> Path:
    """Write an uncompressed RGB multi-frame ultrasound DICOM file."""
    dataset = _dataset(count, width, height, "RGB", ExplicitVRLittleEndian)
    dataset.PixelData = a4c_frames(count, width, height).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def _region(box: tuple[int, int, int, int], height: int) -> Dataset:
    """Return a 2D tissue region, in centimetres."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = box[:2]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = box[2:]
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 16 / height
    return region


def _dataset(count: int, width: int, height: int, colour: str, syntax: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "US"
    dataset.PatientName, dataset.PatientID = "", ""
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = height, width, count
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, colour, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.FrameTime = 1000 / FPS
    dataset.FrameIncrementPointer = 0x00181063
    return dataset
