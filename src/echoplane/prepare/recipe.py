"""A prepare recipe is data: how a cine's frames become what the network sees. Saved in every bundle."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from echoplane.errors import UsageError
from echoplane.records import FloatArray, UInt8Array

Crop = Literal["sector", "center", "none"]
Grey = Literal["luma", "luma_swapped"]
Interpolation = Literal["area", "linear", "cubic", "lanczos", "nearest"]
Decode = Literal["fast", "exact"]

#: Largest picture side a recipe may ask for; a guard against a typing slip, not a limit of the code.
MAX_SIDE = 2048
#: The spread of grey values that a recipe may divide by; the same kind of guard.
LEAST_STD, MOST_STD = 0.001, 1000.0


@dataclass(frozen=True, slots=True)
class PrepareRecipe:
    """How frames are decoded, masked, cropped, resized and normalised.

    Attributes
    ----------
    name : str
        Letters, digits, ``.``, ``_`` and ``-``.
    mask : bool
        Everything outside the ultrasound sector becomes 0 before anything else happens to a pixel.
    crop : {"sector", "center", "none"}
        ``sector``: bounding box of the sector, padded to the shape of `size`; ``center``: `crop_size` about the middle
        of the frame; ``none``: the whole frame.
    crop_size : tuple of int, optional
        (height, width) in pixels, for ``center`` only. Frames smaller than this are padded with 0 on all sides.
    margin : float
        For ``sector``: room left around the box on each side, as a fraction of the crop's side, in [0, 0.5).
    grey : {"luma", "luma_swapped"}
        ITU-R BT.601 luma; ``luma_swapped`` weighs red as blue and blue as red.
    decode : {"fast", "exact"}
        ``fast``: the reader's own luma, at reduced scale where the crop stays at least `min_detail` times `size`;
        ``exact``: full-size R, G, B, turned grey here, so that the result does not depend on the reader.
    min_detail : float
        For ``fast``: smallest allowed ratio of decoded crop side to `size`, at least 1.
    size : tuple of int
        (H, W) of the prepared frames, pixels.
    interpolation : {"area", "linear", "cubic", "lanczos", "nearest"}
        ``lanczos``, ``linear`` and ``cubic`` are antialiased (Pillow's); ``area`` averages (OpenCV's), and falls
        back to ``linear`` where the picture grows.
    mean, std : float
        Of ``v / 255`` over the training pixels; `std` above 0.
    """

    name: str = "default"
    mask: bool = True
    crop: Crop = "sector"
    crop_size: tuple[int, int] | None = None
    margin: float = 0.02
    grey: Grey = "luma"
    decode: Decode = "fast"
    min_detail: float = 1.25
    size: tuple[int, int] = (112, 112)
    interpolation: Interpolation = "area"
    # Of the 137 real development cines prepared by this recipe, each weighing the same, rounded:
    # `python tools/sector_sheet.py --statistics --out sheet.jpg` says 0.111 and 0.199.
    mean: float = 0.11
    std: float = 0.2

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.\-]+", self.name):
            raise UsageError(f"recipe name {self.name!r}: use letters, digits, '.', '_' and '-'.")
        if self.crop == "center" and self.crop_size is None:
            raise UsageError("crop 'center' needs crop_size, for example [300, 300].")
        if self.crop != "center" and self.crop_size is not None:
            raise UsageError(f"crop_size is for crop 'center' only, and crop is {self.crop!r}.")
        for what, pair in (("size", self.size), ("crop_size", self.crop_size or (1, 1))):
            if not all(1 <= side <= MAX_SIDE for side in pair):
                raise UsageError(f"{what} {list(pair)}: each side must lie in 1..{MAX_SIDE} pixels.")
        if not 0 <= self.margin < 0.5:
            raise UsageError(f"margin {self.margin}: must lie in [0, 0.5).")
        if not 1 <= self.min_detail < math.inf:
            raise UsageError(f"min_detail {self.min_detail}: must be a number of at least 1.")
        if not 0 <= self.mean <= 1:
            raise UsageError(f"mean {self.mean}: must lie in [0, 1], as grey values divided by 255 do.")
        if not LEAST_STD <= self.std <= MOST_STD:
            raise UsageError(f"std {self.std}: must lie in [{LEAST_STD}, {MOST_STD}], for grey values divided by 255.")

    @property
    def needs_sector(self) -> bool:
        """Whether a sector has to be found at all."""
        return self.mask or self.crop == "sector"

    def normalise(self, frames: UInt8Array) -> FloatArray:
        """Turn grey values into what the network sees, ``(v / 255 - mean) / std``, as float32 of the same shape."""
        if not frames.size:
            return np.zeros(frames.shape, np.float32)
        # Four times faster than indexing the table with the frames.
        values = cv2.LUT(frames.reshape(1, -1), _lookup(self.mean, self.std))
        return np.asarray(values, np.float32).reshape(frames.shape)


@lru_cache(maxsize=64)
def _lookup(mean: float, std: float) -> FloatArray:
    # There are only 256 values: computed once in double precision, then a table, which is faster than arithmetic.
    values = (np.arange(256) / 255 - mean) / std
    return values.astype(np.float32)


_REFERENCE = PrepareRecipe(
    name="reference",
    mask=False,
    crop="center",
    crop_size=(300, 300),
    margin=0.0,
    decode="exact",
    size=(100, 100),
    interpolation="lanczos",
    mean=0.213303,
    std=0.21379,
)

#: The recipes that come with the package, by name.
RECIPES: dict[str, PrepareRecipe] = {
    recipe.name: recipe
    for recipe in (
        PrepareRecipe(),
        PrepareRecipe(name="store", size=(128, 128)),
        _REFERENCE,
        replace(_REFERENCE, name="reference-swapped", grey="luma_swapped"),
    )
}


#: Stands where a store has its recipe, for old pickled clips: nobody said what was done to them.
LEGACY: dict[str, object] = {"name": "legacy"}


def recipe_named(name: str) -> PrepareRecipe:
    """Look a recipe up.

    Raises
    ------
    UsageError
        When there is none of that name; the message lists those that exist.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise UsageError(f"no prepare recipe is called {name!r}; known: {', '.join(RECIPES)}.") from None
