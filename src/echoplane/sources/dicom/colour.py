"""Samples to R, G, B or to luma, by the photometric interpretation (PS3.3 C.7.6.3.1.2) and nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]


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


def to_grey(samples: UInt8, space: Space) -> UInt8:
    """Return BT.601 luma, full range: 0.299 R + 0.587 G + 0.114 B.

    Parameters
    ----------
    samples : uint8 array, (h, w, 3)
    space : Space

    Returns
    -------
    uint8 array, (h, w)
    """
    grey: Any
    if space is Space.RGB:
        grey = cv2.cvtColor(np.ascontiguousarray(samples), cv2.COLOR_RGB2GRAY)
    else:
        grey = np.ascontiguousarray(samples[..., 0])
        if space is Space.YBR_PARTIAL:
            grey = cv2.LUT(grey, FULL_LUMA)
    return grey


def to_rgb(samples: UInt8, space: Space) -> UInt8:
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
    rgb: Any = cv2.cvtColor(np.ascontiguousarray(samples[..., ::-1][..., [2, 0, 1]]), cv2.COLOR_YCrCb2RGB)
    return rgb


#: Limited range (16 to 235, and 16 to 240) to full range, rounded.
FULL_LUMA: UInt8 = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
FULL_CHROMA: UInt8 = np.clip(np.rint((np.arange(256) - 128) * (255 / 224) + 128), 0, 255).astype(np.uint8)
