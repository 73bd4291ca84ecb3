"""Write frames as they come to a video, a GIF or numbered pictures: pixels and the frame rate, and nothing else."""

from __future__ import annotations

import math
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from echoplane._files import naming
from echoplane.errors import UsageError
from echoplane.pipelines._movie import FASTEST_GIF
from echoplane.records import UInt8Array

#: What can be written: one file each, or a folder of pictures.
VIDEO_FORMATS = ("mp4", "avi", "gif")
PICTURE_FORMATS = ("png", "jpg")
FORMATS = VIDEO_FORMATS + PICTURE_FORMATS

#: Constant rate factor of H.264. At 12, grey clips come back within half a grey level on average (PSNR 48 to 50 dB on
#: development clips).
_CRF = "12"
#: Quantiser of motion JPEG, 1 (best) to 31.
_MJPEG_QUANTISER = "1"
_JPEG_QUALITY = 95
#: Start of the names of folders for outputs that are not whole yet; one in which nothing was written for an hour
#: belongs to an export that was killed.
_HALF_DONE = ".echoplane-"
_STALE_S = 3600.0
_LIMITED, _FULL, _SMPTE170M = 1, 2, 6  # AVColorRange, AVColorSpace


def write_video(
    path: Path, parts: Iterable[UInt8Array], *, kind: str, fps: float, height: int, width: int, color: bool
) -> None:
    """Encode frames to one file; it is whole, or not there.

    Parameters
    ----------
    path : Path
        Its folder must be there.
    parts : iterable of uint8 arrays
        Runs of frames, (n, H, W) or (n, H, W, 3), in order.
    kind : {"mp4", "avi", "gif"}
        H.264; motion JPEG; or GIF, which is exact for grey.
    fps : float
        Frames a second, kept as a fraction with a denominator up to 1001 (GIF: hundredths of a second a frame; of cines
        of more than 50 frames a second every second, third, ... frame is kept).
    height, width : int
    color : bool
        Whether `parts` have R, G, B.
    """
    with _workplace(path) as folder:
        temporary = folder / f"video.{kind}"
        _encode(temporary, _pictures(parts), kind, Fraction(fps).limit_denominator(1001), (height, width), color)
        temporary.replace(path)


def kept_of(kind: str, fps: float | Fraction) -> int:
    """Return 1 where every frame is written, 2 for every second, ...: browsers slow fast GIFs down."""
    return max(math.ceil(fps / FASTEST_GIF), 1) if kind == "gif" else 1


def write_pictures(folder: Path, parts: Iterable[UInt8Array], *, kind: str) -> None:
    """Write numbered pictures, ``frame_000001.png`` and so on, into a new folder; it is whole, or not there.

    Pictures that an earlier call wrote into `folder` are replaced.

    Parameters
    ----------
    folder : Path
        Its parent must be there.
    parts : iterable of uint8 arrays
        As for :func:`write_video`.
    kind : {"png", "jpg"}

    Raises
    ------
    UsageError
        When `folder` is there and holds anything else than such pictures.
    """
    if folder.exists() and not only_frames(folder):
        raise UsageError(f"{folder}: holds other files than exported frames; it is not replaced.")
    flags = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if kind == "jpg" else []
    with _workplace(folder) as place:
        temporary = place / "frames"
        temporary.mkdir()
        for number, picture in enumerate(_pictures(parts), 1):
            done, data = cv2.imencode(f".{kind}", picture[..., ::-1] if picture.ndim == 3 else picture, flags)
            assert done, "OpenCV always writes PNG and JPEG"
            (temporary / f"frame_{number:06d}.{kind}").write_bytes(data.tobytes())
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """Yield a new folder for what is not whole yet, and clear away those that killed exports left behind.

    The system's errors name `target`.
    """
    folder = target.parent
    for left in folder.glob(f"{_HALF_DONE}*"):
        with suppress(OSError):  # another export may be clearing it away, or it is not ours to remove
            inside = list(left.iterdir())
            newest = max(path.stat().st_mtime for path in (left, *inside))
            if time.time() - newest > _STALE_S and {path.stem for path in inside} <= {"video", "frames"}:
                shutil.rmtree(left)
    temporary = folder / f"{_HALF_DONE}{secrets.token_hex(4)}"
    try:
        temporary.mkdir(0o700)
        yield temporary
    except OSError as error:
        raise naming(error, target, temporary) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def only_frames(folder: Path) -> bool:
    """Tell whether a folder holds nothing but pictures that :func:`write_pictures` wrote."""
    return folder.is_dir() and all(
        file.name.startswith("frame_") and file.suffix.lstrip(".") in PICTURE_FORMATS and file.is_file()
        for file in folder.iterdir()
    )


