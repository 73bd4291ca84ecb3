"""DICOM files made by hand, byte by byte where it matters, and pictures with known colours."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
_NATIVE = ("1.2.840.10008.1.2", EXPLICIT_LE, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")

#: Eight colours, one a tile: what each photometric interpretation has to give back.
TILE_COLORS = (
    *((0, 0, 0), (255, 255, 255), (128, 128, 128), (220, 30, 30)),
    *((30, 200, 40), (40, 50, 210), (230, 150, 20), (20, 160, 170)),
)
TILE = 16


def tiles(shift: int = 0) -> np.ndarray:
    """R, G, B picture (32, 64, 3) of 2 x 4 tiles; `shift` rotates the colours, so that frames differ."""
    colors = np.roll(np.array(TILE_COLORS, np.uint8), shift, axis=0).reshape(2, 4, 3)
    return colors.repeat(TILE, axis=0).repeat(TILE, axis=1)


def ybr_full(rgb: np.ndarray) -> np.ndarray:
    """The formula of PS3.3 C.7.6.3.1.2, in floating point, rounded."""
    red, green, blue = np.moveaxis(rgb.astype(float), -1, 0)
    y = 0.2990 * red + 0.5870 * green + 0.1140 * blue
    cb = -0.1687 * red - 0.3313 * green + 0.5000 * blue + 128
    cr = 0.5000 * red - 0.4187 * green - 0.0813 * blue + 128
    return np.clip(np.rint(np.stack([y, cb, cr], axis=-1)), 0, 255).astype(np.uint8)


def luma_601(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


def jpeg_bytes(picture: np.ndarray, **options: Any) -> bytes:
    """JPEG by Pillow; `subsampling` 0, 1, 2 for 4:4:4, 4:2:2, 4:2:0; `keep_rgb` stores R, G, B."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", **{"quality": 95, "subsampling": 0, **options})
    return stream.getvalue()


