"""What the beam meets: rib shadows, lost contact, near-field haze, a narrower or shallower fan.

All are fields over depth and angle of the fan, the same for every frame: a gain and a brightness a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.data.augment_base import Between, between, chance, unit
from echoplane.data.augment_fan import Fan
from echoplane.records import FloatArray, UInt8Array


@dataclass(frozen=True, slots=True)
class Wedge:
    """One shadow: from `start` of the depth down, around `angle`, both as shares of the fan."""

    angle: float
    width: float
    start: float
    strength: float


@dataclass(frozen=True, slots=True)
class ShadowDraw:
    """Fields over the fan.

    Attributes
    ----------
    wedges : tuple of Wedge
    haze : (float, float)
        Grey values added at the top of the fan, and the share of the depth over which they fade.
    narrow : (float, float, float)
        Shares of the fan cut off on the left, on the right and at the bottom.
    """

    wedges: tuple[Wedge, ...] = ()
    haze: tuple[float, float] = (0.0, 1.0)
    narrow: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Shadow:
    """Shadows, haze, and the shape of the fan.

    Attributes
    ----------
    wedge_p : float
        Probability of one to three shadows.
    wedge_width : (float, float)
        Share of the fan's angle.
    wedge_strength : (float, float)
        Share of the echo that is lost.
    haze_p, haze, haze_reach : float, (float, float), (float, float)
        Grey values added near the probe, and the share of the depth over which they fade.
    narrow_p, narrow : float, float
        Largest share cut off from each side and from the bottom.
    """

    wedge_p: float = 0.2
    wedge_width: Between = (0.03, 0.2)
    wedge_strength: Between = (0.4, 1.0)
    haze_p: float = 0.15
    haze: Between = (10.0, 60.0)
    haze_reach: Between = (0.1, 0.6)
    narrow_p: float = 0.25
    narrow: float = 0.15

    def __post_init__(self) -> None:
        unit("shadow", wedge_p=self.wedge_p, haze_p=self.haze_p, narrow_p=self.narrow_p, narrow=self.narrow * 2.2)

    def draw(self, rng: np.random.Generator) -> ShadowDraw | None:
        """Draw, or None for no change."""
        wedges: tuple[Wedge, ...] = ()
        if chance(rng, self.wedge_p):
            wedges = tuple(
                Wedge(
                    rng.random(), between(rng, self.wedge_width), 0.4 * rng.random(), between(rng, self.wedge_strength)
                )
                for _ in range(int(rng.integers(1, 4)))
            )
        haze = (between(rng, self.haze), between(rng, self.haze_reach)) if chance(rng, self.haze_p) else (0.0, 1.0)
        narrow = (0.0, 0.0, 0.0)
        if chance(rng, self.narrow_p):
            narrow = (self.narrow * rng.random(), self.narrow * rng.random(), self.narrow * rng.random())
        drawn = ShadowDraw(wedges, haze, narrow)
        return None if drawn == ShadowDraw() else drawn


def gain_field(drawn: ShadowDraw, fan: Fan, height: int, width: int) -> FloatArray:
    """Return what every pixel is multiplied by, in [0, 1], float32 (H, W)."""
    depth, across = fan.grid(height, width)
    gain = np.ones((height, width), np.float32)
    for wedge in drawn.wedges:
        off = (across - np.float32(wedge.angle)) / np.float32(wedge.width / 2)
        off *= off
        off *= -off  # -(distance from the middle)^4: a flat top with soft edges
        below = np.clip((depth - np.float32(wedge.start)) * 20, 0, np.float32(wedge.strength))
        gain *= 1 - np.exp(np.maximum(off, -20)) * below
    left, right, bottom = drawn.narrow
    if any(drawn.narrow):
        gain *= (across >= left) & (across <= 1 - right) & (depth <= 1 - bottom)
    return gain


def shade(clip: UInt8Array, drawn: ShadowDraw, fan: Fan) -> UInt8Array:
    """Apply the fields to every frame."""
    _, height, width = clip.shape
    out = np.empty_like(clip)
    gain = np.rint(gain_field(drawn, fan, height, width) * 255).astype(np.uint8)
    light, reach = drawn.haze
    haze = None
    if light > 0:
        depth, _ = fan.grid(height, width)
        haze = np.clip(light * np.exp(-((depth / np.float32(reach)) ** 2)), 0, 255).astype(np.uint8)
        haze &= fan.inside(height, width)
    for frame, target in zip(clip, out, strict=True):
        if haze is not None:
            # Only where there is ultrasound: what is black in every scan line stays black.
            frame = cv2.add(frame, haze)
        cv2.multiply(frame, gain, dst=target, scale=1 / 255)
    return out
