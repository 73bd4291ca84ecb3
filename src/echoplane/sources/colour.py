"""Notice colour Doppler in files that have no header to say so: videos, pictures, arrays."""

from __future__ import annotations

import dataclasses

import numpy as np

from echoplane.errors import ReadError
from echoplane.records import Cine, CineKind

#: Frames looked at, spread over this many seconds from the start: some of a heart beat, decoded in one go.
_FRAMES = 4
_SECONDS = 0.8
_USUAL_FPS = 30.0
#: A pixel whose R, G and B differ by more than this is coloured; a picture with fewer coloured pixels than this share
#: is grey, and needs no closer look.
_SPREAD = 20
_SHARE = 0.002


def with_colour_noticed(cine: Cine) -> Cine:
    """Return the cine, with kind ``COLOR_DOPPLER`` where a B-mode cine shows moving patches of colour.

    Decodes four frames in colour, unless the file can only hold grey. A frame that does not decode is left for those
    to notice who need it.
    """
    if cine.kind is not CineKind.B_MODE or _is_grey(cine):
        return cine
    last = min(cine.n_frames - 1, round(_SECONDS * (cine.fps or _USUAL_FPS)))
    chosen = sorted({round(last * i / (_FRAMES - 1)) for i in range(_FRAMES)})
    try:
        frames = cine.reader.read(chosen, color=True, reduce=_reduction(cine.width))
    except ReadError:
        return cine
    red, green, blue = np.moveaxis(frames, -1, 0)  # NumPy is slow along a last axis of three
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    if (spread > _SPREAD).mean(axis=(1, 2)).max() < _SHARE:
        return cine
    from echoplane.sources.dicom.colorbox import has_color_box

    if not has_color_box(frames):
        return cine
    return dataclasses.replace(cine, kind=CineKind.COLOR_DOPPLER, facts={**cine.facts, "kind_from": "pixels"})


def _is_grey(cine: Cine) -> bool:
    return cine.facts.get("color") == "grey" or cine.facts.get("pixels", "").startswith("gray")


def _reduction(width: int) -> int:
    """Decode small where that is free; 400 columns are enough."""
    return next((r for r in (8, 4, 2) if width // r >= 400), 1)
