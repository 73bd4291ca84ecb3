"""From samples of any depth to 0..255, by one rule for every format that has no window of its own.

==========================  ======================================================
samples                     0 and 255 stand for
==========================  ======================================================
8 bit unsigned              0 and 255: nothing is changed
booleans                    false and true
integers, none below 0      0 and ``2**bits - 1``, bits being the fewest (8 at least) that hold the highest value
integers, some below 0      the lowest and the highest value
floats within 0..1          0 and 1
floats within 0..255        0 and 255, where some are above 2
other floats                the lowest and the highest value
==========================  ======================================================

Floats may miss these limits by a thousandth: scale factors are rounded, so that what is meant as 1 may be a little
more.

Files of many frames are not read whole for this: the extremes come from frames spread over the cine, and what lies
outside is clipped. NaN becomes 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.records import UInt8Array

#: By so much of a limit floats may lie beyond it.
_ROUNDING = 1e-3
#: No cine in 0..255 is as dark as to have nothing above.
_DARKEST = 2.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """A linear map to 0..255.

    Attributes
    ----------
    low, high : float
        What becomes 0 and 255; `low` may be the greater one, for samples whose meaning falls as they rise.
    note : str
        Sentence for the results; empty where nothing is changed.
    """

    low: float = 0.0
    high: float = 255.0
    note: str = ""

    def apply(self, samples: npt.NDArray[Any]) -> UInt8Array:
        """Scale, round and clip; the shape stays."""
        if samples.dtype == np.uint8 and (self.low, self.high) == (0.0, 255.0):
            return samples
        span = self.high - self.low
        # 32-bit floats hold 16-bit samples exactly; wider ones need 64.
        wide = np.float32 if samples.dtype.itemsize <= 2 else np.float64
        values = np.nan_to_num(samples.astype(wide), nan=self.low, posinf=self.high, neginf=self.low)
        values -= self.low
        values *= 255.0 / span if span else 0.0
        np.rint(values, out=values)
        return np.asarray(np.clip(values, 0, 255, out=values), np.uint8)


def choose_scaling(parts: Iterable[npt.NDArray[Any]], *, white_is_low: bool = False) -> Scaling:
    """Look at some frames of a cine and choose its scaling, by the table at the top.

    Parameters
    ----------
    parts : iterable of arrays
        Frames, all of one dtype: booleans, integers or floats.
    white_is_low : bool
        Samples fall as they get brighter: black and white change places.

    Raises
    ------
    ValueError
        When there is no frame, or the dtype is none of these (complex numbers, text, objects).
    """
    low, high, dtype = np.inf, -np.inf, None
    for part in parts:
        dtype = part.dtype
        if dtype.kind not in "buif":
            raise ValueError(f"samples are of type {dtype}")
        if dtype == np.uint8:
            return Scaling()
        finite = part[np.isfinite(part)] if dtype.kind == "f" else part
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if dtype is None:
        raise ValueError("there are no samples")
    if low > high:
        low = high = 0.0
    return _range_of(dtype, low, high, white_is_low)


def _range_of(dtype: np.dtype[Any], low: float, high: float, white_is_low: bool) -> Scaling:
    if dtype.kind == "b":
        return Scaling(*(1.0, 0.0) if white_is_low else (0.0, 1.0), "Pixels are black or white only.")
    if dtype.kind == "f":
        ends, what = _float_ends(low, high), "Decimal numbers"
    elif low < 0:
        ends, what = (low, high), "Whole numbers, some below 0,"
    else:
        ends, what = (0.0, float(2 ** max(8, int(high).bit_length()) - 1)), f"{8 * dtype.itemsize}-bit samples"
    ends = ends[::-1] if white_is_low else ends
    return Scaling(*ends, _note(what, low, high, ends))


def _float_ends(low: float, high: float) -> tuple[float, float]:
    for top, least in ((1.0, -np.inf), (255.0, _DARKEST)):
        if low >= -_ROUNDING * top and least < high <= (1 + _ROUNDING) * top:
            return 0.0, top
    return low, high


def _note(what: str, low: float, high: float, ends: tuple[float, float]) -> str:
    return f"{what} from {low:g} to {high:g} were scaled: {ends[0]:g} is black, {ends[1]:g} is white."


def spread(n_frames: int, count: int = 9) -> list[int]:
    """Return up to `count` frame numbers spread evenly over a cine, the first and the last among them."""
    return sorted({int(i) for i in np.linspace(0, n_frames - 1, min(count, n_frames)).round()})
