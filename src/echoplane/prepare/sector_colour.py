"""Which panel shows colour Doppler: told from a few frames in colour, decoded only when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from echoplane.errors import ReadError
from echoplane.prepare.sector_evidence import Part
from echoplane.records import Cine, UInt8Array
from echoplane.sources.dicom.colorbox import has_color_box
from echoplane.sources.glimpse import holds_grey_only, moments


@dataclass(frozen=True)
class Colour:
    """The colour of a cine, for parts of its small frames.

    Attributes
    ----------
    cine : Cine
    shape : tuple of int
        (h, w) of the small frames.
    reduction : int
        At which the cine is decoded.
    corner : tuple of int
        x, y in the small frames from which parts count.
    """

    cine: Cine
    shape: tuple[int, int]
    reduction: int
    corner: tuple[int, int] = (0, 0)

    def in_first_only(self, one: Part, other: Part) -> bool:
        """Say whether one part shows colour Doppler and the other one does not."""
        return self._shows(one) and not self._shows(other)

    def _shows(self, part: Part) -> bool:
        if self._frames is None:
            return False
        box = []
        for each, start, small, full in zip(part, self.corner[::-1], self.shape, self._frames.shape[1:3], strict=True):
            first, last = (each.start or 0) + start, small if each.stop is None else each.stop + start
            box.append(slice(round(first * full / small), round(last * full / small)))
        return has_color_box(self._frames[:, *box])

    @cached_property
    def _frames(self) -> UInt8Array | None:
        if holds_grey_only(self.cine):
            return None
        try:
            return self.cine.reader.read(moments(self.cine), color=True, reduce=self.reduction)
        except ReadError:
            # The frames that are needed were decoded; whether there is colour is not worth failing for.
            return None
