"""Draw a map over the cine it belongs to, with what a reader needs beside it.

Layout of a frame, left to right: the cine as it is, the cine with the map (each at the full size of the file), and a
panel with the answer and the colour bar; below, a line that tells which moments matter, with a cursor at this frame.

Colours: orange speaks for the view, blue against it (Okabe and Ito's pair, told apart by colour-blind readers); how
strongly is how opaque it is, so that a grey picture stays readable under it. A thin line runs where smooth maps reach
half of their greatest value.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from echoplane.explain.cinemap import CineMap
from echoplane.explain.panel import PANEL, Caption, answer_panel, time_line, write_text
from echoplane.explain.tint import PAPER, blend, contour
from echoplane.records import FloatArray, UInt8Array

#: Cines smaller than this are enlarged, so that a 112-pixel picture can be read.
_SMALLEST_SIDE = 360

#: Height of each picture of a film strip, and how much larger its letters are: strips are shown reduced.
_STRIP_SIDE, _STRIP_LETTERS = 300, 1.3

#: Maps as coarse as the feature map, where a contour says something; on the others it would be a scribble.
_SMOOTH = {"cam", "gradcam", "gradcam++", "occlusion"}

#: Share of the non-zero magnitudes that are drawn unclipped. A handful of pixels must not make all others invisible.
_UNCLIPPED = 0.995


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
    shown = (round(width * scale), round(height * scale))
    marked = Marked(cine_THW, found, shown)
    panel = answer_panel(max(shown[1], 340), caption, found)
    total = shown[0] * (2 if side_by_side else 1) + PANEL
    total += total % 2
    body = panel.shape[0]
    strip, cursor = time_line(total, found, caption)
    rows = body + len(strip) + (body + len(strip)) % 2
    for t in range(len(cine_THW)):
        pictures = marked(t) if side_by_side else marked(t)[1:]
        page = np.full((rows, total, 3), PAPER, np.uint8)
        for i, picture in enumerate(pictures):
            page[: shown[1], i * shown[0] : (i + 1) * shown[0]] = picture
        page[:body, len(pictures) * shown[0] : len(pictures) * shown[0] + PANEL] = panel
        page[body : body + len(strip)] = strip
        cursor.draw(page[body : body + len(strip)], t)
        yield page


def film_strip(cine_THW: UInt8Array, found: CineMap, caption: Caption, count: int = 4) -> UInt8Array:
    """Return one still picture: the cine in `count` parts, and of each the moment that matters most.

    Returns
    -------
    uint8 array, (h, w, 3)
    """
    moments = found.moments()
    parts = [p for p in np.array_split(np.arange(len(cine_THW)), min(count, len(cine_THW))) if len(p)]
    chosen = [int(part[np.argmax(moments[part])]) for part in parts]
    height, width = cine_THW.shape[1:]
    x0, y0, x1, y1 = found.sector.box
    scale = _STRIP_SIDE / (y1 - y0)
    marked = Marked(cine_THW, found, (round(width * scale), round(height * scale)))
    left, top, right = (round(v * scale) for v in (x0, y0, x1))
    columns = []
    for t in chosen:
        stack = np.vstack([_cut(p[top:, left:right], _STRIP_SIDE) for p in marked(t)])
        write_text(stack, (8, 6), f"frame {t + 1}{caption.at(t)}", 18)
        columns.append(stack)
    panel = answer_panel(2 * _STRIP_SIDE, caption, found, _STRIP_LETTERS)
    body = np.hstack([*columns, panel])
    strip, cursor = time_line(body.shape[1], found, caption, _STRIP_LETTERS)
    for t in chosen:
        cursor.draw(strip, t)
    return np.vstack([body, strip])


class Marked:
    """The plain and the marked picture of a frame, at one size, without anything outside the sector."""

    def __init__(self, cine_THW: UInt8Array, found: CineMap, shown: tuple[int, int]) -> None:
        self.cine, self.found, self.shown = cine_THW, found, shown
        self.inside = found.sector.mask(*cine_THW.shape[1:])
        self.smooth = found.method in _SMOOTH
        self.gain = display_gain(found.values)

    def __call__(self, t: int) -> tuple[UInt8Array, UInt8Array]:
        """Return frame `t` plain and marked, both uint8 (h, w, 3)."""
        height, width = self.cine.shape[1:]
        grey = np.where(self.inside, self.cine[t], 0).astype(np.uint8)
        heat = np.clip(self.found.on_frame(t, height, width) * self.gain, -1, 1)
        if (width, height) != self.shown:
            how = cv2.INTER_LINEAR if self.shown[1] > height else cv2.INTER_AREA
            grey = cv2.resize(grey, self.shown, interpolation=how).astype(np.uint8)
            heat = cv2.resize(heat, self.shown).astype(np.float32)
        over = blend(grey, heat)
        return np.repeat(grey[..., None], 3, axis=2), contour(over, heat) if self.smooth else over


def display_gain(values: FloatArray) -> float:
    """Return by how much a map is multiplied to be drawn, at least 1: its few largest magnitudes are clipped."""
    magnitudes = np.abs(values[values != 0])
    return 1.0 / float(np.quantile(magnitudes, _UNCLIPPED)) if magnitudes.size else 1.0


def _cut(picture: UInt8Array, height: int) -> UInt8Array:
    """Cut or fill with black to a height."""
    return np.pad(picture[:height], ((0, max(0, height - len(picture))), (0, 0), (0, 0)))
