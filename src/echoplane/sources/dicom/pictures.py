"""One frame's bytes to grey or R, G, B: the codec and the colour path put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane.sources.dicom import codecs, colour, jpeg, native
from echoplane.sources.dicom.colour import Space
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.layout import Layout
from echoplane.sources.dicom.palette import Palette, read_palette
from echoplane.sources.dicom.syntax import Codec
from echoplane.sources.dicom.tone import Tone, build_tone

UInt8 = npt.NDArray[np.uint8]
Samples = npt.NDArray[Any]


@dataclass(slots=True)
class Pictures:
    """Turns the bytes of one frame into a picture.

    Attributes
    ----------
    header : Header
    layout : Layout
        Rows and columns are those of the stream.
    codec : Codec
    is_ybr : bool
        For 8-bit lossy JPEG of three components: whether it is Y Cb Cr.
    components : int
        What the stream holds: 1 or 3. Where it differs from ``layout.samples`` the stream is believed.
    """

    header: Header
    layout: Layout
    codec: Codec
    is_ybr: bool
    components: int
    _tone: Tone | None = field(default=None, repr=False)
    _palette: Palette | None = field(default=None, repr=False)

    def picture(self, data: bytes, *, color: bool, reduce: int) -> UInt8:
        """Decode to (h, w), or (h, w, 3) with `color`.

        Raises
        ------
        Exception
            Whatever the decoder raises on damaged bytes; the reader turns it into a sentence.
        """
        if self.codec is Codec.JPEG:
            info = self._jpeg_info(data)
            if info.is_turbo:
                return self._turbo(data, info, color=color, reduce=reduce)
        return self._finish(self.samples(data), color=color)

    def samples(self, data: bytes) -> Samples:
        """Decode to samples as stored."""
        if self.codec is Codec.NATIVE:
            return native.unpack(data, self.layout, self.header.little)
        if self.codec is Codec.RLE:
            return codecs.decode_rle(data, self.layout)
        if self.codec is Codec.JPEG_2000:
            j2k = codecs.read_j2k(data)
            self._check(j2k.rows, j2k.columns, j2k.components)
            return codecs.decode_j2k(data, j2k, self.layout)
        info = self._jpeg_info(data)
        if info.sof == jpeg.JPEG_LS_SOF:
            return codecs.decode_jpeg_ls(data, info, self.layout)
        if info.is_turbo:
            return jpeg.decode(data, info, self.is_ybr, color=self.components == 3, reduce=1)
        return codecs.decode_wide_jpeg(data, info, self.layout)

    def set_tone(self, measured: tuple[float, float] | None) -> None:
        """Fix the grey scale of a one-sample cine; `measured` is the range of its first frame, if needed."""
        self._tone = build_tone(self.header, self.layout, measured)

    def _turbo(self, data: bytes, info: jpeg.JpegInfo, *, color: bool, reduce: int) -> UInt8:
        if self.components == 3:
            return jpeg.decode(data, info, self.is_ybr, color=color, reduce=reduce)
        palette = self.layout.photometric == "PALETTE COLOR"
        grey = jpeg.decode(data, info, False, color=False, reduce=1 if palette else reduce)
        return self._finish(grey, color=color)

    def _finish(self, samples: Samples, *, color: bool) -> UInt8:
        if samples.ndim == 3:
            eight = to_eight_bits(samples, self.layout)
            space = Space.RGB if self.codec is Codec.JPEG else self._space()
            return colour.to_rgb(eight, space) if color else colour.to_grey(eight, space)
        if self.layout.photometric == "PALETTE COLOR":
            if self._palette is None:
                self._palette = read_palette(self.header, self.layout)
            rgb = self._palette.apply(samples)
            return rgb if color else colour.to_grey(rgb, Space.RGB)
        if self._tone is None:
            self.set_tone(None)
        assert self._tone is not None
        grey = self._tone.apply(samples)
        return np.repeat(grey[..., None], 3, axis=2) if color else grey

    def _space(self) -> Space:
        return colour.space_of(self.layout.photometric)

    def _jpeg_info(self, data: bytes) -> jpeg.JpegInfo:
        info = jpeg.read_info(data)
        self._check(info.rows, info.columns, info.components)
        return info

    def _check(self, rows: int, columns: int, components: int) -> None:
        expected = (self.layout.rows, self.layout.columns, self.components)
        if (rows, columns, components) != expected:
            raise ValueError(
                f"it is {columns} x {rows} with {components} components, "
                f"the first frame {expected[1]} x {expected[0]} with {expected[2]}"
            )


def to_eight_bits(samples: Samples, layout: Layout) -> UInt8:
    """Scale three-sample values to 0..255 by the bits they use."""
    if samples.dtype == np.uint8 and layout.stored == 8:
        return samples
    low = -(1 << (layout.stored - 1)) if layout.signed else 0
    scaled = (samples.astype(np.float32) - low) * np.float32(255 / ((1 << layout.stored) - 1))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
