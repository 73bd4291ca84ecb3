"""Colours of 16 bits: Pillow keeps their upper 8 only, OpenCV decodes them whole."""

from __future__ import annotations

import os
import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_BITS, _COMPRESSION, _PHOTOMETRIC, _CHANNELS, _PLANAR, _ALPHA = 258, 259, 262, 277, 284, 338
#: None, LZW, deflate by both its numbers, PackBits: what OpenCV's libtiff unpacks in every build.
_UNPACKED = (1, 5, 8, 32946, 32773)
#: Where the strips of a page lie and how long each is; the same of tiles.
_STRIPS, _TILES = (273, 279), (324, 325)
#: Tags that say how the bytes of a page become pixels: size, bits, packing, colours, order of bits, orientation,
#: channels, strips, planes, predictor, tiles, alpha, sign.
_KEPT = (256, 257, _BITS, _COMPRESSION, _PHOTOMETRIC, 266, 274, _CHANNELS, 278, _PLANAR, 317, 322, 323, _ALPHA, 339)
#: What makes a grey page of one plane of colours.
_GREY = {_BITS: 16, _PHOTOMETRIC: 1, _CHANNELS: 1, _PLANAR: 1}
#: Values of the alpha tag: a fourth channel that means nothing, and one that the colours were multiplied by already.
_NO_ALPHA, _ALPHA_DONE = 0, 1


def has_sixteen_bits(image: Any) -> bool:
    """Tell whether the page that an open picture stands at holds samples of 16 bits; of a PNG, until it is decoded."""
    if image.format == "TIFF":
        return bool(max(image.tag_v2.get(_BITS, (1,))) == 16)
    return image.format == "PNG" and ";16" in str(image.tile[0][3] if image.tile else "")


def has_deep_colours(image: Any) -> bool:
    """Tell whether an open PNG or TIFF stands at a page of 16 bits a colour that :func:`colour_samples` decodes.

    Others (animations, rare packing) are left to Pillow.
    """
    if image.mode not in ("RGB", "RGBA", "RGBX") or not has_sixteen_bits(image):
        return False
    if image.format == "PNG":
        return not getattr(image, "is_animated", False)
    tags = image.tag_v2
    return tags.get(_COMPRESSION, 1) in _UNPACKED and any(a in tags and b in tags for a, b in (_STRIPS, _TILES))


def colour_samples(image: Any) -> npt.NDArray[np.uint16]:
    """Decode the page that an open picture stands at: uint16 (H, W, 3) in R, G, B, transparent pixels on black.

    As Pillow hands them out, a TIFF is upright and a PNG is not.

    Raises
    ------
    ValueError
        When the page does not decode.
    """
    tags = image.tag_v2 if image.format == "TIFF" else {}
    if tags.get(_PLANAR) == 2:
        planes = [_decoded(_page_alone(image, plane)) for plane in range(min(int(tags[_CHANNELS]), 4))]
        samples = np.dstack(planes)
    else:
        bgr = _decoded(_page_alone(image) if tags else _whole_file(image))
        samples = bgr[..., [2, 1, 0, 3][: bgr.shape[-1]]]
    rgb = samples[..., :3]
    fourth = tags.get(_ALPHA, ())[:1]
    if samples.shape[-1] == 4 and fourth not in ((_NO_ALPHA,), (_ALPHA_DONE,)):
        rgb = ((rgb * samples[..., 3:].astype(np.uint32) + 32767) // 65535).astype(np.uint16)
    return np.ascontiguousarray(rgb)


def _decoded(data: bytes) -> npt.NDArray[np.uint16]:
    # Unchanged: neither made 8 bits nor turned by EXIF data.
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise ValueError("the samples do not decode")
    return np.asarray(samples)


def _whole_file(image: Any) -> bytes:
    place = image.fp.tell()
    image.fp.seek(0)
    data: bytes = image.fp.read()
    image.fp.seek(place)
    return data


def _page_alone(image: Any, plane: int | None = None) -> bytes:
    """Return a page, or a plane of it in grey, as a TIFF of its own: a stack is not read whole for each page."""
    tags, stream = image.tag_v2, image.fp
    place_tag, size_tag = _TILES if _TILES[0] in tags else _STRIPS
    places, sizes = tags[place_tag], tags[size_tag]
    if plane is not None:
        count = len(places) // int(tags[_CHANNELS])
        places, sizes = (part[plane * count : (plane + 1) * count] for part in (places, sizes))
    if min(sizes) < 0 or sum(sizes) > os.fstat(stream.fileno()).st_size:
        raise ValueError("the page is said to be longer than the file")
    data, offsets = bytearray(8), []
    for place, size in zip(places, sizes, strict=True):
        stream.seek(place)
        offsets.append(len(data))
        data += stream.read(size)
    fields = {tag: tags[tag] for tag in _KEPT if tag in tags} | (_GREY if plane is not None else {})
    if plane is not None:
        fields.pop(_ALPHA, None)
    order = "<" if tags.prefix == b"II" else ">"
    start = _with_directory(data, fields | {place_tag: tuple(offsets), size_tag: sizes}, order)
    data[:8] = tags.prefix + struct.pack(f"{order}HL", 42, start)
    return bytes(data)


def _with_directory(data: bytearray, fields: dict[int, Any], order: str) -> int:
    """Add a TIFF directory of whole numbers to the bytes of a file, and return where it begins."""
    entries = b""
    for tag, value in sorted(fields.items()):
        values = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(values)}L", *values)
        if len(values) > 1:
            data += packed
            packed = struct.pack(f"{order}L", len(data) - len(packed))
        entries += struct.pack(f"{order}HHL", tag, 4, len(values)) + packed
    data += bytes(len(data) % 2)  # directories begin at even places
    start = len(data)
    data += struct.pack(f"{order}H", len(fields)) + entries + bytes(4)
    return start
