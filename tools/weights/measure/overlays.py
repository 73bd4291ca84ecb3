"""What people and scanners write on pictures, laid over any cine: outside the sector, and inside its edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from echoplane.records import BoolArray, Cine, FrameReader, Sector, SectorKind, UInt8Array
from echoplane.views import MAIN_VIEWS

#: What clinics write for each view: spellings of other views are written over a clip on purpose.
NAMES = {"A2C": "A2C", "A3C": "APLAX", "A4C": "4CH", "PSAX-MV": "SAX MV", "PSAX-PM": "SAX PM", "PSAX-AP": "SAX APEX"}
WHITE, YELLOW, GREEN = (240, 240, 240), (240, 220, 80), (90, 230, 110)
KINDS = ("outside", "inside", "both")


@dataclass(slots=True)
class Sheet:
    """What is laid over every frame: colours (H, W, 3) and opacities (H, W), uint8."""

    colour: UInt8Array
    alpha: UInt8Array
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, height: int, width: int) -> Sheet:
        """Make an empty one."""
        return cls(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8))

    def text(self, words: str, left: float, top: float, scale: float, colour: tuple[int, int, int]) -> None:
        """Write words with their box's left top corner at (left, top)."""
        at = round(left), round(top + size_of("X", scale)[1])
        for layer, ink in ((self.colour, colour), (self.alpha, (255,))):
            cv2.putText(layer, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, max(1, round(1.6 * scale)), cv2.LINE_AA)

    def line(self, a: tuple[float, float], b: tuple[float, float], colour: tuple[int, int, int], thick: int) -> None:
        """Draw a line."""
        ends = (round(a[0]), round(a[1])), (round(b[0]), round(b[1]))
        for layer, ink in ((self.colour, colour), (self.alpha, (255,))):
            cv2.line(layer, *ends, ink, thick, cv2.LINE_AA)

    def shape(self, corners: Sequence[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        """Fill a polygon."""
        points = np.round(np.array(corners)).astype(np.int32)
        for layer, ink in ((self.colour, colour), (self.alpha, (255,))):
            cv2.fillPoly(layer, [points], ink, cv2.LINE_AA)

    def keep(self, where: BoolArray) -> None:
        """Wipe what lies elsewhere."""
        self.alpha[~where] = 0


@dataclass(frozen=True, slots=True)
class Painted:
    """A frame reader that lays a sheet over every frame; always at full size, so that all sheets are read alike."""

    inner: FrameReader
    sheet: Sheet

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Decode frames; see :class:`echoplane.records.FrameReader`."""
        frames = self.inner.read(indices, color=color, reduce=1)
        share = self.sheet.alpha.astype(np.float32) / 255
        ink = self.sheet.colour if color else cv2.cvtColor(self.sheet.colour, cv2.COLOR_RGB2GRAY)
        weight = share[..., None] if color else share
        return np.stack([np.round(f + weight * (ink - f.astype(np.float32))).astype(np.uint8) for f in frames])


def painted(cine: Cine, sheet: Sheet) -> Cine:
    """Return a cine with a sheet over it."""
    return replace(cine, reader=Painted(cine.reader, sheet))


def draw(kind: str, height: int, width: int, sector: Sector, view: str, seed: int) -> Sheet:
    """Draw overlays for one cine.

    Parameters
    ----------
    kind : {"none", "outside", "inside", "both"}
    height, width : int
        Of the frames.
    sector : Sector
    view : str
        What the cine shows; the name of another view is written.
    seed : int
    """
    rng = np.random.default_rng([seed, 6])
    sheet = Sheet.of(height, width)
    mask = sector.mask(height, width)
    word = NAMES[str(rng.choice([name for name in MAIN_VIEWS if name != view]))]
    if kind in ("outside", "both"):
        outer = Sheet.of(height, width)
        _outside(outer, mask, word, np.random.default_rng([seed, 7]))
        # Not one pixel of it touches the sector, nor its border as a decoder blurs it.
        outer.keep(cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
        _merge(sheet, outer)
    if kind in ("inside", "both"):
        inner = Sheet.of(height, width)
        _inside(inner, sector, word, np.random.default_rng([seed, 8]))
        inner.keep(mask)
        _merge(sheet, inner)
    return sheet


def _merge(sheet: Sheet, other: Sheet) -> None:
    there = other.alpha > 0
    sheet.colour[there], sheet.alpha[there] = other.colour[there], other.alpha[there]


def size_of(words: str, scale: float) -> tuple[int, int]:
    """Width and height of words, pixels."""
    (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, max(1, round(1.6 * scale)))
    return width, height


def freest(
    mask: BoolArray, width: int, height: int, taken: Sequence[tuple[int, int, int, int]] = ()
) -> tuple[int, int]:
    """Left top corner of the box, of so many pixels, that covers the least of the sector and of other boxes."""
    rows, columns = mask.shape
    busy = mask.astype(np.float64)
    for x0, y0, x1, y1 in taken:
        busy[y0:y1, x0:x1] += 1
    total = np.pad(busy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    best = (math.inf, 0, 0)
    for y in range(0, max(1, rows - height), max(1, rows // 40)):
        for x in range(0, max(1, columns - width), max(1, columns // 40)):
            y1, x1 = min(y + height, rows), min(x + width, columns)
            covered = total[y1, x1] - total[y, x1] - total[y1, x] + total[y, x]
            best = min(best, (float(covered), y, x))
    return best[2], best[1]


def _outside(sheet: Sheet, mask: BoolArray, word: str, rng: np.random.Generator) -> None:
    height, width = mask.shape
    scale = max(0.3, height / 500)
    for words, size, colour in (
        (word, scale * 1.6, YELLOW),
        (f"FR {rng.integers(20, 90)}Hz {rng.integers(8, 22)}cm", scale, WHITE),
        (f"HR {rng.integers(50, 120)}", scale, GREEN),
    ):
        box = size_of(words, size)
        x, y = freest(mask, box[0] + 4, box[1] + 6, sheet.boxes)
        sheet.text(words, x + 2, y + 2, size, colour)
        sheet.boxes.append((x, y, x + box[0] + 4, y + box[1] + 6))
    logo = max(8, height // 14)
    x, y = freest(mask, logo, logo, sheet.boxes)
    ink = tuple(int(v) for v in rng.integers(80, 255, 3))
    sheet.shape([(x, y + logo), (x + logo / 2, y), (x + logo, y + logo)], (ink[0], ink[1], ink[2]))
    for tick in np.linspace(0.05, 0.95, 12) * height:
        sheet.line((width - 6, tick), (width - 1, tick), WHITE, 1)
    x, y = freest(mask, height // 10, height // 20, sheet.boxes)
    _arrow(sheet, (x, y + height / 40), (x + height / 10, y + height / 40), height)


def _arrow(sheet: Sheet, tail: tuple[float, float], tip: tuple[float, float], height: int) -> None:
    thick = max(1, height // 250)
    angle = math.atan2(tip[1] - tail[1], tip[0] - tail[0])
    sheet.line(tail, tip, WHITE, thick)
    for side in (-0.5, 0.5):
        back = angle + math.pi + side
        sheet.line(tip, (tip[0] + height / 40 * math.cos(back), tip[1] + height / 40 * math.sin(back)), WHITE, thick)


def _inside(sheet: Sheet, sector: Sector, word: str, rng: np.random.Generator) -> None:
    """Write along the inner side of the edges: the name, an arrow that reaches in, ticks along one edge."""
    height, width = sheet.alpha.shape
    scale = max(0.25, (sector.box[3] - sector.box[1]) / 700)
    side = -1.0 if rng.random() < 0.5 else 1.0
    box = size_of(word, scale * 1.4)
    x, y = _near_edge(sector, side, 0.80, 0.12)
    left = x + 2 if side < 0 else x - box[0] - 2
    sheet.text(word, min(max(left, 0), width - box[0] - 1), y - box[1] / 2, scale * 1.4, YELLOW)
    _arrow(sheet, _near_edge(sector, -side, 0.70, 0.02), _near_edge(sector, -side, 0.72, 0.2), height)
    for depth in np.linspace(0.15, 0.95, 9):
        at = _near_edge(sector, side, float(depth), 0.03)
        radius = max(1, height // 300)
        sheet.shape(
            [(at[0] - radius, at[1]), (at[0], at[1] - radius), (at[0] + radius, at[1]), (at[0], at[1] + radius)], WHITE
        )


def _near_edge(sector: Sector, side: float, depth: float, inwards: float) -> tuple[float, float]:
    """Place at a share of the depth, and at a share of the half width inside the left (-1) or right (+1) edge."""
    x0, y0, x1, y1 = sector.box
    if sector.kind not in (SectorKind.PHASED, SectorKind.CURVED):
        middle, half = (x0 + x1) / 2, (x1 - x0) / 2
        return middle + side * half * (1 - inwards), y0 + depth * (y1 - y0)
    centre, half = (sector.left + sector.right) / 2, (sector.right - sector.left) / 2
    angle, radius = centre + side * half * (1 - inwards), sector.r0 + depth * (sector.r1 - sector.r0)
    x, y = sector.apex[0] + radius * math.sin(angle), sector.apex[1] + radius * math.cos(angle)
    # A fan wider than its box is seen in the box only.
    reach = inwards * (x1 - x0) / 2
    return min(max(x, x0 + reach), x1 - 1 - reach), min(max(y, y0 + 2), y1 - 3)
