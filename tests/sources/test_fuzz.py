"""Damaged videos, pictures, arrays, volumes and DICOMDIRs end in our own errors or none. See tools/fuzz.py."""

from __future__ import annotations

import gzip
import struct
import zlib

import av
import numpy as np
import pytest
from PIL import Image

from echoplane.sources.discover import discover
from echoplane.sources.open import open_cine

FRAMES, HEIGHT, WIDTH = 6, 64, 96
VIDEOS = (
    *(("a.avi", "mjpeg", "yuvj420p"), ("b.avi", "rawvideo", "bgr24"), ("c.avi", "rawvideo", "gray")),
    *(("d.mp4", "libx264", "yuv420p"), ("e.mp4", "libx265", "yuv420p"), ("f.mov", "mpeg4", "yuv420p")),
    *(("g.mkv", "libx264", "yuv420p"), ("h.webm", "libvpx-vp9", "yuv420p"), ("i.wmv", "wmv2", "yuv420p")),
    *(("j.gif", "gif", "gray"), ("k.mpg", "mpeg2video", "yuv420p"), ("l.ts", "mpeg2video", "yuv420p")),
    *(
        ("m.flv", "flv1", "yuv420p"),
        ("n.mov", "png", "rgb24"),
        ("o.mov", "rawvideo", "gray"),
        ("p.mkv", "ffv1", "gray"),
    ),
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """One small sound file of every kind that is read, DICOM left out."""
    folder = tmp_path_factory.mktemp("seeds")
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (FRAMES, HEIGHT, WIDTH), dtype=np.uint8)
    for name, codec, pixels in VIDEOS:
        video(folder / name, codec, pixels, frames)
    pictures(folder, frames)
    arrays(folder, frames)
    volumes(folder, frames)
    dicomdir(folder / "disc.set")
    return folder


def video(path, codec, pixels, frames):
    options = {"x265-params": "log-level=none:pools=none:frame-threads=1"} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray").reformat(format=pixels)))
        container.mux(stream.encode())


def pictures(folder, frames):
    grey = [Image.fromarray(frame) for frame in frames]
    color = [picture.convert("RGB") for picture in grey]
    deep = [Image.fromarray(frame.astype(np.uint16) * 257) for frame in frames]
    many = {"save_all": True, "duration": 40}
    grey[0].save(folder / "still.png")
    color[0].quantize(16).save(folder / "palette.png", transparency=3)
    deep[0].save(folder / "deep.png")
    color[0].save(folder / "still.jpg", exif=Image.Exif())
    color[0].convert("CMYK").save(folder / "cmyk.jpg")
    color[0].save(folder / "still.bmp")
    color[0].save(folder / "moving.png", append_images=color[1:], **many)
    color[0].save(folder / "moving.webp", append_images=color[1:], **many)
    color[0].save(folder / "moving.gif", append_images=color[1:], **many)
    for name, pages, packing in (("plain", grey, None), ("deep", deep, None), ("packed", color, "tiff_lzw")):
        pages[0].save(folder / f"{name}.tif", save_all=True, append_images=pages[1:], compression=packing)
    for ending in ("png", "jpg", "tif"):
        place = folder / f"{ending}.set"
        place.mkdir()
        for number, picture in enumerate(grey):
            picture.save(place / f"frame_{number}.{ending}")


def arrays(folder, frames):
    np.save(folder / "grey.npy", frames)
    np.save(folder / "float.npy", frames / np.float32(255))
    np.savez(folder / "plain.npz", frames=frames, fps=25.0)
    np.savez_compressed(folder / "packed.npz", frames=frames.astype(np.int16), fps=25.0)


def volumes(folder, frames):
    sides = (WIDTH, HEIGHT, FRAMES)
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *sides, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 2, 8)
    struct.pack_into("<8f3f", header, 76, 1, 0.3, 0.3, 1, 1, 1, 1, 1, 352, 1, 0)
    header[344:348] = b"n+1\0"
    (folder / "v.nii").write_bytes(bytes(header) + frames.tobytes())
    (folder / "v.nii.gz").write_bytes(gzip.compress(bytes(header) + frames.tobytes(), mtime=0))
    text = "ObjectType = Image\nNDims = 3\nDimSize = {} {} {}\nElementSpacing = 0.3 0.3 1\nElementType = MET_UCHAR\n"
    text = text.format(*sides)
    (folder / "v.mha").write_bytes(f"{text}ElementDataFile = LOCAL\n".encode() + frames.tobytes())
    (folder / "z.mha").write_bytes(
        f"{text}CompressedData = True\nElementDataFile = LOCAL\n".encode() + zlib.compress(frames.tobytes())
    )
    pair = folder / "pair.set"
    pair.mkdir()
    (pair / "v.mhd").write_text(f"{text}ElementDataFile = v.raw\n")
    (pair / "v.raw").write_bytes(frames.tobytes())


def dicomdir(folder):
    """A DICOMDIR that lists a file which is there and one which is not."""
    from pydicom.dataset import Dataset, FileMetaDataset

    folder.mkdir()
    (folder / "A").write_bytes(b"no DICOM file, but a file")
    records = [Dataset() for _ in "AB"]
    for record, name in zip(records, "AB", strict=True):
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", name
    whole = Dataset()
    whole.file_meta = FileMetaDataset()
    whole.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    whole.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    whole.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    whole.DirectoryRecordSequence = records
    whole.save_as(folder / "DICOMDIR", enforce_file_format=True)


def test_the_seeds_themselves_are_sound(seeds):
    items = [item for item in discover(seeds) if "disc.set" not in item.source]
    assert len(items) > 35
    for item in items:
        cine = open_cine(item)
        assert cine.n_frames in (1, FRAMES, len(cine.reader.read(range(cine.n_frames)))), item.source


def test_four_hundred_mutants(fuzz, seeds):
    fuzz(seeds, 400, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_many_mutants(fuzz, seeds, seed):
    fuzz(seeds, 2000, seed)
