"""How long DICOM frames take to decode, by transfer syntax and by what is asked for; one thread.

    python benchmarks/dicom_decode.py [--frames 60] [--rounds 7]

The cine is made of the real A4C cine that pydicom ships, enlarged to 800 x 600 and coded by Pillow, pyjpegls, FFmpeg
(PyAV) and pylibjpeg-rle. Candidates take turns in one process; the best round counts, since other work on
the machine only adds.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import _markdown
import av
import cv2
import jpeg_ls
import numpy as np
import pydicom
from PIL import Image
from pydicom import examples
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID
from rle.utils import encode_array

from echoplane.sources.dicom import open_dicom

_J = "1.2.840.10008.1.2.4."


def frames_800x600(count: int) -> np.ndarray:
    small = pydicom.dcmread(examples.get_path("ybr_color")).pixel_array
    small = pydicom.pixels.convert_color_space(small, "YBR_FULL", "RGB") if small[..., 1].mean() > 100 else small
    return np.stack(
        [cv2.resize(small[i % len(small)], (800, 600), interpolation=cv2.INTER_CUBIC) for i in range(count)]
    )


def pillow(kind: str, **options: Any) -> Callable[[np.ndarray], bytes]:
    def encode(frame: np.ndarray) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, kind, **options)
        return stream.getvalue()

    return encode


def lossless_jpeg(frame: np.ndarray) -> bytes:
    codec: Any = av.CodecContext.create("ljpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = (
        frame.shape[1],
        frame.shape[0],
        "yuvj444p",
        Fraction(1, 25),
    )
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuvj444p")
    return b"".join(bytes(p) for p in [*codec.encode(picture), *codec.encode(None)])


def video(frames: np.ndarray) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as file:
        stream = file.add_stream("h264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 800, 600, "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
    return target.getvalue()


def write(path: Path, pixels: bytes | list[bytes], syntax: str, photometric: str, count: int) -> Path:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.3.1")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    ds.Modality, ds.Rows, ds.Columns, ds.NumberOfFrames, ds.FrameTime = "US", 600, 800, count, 33.3
    ds.SamplesPerPixel, ds.PlanarConfiguration, ds.PhotometricInterpretation = 3, 0, photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = pixels if isinstance(pixels, bytes) else encapsulate(pixels)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", not isinstance(pixels, bytes)
    ds.save_as(path, enforce_file_format=True)
    return path


def cines(folder: Path, frames: np.ndarray) -> dict[str, Path]:
    each = {
        "JPEG baseline 4:2:2": (pillow("JPEG", quality=90, subsampling=1), _J + "50", "YBR_FULL_422"),
        "JPEG baseline, R G B": (pillow("JPEG", quality=90, keep_rgb=True, subsampling=0), _J + "50", "RGB"),
        "JPEG lossless": (lossless_jpeg, _J + "70", "YBR_FULL"),
        "JPEG-LS": (lambda f: bytes(jpeg_ls.encode_array(f, interleave_mode=1)), _J + "80", "RGB"),
        "JPEG 2000 lossless": (pillow("JPEG2000", no_jp2=True, mct=1), _J + "90", "YBR_RCT"),
        "JPEG 2000 1:10": (
            pillow("JPEG2000", no_jp2=True, mct=1, irreversible=True, quality_mode="rates", quality_layers=[10]),
            _J + "91",
            "YBR_ICT",
        ),
        "RLE": (
            lambda f: next(encode_array(f, None, rows=600, columns=800, samples_per_pixel=3, bits_allocated=8,
                                        bits_stored=8, pixel_representation=0, number_of_frames=1,
                                        photometric_interpretation="RGB")),
            "1.2.840.10008.1.2.5",
            "RGB",
        ),
    }  # fmt: skip
    out = {}
    for name, (encode, syntax, photometric) in each.items():
        out[name] = write(folder / f"{len(out)}.dcm", [encode(f) for f in frames], syntax, photometric, len(frames))
    out["uncompressed"] = write(folder / "raw.dcm", frames.tobytes(), "1.2.840.10008.1.2.1", "RGB", len(frames))
    out["H.264"] = write(folder / "video.dcm", [video(frames)], _J + "102", "YBR_PARTIAL_420", len(frames))
    return out


def best_of(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            started = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - started)
    return {name: min(times) for name, times in taken.items()}


def rates(path: Path, count: int, rounds: int) -> list[str]:
    """Milliseconds to open, and frames a second in grey at half scale, in grey and in colour."""
    reader, every = open_dicom(path).reader, range(count)
    times = best_of(
        {
            "open": lambda: open_dicom(path),
            "half": lambda: reader.read(every, reduce=2),
            "grey": lambda: reader.read(every),
            "color": lambda: reader.read(every, color=True),
        },
        rounds,
    )
    return [f"{1000 * times['open']:.1f}", *(f"{count / times[key]:,.0f}" for key in ("half", "grey", "color"))]


def floor(path: Path) -> Callable[[], object]:
    """The least that grey at half scale can cost: libjpeg-turbo on bytes that are in memory already."""
    ds = pydicom.dcmread(path)
    frames = [get_frame(ds.PixelData, i, number_of_frames=ds.NumberOfFrames) for i in range(ds.NumberOfFrames)]
    return lambda: [cv2.imdecode(np.frombuffer(f, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_2) for f in frames]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the decoding of DICOM frames.")
    parser.add_argument("--frames", type=int, default=60, help="frames of the cine (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, in turns; the median counts (%(default)s)")
    options = parser.parse_args()
    count, rounds = options.frames, options.rounds
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = cines(Path(folder), frames_800x600(count))
        print(f"{_markdown.machine('opencv-python-headless', 'pydicom', 'av')}\n")
        print(f"| {count} frames 800 x 600 | open, ms | grey 1/2, frames/s | grey, frames/s | colour, frames/s |")
        print("|---|---|---|---|---|")
        for name, path in paths.items():
            print(f"| {name} | {' | '.join(rates(path, count, rounds))} |", flush=True)
        jpeg = paths["JPEG baseline 4:2:2"]
        times = best_of(
            {
                "floor": floor(jpeg),
                "here": lambda: open_dicom(jpeg).reader.read(range(count), reduce=2),
                "plain": lambda: pydicom.dcmread(jpeg).pixel_array,
            },
            rounds,
        )
        print(f"\nJPEG 4:2:2, file to {count} grey frames at half scale: {1000 * times['here']:.1f} ms;")
        print(f"libjpeg-turbo alone, on bytes in memory: {1000 * times['floor']:.1f} ms;")
        print(f"default pixel_array (full colour): {1000 * times['plain']:.0f} ms.")


if __name__ == "__main__":
    main()
