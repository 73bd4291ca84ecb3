"""What stands beside a marked cine: the answer, the colour bar, and the line of moments with the ECG of a phantom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from echoplane.explain.cinemap import CineMap
from echoplane.explain.tint import FOR, HALF, INK, LINE, PAPER, QUIET, blend, contour
from echoplane.records import FloatArray, UInt8Array

#: Width of the panel, pixels, in letters of ordinary size.
PANEL = 250
_PAD = 14
#: Heights in the line of moments: the curve, the ECG below it, the words.
_CURVE, _ECG, _WORDS = 46, 34, 24
#: Amplitudes of P, R, S and T in the ECG that is drawn.
_LEAD = (0.12, 1.0, 0.2, 0.25)
_SHOWN_VIEWS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Caption:
    """What is known about a cine besides its map.

    Attributes
    ----------
    title : str
        For example the file's name.
    probabilities : mapping of str to float
        By view, in [0, 1]; the five largest are shown, and the row of `view` in any case.
    view : str
        The row to point out.
    answer : str
        In words: the view, or why none is offered.
    fps : float or None
        Frames a second; None where nobody knows.
    phases : float array, (T,), or None
        Phase of the beat of every frame, [0, 1), 0 at the R wave. A phantom knows its own.
    """

    title: str
    probabilities: Mapping[str, float]
    view: str
    answer: str = ""
    fps: float | None = None
    phases: FloatArray | None = None

    def at(self, t: int) -> str:
        """Return ``", 0.40 s"`` for a frame, or nothing where the frame rate is not known."""
        return f", {t / self.fps:.2f} s" if self.fps else ""


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write_text(picture: UInt8Array, place: tuple[int, int], text: str, size: int) -> None:
    """Write a line of text into a picture (H, W, 3), in place; `place` is its left upper corner, x and y."""
    rows = slice(place[1], place[1] + 2 * size)
    image = Image.fromarray(picture[rows])
    ImageDraw.Draw(image).text((place[0], 0), text, fill=INK, font=_font(size))
    picture[rows] = np.asarray(image)


def answer_panel(height: int, caption: Caption, found: CineMap, zoom: float = 1.0) -> UInt8Array:
    """Draw the answer, what is shown, and the colour bar.

    Parameters
    ----------
    height : int
        Pixels.
    caption : Caption
    found : CineMap
    zoom : float
        Of letters and width.

    Returns
    -------
    uint8 array, (height, PANEL * zoom, 3)
    """
    width = round(PANEL * zoom)
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    left, right = round(_PAD * zoom), width - round(_PAD * zoom)

    def text(y: float, words: str, size: int, colour: tuple[int, int, int], *, anchor: str = "la") -> None:
        x = {"l": left, "r": right, "m": (left + right) // 2}[anchor[0]]
        draw.text((x, round(y * zoom)), words, fill=colour, font=_font(round(size * zoom)), anchor=anchor)

    text(10, _shortened(caption.title, 30), 13, QUIET)
    if caption.answer:
        text(30, f"answer: {caption.answer}", 15, INK)
    text(56, f"shown: {found.target}", 15, FOR)
    text(76, f"by {found.method}", 13, QUIET)
    y = 102.0
    for label, p in _rows(caption):
        own = label == caption.view
        text(y, label, 13, INK if own else QUIET)
        text(y, f"{p:.2f}", 13, INK if own else QUIET, anchor="ra")
        top, bottom = round((y + 18) * zoom), round((y + 22) * zoom)
        draw.rectangle((left, top, right, bottom), fill=LINE)
        if round((right - left) * p):
            draw.rectangle((left, top, left + round((right - left) * p), bottom), fill=FOR if own else QUIET)
        y += 29
    signed = bool((found.values < 0).any())
    top = height - round(46 * zoom)
    image.paste(Image.fromarray(_colour_bar(right - left, round(14 * zoom), signed=signed)), (left, top))
    below = (top + round(17 * zoom)) / zoom
    text(below, "against" if signed else "none", 12, QUIET)
    text(below, "0" if signed else "half", 12, QUIET, anchor="ma")
    text(below, "for" if signed else "most", 12, QUIET, anchor="ra")
    return np.asarray(image).copy()


def _rows(caption: Caption) -> list[tuple[str, float]]:
    ranked = sorted(caption.probabilities.items(), key=lambda item: -item[1])
    shown = ranked[:_SHOWN_VIEWS]
    own = caption.probabilities.get(caption.view)
    if own is not None and caption.view not in dict(shown):
        shown[-1] = (caption.view, own)
    return shown


def _colour_bar(width: int, height: int, *, signed: bool) -> UInt8Array:
    """Draw what each value looks like over a middle grey, with the contour at half."""
    ramp = np.linspace(-1 if signed else 0, 1, width, dtype=np.float32)
    heat = np.repeat(ramp[None], height, axis=0)
    bar = blend(np.full(heat.shape, 110, np.uint8), heat)
    line = np.zeros_like(heat)
    line[:, np.abs(ramp - HALF) <= 1.5 / width] = 1
    return contour(bar, line)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else "\N{HORIZONTAL ELLIPSIS}" + text[-(most - 1) :]


class Cursor:
    """Where frames lie in the line of moments."""

    def __init__(self, width: int, n_frames: int, foot: int) -> None:
        self.left, self.span, self.last, self.foot = _PAD, width - 2 * _PAD - 2, max(n_frames - 1, 1), foot

    def __call__(self, t: float) -> int:
        """Return the column of a frame."""
        return self.left + round(self.span * t / self.last)

    def draw(self, strip: UInt8Array, t: int) -> None:
        """Mark a frame, in place."""
        strip[6 : self.foot, self(t) : self(t) + 2] = INK


def time_line(width: int, found: CineMap, caption: Caption, zoom: float = 1.0) -> tuple[UInt8Array, Cursor]:
    """Draw how much each frame matters, ticks at the frames that the network saw, and the ECG where it is known.

    Returns
    -------
    uint8 array, (h, width, 3)
    Cursor
    """
    moments = found.moments()
    ecg = round(_ECG * zoom) if caption.phases is not None else 0
    bottom = 8 + round(_CURVE * zoom)
    foot = bottom + 8 + ecg
    cursor = Cursor(width, len(moments), foot)
    image = Image.new("RGB", (width, foot + round(_WORDS * zoom)), PAPER)
    draw = ImageDraw.Draw(image)
    points = [(cursor(t), round(bottom - float(m) * (bottom - 8))) for t, m in enumerate(moments)]
    if len(points) > 1:
        draw.polygon([(points[0][0], bottom), *points, (points[-1][0], bottom)], fill=(74, 56, 14))
        draw.line(points, fill=FOR, width=2)
    draw.line([(cursor(0), bottom), (cursor(len(moments) - 1), bottom)], fill=LINE)
    for t in np.flatnonzero(found.seen):
        draw.line([(cursor(int(t)), bottom + 1), (cursor(int(t)), bottom + 6)], fill=QUIET)
    words = "which moments matter (ticks: frames the network saw)"
    if caption.phases is not None:
        draw.line(_ecg_points(caption.phases, cursor, bottom + 10, foot - 2), fill=INK, width=1)
        words = "which moments matter (ticks: frames the network saw), above the phantom's ECG"
    font = _font(round(12 * zoom))
    draw.text((_PAD, foot + 3), words, fill=QUIET, font=font)
    length = f", {len(moments) / caption.fps:.1f} s" if caption.fps else ""
    draw.text((width - _PAD, foot + 3), f"{len(moments)} frames{length}", fill=QUIET, font=font, anchor="ra")
    return np.asarray(image).copy(), cursor


def _ecg_points(phases: FloatArray, cursor: Cursor, top: int, bottom: int) -> list[tuple[int, int]]:
    """Trace an ECG of the phases given, finer than the frames: an R wave is shorter than one."""
    from echoplane.phantom.overlays import Ecg

    frames = np.arange(len(phases))
    fine = np.linspace(0, len(phases) - 1, max(16 * (len(phases) - 1), 0) + 1)
    running = np.interp(fine, frames, np.unwrap(phases.astype(np.float64), period=1.0))
    volts = Ecg((0, 0, 1, 1), 1.0, INK, _LEAD).voltage((running % 1.0).astype(np.float32))
    low, high = -_LEAD[2], _LEAD[1]
    heights = bottom - (volts - low) / (high - low) * (bottom - top)
    return [(cursor(float(t)), round(float(y))) for t, y in zip(fine, heights, strict=True)]
