"""How another scanner would show it: grey values, brightness by depth and grain of a cine of another store.

Meant for stores that differ in kind, as phantoms and patients do: what a network must not tell them apart by is lent
from one to the other. Only the statistics of one frame are lent, never its pixels, so the label stays what it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.data.augment_base import Between, between, chance, unit
from echoplane.data.augment_fan import Fan
from echoplane.records import BoolArray, FloatArray, UInt8Array

#: Two distributions of grey are compared at so many quantiles.
LEVELS = np.linspace(0, 1, 33)
#: The grey curve is nowhere steeper: one grey step of noise must not become a picture.
STEEPEST = 3.0
#: Shells of depth, and sigma, in shells, of the smoothing over them.
SHELLS, SMOOTH = 24, 2.0
#: Brightness by depth, and grain, change by no more than these factors, either way.
MOST_LIGHT, MOST_GRAIN = 3.0, 2.5
#: Grain is compared above and below the first of these sigmas, up to the second; pixels.
BANDS = (0.8, 2.0)
#: Pixels that it takes to know a distribution.
ENOUGH = 300


@dataclass(frozen=True, slots=True)
class StyleDraw:
    """Whose looks, and how nearly.

    Attributes
    ----------
    example : (float, float, float)
        Which other store, which patient in it and which of the patient's cines, as shares in [0, 1).
    curve, depth, grain : float
        Of grey values, brightness by depth, and grain: 0 leaves one's own, 1 takes the example's.
    """

    example: tuple[float, float, float]
    curve: float = 1.0
    depth: float = 1.0
    grain: float = 1.0


@dataclass(frozen=True, slots=True)
class Style:
    """Looks of another store's cines; nothing where there is one store only.

    Attributes
    ----------
    p : float
    curve, depth, grain : (float, float)
        How nearly the example's looks are taken, in [0, 1].
    """

    p: float = 0.0
    curve: Between = (0.3, 1.0)
    depth: Between = (0.0, 1.0)
    grain: Between = (0.0, 1.0)

    def __post_init__(self) -> None:
        unit("style", p=self.p, curve=max(self.curve), depth=max(self.depth), grain=max(self.grain))

    def draw(self, rng: np.random.Generator) -> StyleDraw | None:
        """Draw, or None for no change."""
        if self.p == 0 or not chance(rng, self.p):
            return None
        example = (rng.random(), rng.random(), rng.random())
        return StyleDraw(example, between(rng, self.curve), between(rng, self.depth), between(rng, self.grain))


def restyle(clip: UInt8Array, drawn: StyleDraw, fan: Fan, example: UInt8Array, example_fan: Fan) -> UInt8Array:
    """Show a clip as another cine is shown.

    Parameters
    ----------
    clip : uint8 array, (N, H, W)
    drawn : StyleDraw
    fan, example_fan : Fan
    example : uint8 array, (H, W)
        One frame of the other cine.

    Returns
    -------
    uint8 array, (N, H, W)
        The clip itself where one of the two shows too little ultrasound.
    """
    n, height, width = clip.shape
    # What is black in every frame is no ultrasound: a crop or a mask left it out.
    mine = (fan.inside(height, width) > 0) & (clip.max(axis=0) > 0)
    theirs = (example_fan.inside(height, width) > 0) & (example > 0)
    if min(np.count_nonzero(mine), np.count_nonzero(theirs)) < ENOUGH:
        return clip
    curve = grey_curve(clip[n // 2][mine], example[theirs], drawn.curve)
    out = cv2.LUT(clip.reshape(n * height, width), curve).reshape(clip.shape).astype(np.float32)
    depth, _ = fan.grid(height, width)
    their_depth, _ = example_fan.grid(height, width)
    light = _by_depth(example, their_depth, theirs) / _by_depth(out[n // 2], depth, mine)
    out *= np.interp(depth, (np.arange(SHELLS) + 0.5) / SHELLS, _limited(light, MOST_LIGHT, drawn.depth)).astype("f4")
    grain = _grain(example.astype(np.float32), theirs) / _grain(out[n // 2], mine)
    fine, coarse = _limited(grain, MOST_GRAIN, drawn.grain).astype(np.float32)
    for frame in out:
        first, second = (cv2.GaussianBlur(frame, (0, 0), sigma) for sigma in BANDS)
        frame[...] = second + fine * (frame - first) + coarse * (first - second)
    out *= mine
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def grey_curve(mine: UInt8Array, theirs: UInt8Array, share: float) -> UInt8Array:
    """Return the 256 grey values that give one set of pixels the distribution of another; black stays black."""
    grey = np.arange(256.0)
    from_, to = (np.quantile(pixels, LEVELS) for pixels in (mine, theirs))
    wanted = np.interp(grey, [0.0, *from_], [0.0, *to])
    steps = np.clip(np.diff((1 - share) * grey + share * wanted, prepend=0.0), 0, STEEPEST)
    steps[0] = 0
    curve: UInt8Array = np.rint(np.minimum(np.cumsum(steps), 255)).astype(np.uint8)
    return curve


def _limited(ratio: FloatArray, most: float, share: float) -> FloatArray:
    limited: FloatArray = np.clip(ratio, 1 / most, most) ** share
    return limited


def _by_depth(frame: UInt8Array | FloatArray, depth: FloatArray, inside: BoolArray) -> FloatArray:
    """Return the mean grey by depth, smoothed; never quite black."""
    shell = np.clip((depth[inside] * SHELLS).astype(int), 0, SHELLS - 1)
    taps = np.exp(-0.5 * (np.arange(-6, 7) / SMOOTH) ** 2)
    total, count = (np.convolve(np.bincount(shell, weights, SHELLS), taps, "same") for weights in (frame[inside], None))
    light: FloatArray = total / np.maximum(count, 1e-3) + 8
    return light


def _grain(frame: FloatArray, inside: BoolArray) -> FloatArray:
    """Return the standard deviation of fine and of coarse detail; never quite none."""
    first, second = (cv2.GaussianBlur(frame, (0, 0), sigma) for sigma in BANDS)
    return np.array([(frame - first)[inside].std() + 1, (first - second)[inside].std() + 1])
