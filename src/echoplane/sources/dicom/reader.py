"""Random access to the frames of a DICOM cine, one at a time, whatever the size of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from echoplane.errors import UnreadableError
from echoplane.records import UInt8Array
from echoplane.sources.dicom.failures import as_unreadable
from echoplane.sources.dicom.frames import Frames
from echoplane.sources.dicom.pictures import Pictures
from echoplane.sources.dicom.stream import Opener, Stream
from echoplane.sources.guard import checked_request
from echoplane.sources.side_by_side import mapped


@dataclass(frozen=True, slots=True)
class FrameByFrameReader:
    """Reads cines whose frames are stored each on its own. Holds no file open, can be pickled.

    Attributes
    ----------
    opener : Opener
    frames : Frames
    pictures : Pictures
    """

    opener: Opener
    frames: Frames = field(repr=False)
    pictures: Pictures

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Decode frames, see :class:`echoplane.records.FrameReader`.

        Raises
        ------
        UnreadableError
            When a frame is damaged.
        UsageError
            When a frame number or `reduce` makes no sense.
        """
        wanted = checked_request(indices, len(self.frames), reduce)
        layout, name = self.pictures.layout, self.opener.name
        out = np.empty((0, layout.rows, layout.columns, *((3,) if color else ())), np.uint8)
        rows: dict[int, list[int]] = {}
        for row, index in enumerate(wanted):
            rows.setdefault(index, []).append(row)

        def decoded(frame: tuple[int, bytes]) -> UInt8Array:
            with as_unreadable(name, f"Frame {frame[0]} cannot be decoded"):
                return self.pictures.picture(frame[1], color=color, reduce=reduce)

        with self.opener.open() as stream:
            payloads = self._payloads(stream, sorted(rows))
            for index, picture in zip(sorted(rows), mapped(decoded, payloads, len(rows)), strict=True):
                if not len(out):
                    out = np.empty((len(wanted), *picture.shape), np.uint8)
                if picture.shape != out.shape[1:]:
                    raise UnreadableError(name, f"Frame {index} differs in size from the others.")
                for row in rows[index]:  # one by one: a list of rows is copied into several times as slowly
                    out[row] = picture
        return out

    def _payloads(self, stream: Stream, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        for index in indices:
            with as_unreadable(self.opener.name, f"Frame {index} cannot be decoded"):
                data = self.frames.payload(stream, index)
            yield index, data
