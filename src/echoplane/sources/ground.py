"""Notice pictures with black and white exchanged: a white ground, as some publications print and some exports write."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoplane.errors import ReadError
from echoplane.records import Cine, CineKind, FrameReader, UInt8Array
from echoplane.sources.glimpse import moments, reduction

#: A picture of fewer pixels on a side is all edge: there is no ground to tell from what lies on it.
_LEAST_SIDE = 16
#: A ground is as white as this.
_GROUND = 240
#: Above this a pixel is white, below that black. Turned around, development clips have at least 0.67 of white along the
#: edge and at most 0.05 of black; as they are, at most 0.01 and at least 0.28.
_WHITE, _BLACK = 215, 40
_EDGE_WHITE, _MOST_BLACK = 0.5, 0.08
#: Pixels between the two: at least 0.16 of such a clip, and hardly any of a page of text.
_LEAST_GREY = 0.12
#: Pixels that change by more than this are of what moves. That is a fifth of such a clip at least, and light (155 at
#: least); in a cine shown upon a white page it is dark (100 at most).
_CHANGE, _LEAST_MOVING, _LIGHT = 12, 0.1, 130

NOTE = "Black and white are exchanged in this file (a white ground): they were changed back."


@dataclass(frozen=True, slots=True)
class TurnedReader:
    """Frames with black and white exchanged.

    Attributes
    ----------
    reader : FrameReader
    """

    reader: FrameReader

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Decode frames; see :class:`echoplane.records.FrameReader`."""
        return np.bitwise_not(self.reader.read(indices, color=color, reduce=reduce))


def with_ground_noticed(cine: Cine, frames_NHW: UInt8Array | None = None) -> Cine:
    """Return the cine with black and white changed back, and a note, where a moving B-mode picture has a white ground.

    Parameters
    ----------
    cine : Cine
    frames_NHW : uint8 array, (N, H, W), optional
        Some of its frames, where they are decoded already; else the first one is decoded, and four where its edge is
        white. A frame that does not decode is left for those to notice who need it.
    """
    if cine.kind is not CineKind.B_MODE or min(cine.height, cine.width) < _LEAST_SIDE:
        return cine
    if frames_NHW is None:
        try:
            if not _has_white_edge(cine.reader.read([0], reduce=reduction(cine.width))):
                return cine
            frames_NHW = cine.reader.read(moments(cine), reduce=reduction(cine.width))
        except ReadError:
            return cine
    if not _has_white_edge(frames_NHW) or not _is_echo_turned(frames_NHW):
        return cine
    return dataclasses.replace(cine, reader=TurnedReader(cine.reader), notes=(*cine.notes, NOTE))


def _has_white_edge(frames_NHW: UInt8Array) -> bool:
    """Tell whether most of the outermost pixels, on any side, are white in every frame."""
    width = max(2, min(frames_NHW.shape[1:]) // 50)
    edges = (frames_NHW[:, :width], frames_NHW[:, -width:], frames_NHW[:, :, :width], frames_NHW[:, :, -width:])
    white = np.concatenate([edge.reshape(len(frames_NHW), -1) for edge in edges], axis=1) >= _GROUND
    return bool(white.mean(axis=1).min() >= _EDGE_WHITE)


def _is_echo_turned(frames_NHW: UInt8Array) -> bool:
    black, white = (frames_NHW < _BLACK).mean(), (frames_NHW > _WHITE).mean()
    if black > _MOST_BLACK or 1 - black - white < _LEAST_GREY:
        return False
    moving = frames_NHW.max(axis=0) - frames_NHW.min(axis=0) > _CHANGE
    return bool(moving.mean() >= _LEAST_MOVING and np.median(frames_NHW[:, moving]) >= _LIGHT)
