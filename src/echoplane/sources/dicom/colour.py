"""Samples to R, G, B or to luma, by the photometric interpretation (PS3.3 C.7.6.3.1.2) and nothing else."""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np

from echoplane.records import UInt8Array
from echoplane.sources.luma import luma


class Space(StrEnum):
    """What three samples of a pixel are."""

    RGB = "R G B"
    YBR_FULL = "Y Cb Cr"
    YBR_PARTIAL = "Y Cb Cr, limited range"


def space_of(photometric: str) -> Space:
    """Return the colour space of uncompressed (or losslessly decoded) samples."""
    if photometric.startswith("YBR_PARTIAL"):
        return Space.YBR_PARTIAL
    return Space.YBR_FULL if photometric.startswith("YBR_FULL") else Space.RGB


def to_grey(samples: UInt8Array, space: Space) -> UInt8Array:
    """Return BT.601 luma, full range: 0.299 R + 0.587 G + 0.114 B.

    Parameters
    ----------
    samples : uint8 array, (h, w, 3)
    space : Space

    Returns
    -------
    uint8 array, (h, w)
    """
    if space is Space.RGB:
        return luma(samples)
    grey = np.ascontiguousarray(samples[..., 0])
    return np.asarray(cv2.LUT(grey, FULL_LUMA), np.uint8) if space is Space.YBR_PARTIAL else grey


def to_rgb(samples: UInt8Array, space: Space) -> UInt8Array:
    """Return R, G, B.

    Parameters
    ----------
    samples : uint8 array, (h, w, 3)
    space : Space

    Returns
    -------
    uint8 array, (h, w, 3)
    """
    if space is Space.RGB:
        return samples
    if space is Space.YBR_PARTIAL:
        samples = np.stack([FULL_LUMA[samples[..., 0]], FULL_CHROMA[samples[..., 1]], FULL_CHROMA[samples[..., 2]]], -1)
    return np.asarray(cv2.cvtColor(samples[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB), np.uint8)


#: Limited range (16 to 235, and 16 to 240) to full range, rounded.
FULL_LUMA: UInt8Array = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
FULL_CHROMA: UInt8Array = np.clip(np.rint((np.arange(256) - 128) * (255 / 224) + 128), 0, 255).astype(np.uint8)
