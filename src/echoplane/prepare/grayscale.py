"""R, G, B to grey, the right way and the swapped way of the reference project.

Both use OpenCV's fixed-point formula for ITU-R BT.601 luma (0.299 R + 0.587 G + 0.114 B), which that project used.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from echoplane.prepare.recipe import Grey
from echoplane.records import UInt8Array


def to_grey(rgb_THW3: UInt8Array, grey: Grey = "luma") -> UInt8Array:
    """Turn R, G, B frames grey.

    Parameters
    ----------
    rgb_THW3 : uint8 array, (T, H, W, 3)
        Red first.
    grey : {"luma", "luma_swapped"}
        ``luma`` weighs R, G, B by 0.299, 0.587, 0.114; ``luma_swapped`` by 0.114, 0.587, 0.299: the answer when R-G-B
        frames go through a B-G-R conversion. The two agree wherever the picture is grey.

    Returns
    -------
    uint8 array, (T, H, W)
    """
    frames, height, width, _ = rgb_THW3.shape
    code = cv2.COLOR_RGB2GRAY if grey == "luma" else cv2.COLOR_BGR2GRAY
    if 0 in (frames, height, width):
        return np.zeros((frames, height, width), np.uint8)
    # The conversion works pixel by pixel, so all frames go through it as one tall picture.
    tall = cv2.cvtColor(np.ascontiguousarray(rgb_THW3).reshape(frames * height, width, 3), code)
    return cast(UInt8Array, tall.reshape(frames, height, width))
