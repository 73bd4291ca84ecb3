"""What is done to pictures before anybody reads them: compressed, resized, mirrored, turned."""

from __future__ import annotations

import cv2
import numpy as np

from echoplane.phantom.codec import through_jpeg
from echoplane.records import UInt8Array


def compressed(frames: UInt8Array, quality: int) -> UInt8Array:
    """Send frames (T, H, W, 3) through JPEG 4:2:2."""
    return np.stack([through_jpeg(frame, quality) for frame in frames])


def resized(frames: UInt8Array, height: int) -> UInt8Array:
    """Resize frames (T, H, W, 3) to a height, as exports do: averaged when smaller, cubic when larger."""
    width = max(1, round(frames.shape[2] * height / frames.shape[1]))
    how = cv2.INTER_AREA if height < frames.shape[1] else cv2.INTER_CUBIC
    return np.stack([np.asarray(cv2.resize(frame, (width, height), interpolation=how), np.uint8) for frame in frames])


def mirrored(frames: UInt8Array) -> UInt8Array:
    """Swap left and right of frames (T, H, W, ...)."""
    return np.ascontiguousarray(frames[:, :, ::-1])


def turned(frames: UInt8Array, degrees: float) -> UInt8Array:
    """Turn frames (T, H, W, 3) clockwise about the middle; the picture grows so that nothing is cut, black around."""
    height, width = frames.shape[1:3]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = round(width * cos + height * sin), round(width * sin + height * cos)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.stack([np.asarray(cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_LINEAR)) for frame in frames])
