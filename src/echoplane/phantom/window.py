"""The patient's window: what is lost and what is added between the probe and the heart, fixed to the probe."""

from __future__ import annotations

import cv2
import numpy as np

from echoplane.phantom.arrays import f32
from echoplane.phantom.clutter import decibels
from echoplane.phantom.fan import PolarGrid
from echoplane.phantom.looks import Acoustics, Rng
from echoplane.records import FloatArray


def fixed_gain(grid: PolarGrid, acoustics: Acoustics, rng: Rng) -> FloatArray:
    """Fan edges, patches, dropout wedges and the error of the time gain, amplitude (B, D)."""
    fan = grid.fan
    half = (fan.right - fan.left) / 2
    across = (grid.angles - (fan.left + fan.right) / 2) / np.float32(half)
    share = grid.depths / np.float32(fan.depth_cm)
    gain_db = np.interp(share, [0.0, 0.5, 1.0], acoustics.tgc_db).astype(np.float32)[None, :]
    gain_db = gain_db - acoustics.edge_loss_db * (across**2)[:, None]
    knots = f32(rng.standard_normal((6, 5)))
    patches = f32(cv2.resize(knots, (len(share), len(across)), interpolation=cv2.INTER_CUBIC))
    gain_db = gain_db + np.float32(acoustics.patch_db) * patches
    for wedge in acoustics.dropouts:
        shape = np.exp(-((np.abs(across - wedge.centre) / wedge.width) ** 3))
        below = 1 / (1 + np.exp((wedge.from_cm - grid.depths) / 0.4))
        gain_db = gain_db - wedge.loss_db * shape[:, None] * below[None, :]
    return decibels(gain_db.astype(np.float32))


def chest_wall(grid: PolarGrid, acoustics: Acoustics, rng: Rng) -> tuple[FloatArray, FloatArray]:
    """Skin, fat and muscle: bright streaks along arcs under the probe, amplitude and share, both (B, D)."""
    # A slowly varying thickness, so that layers are not perfect arcs.
    bend = 1 + 0.25 * np.sin(grid.angles * rng.uniform(1, 4) + rng.uniform(0, 6.28))
    depth = grid.along / bend[:, None].astype(np.float32) / np.float32(acoustics.wall_cm)
    layers_db = np.full(grid.shape, acoustics.wall_db, np.float32)
    for _ in range(int(rng.integers(2, 6))):
        at, width, up = rng.uniform(0, 1), rng.uniform(0.02, 0.08), rng.uniform(3, 14)
        layers_db += np.float32(up) * np.exp(-(((depth - np.float32(at)) / np.float32(width)) ** 2))
    share = 1 / (1 + np.exp(np.clip((depth - 1) / np.float32(0.06), -30, 30)))
    return decibels(layers_db), share.astype(np.float32)
