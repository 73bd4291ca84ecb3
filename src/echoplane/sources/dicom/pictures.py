"""One frame's bytes to grey or R, G, B: the codec and the colour path put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.records import UInt8Array
from echoplane.sources.dicom import codecs, colour, jpeg, native
from echoplane.sources.dicom.failures import DamagedError
from echoplane.sources.dicom.layout import Layout
from echoplane.sources.dicom.palette import Palette
from echoplane.sources.dicom.syntax import Codec
from echoplane.sources.dicom.tone import Tone
from echoplane.sources.luma import luma, repeated_grey

Samples = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Turns the bytes of one frame into a picture.

    Attributes
    ----------
    layout : Layout
        Rows, columns, bits and samples as the frames have them, where they differ from the header.
    codec : Codec
        Of the frames; `JPEG` for everything that starts with a JPEG marker.
    little : bool
        Byte order of uncompressed samples.
    is_ybr : bool
        For lossy 8-bit JPEG of three components: whether it is Y Cb Cr.
    tone : Tone
        Grey of one-sample pictures.
    palette : Palette or None
        Colours of PALETTE COLOR.
    """

    layout: Layout
    codec: Codec
    little: bool = True
    is_ybr: bool = False
    tone: Tone = field(default_factory=Tone, repr=False)
    palette: Palette | None = field(default=None, repr=False)

    def picture(self, data: bytes, *, color: bool, reduce: int) -> UInt8Array:
        """Decode to (h, w), or (h, w, 3) with `color`; at `reduce` where that is less work.

        Raises
        ------
        Exception
            Whatever the decoder raises on damaged bytes (see `failures.as_unreadable`).
        """
        if self.codec is Codec.JPEG:
            info = self._checked(jpeg.read_info(data))
            if info.is_turbo:
                return self._turbo(data, info, color=color, reduce=reduce)
        # Palette indices are no amounts: a mean of two of them means nothing.
        return self._finish(self.samples(data, 1 if self.palette else reduce), color=color)

    def samples(self, data: bytes, reduce: int = 1) -> Samples:
        """Decode to samples: (h, w), or (h, w, 3) in the colours of the photometric interpretation.

        Lossy JPEG is the exception: its three components come as R, G, B.
        """
        if self.codec is Codec.NATIVE:
            return native.unpack(data, self.layout, self.little)
        if self.codec is Codec.RLE:
            return codecs.decode_rle(data, self.layout)
        if self.codec is Codec.JPEG_2000:
            j2k = codecs.read_j2k(data)
            self._check_size(j2k.rows, j2k.columns, j2k.components)
            return codecs.decode_j2k(data, j2k, self.layout, reduce)
        info = self._checked(jpeg.read_info(data))
        if info.is_turbo:
            return jpeg.decode(data, info, self.is_ybr, color=info.components == 3, reduce=1)
        if info.sof == jpeg.JPEG_LS_SOF:
            return codecs.decode_jpeg_ls(data, info, self.layout)
        return codecs.decode_wide_jpeg(data, info, self.layout)

    def _turbo(self, data: bytes, info: jpeg.JpegInfo, *, color: bool, reduce: int) -> UInt8Array:
        if info.components == 3:
            return jpeg.decode(data, info, self.is_ybr, color=color, reduce=reduce)
        reduce = 1 if self.palette else reduce
        return self._finish(jpeg.decode(data, info, False, color=False, reduce=reduce), color=color)

    def _finish(self, samples: Samples, *, color: bool) -> UInt8Array:
        if samples.ndim == 3:
            # Lossless JPEG and JPEG-LS do not transform colours; JPEG 2000 has undone YBR_RCT and YBR_ICT by itself.
            space = colour.space_of(self.layout.photometric)
            eight = to_eight_bits(samples, self.layout)
            return colour.to_rgb(eight, space) if color else colour.to_grey(eight, space)
        if self.palette is not None:
            rgb = self.palette.apply(samples)
            return rgb if color else luma(rgb)
        grey = self.tone.apply(samples)
        return repeated_grey(grey) if color else grey

    def _checked(self, info: jpeg.JpegInfo) -> jpeg.JpegInfo:
        self._check_size(info.rows, info.columns, info.components)
        return info

    def _check_size(self, rows: int, columns: int, components: int) -> None:
        expected = self.layout
        if (rows, columns, components) != (expected.rows, expected.columns, expected.samples):
            raise DamagedError(
                f"it is {columns} x {rows} pixels of {components} components, "
                f"where {expected.columns} x {expected.rows} of {expected.samples} are expected"
            )


def to_eight_bits(samples: Samples, layout: Layout) -> UInt8Array:
    """Scale three-sample values to 0..255 by the bits they use."""
    low, high = layout.value_range
    if samples.dtype == np.uint8 and high == 255:
        return samples
    scaled = (samples.astype(np.float32) - low) * np.float32(255 / (high - low))
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), np.uint8)
