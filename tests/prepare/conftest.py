"""A small ultrasound screen painter with known geometry, written apart from the code under test."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from echoplane.records import Cine, CineKind


class MemoryReader:
    """Frames in memory; grey comes from BT.601 weights, reduced frames from averaging r x r blocks."""

    def __init__(self, frames: np.ndarray, can_reduce: bool = True) -> None:
        self.frames, self.can_reduce = frames, can_reduce
        self.asked: list[tuple[tuple[int, ...], bool, int]] = []

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> np.ndarray:
        self.asked.append((tuple(indices), color, reduce))
        picked = self.frames[list(indices)]
        if color:
            picked = picked if picked.ndim == 4 else np.repeat(picked[..., None], 3, axis=-1)
        elif picked.ndim == 4:
            picked = np.round(picked @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        if reduce == 1 or not self.can_reduce:
            return picked
        height, width = (-(-side // reduce) for side in picked.shape[1:3])
        pad = [(0, 0), (0, height * reduce - picked.shape[1]), (0, width * reduce - picked.shape[2])]
        pad += [(0, 0)] * (picked.ndim - 3)
        padded = np.pad(picked, pad, mode="edge")
        blocks = padded.reshape(len(picked), height, reduce, width, reduce, *picked.shape[3:])
        return np.round(blocks.mean(axis=(2, 4))).astype(np.uint8)


def cine_of(frames: np.ndarray, **more: object) -> Cine:
    kind = CineKind.B_MODE if len(frames) > 1 else CineKind.STILL
    reader = MemoryReader(frames)
    values: dict[str, object] = {"fps": 30.0, "kind": kind} | more
    return Cine("painted", reader, len(frames), frames.shape[1], frames.shape[2], **values)  # type: ignore[arg-type]


@dataclass
class Screen:
    """What was painted: frames, and the true mask."""

    frames: np.ndarray
    truth: np.ndarray
    what: dict[str, object] = field(default_factory=dict)

    @property
    def cine(self) -> Cine:
        return cine_of(self.frames)


SHAPES = ("phased", "phased_trimmed", "curved", "virtual_convex", "linear", "tilted", "cut", "full_screen")


def draw_geometry(rng: np.random.Generator, shape: str, height: int, width: int) -> dict[str, float]:
    """Apex, radii, edge angles (from straight down), in pixels and radians; linear: a box."""
    if shape == "linear":
        w, h = width * rng.uniform(0.35, 0.6), height * rng.uniform(0.55, 0.85)
        x0, y0 = rng.uniform(0.15 * width, 0.85 * width - w), rng.uniform(0.04, 0.95) * (height - h)
        return {"x0": round(x0), "y0": round(y0), "x1": round(x0 + w), "y1": round(y0 + h)}
    half = math.radians(rng.uniform(30, 48))
    depth = height * rng.uniform(0.68, 0.9)
    skew = math.radians(rng.uniform(-3, 3)) if rng.random() < 0.3 else 0.0
    r0 = {"phased": rng.uniform(0, 0.02), "phased_trimmed": rng.uniform(0.04, 0.1)}.get(shape, 0.0) * depth
    if shape == "curved":
        half, r0 = math.radians(rng.uniform(25, 36)), depth * rng.uniform(0.3, 0.6)
    if shape == "virtual_convex":
        half, r0 = math.radians(rng.uniform(12, 24)), depth * rng.uniform(0.7, 1.6)
    if shape == "tilted":
        skew = math.radians(rng.uniform(8, 20)) * rng.choice([-1, 1])
        half, depth = math.radians(rng.uniform(28, 38)), depth * 0.9
    # Shrink until the corners fit sideways, except where the picture is meant to be cut off.
    reach = (r0 + depth) * max(abs(math.sin(half + abs(skew))), 0.01)
    limit = width * (0.58 if shape in ("cut", "full_screen") else 0.46)
    shrink = min(1.0, limit / reach)
    r0, depth = r0 * shrink, depth * shrink
    top = rng.uniform(0.02, 0.08) * height - (r0 * math.cos(half + abs(skew)) if r0 else 0)
    x = width / 2 + rng.uniform(-0.04, 0.04) * width - (r0 + depth / 2) * math.sin(skew)
    geometry = {"x": x, "y": top, "r0": r0, "r1": r0 + depth, "left": skew - half, "right": skew + half}
    if shape == "cut":
        geometry |= {"cut_x0": rng.uniform(0.16, 0.26) * width, "cut_x1": rng.uniform(0.74, 0.84) * width}
        if rng.random() < 0.5:
            geometry["cut_y1"] = top + depth * rng.uniform(0.8, 0.92)
    if shape == "full_screen":
        geometry |= {"y": -rng.uniform(0, 0.05) * height, "r1": height * rng.uniform(1.0, 1.15)}
    return geometry


def paint_truth(geometry: dict[str, float], height: int, width: int, finer: int = 4) -> np.ndarray:
    """Mask drawn as a polygon on a finer grid, then averaged down: nothing in common with Sector.mask."""
    big = np.zeros((height * finer, width * finer), np.uint8)
    if "x0" in geometry:
        box = [round(geometry[k] * finer) for k in ("x0", "y0", "x1", "y1")]
        big[box[1] : box[3], box[0] : box[2]] = 1
    else:
        angles = np.linspace(geometry["left"], geometry["right"], 400)
        rays = np.stack([np.sin(angles), np.cos(angles)], axis=1)
        apex = np.array([geometry["x"], geometry["y"]])
        outline = np.concatenate([apex + geometry["r1"] * rays, (apex + geometry["r0"] * rays)[::-1]])
        cv2.fillPoly(big, [np.round((outline + 0.5) * finer - 0.5).astype(np.int32)], 1)
    mask = cv2.resize(big.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) >= 0.5
    columns, rows = np.arange(width), np.arange(height)
    mask &= (columns >= geometry.get("cut_x0", 0)) & (columns < geometry.get("cut_x1", width))
    return mask & (rows < geometry.get("cut_y1", height))[:, None]


def paint_tissue(rng: np.random.Generator, truth: np.ndarray, geometry: dict[str, float], frames: int) -> np.ndarray:
    """Speckle that partly renews itself, walls that move, dark chambers, fading depth and a shadow."""
    height, width = truth.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    cx, cy = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
    size = float(min(np.ptp(columns), np.ptp(rows)))
    if "x" in geometry:
        angle = np.arctan2(x - geometry["x"], y - geometry["y"])
        across = (angle - geometry["left"]) / (geometry["right"] - geometry["left"])
    else:
        across = (x - geometry["x0"]) / (geometry["x1"] - geometry["x0"])
    depth = (y - rows[0]) / np.ptp(rows)
    level = rng.uniform(26, 44) - rng.uniform(5, 22) * np.clip(depth, 0, 1)
    coarse = cv2.resize(rng.normal(0, 8, (9, 12)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    shadows = np.zeros_like(level)
    for _ in range(rng.integers(0, 3)):
        where, wide = rng.uniform(0, 1), rng.uniform(0.03, 0.12)
        start = rng.uniform(0.1, 0.6)
        shadows += 45 * np.exp(-(((across - where) / wide) ** 4)) * np.clip((depth - start) / 0.1, 0, 1)
    fixed = _speckle(rng, height, width)
    blobs = [(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), rng.uniform(0.08, 0.22)) for _ in range(4)]
    out = np.zeros((frames, height, width), np.float32)
    for t in range(frames):
        beat = math.sin(2 * math.pi * t / 7.3)
        fresh = _speckle(rng, height, width)
        amplitude = np.hypot(0.75 * fixed[0] + 0.66 * fresh[0], 0.75 * fixed[1] + 0.66 * fresh[1])
        decibel = level + coarse + 20 * np.log10(amplitude + 1e-3) - shadows
        for bx, by, radius in blobs:
            r = np.hypot((x - cx - bx * size) / 0.8, y - cy - (by + 0.02 * beat) * size) / (
                size * radius * (1 + 0.12 * beat)
            )
            decibel = decibel - 32 * (r < 1) + 10 * np.exp(-(((r - 1.15) / 0.12) ** 2))
        out[t] = np.clip(decibel, 0, 60) / 60 * 255 * truth
    return out


def _speckle(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    noise = rng.normal(size=(2, height // 2 + 1, width // 2 + 1)).astype(np.float32)
    return np.stack([cv2.resize(cv2.GaussianBlur(n, (0, 0), 1.1, sigmaY=0.7) * 3, (width, height)) for n in noise])


def paint_overlays(
    rng: np.random.Generator, frames: np.ndarray, truth: np.ndarray, gap: int | None = None
) -> list[str]:
    """Text, ECG with a sweep, grey bar, ticks, logo; in place, only outside the sector and `gap` pixels from it."""
    count, height, width = frames.shape
    layer = np.zeros((count, height, width), np.uint8)
    painters = {"text": 0.9, "ecg": 0.6, "bar": 0.7, "ticks": 0.7, "logo": 0.5}
    names = [name for name, chance in painters.items() if rng.random() < chance]
    for name in names:
        {"text": _text, "ecg": _ecg, "bar": _bar, "ticks": _ticks, "logo": _logo}[name](rng, layer)
    gap = max(3, int(0.012 * height)) if gap is None else gap
    near = cv2.dilate(truth.astype(np.uint8), np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)) > 0
    np.maximum(frames, layer * ~near, out=frames)
    return names


def _text(rng: np.random.Generator, layer: np.ndarray) -> None:
    _, height, width = layer.shape
    scale = 0.5 * height / 600 + 0.12
    lines = [("JPEG", 0.9, 0.97)]
    lines += [
        (w, 0.01, 0.05 + 0.045 * i) for i, w in enumerate(("HOSPITAL X", "TIS0.7 MI 1.1", "62Hz 16cm", "2D 58% C 50"))
    ]
    for frame in layer:
        for words, x, y in lines:
            at = int(x * width), int(y * height)
            cv2.putText(frame, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 210, 1, cv2.LINE_AA)


def _ecg(rng: np.random.Generator, layer: np.ndarray) -> None:
    count, height, width = layer.shape
    base, x = rng.uniform(0.88, 0.95) * height, np.arange(width)
    wave = np.exp(-(((x / width * 4) % 1 - 0.5) ** 2) / 0.0006) - 0.1 * np.sin(x / width * 40)
    trace = np.stack([x, base - 0.05 * height * wave], axis=1).round().astype(np.int32)
    rows = slice(int(base - 0.06 * height), int(base + 0.03 * height))
    for t, frame in enumerate(layer):
        cv2.polylines(frame, [trace], False, 180, 1, cv2.LINE_AA)
        at = int((0.2 + 0.6 * t / count) * width)
        frame[rows, at : at + max(2, width // 200)] = 255
        frame[rows, at + width // 200 : at + width // 30] = 0


def _bar(rng: np.random.Generator, layer: np.ndarray) -> None:
    _, height, width = layer.shape
    x0, y0, rows = int(0.955 * width), int(0.08 * height), int(0.35 * height)
    layer[:, y0 : y0 + rows, x0 : x0 + max(4, int(0.018 * width))] = np.linspace(255, 0, rows)[:, None]


def _ticks(rng: np.random.Generator, layer: np.ndarray) -> None:
    _, height, width = layer.shape
    for i in range(12):
        y0, x1 = int((0.1 + 0.07 * i) * height), int((0.94 + 0.01 * (i % 5 == 0)) * width)
        layer[:, y0 : y0 + max(1, int(height / 300)), int(0.93 * width) : x1] = 230


def _logo(rng: np.random.Generator, layer: np.ndarray) -> None:
    _, height, width = layer.shape
    for frame in layer:
        cv2.circle(frame, (int(0.3 * width), int(0.06 * height)), int(0.018 * height) + 2, 240, -1, cv2.LINE_AA)


def jpeg_noise(frames: np.ndarray, quality: int) -> np.ndarray:
    coded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for frame in frames]
    return np.stack([cv2.imdecode(code, cv2.IMREAD_GRAYSCALE) for code in coded])


def paint_screen(
    seed: int, shape: str | None = None, frames: int = 8, size: tuple[int, int] | None = None, overlays: bool = True
) -> Screen:
    rng = np.random.default_rng(seed)
    shape = shape or SHAPES[seed % len(SHAPES)]
    sizes = ((360, 480), (326, 478), (450, 600), (336, 384), (405, 540))
    height, width = size or sizes[rng.integers(len(sizes))]
    geometry = draw_geometry(rng, shape, height, width)
    truth = paint_truth(geometry, height, width)
    picture = paint_tissue(rng, truth, geometry, frames)
    names = paint_overlays(rng, picture, truth) if overlays else []
    clean = np.clip(picture + rng.integers(0, 3), 0, 255).astype(np.uint8)
    quality = int(rng.integers(70, 98))
    what = {"shape": shape, "seed": seed, "size": (height, width), "overlays": names, "quality": quality, **geometry}
    return Screen(jpeg_noise(clean, quality), truth, what)


@pytest.fixture
def screen() -> Callable[..., Screen]:
    """Paint a screen: ``screen(seed, shape=None, frames=8, size=None, overlays=True)``."""
    return paint_screen


@pytest.fixture
def in_memory() -> Callable[..., Cine]:
    """Make a cine of an array: ``in_memory(frames, **fields_of_cine)``."""
    return cine_of


@pytest.fixture
def shapes() -> tuple[str, ...]:
    return SHAPES
