"""Texture: speckle, electronic noise, blur or sharpening, JPEG blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from echoplane.data.augment_base import Between, between, chance, unit
from echoplane.data.augment_fan import Fan
from echoplane.records import UInt8Array

#: Noise is cut from one picture of this size, which is made once: drawing it anew costs more than all the rest.
BANK = 1024
#: Standard deviation of the bank, grey values about 128.
BANK_STD = 32.0
#: More lines no JPEG of libjpeg has.
MOST_LINES = 65500


@dataclass(frozen=True, slots=True)
class TextureDraw:
    """One texture.

    Attributes
    ----------
    speckle : float
        Standard deviation of the noise that multiplies the picture; 0 for none.
    noise : float
        Standard deviation of the noise that is added inside the fan, grey values.
    grain : float
        Size of the noise grains: standard deviation of their blur, pixels.
    seed : int
        Where in the bank each frame's noise is cut.
    blur : float
        Standard deviation in pixels when positive; strength of sharpening in [0, 1] when negative.
    jpeg : int
        JPEG quality; 0 for none.
    """

    speckle: float = 0.0
    noise: float = 0.0
    grain: float = 0.0
    seed: int = 0
    blur: float = 0.0
    jpeg: int = 0


@dataclass(frozen=True, slots=True)
class Texture:
    """Speckle, noise, sharpness, compression.

    Attributes
    ----------
    speckle_p, speckle : float, (float, float)
        Noise that multiplies: standard deviation as a share of the grey value.
    noise_p, noise : float, (float, float)
        Noise that is added: standard deviation, grey values.
    blur_p, blur : float, (float, float)
        Standard deviation, pixels.
    sharpen_p, sharpen : float, (float, float)
        Strength of an unsharp mask.
    jpeg_p, jpeg : float, (float, float)
        Quality, 1 to 100.
    """

    speckle_p: float = 0.25
    speckle: Between = (0.05, 0.3)
    noise_p: float = 0.15
    noise: Between = (2.0, 12.0)
    blur_p: float = 0.15
    blur: Between = (0.4, 1.2)
    sharpen_p: float = 0.1
    sharpen: Between = (0.3, 1.0)
    jpeg_p: float = 0.1
    jpeg: Between = (30.0, 90.0)

    def __post_init__(self) -> None:
        unit(
            "texture",
            speckle_p=self.speckle_p,
            noise_p=self.noise_p,
            blur_p=self.blur_p,
            sharpen_p=self.sharpen_p,
            jpeg_p=self.jpeg_p,
        )

    def draw(self, rng: np.random.Generator) -> TextureDraw | None:
        """Draw, or None for no change."""
        speckle = between(rng, self.speckle) if chance(rng, self.speckle_p) else 0.0
        noise = between(rng, self.noise) if chance(rng, self.noise_p) else 0.0
        grain, seed = (between(rng, (0.3, 1.2)), int(rng.integers(2**31))) if speckle or noise else (0.0, 0)
        blur = between(rng, self.blur) if chance(rng, self.blur_p) else 0.0
        if not blur and chance(rng, self.sharpen_p):
            blur = -between(rng, self.sharpen)
        jpeg = round(between(rng, self.jpeg)) if chance(rng, self.jpeg_p) else 0
        drawn = TextureDraw(speckle, noise, grain, seed, blur, jpeg)
        return None if drawn == TextureDraw() else drawn


@lru_cache(maxsize=3)
def _bank(coarse: int) -> UInt8Array:
    values = np.random.default_rng(coarse).standard_normal((BANK, BANK), np.float32)
    if coarse:
        cv2.GaussianBlur(values, (0, 0), 0.4 * coarse, dst=values)
    bank: UInt8Array = np.clip(128.5 + values * (BANK_STD / values.std()), 0, 255).astype(np.uint8)
    return bank


def grain(clip: UInt8Array, drawn: TextureDraw, fan: Fan) -> UInt8Array:
    """Add speckle and noise, other in every frame."""
    n, height, width = clip.shape
    bank = _bank(min(int(drawn.grain / 0.4), 2))
    if max(height, width) >= BANK:
        bank = np.tile(bank, (height // BANK + 1, width // BANK + 1))
    room = [bank.shape[0] - height, bank.shape[1] - width]
    spots = np.random.Generator(np.random.PCG64(drawn.seed)).integers(0, room, (n, 2, 2))
    inside = fan.inside(height, width)
    share, added = drawn.speckle * 128 / BANK_STD, drawn.noise / BANK_STD
    out = np.empty_like(clip)
    for frame, target, ((y, x), (v, u)) in zip(clip, out, spots.tolist(), strict=True):
        np.copyto(target, frame)
        if share:
            noisy = cv2.multiply(frame, bank[y : y + height, x : x + width], scale=1 / 128)
            cv2.addWeighted(frame, 1 - share, noisy, share, 0, dst=target)
        if added:
            noisy = cv2.addWeighted(target, 1, bank[v : v + height, u : u + width], added, -128 * added)
            cv2.copyTo(noisy, inside, target)
    return out


def soften(clip: UInt8Array, blur: float) -> UInt8Array:
    """Blur (positive) or sharpen (negative) every frame."""
    out = np.empty_like(clip)
    for frame, target in zip(clip, out, strict=True):
        if blur > 0:
            cv2.GaussianBlur(frame, (0, 0), blur, dst=target)
        else:
            cv2.addWeighted(frame, 1 - blur, cv2.GaussianBlur(frame, (3, 3), 0), blur, 0, dst=target)
    return out


def compress(clip: UInt8Array, quality: int) -> UInt8Array:
    """Compress and decompress as JPEG: frames under one another, as many in one go as a JPEG can hold."""
    _, height, width = clip.shape
    at_once, out = max(MOST_LINES // height, 1), []
    for start in range(0, len(clip), at_once):
        stack = clip[start : start + at_once].reshape(-1, width)
        _, data = cv2.imencode(".jpg", stack, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out.append(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8))
    return np.concatenate(out).reshape(clip.shape)


def roughen(clip: UInt8Array, drawn: TextureDraw, fan: Fan) -> UInt8Array:
    """Apply grain, then blur, then JPEG: the order in which a scanner and its archive do it."""
    if drawn.speckle or drawn.noise:
        clip = grain(clip, drawn, fan)
    if drawn.blur:
        clip = soften(clip, drawn.blur)
    return compress(clip, drawn.jpeg) if drawn.jpeg else clip