def j2k_bytes(picture: np.ndarray, **options: Any) -> bytes:
    """Bare JPEG 2000 code stream by Pillow; `mct` 1 transforms colours; `irreversible` is lossy."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG2000", **{"no_jp2": True, "mct": 0, **options})
    return stream.getvalue()


def without_markers(jpeg: bytes, *markers: int) -> bytes:
    """Take application segments (0xE0 JFIF, 0xEE Adobe) out of a JPEG stream."""
    out, position = jpeg[:2], 2
    while jpeg[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", jpeg, position + 2)
        if jpeg[position + 1] not in markers:
            out += jpeg[position : position + 2 + length]
        position += 2 + length
    return out + jpeg[position:]


def rle_bytes(planes: Sequence[np.ndarray]) -> bytes:
    """One RLE frame (PS3.5 annex G): 2-D planes, 16-bit ones as two segments, high bytes first."""
    segments = []
    for plane in planes:
        big = plane.astype(plane.dtype.newbyteorder(">"))
        for part in range(plane.itemsize):
            rows = big.view(np.uint8).reshape(plane.shape[0], plane.shape[1], plane.itemsize)[..., part]
            packed = b"".join(_packed_row(row.tobytes()) for row in rows)
            segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = np.cumsum([64, *map(len, segments[:-1])])
    header = struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments)))
    return header + b"".join(segments)


def _packed_row(row: bytes) -> bytes:
    out, i = b"", 0
    while i < len(row):
        run = next((n for n in range(1, min(128, len(row) - i)) if row[i + n] != row[i]), min(128, len(row) - i))
        if run > 2:
            out, i = out + bytes([257 - run, row[i]]), i + run
        else:
            out, i = out + bytes([0, row[i]]), i + 1
    return out


def video_bytes(frames: np.ndarray, codec: str, container: str, fps: int = 25, **options: str) -> bytes:
    """Encode R, G, B frames (T, H, W, 3) as 4:2:0 video of limited range, BT.601."""
    import av

    stream_of_bytes = io.BytesIO()
    with av.open(stream_of_bytes, "w", format=container) as file:
        stream = file.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
    return stream_of_bytes.getvalue()


def item(data: bytes, element: int = 0xE000) -> bytes:
    return struct.pack("<HHI", 0xFFFE, element, len(data)) + data


def encapsulate(frames: Sequence[bytes], *, table: str = "basic", pieces: int = 1) -> tuple[bytes, dict[str, bytes]]:
    """Encapsulated pixel data, and the extended offset table elements where asked for.

    `table` is "basic", "extended" or "missing"; every frame is cut into `pieces` fragments.
    """
    items, offsets, lengths, position = [], [], [], 0
    for frame in frames:
        frame = frame + b"\0" * (len(frame) % 2)
        step = max(2, (len(frame) // pieces + 1) // 2 * 2)
        offsets.append(position)
        lengths.append(len(frame))
        cuts = [*range(0, step * (pieces - 1), step), step * (pieces - 1)]
        for i, start in enumerate(cuts):
            items.append(item(frame[start : start + step] if i < pieces - 1 else frame[start:]))
            position += len(items[-1])
    basic = struct.pack(f"<{len(offsets)}I", *offsets) if table == "basic" else b""
    extra = {}
    if table == "extended":
        extra["ExtendedOffsetTable"] = struct.pack(f"<{len(offsets)}Q", *offsets)
        extra["ExtendedOffsetTableLengths"] = struct.pack(f"<{len(lengths)}Q", *lengths)
    return b"".join([item(basic), *items, item(b"", 0xE0DD)]), extra


def write_dicom(
    path: Path,
    pixels: bytes | Sequence[bytes],
    *,
    size: tuple[int, int] = (32, 64),
    photometric: str = "RGB",
    syntax: str = EXPLICIT_LE,
    frames: int | None = 1,
    bits: tuple[int, int] = (8, 8),
    planar: int = 0,
    table: str = "basic",
    pieces: int = 1,
    vr: str = "",
    **elements: Any,
) -> Path:
    """Write a file; `pixels` is raw bytes, or one compressed stream a frame. `elements` set or (None) drop others."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UID(US_MULTIFRAME)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.3.4.5")
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = UID("1.2.3.4"), UID("1.2.3.4.1"), "US"
    ds.PatientName, ds.PatientID = "Doe^Jane", "SECRET-ID"
    ds.Rows, ds.Columns = size
    if frames is not None:
        ds.NumberOfFrames = frames
    ds.SamplesPerPixel = 1 if photometric.startswith(("MONO", "PAL")) else 3
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = planar
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated, ds.BitsStored = bits
    ds.HighBit, ds.PixelRepresentation = bits[1] - 1, 0
    for keyword, value in elements.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    if isinstance(pixels, bytes):
        ds.PixelData = pixels + b"\0" * (len(pixels) % 2)
    else:
        ds.PixelData, extra = encapsulate(pixels, table=table, pieces=pieces)
        for keyword, value in extra.items():
            setattr(ds, keyword, value)
    ds["PixelData"].VR = vr or ("OW" if bits[0] == 16 and isinstance(pixels, bytes) else "OB")
    ds["PixelData"].is_undefined_length = not isinstance(pixels, bytes)
    little, implicit = syntax != "1.2.840.10008.1.2.2", syntax == "1.2.840.10008.1.2"
    ds.save_as(path, little_endian=little, implicit_vr=implicit, enforce_file_format=True)
    return path


@pytest.fixture
def dicom(tmp_path: Path) -> Callable[..., Path]:
    """Write one DICOM file into the test's own folder."""
    count = 0

    def make(pixels: bytes | Sequence[bytes], **options: Any) -> Path:
        nonlocal count
        count += 1
        return write_dicom(tmp_path / f"cine{count}.dcm", pixels, **options)

    return make


@pytest.fixture
def picture() -> Any:
    """The helpers of this file, for tests (there is no package to import them from)."""
    import types

    return types.SimpleNamespace(
        tiles=tiles,
        ybr_full=ybr_full,
        luma=luma_601,
        jpeg=jpeg_bytes,
        j2k=j2k_bytes,
        without_markers=without_markers,
        rle=rle_bytes,
        video=video_bytes,
        encapsulate=encapsulate,
        item=item,
        tile=TILE,
    )
