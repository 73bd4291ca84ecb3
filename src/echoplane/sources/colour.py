"""Notice colour Doppler in files that have no header to say so: videos, pictures, arrays."""

from __future__ import annotations

import dataclasses

import numpy as np

from echoplane.errors import ReadError
from echoplane.records import Cine, CineKind
from echoplane.sources.glimpse import holds_grey_only, moments, reduction
from echoplane.sources.ground import with_ground_noticed
from echoplane.sources.luma import spread

#: A pixel whose R, G and B differ by more than this is coloured; a picture with fewer coloured pixels than this share
#: is grey, and needs no closer look.
_SPREAD = 20
_SHARE = 0.002


def with_colour_noticed(cine: Cine) -> Cine:
    """Return the cine, with kind ``COLOR_DOPPLER`` where a B-mode cine shows moving patches of colour.

    Decodes four frames in colour, unless the file can only hold grey. A frame that does not decode is left for those
    to notice who need it. Where there is no colour, black and white may have to change places
    (:mod:`echoplane.sources.ground`), which is told from the same frames.
    """
    if cine.kind is not CineKind.B_MODE:
        return cine
    if holds_grey_only(cine):
        return with_ground_noticed(cine)
    try:
        frames = cine.reader.read(moments(cine), color=True, reduce=reduction(cine.width))
    except ReadError:
        return cine
    green = np.ascontiguousarray(frames[..., 1])
    if max(np.count_nonzero(spread(frame) > _SPREAD) for frame in frames) < _SHARE * frames[0, ..., 0].size:
        return with_ground_noticed(cine, green)
    from echoplane.sources.dicom.colorbox import has_color_box

    if not has_color_box(frames):
        return with_ground_noticed(cine, green)
    return dataclasses.replace(cine, kind=CineKind.COLOR_DOPPLER, facts={**cine.facts, "kind_from": "pixels"})
