"""Draw a map over the cine it belongs to, with what a reader needs beside it.

Layout of a frame, left to right: the cine as it is, the cine with the map (each at the full size of the file), and a
panel with the answer and the colour bar; below, a line that tells which moments matter, with a cursor at this frame.

Colours: orange speaks for the view, blue against it (Okabe and Ito's pair, told apart by colour-blind readers); how
strongly is how opaque it is, so that a grey picture stays readable under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from echoplane.explain.cinemap import CineMap
from echoplane.records import FloatArray, UInt8Array

FOR = (230, 159, 0)  # orange
AGAINST = (86, 180, 233)  # sky blue
_INK, _PAPER, _QUIET, _LINE = (232, 238, 242), (16, 21, 26), (140, 152, 162), (60, 70, 80)
_PANEL, _STRIP, _PAD = 250, 78, 14

#: Cines smaller than this are enlarged, so that a 112-pixel picture can be read.
_SMALLEST_SIDE = 360


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands beside the picture.

    Attributes
    ----------
    title : str
        For example the file's name.
    probabilities : mapping of str to float
        By view, in [0, 1]; the five largest are shown.
    view : str
        The row to point out.
    phases : tuple of (float, str)
        Marks on the time line: share of the cine in [0, 1], and a short word (``ED``, ``ES``).
    """

    title: str
    probabilities: Mapping[str, float]
    view: str
    phases: tuple[tuple[float, str], ...] = ()


