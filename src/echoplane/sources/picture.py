"""One picture file, page by page, to pixels: PNG, JPEG, BMP, WebP, TIFF.

Pillow reads the headers and decodes; JPEG goes through OpenCV's libjpeg-turbo, which is several times faster in grey
and can decode at half, quarter or eighth size, and colours of 16 bits go through OpenCV too, for Pillow keeps 8 of
them. The plug-in is named, never guessed by Pillow, so that no exotic format is reached through a file's content, and
so that our own limits hold instead of Pillow's global one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.errors import ReadError, UnreadableError, UnsupportedError
from echoplane.records import UInt8Array
from echoplane.sources.deep_colour import colour_samples, has_deep_colours, has_sixteen_bits
from echoplane.sources.guard import reading, without_warnings
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.luma import luma, repeated_grey
from echoplane.sources.scaling import Scaling
from echoplane.sources.sniff import sniff
from echoplane.sources.turbo import decode_turbo

_PLUGINS = {
    "png": ("PngImagePlugin", "PngImageFile"),
    "jpeg": ("JpegImagePlugin", "JpegImageFile"),
    "bmp": ("BmpImagePlugin", "BmpImageFile"),
    "webp": ("WebPImagePlugin", "WebPImageFile"),
    "tiff": ("TiffImagePlugin", "TiffImageFile"),
}
#: Pillow modes of grey that hold more than 8 bits a sample.
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_EXIF_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT = 258, 262, 339
_TIFF_WHAT, _TIFF_PREVIEW_OR_MASK = 254, 1 | 4
_TIFF_UNKNOWN = ("unknown pixel mode", "unknown data organization")
#: EXIF orientation to (quarter turns counterclockwise, then whether to mirror left and right).
_UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the header of a picture file (or of one of its pages) says.

    Attributes
    ----------
    height, width : int
        Upright, as shown.
    mode : str
        Pillow's name of the pixel layout: ``"L"``, ``"RGB"``, ``"P"``, ``"I;16"``, ...
    deep : bool
        More than 8 bits a sample, so that a :class:`Scaling` is needed.
    color : bool
    notes : tuple of str
    info : dict
        Pillow's free information, for the frame rate.
    """

    height: int
    width: int
    mode: str
    deep: bool
    color: bool
    notes: tuple[str, ...]
    info: dict[Any, Any]

    @property
    def samples(self) -> str:
        """What the samples are, in words: frames of one cine share it, for they share their black and white."""
        if not self.deep:
            return "8-bit samples"
        return {"I": "32-bit samples", "F": "decimal numbers"}.get(self.mode, "16-bit samples")


@contextmanager
def opened_picture(path: Path, kind: str, source: str, limits: Limits) -> Iterator[Any]:
    """Yield the picture as the Pillow plug-in for `kind` opens it: header read, pixels not.

    Raises
    ------
    UnreadableError, UnsupportedError, RefusedError
        When the file is damaged, of a kind that Pillow does not read, or a frame has more pixels than the limits allow.
    """
    module, name = _PLUGINS[kind]
    plugin = getattr(importlib.import_module(f"PIL.{module}"), name)
    # Pillow warns about odd metadata, which is never used here. Without the file's name it does not map the file, and
    # mapped pages that lie on their side come out wrong.
    with (
        reading(source, f"The {kind.upper()} picture is damaged"),
        path.open("rb") as stream,
        without_warnings(),
        _opened(plugin, stream, kind, source) as image,
    ):
        limits.check_frame(source, image.height, image.width)
        yield image


def _opened(plugin: Any, stream: Any, kind: str, source: str) -> Any:
    try:
        return plugin(stream)
    except SyntaxError as error:
        # Pillow's whole message for a compression that it does not know is that compression's number.
        if kind == "tiff" and (str(error) in _TIFF_UNKNOWN or str(error).isdigit()):
            raise UnsupportedError(
                source,
                "The TIFF is packed in a way, or holds a kind of sample, that is not read here.",
                "Save it again as plain 8 or 16-bit TIFF.",
            ) from error
        raise


def holds_several(image: Any) -> bool:
    """Tell whether an open picture has more than one page; it is left at the first.

    The small previews and the masks that a TIFF may carry are no pages of a cine, where they are called so.
    """
    if not getattr(image, "is_animated", False):
        return False
    if image.format != "TIFF":
        return True
    number = 1
    try:
        image.seek(number)
        while image.tag_v2.get(_TIFF_WHAT, 0) & _TIFF_PREVIEW_OR_MASK:
            number += 1
            image.seek(number)
    except Exception:  # noqa: BLE001 - the last page, or a torn directory, of which Pillow raises whatever it makes
        return False
    finally:
        image.seek(0)
    return True


def is_stack(path: Path) -> bool:
    """Tell whether a file is a picture of several pages. Its headers are read; what does not open has one page."""
    try:
        kind = sniff(path, path)
        if kind not in _PLUGINS:
            return False
        with opened_picture(path, kind, str(path), DEFAULT_LIMITS) as image:
            return holds_several(image)
    except ReadError:
        return False  # said when it is opened


