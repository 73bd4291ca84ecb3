"""Pictures that are not one fan: spectral Doppler, M-mode, static noise, drawings.

A page fills the whole frame. Spectral and M-mode pages show a small fan above a strip that is written from left to
right, as on a scanner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from echoplane.phantom.arrays import f32, u8
from echoplane.phantom.convert import ScanConverter, multiply
from echoplane.phantom.fan import Fan, PolarGrid, coverage
from echoplane.phantom.looks import Rng
from echoplane.phantom.recording import CONTENT, Recording
from echoplane.phantom.scanner import Processor
from echoplane.phantom.screen import frame_fan
from echoplane.records import FloatArray, UInt8Array

#: Columns of a strip, and seconds across it.
COLUMNS = 360
SWEEP_S = 3.0


def render_page(rec: Recording, times: Sequence[float]) -> UInt8Array:
    """Render the frames of a page.

    Parameters
    ----------
    rec : Recording
        Whose content is one of :data:`echoplane.phantom.recording.PAGES`.
    times : sequence of float
        Seconds after the start.

    Returns
    -------
    uint8 array, (T, H, W)
    """
    height, width = rec.screen.size
    rng = rec.stream(CONTENT, 2)
    if rec.content == "static":
        return _static(rng, len(times), height, width)
    if rec.content == "drawing":
        return _drawing(rng, times, height, width)
    top = _top(rng, height)
    fan = _small_fan(rec, top, width)
    strip = _spectrum(rec, rng) if rec.content == "spectral" else _motion(rec)
    strip = u8(cv2.resize(strip, (width, height - top), interpolation=cv2.INTER_LINEAR))
    out = np.zeros((len(times), height, width), np.uint8)
    out[:, :top] = fan
    for frame, time_s in zip(out, times, strict=True):
        pen = round((time_s / SWEEP_S + 0.35) % 1.0 * width)
        frame[top:] = strip
        frame[top:, pen : pen + max(2, width // 60)] = 0
    return out


def _top(rng: Rng, height: int) -> int:
    return round(float(rng.uniform(0.3, 0.5)) * height)


def strip_top(rec: Recording) -> int:
    """Return the first row of the strip of a spectral or M-mode page; the small fan is above it."""
    return _top(rec.stream(CONTENT, 2), rec.screen.size[0])


def _small_fan(rec: Recording, height: int, width: int) -> UInt8Array:
    """Scan-convert the first instant, frozen, into the upper part of the page."""
    screen = replace(rec.screen, layout="tiny", size=(height, width), shift=(0.0, 0.0), fill=0.95)
    fan, framing = frame_fan(screen, rec.shape)
    grid = rec.grid(0.5)
    frame = next(rec.polar(grid, [0.0]))
    whole = (0.0, 0.0, float(width), float(height))
    grey = ScanConverter.of(framing, grid, whole, (height, width)).grey(frame.grey)
    grey = multiply(grey, coverage(framing.sector(fan), height, width, whole, (height, width)))
    x, y = round(framing.apex[0]), round(framing.apex[1])
    reach = fan.far_cm * framing.pixels_per_cm
    lean = float(rec.stream(CONTENT, 3).uniform(fan.left, fan.right)) * 0.6
    for dash in np.arange(0.05, 0.98, 0.06):
        a, b = dash * reach, (dash + 0.03) * reach
        start = round(x + a * math.sin(lean)), round(y + a * math.cos(lean))
        cv2.line(grey, start, (round(x + b * math.sin(lean)), round(y + b * math.cos(lean))), 200, 1, cv2.LINE_AA)
    return grey


def _spectrum(rec: Recording, rng: Rng) -> UInt8Array:
    """Velocity against time: filled or hollow envelopes above and below a baseline, in speckle."""
    rows = 200
    times = np.arange(COLUMNS) / COLUMNS * SWEEP_S
    phase = f32([rec.source.phase(float(t)) for t in times])
    velocity = np.linspace(1, -1, rows, dtype=np.float32)[:, None]

    def wave(at: float, width: float, peak: float) -> FloatArray:
        away = (phase - at + 0.5) % 1.0 - 0.5
        return f32(peak * np.exp(-((away / width) ** 2)))

    sign = float(rng.choice((-1, 1)))
    style = rng.random()
    if style < 0.4:  # outflow or regurgitation: one wave in systole
        edge = wave(0.2, rng.uniform(0.08, 0.16), sign * rng.uniform(0.4, 0.95))
    elif style < 0.8:  # inflow: early and atrial wave
        edge = wave(0.52, 0.07, sign * rng.uniform(0.4, 0.9)) + wave(0.87, 0.05, sign * rng.uniform(0.2, 0.8))
    else:  # tissue Doppler: systolic one way, diastolic the other
        edge = wave(0.18, 0.1, sign * 0.4) - wave(0.52, 0.06, sign * 0.6) - wave(0.87, 0.05, sign * 0.4)
    filled = (np.abs(velocity) < np.abs(edge)) & (np.sign(velocity) == np.sign(edge))
    near_edge = np.exp(-(((velocity - edge) / rng.uniform(0.05, 0.25)) ** 2)) * (np.abs(edge) > 0.05)
    strength = filled * rng.uniform(0.1, 1.0) + near_edge + 0.6 * np.exp(-((velocity / 0.03) ** 2))
    speckle = rng.exponential(1.0, (rows, COLUMNS)).astype(np.float32)
    speckle = f32(cv2.GaussianBlur(speckle, (3, 3), 0.7))
    grey = 255 * np.clip(strength * speckle * rng.uniform(0.5, 1.0) + 0.06 * rng.random() * speckle, 0, 1)
    picture = u8(grey.astype(np.uint8))
    picture[rows // 2] = 120
    return picture


def _motion(rec: Recording) -> UInt8Array:
    """Depth against time along one beam."""
    fan = rec.fan
    # A few beams wide, so that the point spread has something to average over.
    narrow = Fan(fan.kind, fan.face_cm, fan.depth_cm, -0.06, 0.06)
    grid = PolarGrid.of(narrow, 9, 200)
    body = rec.body(grid)
    processor = Processor.of(replace(rec.scanner, persistence=0.0))
    rng = rec.stream(CONTENT, 4)
    columns = []
    for number, time_s in enumerate(np.arange(0, SWEEP_S, 0.02)):
        echoes = body.echoes(rec.source.slice(body.points(rec.pose), float(time_s)), float(time_s), rng)
        if number == 0:
            processor.set_gain(echoes, body.fine.radii)
        columns.append(processor.frame(echoes)[4])
    return u8(np.stack(columns, 1))


def _static(rng: Rng, frames: int, height: int, width: int) -> UInt8Array:
    """Noise of one of several grains, fresh in every frame."""
    grain = int(rng.choice((1, 1, 2, 4, 8)))
    level, spread = rng.uniform(20, 150), rng.uniform(10, 80)
    shape = (frames, -(-height // grain), -(-width // grain))
    noise = np.clip(level + spread * rng.standard_normal(shape), 0, 255).astype(np.uint8)
    return np.stack([u8(cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC)) for f in noise])


def _drawing(rng: Rng, times: Sequence[float], height: int, width: int) -> UInt8Array:
    """Clouds, discs and polygons that drift: what a camera or a screen might show that is no ultrasound."""
    spectrum = rng.standard_normal((64, 64)) + 1j * rng.standard_normal((64, 64))
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None, :]) + 0.01
    cloud = np.fft.ifft2(spectrum / frequency ** rng.uniform(0.8, 2.0)).real
    cloud = 255 * (cloud - cloud.min()) / (np.ptp(cloud) + 1e-9)
    base = u8(cv2.resize(f32(cloud), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        base[...] = int(rng.integers(0, 256))
    shapes = []
    for _ in range(int(rng.integers(0, 10))):
        corners = int(rng.integers(3, 12))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        size = rng.uniform(0.03, 0.3) * height
        middle = rng.uniform(0, 1, 2) * (width, height)
        points = middle + size * np.stack([np.cos(angles), np.sin(angles)], 1)
        shapes.append((points, int(rng.integers(0, 256)), rng.normal(0, 0.1, 2) * height))
    out = np.empty((len(times), height, width), np.uint8)
    for frame, time_s in zip(out, times, strict=True):
        frame[...] = base
        for points, grey, speed in shapes:
            cv2.fillPoly(frame, [np.round(points + time_s * speed).astype(np.int32)], grey, cv2.LINE_AA)
    return out