def blend(grey: UInt8Array, heat: FloatArray, strength: float = 0.75) -> UInt8Array:
    """Lay a map over a grey picture.

    Parameters
    ----------
    grey : uint8 array, (H, W)
    heat : float array, (H, W)
        In [-1, 1]; positive in orange, negative in blue, opacity ``strength * sqrt(|heat|)``.
    strength : float
        In [0, 1].

    Returns
    -------
    uint8 array, (H, W, 3)
        R, G, B.
    """
    alpha = (strength * np.sqrt(np.minimum(np.abs(heat), 1)))[..., None].astype(np.float32)
    colour = np.where((heat >= 0)[..., None], np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    # The colour keeps the light and dark of the tissue under it: half of it is its own, half the picture's.
    shade = 0.45 + 0.55 * grey[..., None].astype(np.float32) / 255
    mixed = grey[..., None] * (1 - alpha) + colour * shade * alpha
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def frames(
    cine_THW: UInt8Array, found: CineMap, caption: Caption, *, side_by_side: bool = True
) -> Iterator[UInt8Array]:
    """Draw every frame.

    Parameters
    ----------
    cine_THW : uint8 array, (T, H, W)
        Grey, as in the file; what lies outside the sector is drawn black, so that no burned-in text travels.
    found : CineMap
        Of the same cine.
    caption : Caption
    side_by_side : bool
        False leaves the plain cine out.

    Yields
    ------
    uint8 array, (h, w, 3)
        R, G, B; even height and width, all the same.
    """
    height, width = cine_THW.shape[1:]
    scale = max(1.0, _SMALLEST_SIDE / min(height, width))
    inside = found.sector.mask(height, width)
    shown = (round(width * scale), round(height * scale))
    panel = _panel(max(shown[1], 300), caption, found, signed=bool((found.values < 0).any()))
    total = shown[0] * (2 if side_by_side else 1) + _PANEL
    total += total % 2
    body = panel.shape[0]
    rows = body + _STRIP + (body + _STRIP) % 2
    strip, cursor = _time_line(total, found, caption)
    for t, plain in enumerate(cine_THW):
        grey = np.where(inside, plain, 0).astype(np.uint8)
        over = blend(grey, found.on_frame(t, height, width))
        pictures = [np.repeat(grey[..., None], 3, axis=2), over] if side_by_side else [over]
        page = np.full((rows, total, 3), _PAPER, np.uint8)
        for i, picture in enumerate(pictures):
            grown = cv2.resize(picture, shown, interpolation=cv2.INTER_LINEAR) if scale > 1 else picture
            page[: shown[1], i * shown[0] : (i + 1) * shown[0]] = grown
        page[:body, len(pictures) * shown[0] : len(pictures) * shown[0] + _PANEL] = panel
        page[body : body + _STRIP] = strip
        x = cursor(t)
        page[body + 6 : body + _STRIP - 24, x : x + 2] = _INK
        yield page


def film_strip(cine_THW: UInt8Array, found: CineMap, caption: Caption, count: int = 4) -> UInt8Array:
    """Return one still picture: the moments that matter most, in order of time, under their frame numbers.

    Returns
    -------
    uint8 array, (h, w, 3)
    """
    moments = found.moments()
    parts = [p for p in np.array_split(np.arange(len(cine_THW)), min(count, len(cine_THW))) if len(p)]
    chosen = [int(part[np.argmax(moments[part])]) for part in parts]
    height, width = cine_THW.shape[1:]
    inside = found.sector.mask(height, width)
    x0, y0, x1, y1 = found.sector.box
    scale = _SMALLEST_SIDE / (y1 - y0)
    size = (max(round((x1 - x0) * scale), 120), _SMALLEST_SIDE)
    columns = []
    for t in chosen:
        grey = np.where(inside, cine_THW[t], 0).astype(np.uint8)
        pair = [np.repeat(grey[..., None], 3, axis=2), blend(grey, found.on_frame(t, height, width))]
        stack = np.vstack([cv2.resize(p[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA) for p in pair]).astype(
            np.uint8
        )
        _write(stack, (8, 6), f"frame {t + 1} of {len(cine_THW)}", 15)
        columns.append(stack)
    panel = _panel(2 * _SMALLEST_SIDE, caption, found, signed=bool((found.values < 0).any()))
    body = np.hstack([*columns, panel])
    strip, cursor = _time_line(body.shape[1], found, caption)
    for t in chosen:
        strip[6 : _STRIP - 24, cursor(t) : cursor(t) + 2] = _INK
    return np.vstack([body, strip])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _write(picture: UInt8Array, place: tuple[int, int], text: str, size: int) -> None:
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text(place, text, fill=_INK, font=_font(size))
    picture[...] = np.asarray(image)


def _panel(height: int, caption: Caption, found: CineMap, *, signed: bool) -> UInt8Array:
    image = Image.new("RGB", (_PANEL, height), _PAPER)
    draw = ImageDraw.Draw(image)
    right = _PANEL - _PAD
    draw.text((_PAD, 12), _cut(caption.title, 28), fill=_QUIET, font=_font(13))
    draw.text((_PAD, 34), found.target, fill=_INK, font=_font(20))
    draw.text((_PAD, 60), found.method, fill=_QUIET, font=_font(13))
    y = 92
    best = sorted(caption.probabilities.items(), key=lambda item: -item[1])[:5]
    for label, p in best:
        own = label == caption.view
        draw.text((_PAD, y), label, fill=_INK if own else _QUIET, font=_font(14))
        draw.text((right, y), f"{p:.2f}", fill=_INK if own else _QUIET, font=_font(14), anchor="ra")
        draw.rectangle((_PAD, y + 19, right, y + 24), fill=_LINE)
        if p > 0:
            draw.rectangle((_PAD, y + 19, _PAD + round((right - _PAD) * p), y + 24), fill=FOR if own else _QUIET)
        y += 32
    top = height - 52
    ramp = np.linspace(-1 if signed else 0, 1, right - _PAD, dtype=np.float32)
    bar = blend(np.full((14, len(ramp)), 110, np.uint8), np.repeat(ramp[None], 14, axis=0))
    image.paste(Image.fromarray(bar), (_PAD, top))
    left_word = "against" if signed else "does not matter"
    draw.text((_PAD, top + 18), left_word, fill=_QUIET, font=_font(12))
    draw.text((right, top + 18), "speaks for it", fill=_QUIET, font=_font(12), anchor="ra")
    return np.asarray(image).copy()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else "\N{HORIZONTAL ELLIPSIS}" + text[-(most - 1) :]


class _Cursor:
    """Column of the time line for a frame."""

    def __init__(self, width: int, n_frames: int) -> None:
        self.left, self.span, self.last = _PAD, width - 2 * _PAD - 2, max(n_frames - 1, 1)

    def __call__(self, t: float) -> int:
        return self.left + round(self.span * t / self.last)


def _time_line(width: int, found: CineMap, caption: Caption) -> tuple[UInt8Array, _Cursor]:
    moments = found.moments()
    cursor = _Cursor(width, len(moments))
    image = Image.new("RGB", (width, _STRIP), _PAPER)
    draw = ImageDraw.Draw(image)
    bottom, reach = _STRIP - 26, _STRIP - 36
    points = [(cursor(t), bottom - float(m) * reach) for t, m in enumerate(moments)]
    draw.line([(cursor(0), bottom), (cursor(len(moments) - 1), bottom)], fill=_LINE)
    if len(points) > 1:
        draw.line(points, fill=FOR, width=2)
    for t in np.flatnonzero(found.seen):
        draw.line([(cursor(int(t)), bottom + 1), (cursor(int(t)), bottom + 5)], fill=_QUIET)
    draw.text((_PAD, _STRIP - 19), "which moments matter (ticks: frames the network saw)", fill=_QUIET, font=_font(12))
    for share, word in caption.phases:
        x = cursor(share * (len(moments) - 1))
        draw.line([(x, bottom - reach), (x, bottom)], fill=_QUIET)
        draw.text((x + 3, bottom - reach - 4), word, fill=_QUIET, font=_font(11))
    return np.asarray(image).copy(), cursor
