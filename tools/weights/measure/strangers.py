"""Cines that show no heart: other organs, air, noise, photographs, other scanners' pictures, drawings.

Each kind is a function of a number that gives frames (T, H, W). The organs, air and static come from the phantom, whose
training sets hold such cines under NOISE; all others are made here, and no network of ours was trained on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from echoplane.phantom.clip import render_frames
from echoplane.phantom.organs import ORGANS, OrganScene
from echoplane.phantom.pages import render_page
from echoplane.phantom.plan import plan_recording
from echoplane.phantom.recording import PAGES
from echoplane.records import Sector, SectorKind, UInt8Array
from measure import phantoms

FRAMES, SIDE, FPS = 16, 320, 16.0
Maker = Callable[[int], UInt8Array]


def organ(kind: str, number: int) -> UInt8Array:
    """Render an organ as the phantom's scanner sees it."""
    from dataclasses import replace

    seed = phantoms.SEED + 500_000 + 100 * sorted(ORGANS).index(kind) + number
    while (rec := plan_recording("NOISE", seed)).content in PAGES:
        seed += 100_000
    rec = replace(rec, source=OrganScene(kind, seed), content=f"organ: {kind}")
    return _grey(render_frames(rec, [n / FPS for n in range(FRAMES)]))


def page(kind: str, number: int) -> UInt8Array:
    """Render a page of the phantom: ``static`` or ``drawing``."""
    seed = phantoms.SEED + 600_000 + 1000 * number
    while (rec := plan_recording("NOISE", seed)).content != kind:
        seed += 1
    return render_page(rec, [n / FPS for n in range(FRAMES)])


def _grey(frames: UInt8Array) -> UInt8Array:
    if frames.ndim == 3:
        return frames
    return np.stack([np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) for frame in frames])


def _rng(number: int, salt: int) -> np.random.Generator:
    return np.random.default_rng([phantoms.SEED, salt, number])


def in_fan(frames: UInt8Array, number: int) -> UInt8Array:
    """Black out what lies outside a fan, as if it came off a probe; every other number only."""
    if number % 2:
        return frames
    height, width = frames.shape[1:]
    half = math.radians(30 + 15 * _rng(number, 1).random())
    sector = Sector(SectorKind.PHASED, (0, 0, width, height), (width / 2, 4.0), 0.0, height - 8.0, -half, half)
    return np.asarray(frames * sector.mask(height, width), np.uint8)


def white_noise(number: int) -> UInt8Array:
    """Independent noise in every frame."""
    return _rng(number, 2).integers(0, 256, (FRAMES, SIDE, SIDE), dtype=np.uint8)


def soft_noise(number: int) -> UInt8Array:
    """Noise of some pixels' size, drifting slowly."""
    rng = _rng(number, 3)
    sigma = float(rng.uniform(1.5, 14))
    field = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE + 4 * FRAMES)).astype(np.float32), (0, 0), sigma)
    field = (field - field.min()) / np.ptp(field) * 255
    return np.stack([field[:, 4 * n : 4 * n + SIDE] for n in range(FRAMES)]).astype(np.uint8)


def speckle(number: int) -> UInt8Array:
    """Developed speckle without anatomy, brighter near the probe or below."""
    rng = _rng(number, 4)
    made = []
    near, far = rng.uniform(0.2, 1.0, 2)
    slope = np.linspace(near, far, SIDE)[:, None]
    for _ in range(FRAMES):
        wave = rng.standard_normal((2, SIDE, SIDE)).astype(np.float32)
        real, imaginary = (cv2.GaussianBlur(w, (0, 0), 3.0, sigmaY=1.2) for w in wave)
        echo = 20 * np.log10(np.hypot(real, imaginary) + 1e-4)
        made.append(np.clip((echo - echo.max() + 45) / 45, 0, 1) * 255 * slope)
    return np.stack(made).astype(np.uint8)


