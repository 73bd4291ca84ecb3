"""Resizing grey frames, by the name a recipe gives."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from echoplane.prepare.recipe import Interpolation
from echoplane.records import UInt8Array

# Pillow's filters widen with the reduction, so none of them aliases.
_PILLOW = {
    "lanczos": Image.Resampling.LANCZOS,
    "cubic": Image.Resampling.BICUBIC,
    "linear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


def resize(frames_THW: UInt8Array, size: tuple[int, int], interpolation: Interpolation) -> UInt8Array:
    """Resize every frame.

    Parameters
    ----------
    frames_THW : uint8 array, (T, H, W)
    size : tuple of int
        (rows, columns) of the result.
    interpolation : {"area", "linear", "cubic", "lanczos", "nearest"}
        ``area`` becomes ``linear`` where the picture does not shrink on both sides.

    Returns
    -------
    uint8 array, (T, rows, columns)
    """
    rows, columns = size
    out = np.empty((len(frames_THW), rows, columns), np.uint8)
    shrinks = frames_THW.shape[1] >= rows and frames_THW.shape[2] >= columns
    if interpolation == "area" and shrinks:
        for target, frame in zip(out, frames_THW, strict=True):
            cv2.resize(frame, (columns, rows), dst=target, interpolation=cv2.INTER_AREA)
        return out
    method = _PILLOW["linear" if interpolation == "area" else interpolation]
    for target, frame in zip(out, frames_THW, strict=True):
        target[...] = np.asarray(Image.fromarray(frame).resize((columns, rows), method))
    return out