def header_of(image: Any, source: str) -> PictureHeader:
    """Describe the page that an open picture stands at.

    Raises
    ------
    UnreadableError
        When it says that it has no pixels.
    """
    if image.width < 1 or image.height < 1:
        raise UnreadableError(source, f"The picture is said to be {image.width} x {image.height} pixels.")
    height, width = image.height, image.width
    orientation = orientation_of(image)
    if orientation >= 5:
        height, width = width, height
    deep = _is_deep(image)
    notes: list[str] = []
    if image.mode in _ALPHA or "transparency" in image.info:
        notes.append("Has an alpha channel: what is transparent is taken as lying on black.")
    if orientation > 1:
        notes.append("The picture was turned upright, as its EXIF data say.")
    if has_sixteen_bits(image) and not deep:
        notes.append("Of 16 bits a colour, the upper 8 are used.")
    color = image.mode not in ("1", "L", "LA", "La", *_DEEP)
    return PictureHeader(height, width, image.mode, deep, color, tuple(notes), dict(image.info))


def decode_page(image: Any, *, color: bool, scaling: Scaling | None = None) -> UInt8Array:
    """Decode the page that an open picture stands at: uint8 (H, W), or (H, W, 3) with `color`, upright."""
    orientation = orientation_of(image)
    if _is_deep(image):
        pixels = (scaling or Scaling()).apply(deep_samples(image))
        if color and pixels.ndim == 2:
            pixels = repeated_grey(pixels)
        elif not color and pixels.ndim == 3:
            pixels = luma(pixels)
    elif image.mode in ("1", "L") and "transparency" not in image.info:
        grey = np.asarray(image.convert("L"), np.uint8)
        pixels = repeated_grey(grey) if color else grey
    else:
        rgb = _rgb(image)
        pixels = rgb if color else luma(rgb)
    return upright(pixels, orientation)


def _is_deep(image: Any) -> bool:
    return image.mode in _DEEP or has_deep_colours(image)


def deep_samples(image: Any) -> npt.NDArray[Any]:
    """Return the raw samples of a page of more than 8 bits: (H, W), or (H, W, 3) in colour; not turned upright."""
    if has_deep_colours(image):
        return colour_samples(image)
    tags = getattr(image, "tag_v2", {})
    unsigned = tags.get(_TIFF_SAMPLE_FORMAT, (1,))[0] == 1 and tags.get(_TIFF_BITS, (0,))[0] == 32
    samples = np.asarray(image)
    # Pillow has no mode for them and hands the upper half out as numbers below 0.
    return samples.view(np.uint32) if unsigned and samples.dtype == np.int32 else samples


def white_is_zero(image: Any) -> bool:
    """Tell whether the samples of a page of more than 8 bits fall as they get brighter; of 8 bits Pillow turns them."""
    return image.mode in _DEEP and getattr(image, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == 0


def decode_jpeg(data: bytes, *, color: bool, reduce: int, orientation: int = 1) -> UInt8Array | None:
    """Decode a JPEG at a reduced size, or return None where Pillow has to look at it (cut short, CMYK, odd).

    Parameters
    ----------
    data : bytes
        The whole file.
    color : bool
    reduce : {1, 2, 4, 8}
        The picture comes out at ``ceil(size / reduce)``.
    orientation : int
        EXIF orientation to undo.
    """
    # libjpeg fills up the rest of a cut stream with grey and only prints a warning.
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        return None
    pixels = decode_turbo(data, color=color, reduce=reduce)
    return None if pixels is None else upright(pixels, orientation)


def upright(pixels: UInt8Array, orientation: int) -> UInt8Array:
    """Turn and mirror pixels (H, W, ...) so that they stand as EXIF orientation 1 to 8 means."""
    turns, mirror = _UPRIGHT.get(orientation, (0, False))
    turned = np.rot90(pixels, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirror else turned)


def frame_rate_of(info: dict[Any, Any], description: str) -> tuple[float | None, str]:
    """Frame rate of a picture of many pages: from the time the first is shown (milliseconds), or ImageJ's ``fps=``.

    Up to ten milliseconds stand for "as fast as possible": browsers show such pages for a hundred.
    """
    shown = info.get("duration")
    if isinstance(shown, int | float) and 10 < shown <= 2000:
        return 1000.0 / float(shown), "page duration"
    said = re.search(r"^fps=([0-9.]+)\s*$", description, re.MULTILINE)
    if said and description.startswith("ImageJ="):
        try:
            fps = float(said[1])
        except ValueError:
            return None, ""
        return (fps, "ImageJ") if 0.5 <= fps <= 1000 else (None, "")
    return None, ""


def orientation_of(image: Any) -> int:
    """EXIF orientation (1 upright, to 8) that is still to be undone; Pillow itself does it for TIFF."""
    if image.format == "TIFF":
        return 1
    # Pillow would decode a whole PNG to look for EXIF data behind the pixels, where hardly anybody puts them.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except (ValueError, TypeError, KeyError, OSError, SyntaxError, IndexError, AttributeError, OverflowError):
        return 1  # damaged metadata do not make a picture unreadable
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _rgb(image: Any) -> UInt8Array:
    """R, G, B of a page of at most 8 bits a sample, transparent pixels on black."""
    if image.mode not in _ALPHA and "transparency" not in image.info:
        return np.asarray(image.convert("RGB"), np.uint8)
    rgba = np.asarray(image.convert("RGBA"), np.uint8)
    alpha = rgba[..., 3:].astype(np.uint16)
    return np.asarray((rgba[..., :3] * alpha + 127) // 255, np.uint8)
