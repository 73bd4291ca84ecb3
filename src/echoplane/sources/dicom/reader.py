"""Random access to the frames of a DICOM cine, one at a time, whatever the size of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.errors import ReadError, UnreadableError, UsageError
from echoplane.sources.dicom.frames import EncapsulatedFrames, NativeFrames
from echoplane.sources.dicom.native import unswap_words
from echoplane.sources.dicom.pictures import Pictures
from echoplane.sources.dicom.stream import Opener, Stream

UInt8 = npt.NDArray[np.uint8]
REDUCTIONS = (1, 2, 4, 8)


def check_request(indices: Sequence[int], n_frames: int, reduce: int) -> None:
    """Refuse frames that are not there.

    Raises
    ------
    UsageError
        For a frame number outside 0..n_frames-1 or a reduction other than 1, 2, 4, 8.
    """
    if reduce not in REDUCTIONS:
        raise UsageError(f"reduce={reduce!r}: expected 1, 2, 4 or 8.")
    for index in indices:
        if not 0 <= index < n_frames:
            raise UsageError(f"Frame {index} does not exist: the cine has frames 0 to {n_frames - 1}.")


@dataclass(slots=True)
class FrameByFrameReader:
    """Reads cines whose frames are stored each on its own. Holds no file open, can be pickled.

    Attributes
    ----------
    opener : Opener
    frames : NativeFrames or EncapsulatedFrames
    pictures : Pictures
    swapped : bool
        True for 8-bit samples in big-endian words.
    measure : bool
        True where the grey scale has to be taken from the first frame.
    """

    opener: Opener
    frames: NativeFrames | EncapsulatedFrames
    pictures: Pictures
    swapped: bool = False
    measure: bool = False
    _measured: bool = field(default=False, repr=False)

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8:
        """Decode frames, see :class:`echoplane.records.FrameReader`.

        Raises
        ------
        UnreadableError
            When a frame is damaged.
        UsageError
            When a frame number or `reduce` makes no sense.
        """
        check_request(indices, len(self.frames), reduce)
        layout = self.pictures.layout
        out: Any = None
        rows_of: dict[int, list[int]] = {}
        for row, index in enumerate(indices):
            rows_of.setdefault(int(index), []).append(row)
        with self.opener.open() as stream:
            self._measure(stream)
            for index in sorted(rows_of):
                picture = self._decode(stream, index, color=color, reduce=reduce)
                if out is None:
                    out = np.empty((len(indices), *picture.shape), np.uint8)
                if picture.shape != out.shape[1:]:
                    raise UnreadableError(self.opener.path, f"Frame {index} differs in size from the others.")
                out[rows_of[index]] = picture
        return np.empty((0, layout.rows, layout.columns, *((3,) if color else ())), np.uint8) if out is None else out

    def _decode(self, stream: Stream, index: int, *, color: bool, reduce: int) -> UInt8:
        try:
            return self.pictures.picture(self._payload(stream, index), color=color, reduce=reduce)
        except ReadError:
            raise
        except Exception as error:  # decoders raise a dozen kinds
            raise UnreadableError(self.opener.path, f"Frame {index} cannot be decoded: {_why(error)}.") from None

    def _payload(self, stream: Stream, index: int) -> bytes:
        if not (self.swapped and isinstance(self.frames, NativeFrames)):
            return self.frames.payload(stream, index)
        start = self.frames.offset + index * self.frames.frame_bytes
        odd = (start - self.frames.offset) % 2
        size = self.frames.frame_bytes + odd
        words = stream.at(start - odd, size + size % 2)
        return unswap_words(words[: len(words) // 2 * 2])[odd:]

    def _measure(self, stream: Stream) -> None:
        if not self.measure or self._measured:
            return
        try:
            samples = self.pictures.samples(self._payload(stream, 0))
            self.pictures.set_tone((float(samples.min()), float(samples.max())))
        except Exception as error:
            raise UnreadableError(self.opener.path, f"Frame 0 cannot be decoded: {_why(error)}.") from None
        self._measured = True


def _why(error: Exception) -> str:
    """Our own words where the error is ours, else only its kind: libraries may quote what they read."""
    return str(error) if type(error) is ValueError and str(error) else type(error).__name__