def _pictures(parts: Iterable[UInt8Array]) -> Iterator[UInt8Array]:
    for part in parts:
        yield from part


def _encode(
    path: Path, pictures: Iterator[UInt8Array], kind: str, rate: Fraction, size: tuple[int, int], color: bool
) -> None:
    import av

    with av.open(str(path), "w", format=kind) as container:
        stream = _stream(container, kind, rate, color)
        height, width = size
        even = kind == "mp4"  # H.264 with 4:2:0 colour needs even sides
        stream.height, stream.width = (height + height % 2, width + width % 2) if even else size
        every = kept_of(kind, rate)
        for number, picture in enumerate(pictures):
            if number % every:
                continue
            frame = _frame(picture, kind, color)
            if kind == "gif":  # hundredths of a second, rounded so that the mean rate is right
                frame.time_base, frame.pts = Fraction(1, 100), round(number * 100 / rate)
            else:
                frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _stream(container: Any, kind: str, rate: Fraction, color: bool) -> Any:
    if kind == "mp4":
        stream = container.add_stream("libx264", rate=rate, options={"crf": _CRF, "preset": "medium"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = _LIMITED, _SMPTE170M
    elif kind == "avi":
        quality = {"qmin": _MJPEG_QUANTISER, "qmax": _MJPEG_QUANTISER}
        stream = container.add_stream("mjpeg", rate=rate, options=quality)
        stream.pix_fmt = "yuvj422p" if color else "yuvj420p"
        stream.codec_context.color_range = _FULL
    else:
        stream = container.add_stream("gif", rate=rate)
        stream.pix_fmt = "pal8" if color else "gray"
        stream.codec_context.time_base = Fraction(1, 100)
    return stream


def _frame(picture: UInt8Array, kind: str, color: bool) -> Any:
    """Return an ``av.VideoFrame`` in the pixel format of the stream."""
    import av

    if kind == "gif":
        return _palette_frame(picture) if color else av.VideoFrame.from_ndarray(picture, format="gray")
    if kind == "mp4":
        rows, columns = picture.shape[0] % 2, picture.shape[1] % 2
        picture = np.pad(picture, ((0, rows), (0, columns), (0, 0))[: picture.ndim], mode="edge")
    source = "rgb24" if color else "gray"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=source)
    if kind == "mp4":
        return frame.reformat(format="yuv420p", dst_colorspace=_SMPTE170M, dst_color_range=_LIMITED)
    return frame.reformat(format="yuvj422p" if color else "yuvj420p", dst_color_range=_FULL)


def _palette_frame(picture: UInt8Array) -> Any:
    """256 colours of its own for each frame, without dithering, which would flicker."""
    import av
    from PIL import Image

    few = Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE)
    palette = np.zeros((256, 4), np.uint8)
    colors = np.array(few.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[:, 0] = 255
    palette[: len(colors), 1:] = colors
    indices_and_palette: Any = (np.asarray(few, np.uint8), palette)
    return av.VideoFrame.from_ndarray(indices_and_palette, format="pal8")
