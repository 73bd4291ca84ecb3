"""The furniture of a scanner's screen: text, rulers, markers, bars, logos, and the ECG that sweeps along.

Each piece is a function ``(canvas, place, rng)`` that draws once a clip on a picture of colours and a picture of
opacities. Names, dates and numbers are invented from the seed and mean nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom.arrays import f32
from echoplane.phantom.fan import Fan, Framing
from echoplane.phantom.looks import Rng
from echoplane.phantom.screen import Screen
from echoplane.records import FloatArray, Sector, UInt8Array

Colour = tuple[int, int, int]
WHITE: Colour = (230, 230, 230)
COLOURS: tuple[Colour, ...] = (WHITE, (255, 255, 255), (160, 160, 160), (230, 200, 60), (90, 200, 230), (120, 220, 120))
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX)
WORDS = (
    "ED-FAST", "Adult Echo", "TTE", "Cardiac", "S5-1", "M5Sc", "X5-1", "P4-2s", "HGen", "HPen", "Gn 60", "C 50",
    "2D", "45Hz", "58%", "P Low", "DR 60", "FR 52Hz", "MI 1.1", "TIS 0.7", "0.9", "17.0 cm", "-0.3 dB", "Persist Med",
    "HR 72", "JPEG", "Lossy", "Pat T: 37.0C", "TEE T: <37.0C", "Sector", "Depth 16", "Zoom", "L: 0.7", "BPM 68",
)  # fmt: skip
NOTES = (
    "LV",
    "RV",
    "LA",
    "RA",
    "A4C",
    "A2C",
    "PSAX",
    "PLAX",
    "APICAL",
    "SAX",
    "4CH",
    "2CH",
    "REST",
    "MV",
    "AO",
    "post",
)


@dataclass(slots=True)
class Canvas:
    """Colours (H, W, 3) and opacities (H, W) being drawn on, uint8."""

    colour: UInt8Array
    alpha: UInt8Array

    def text(self, words: str, at: tuple[float, float], scale: float, colour: Colour, font: int = FONTS[0]) -> None:
        """Write words with their baseline's left end at (x, y)."""
        place = round(at[0]), round(at[1])
        thick = max(1, round(scale * 1.2))
        cv2.putText(self.colour, words, place, font, scale, colour, thick, cv2.LINE_AA)
        cv2.putText(self.alpha, words, place, font, scale, 255, thick, cv2.LINE_AA)

    def line(self, a: tuple[float, float], b: tuple[float, float], colour: Colour, thick: int = 1) -> None:
        """Draw a line."""
        start, end = (round(a[0]), round(a[1])), (round(b[0]), round(b[1]))
        cv2.line(self.colour, start, end, colour, thick, cv2.LINE_AA)
        cv2.line(self.alpha, start, end, 255, thick, cv2.LINE_AA)

    def disc(self, at: tuple[float, float], radius: float, colour: Colour) -> None:
        """Fill a disc."""
        place, r = (round(at[0]), round(at[1])), max(1, round(radius))
        cv2.circle(self.colour, place, r, colour, -1, cv2.LINE_AA)
        cv2.circle(self.alpha, place, r, 255, -1, cv2.LINE_AA)

    def shape(self, corners: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon."""
        points = np.round(np.array(corners)).astype(np.int32)
        cv2.fillPoly(self.colour, [points], colour, cv2.LINE_AA)
        cv2.fillPoly(self.alpha, [points], 255, cv2.LINE_AA)


@dataclass(frozen=True, slots=True)
class Place:
    """What furniture needs to know about the picture."""

    fan: Fan
    framing: Framing
    sector: Sector
    height: int
    width: int

    @property
    def text_scale(self) -> float:
        """Font scale for this picture."""
        return max(0.3, self.height / 1400)

    def polar(self, angle: float, radius_cm: float) -> tuple[float, float]:
        """Pixel of a place in the fan; `angle` positive to the picture's right."""
        r = radius_cm * self.framing.pixels_per_cm
        return self.sector.apex[0] + r * math.sin(angle), self.sector.apex[1] + r * math.cos(angle)


def _header(canvas: Canvas, place: Place, rng: Rng) -> None:
    colour = COLOURS[int(rng.integers(len(COLOURS)))]
    scale, line = place.text_scale, 22 * place.text_scale + 3
    for row in range(int(rng.integers(1, 4))):
        left = f"{WORDS[int(rng.integers(len(WORDS)))]} {int(rng.integers(1000, 99999))}"
        right = f"{int(rng.integers(1, 13))}/{int(rng.integers(1, 29))}/20{int(rng.integers(10, 27))}"
        canvas.text(left, (4, line * (row + 1)), scale, colour)
        canvas.text(right, (place.width * 0.8, line * (row + 1)), scale, colour)


def _settings(canvas: Canvas, place: Place, rng: Rng) -> None:
    colour, font = COLOURS[int(rng.integers(len(COLOURS)))], FONTS[int(rng.integers(len(FONTS)))]
    x = 4 if rng.random() < 0.7 else place.width * 0.9
    y, step = place.height * rng.uniform(0.08, 0.3), 22 * place.text_scale + 5
    for _ in range(int(rng.integers(3, 12))):
        canvas.text(WORDS[int(rng.integers(len(WORDS)))], (x, y), place.text_scale, colour, font)
        y += step


def _ruler(canvas: Canvas, place: Place, rng: Rng) -> None:
    colour = COLOURS[int(rng.integers(len(COLOURS)))]
    x = place.width - 6 if rng.random() < 0.7 else 6
    numbers = rng.random() < 0.6
    for cm in range(0, math.ceil(place.fan.depth_cm) + 1):
        y = place.sector.apex[1] + (place.fan.face_cm + cm) * place.framing.pixels_per_cm
        long = 5 if cm % 5 == 0 else 2
        canvas.line((x - long, y), (x, y), colour)
        if numbers and cm % 5 == 0 and cm:
            canvas.text(str(cm), (x - 28 * place.text_scale - 8, y), place.text_scale, colour)


def _dots(canvas: Canvas, place: Place, rng: Rng) -> None:
    """Depth dots along the fan's edge, which some machines draw a little outside of it and some inside."""
    side = -1 if rng.random() < 0.7 else 1
    edge = place.sector.left if side < 0 else place.sector.right
    away = side * float(rng.uniform(-0.12, 0.35))
    for cm in range(1, math.ceil(place.fan.depth_cm) + 1):
        size = 2.0 if cm % 5 == 0 else 1.0
        canvas.disc(place.polar(edge + away, place.fan.face_cm + cm), size * place.height / 600, WHITE)


def _marker(canvas: Canvas, place: Place, rng: Rng) -> None:
    """Draw the sign that says which side of the probe is which."""
    side = place.sector.left if rng.random() < 0.5 else place.sector.right
    x, y = place.polar(side * 0.5, place.fan.face_cm)
    y = max(y - 6, 8)
    style = rng.random()
    if style < 0.4:
        canvas.text("V", (x, y + 4), place.text_scale * 1.3, WHITE)
    elif style < 0.7:
        canvas.disc((x, y), 0.012 * place.height, COLOURS[int(rng.integers(len(COLOURS)))])
    else:
        s = 0.015 * place.height
        canvas.shape([(x, y - s), (x + s, y + s), (x - s, y + s)], WHITE)


def _grey_bar(canvas: Canvas, place: Place, rng: Rng) -> None:
    width, height = max(4, place.width // 70), round(place.height * rng.uniform(0.15, 0.4))
    x = place.width - width - 12 if rng.random() < 0.6 else round(place.width * 0.04)
    y = round(place.height * rng.uniform(0.05, 0.2))
    ramp = np.linspace(255, 0, height).astype(np.uint8)[:, None, None]
    canvas.colour[y : y + height, x : x + width] = ramp
    canvas.alpha[y : y + height, x : x + width] = 255


def _logo(canvas: Canvas, place: Place, rng: Rng) -> None:
    colour: Colour = (int(rng.integers(40, 255)), int(rng.integers(40, 255)), int(rng.integers(40, 255)))
    size = place.height * rng.uniform(0.02, 0.06)
    x, y = place.width * rng.uniform(0.02, 0.95), place.height * rng.choice((0.04, 0.95))
    corners = int(rng.integers(3, 9))
    turn = rng.uniform(0, 6.28)
    angles = [turn + 2 * math.pi * k / corners for k in range(corners)]
    canvas.shape([(x + size * math.cos(a), y + size * math.sin(a)) for a in angles], colour)


def _badge(canvas: Canvas, place: Place, rng: Rng) -> None:
    colour: Colour = (60, 130, 230) if rng.random() < 0.7 else (230, 120, 30)
    x, y = place.polar(float(rng.uniform(-0.3, 0.5)), place.fan.face_cm + 0.3)
    canvas.disc((x, max(y - 4, 8)), 0.022 * place.height, colour)


def _note(canvas: Canvas, place: Place, rng: Rng) -> None:
    """Write a word that somebody typed on the picture, often the wrong one after the probe has moved on."""
    x, y = place.polar(float(rng.uniform(-0.5, 0.5)), place.fan.far_cm * float(rng.uniform(0.2, 0.95)))
    if rng.random() < 0.5:
        x, y = place.width * rng.uniform(0.05, 0.7), place.height * rng.choice((0.1, 0.93))
    word = NOTES[int(rng.integers(len(NOTES)))]
    canvas.text(word, (x, y), place.text_scale * rng.uniform(1.0, 2.0), COLOURS[int(rng.integers(len(COLOURS)))])


FURNITURE: dict[str, Callable[[Canvas, Place, Rng], None]] = {
    "header": _header,
    "settings": _settings,
    "ruler": _ruler,
    "dots": _dots,
    "marker": _marker,
    "grey_bar": _grey_bar,
    "logo": _logo,
    "badge": _badge,
    "note": _note,
}


def draw_furniture(screen: Screen, fan: Fan, framing: Framing) -> Canvas:
    """Draw everything that stands still around and on the picture."""
    height, width = screen.size
    canvas = Canvas(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8))
    place = Place(fan, framing, framing.sector(fan), height, width)
    for number, name in enumerate(screen.furniture):
        if draw := FURNITURE.get(name):
            draw(canvas, place, np.random.default_rng([screen.furniture_seed, number]))
    return canvas


@dataclass(frozen=True, slots=True)
class Ecg:
    """A trace at the bottom of the screen that is written from left to right, over and over.

    Attributes
    ----------
    box : tuple of float
        (x0, y0, x1, y1), pixels of the full picture.
    sweep_s : float
        Time across the whole box.
    colour : tuple of int
    lead : tuple of float
        Amplitudes of P, R, S and T.
    """

    box: tuple[float, float, float, float]
    sweep_s: float
    colour: Colour
    lead: tuple[float, float, float, float]

    @classmethod
    def of(cls, screen: Screen) -> Ecg:
        """Draw one for a screen."""
        rng = np.random.default_rng([screen.furniture_seed, 99])
        height, width = screen.size
        top = rng.uniform(0.82, 0.92)
        left = rng.choice((0.0, 0.1))
        return cls(
            box=(left * width, top * height, width * rng.uniform(0.8, 1.0), min(top + 0.1, 0.99) * height),
            sweep_s=float(rng.uniform(1.5, 5)),
            colour=((90, 220, 90), (230, 220, 80), WHITE)[int(rng.integers(3))],
            lead=(rng.uniform(0.05, 0.2), rng.uniform(0.5, 1), rng.uniform(0, 0.4), rng.uniform(0.1, 0.35)),
        )

    def voltage(self, phase: FloatArray) -> FloatArray:
        """Height of the trace at phases of the beat (0 is the R wave)."""
        p, r, s, t = self.lead

        def wave(at: float, width: float) -> FloatArray:
            away = (phase - at + 0.5) % 1.0 - 0.5
            return f32(np.exp(-((away / width) ** 2)))

        return f32(p * wave(0.84, 0.03) + r * wave(0.0, 0.012) - s * wave(0.035, 0.014) + t * wave(0.32, 0.06))

    def draw(
        self,
        frame: UInt8Array,
        phase_at: Callable[[float], float],
        time_s: float,
        zoom: float = 1.0,
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Draw the trace as it stands at a time, in place.

        Parameters
        ----------
        frame : uint8 array, (H, W) or (H, W, 3)
        phase_at : callable
            Phase of the beat at a time.
        time_s : float
        zoom, origin
            Where the frame lies in the full picture: frame = (full - origin) * zoom.
        """
        x0, y0, x1, y1 = self.box
        columns = np.linspace(0, 1, 120)
        sweep = time_s / self.sweep_s
        # What lies ahead of the pen is left from the sweep before.
        written = np.where(columns <= sweep % 1.0, np.floor(sweep), np.floor(sweep) - 1) + columns
        # Before time zero the last sweep is taken to have run like the next one.
        phases = f32([phase_at(float(t if t >= 0 else t + 1) * self.sweep_s) for t in written])
        height = self.voltage(phases)
        x = (x0 + columns * (x1 - x0) - origin[0]) * zoom
        y = (y1 - (0.25 + 0.7 * height) * (y1 - y0) - origin[1]) * zoom
        gap = np.abs(columns - sweep % 1.0) > 0.012
        points = np.round(np.stack([x, y], 1) * 8).astype(np.int32)
        colour = self.colour if frame.ndim == 3 else (int(np.dot(self.colour, (0.299, 0.587, 0.114))),)
        ahead = columns > sweep % 1.0
        for part in (points[gap & ~ahead], points[gap & ahead]):
            if len(part) > 1:
                cv2.polylines(frame, [part], False, colour, max(1, round(zoom)), cv2.LINE_AA, 3)