def even(number: int) -> UInt8Array:
    """Even or sloping grey: a probe in the air, a covered lens."""
    rng = _rng(number, 5)
    ends = rng.integers(5, 250, 4)
    rows, columns = np.linspace(ends[0], ends[1], SIDE)[:, None], np.linspace(ends[2], ends[3], SIDE)[None]
    picture = np.clip((rows + columns) / 2 + rng.normal(0, 2, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    return np.repeat(picture[None], FRAMES, 0)


@lru_cache(maxsize=1)
def photographs() -> tuple[UInt8Array, ...]:
    """Read the photographs that scikit-learn and matplotlib bring along."""
    import matplotlib
    import sklearn.datasets

    folders = (Path(sklearn.datasets.__file__).parent / "images", Path(matplotlib.get_data_path()) / "sample_data")
    names = [path for folder in folders for path in sorted(folder.glob("*.jpg"))]
    return tuple(np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) for path in names)


def photograph(number: int) -> UInt8Array:
    """A camera that pans over a photograph."""
    rng = _rng(number, 6)
    found = photographs()
    whole = found[number % len(found)]
    side = int(rng.uniform(0.3, 0.75) * min(whole.shape))
    y, x = (int(rng.integers(0, n - side)) for n in whole.shape)
    step = rng.integers(-4, 5, 2)
    made = []
    for n in range(FRAMES):
        top = int(np.clip(y + n * step[0], 0, whole.shape[0] - side))
        left = int(np.clip(x + n * step[1], 0, whole.shape[1] - side))
        made.append(cv2.resize(whole[top : top + side, left : left + side], (SIDE, SIDE)))
    return np.stack(made).astype(np.uint8)


@lru_cache(maxsize=1)
def slices() -> tuple[UInt8Array, ...]:
    """Read the CT and MR pictures that pydicom brings along."""
    import pydicom
    from pydicom import examples

    made = []
    for name in ("ct", "mr"):
        values = pydicom.dcmread(examples.get_path(name)).pixel_array.astype(np.float32)
        low, high = np.percentile(values, (1, 99))
        made.append((np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8))
    return tuple(made)


def ct_or_mr(number: int) -> UInt8Array:
    """A zoom into a CT or MR slice."""
    rng = _rng(number, 7)
    whole = slices()[number % 2]
    turn = float(rng.uniform(0, 360))
    middle = ((whole.shape[1] - 1) / 2, (whole.shape[0] - 1) / 2)
    made = []
    for n in range(FRAMES):
        matrix = cv2.getRotationMatrix2D(middle, turn, SIDE / min(whole.shape) * (1 + 0.01 * n))
        matrix[:, 2] += (SIDE / 2 - middle[0], SIDE / 2 - middle[1])
        made.append(cv2.warpAffine(whole, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC))
    return np.stack(made).astype(np.uint8)


def drawing(number: int) -> UInt8Array:
    """Circles, boxes and lines, standing still or moving."""
    rng = _rng(number, 8)
    things = [
        (int(rng.integers(3)), rng.integers(0, SIDE, 4), int(rng.integers(40, 255)), rng.normal(0, 2, 2))
        for _ in range(int(rng.integers(2, 9)))
    ]
    moves = float(number % 3 > 0)
    made = []
    for n in range(FRAMES):
        frame = np.zeros((SIDE, SIDE), np.uint8)
        for kind, place, ink, speed in things:
            dx, dy = (moves * n * speed).round().astype(int)
            a, b = (int(place[0] + dx), int(place[1] + dy)), (int(place[2] + dx), int(place[3] + dy))
            if kind == 0:
                cv2.circle(frame, a, int(10 + place[2] // 4), ink, -1 if ink > 150 else 3, cv2.LINE_AA)
            elif kind == 1:
                cv2.rectangle(frame, a, b, ink, -1 if ink > 150 else 3)
            else:
                cv2.line(frame, a, b, ink, 3, cv2.LINE_AA)
        made.append(frame)
    return np.stack(made)


def words(number: int) -> UInt8Array:
    """A page of text: a report that was captured from a screen."""
    rng = _rng(number, 9)
    frame = np.full((SIDE, SIDE), int(rng.choice((0, 20, 235))), np.uint8)
    ink = 230 if frame[0, 0] < 128 else 20
    for row in range(14, SIDE, 16):
        line = " ".join("".join(rng.choice(list("abcdefghijklmnop0123456789"), rng.integers(2, 9))) for _ in range(6))
        cv2.putText(frame, line, (6, row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, ink, 1, cv2.LINE_AA)
    return np.repeat(frame[None], FRAMES, 0)


MADE_HERE: dict[str, Maker] = {
    "white noise": white_noise,
    "soft noise": soft_noise,
    "speckle without anatomy": speckle,
    "even grey": even,
    "photographs": photograph,
    "CT and MR": ct_or_mr,
    "drawings": drawing,
    "pages of text": words,
}


def kinds() -> Iterator[tuple[str, bool, Maker]]:
    """Yield name, whether training has seen its like, and maker."""
    for name in sorted(ORGANS):
        yield f"phantom {name}", True, lambda number, name=name: organ(name, number)  # type: ignore[misc]
    yield "phantom static", True, lambda number: page("static", number)
    for name, maker in MADE_HERE.items():
        yield name, False, lambda number, maker=maker: in_fan(maker(number), number)  # type: ignore[misc]
