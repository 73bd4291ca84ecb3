"""From the header to frames that can be decoded: where they lie, how they are coded, what the header got wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from echoplane.errors import NoFramesError, UnreadableError, UnsupportedError
from echoplane.sources.dicom import codecs, jpeg
from echoplane.sources.dicom.failures import DamagedError, as_unreadable, quiet
from echoplane.sources.dicom.frames import EncapsulatedFrames, Frames, NativeFrames, group_frames, walk
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.layout import Layout
from echoplane.sources.dicom.palette import IN_COLOUR, read_palette, read_supplemental
from echoplane.sources.dicom.pictures import Pictures
from echoplane.sources.dicom.stream import Stream
from echoplane.sources.dicom.syntax import EXPLICIT_BE, Codec, codec_of, name_of
from echoplane.sources.dicom.tone import build_tone, grey_range, needs_measuring
from echoplane.sources.limits import Limits
from echoplane.sources.scaling import spread


@dataclass(frozen=True, slots=True)
class Found:
    """Frames, how they become pictures, and what to note."""

    frames: Frames
    pictures: Pictures
    notes: tuple[str, ...]


def find_native(header: Header, layout: Layout, stream: Stream, limits: Limits) -> Found:
    """Find uncompressed frames.

    Raises
    ------
    UnreadableError
        When not even one whole frame is there.
    UnsupportedError
        When the pixels are of a kind that exists inside MPEG only.
    RefusedError
        When there are too many, or too large ones.
    """
    name, pixels = header.opener.name, header.pixels
    assert pixels is not None
    notes: list[str] = []
    if codec_of(header.syntax) not in (Codec.NATIVE, None):
        notes.append(f"The header says {name_of(header.syntax)}, but the pixels are not compressed; read as they are.")
    if layout.photometric in ("YBR_RCT", "YBR_ICT"):
        notes.append(f"{layout.photometric} has a meaning inside JPEG 2000 only; read as RGB.")
    if layout.photometric == "YBR_PARTIAL_420":
        raise UnsupportedError(name, "Uncompressed YBR_PARTIAL_420 is not read; it has a meaning inside MPEG only.")
    limits.check_frame(name, layout.rows, layout.columns)
    said, declared = pixels.length or 0, header.integer("NumberOfFrames")
    there = max(0, min(said, stream.size - pixels.offset))
    if layout.is_422 and _is_444(layout, there, declared):
        notes.append(f"The header says {layout.photometric}, but chroma is stored for every pixel; read so.")
        layout = replace(layout, photometric=layout.photometric.removesuffix("_422"))
    layout = _as_long_as_said(header, layout, there, notes)
    count = _count_native(layout, there, declared, notes)
    if there < said:
        notes.append(f"The file is cut off: {there:,} of {said:,} bytes of pixels are there.")
    if count == 0:
        raise UnreadableError(
            name,
            f"The header describes frames of {layout.frame_bytes:,} bytes, but only {there:,} bytes are there.",
        )
    limits.check_count(name, count)
    swapped = header.syntax == EXPLICIT_BE and layout.allocated == 8 and pixels.vr == "OW"
    frames = NativeFrames(pixels.offset, layout.frame_bytes, count, swapped)
    pictures = Pictures(layout, Codec.NATIVE, header.little)
    return _with_tables(header, frames, pictures, stream, notes)


def _is_444(layout: Layout, there: int, declared: int | None) -> bool:
    full = layout.frame_bytes // 2 * 3 * max(1, declared or 1)
    return full <= there <= full + 1


def _as_long_as_said(header: Header, layout: Layout, there: int, notes: list[str]) -> Layout:
    """Believe the samples a pixel, not the colours, where the two contradict each other and the length decides it."""
    samples, declared = header.integer("SamplesPerPixel"), max(1, header.integer("NumberOfFrames") or 1)
    if samples not in (1, 3) or samples == layout.samples:
        return layout
    planar = samples == 3 and header.integer("PlanarConfiguration") == 1
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    said = replace(layout, samples=samples, photometric=photometric, planar=planar)
    needed = said.frame_bytes * declared
    if not needed <= there <= needed + 1:
        return layout
    notes.append(
        f"The length of the pixels is that of {samples} sample{'s'[: samples - 1]} a pixel; read as {photometric}."
    )
    return said


def _count_native(layout: Layout, there: int, declared: int | None, notes: list[str]) -> int:
    count, rest = divmod(there, layout.frame_bytes)
    if declared is not None and 0 < declared < count and rest > 1:
        return declared  # something else follows the frames
    notes.extend(differing_count(declared, count))
    return count


def differing_count(declared: int | None, count: int) -> tuple[str, ...]:
    """Return the note for a number of frames that the header has wrong, or does not have; none where it is right."""
    if count == (1 if declared is None else declared):
        return ()
    said = "does not give the number of frames" if declared is None else f"says {declared} frames"
    return (f"The header {said}; {count} {'is' if count == 1 else 'are'} there.",)


def differing_size(layout: Layout, rows: int, columns: int) -> str:
    """Return the note for a picture size that the header has wrong."""
    return f"The header says {layout.columns} x {layout.rows} pixels; the frames have {columns} x {rows}."


def find_encapsulated(header: Header, layout: Layout, stream: Stream, limits: Limits) -> Found:
    """Find compressed frames that are stored each on its own.

    Raises
    ------
    NoFramesError
        When not even one whole frame is there.
    UnreadableError, UnsupportedError
        When the first frame is damaged, or of a kind that is not read.
    RefusedError
        When there are too many, or too large ones.
    """
    name, pixels, declared = header.opener.name, header.pixels, header.integer("NumberOfFrames")
    assert pixels is not None
    fragments = walk(stream, pixels.offset, header.little)
    extended = header.values.get("ExtendedOffsetTable")
    table = extended if isinstance(extended, bytes) else b""
    frames, group_notes = group_frames(stream, fragments, table, declared, header.little)
    notes = list(group_notes)
    if fragments.no_table:
        notes.append("The item of the offset table is missing; the first item is a frame.")
    if fragments.cut:
        notes.append("The file is cut off inside its pixels; only whole frames are read.")
    if not fragments.closed and _last_is_open(frames, stream):
        frames = EncapsulatedFrames(frames.pieces[:-1])
    if not len(frames):
        raise NoFramesError(name, "No whole frame is in it.", "It is probably cut off.")
    notes.extend(differing_count(declared, len(frames)))
    limits.check_count(name, len(frames))
    limits.check_bytes(name, frames.largest)
    with as_unreadable(name, "The first frame is no picture"):
        pictures = _recognise(header, layout, frames.payload(stream, 0), notes)
    limits.check_frame(name, pictures.layout.rows, pictures.layout.columns)
    return _with_tables(header, frames, pictures, stream, notes)


def _last_is_open(frames: EncapsulatedFrames, stream: Stream) -> bool:
    """Tell whether fragments of the last frame are missing, where frames are made of several."""
    if all(len(pieces) == 1 for pieces in frames.pieces):
        return False
    # JPEG, JPEG-LS and JPEG 2000 all end in FF D9, perhaps padded to an even length.
    return b"\xff\xd9" not in frames.payload(stream, len(frames) - 1)[-4:]


@dataclass(frozen=True, slots=True)
class _Seen:
    codec: Codec
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None = None


def _recognise(header: Header, layout: Layout, data: bytes, notes: list[str]) -> Pictures:
    """Choose the decoder by the frame's own header; the transfer syntax is needed for RLE alone."""
    expected = codec_of(header.syntax)
    is_ybr = False
    if data[:2] == b"\xff\xd8":
        info = jpeg.read_info(data)
        family = Codec.JPEG_LS if info.sof == jpeg.JPEG_LS_SOF else Codec.JPEG
        seen = _Seen(family, info.rows, info.columns, info.components, info.precision)
        if info.components == 3 and info.is_turbo:
            is_ybr, note = jpeg.transform_of(info, layout.photometric)
            notes.extend([note] if note else [])
    elif expected is Codec.RLE:
        return Pictures(layout, Codec.RLE)
    else:
        seen = _recognise_j2k(header, layout, data, notes)
    if expected not in (None, seen.codec):
        notes.append(f"The header says {name_of(header.syntax)}, but the frames are {seen.codec}.")
    return Pictures(_corrected(header, layout, seen, notes), seen.codec, is_ybr=is_ybr)


def _recognise_j2k(header: Header, layout: Layout, data: bytes, notes: list[str]) -> _Seen:
    try:
        info = codecs.read_j2k(data)
    except DamagedError:
        if codec_of(header.syntax) is None and header.syntax:
            raise UnsupportedError(
                header.opener.name,
                f"The transfer syntax ({name_of(header.syntax)}) is not read.",
                "Convert it to JPEG.",
            ) from None
        raise DamagedError("it starts like no compression that is known") from None
    if info.components == 3 and info.transform and layout.photometric.startswith("YBR_FULL"):
        notes.append(
            f"The JPEG 2000 stream has its own colour transform on top of {layout.photometric}; both are undone. "
            "If colours look wrong, the header is."
        )
    return _Seen(Codec.JPEG_2000, info.rows, info.columns, info.components, info.precision, info.signed)


def _corrected(header: Header, layout: Layout, seen: _Seen, notes: list[str]) -> Layout:
    """Return the layout with sizes and bits as the frames have them."""
    name = header.opener.name
    if seen.rows < 1 or seen.columns < 1:
        raise DamagedError(f"it says it has {seen.columns} x {seen.rows} pixels")
    if seen.components not in (1, 3):
        raise UnsupportedError(name, f"Pictures of {seen.components} components are not read, only of 1 and 3.")
    if not 1 <= seen.precision <= 16:
        raise UnsupportedError(name, f"Samples of {seen.precision} bits are not read, only of 1 to 16.")
    if (seen.rows, seen.columns) != (layout.rows, layout.columns):
        notes.append(differing_size(layout, seen.rows, seen.columns))
    photometric = layout.photometric
    if seen.components != layout.samples:
        photometric = "RGB" if seen.components == 3 else "MONOCHROME2"
        notes.append(
            f"The header says {layout.photometric}, but the frames have {seen.components} "
            f"component{'s' if seen.components > 1 else ''}; read as {photometric}."
        )
    stored, high = _bits_in_use(layout, seen.precision, notes)
    return replace(
        layout,
        rows=seen.rows,
        columns=seen.columns,
        samples=seen.components,
        photometric=photometric,
        planar=False,
        allocated=8 if seen.precision <= 8 else 16,
        stored=stored,
        high=high,
        signed=layout.signed if seen.signed is None else seen.signed,
    )


def _bits_in_use(layout: Layout, precision: int, notes: list[str]) -> tuple[int, int]:
    """Return how many bits of a decoded sample are used, and the highest of them.

    The stream may be deeper than what is used of it: a codec keeps the unused bits below or above.
    """
    if precision > layout.allocated:
        notes.append(f"The header says samples take {layout.allocated} bits; the frames have {precision}.")
        return precision, precision - 1
    if layout.stored <= layout.high < precision:
        return layout.stored, layout.high
    stored = min(layout.stored, precision)
    return stored, stored - 1


def _with_tables(header: Header, frames: Frames, pictures: Pictures, stream: Stream, notes: list[str]) -> Found:
    """Add what one-sample pictures need: the palette, or the grey scale."""
    layout, name = pictures.layout, header.opener.name
    if layout.photometric == "PALETTE COLOR":
        with as_unreadable(name, "The palette cannot be read"), quiet():
            pictures = replace(pictures, palette=read_palette(header, layout))
    elif layout.is_grey:
        ends = None
        if needs_measuring(header, layout):
            ends, note = grey_range(header, _extremes(frames, pictures, stream, name))
            notes.append(note)
        pictures = _with_colours_added(header, replace(pictures, tone=build_tone(header, layout, ends)), notes)
    return Found(frames, pictures, tuple(notes))


def _with_colours_added(header: Header, pictures: Pictures, notes: list[str]) -> Pictures:
    """Show what a supplemental palette colours: grey pictures in which high values stand for colours."""
    if header.text("PixelPresentation") not in IN_COLOUR:
        return pictures
    try:
        with quiet():
            palette = read_supplemental(header, pictures.layout, pictures.tone)
    except Exception:  # noqa: BLE001 - whatever is wrong with the tables, the picture is there in grey
        notes.append("The header says that some values are colours, but their palette cannot be read; shown in grey.")
        return pictures
    notes.append("A grey picture with a supplemental palette: high values are colours.")
    return replace(pictures, palette=palette, layout=replace(pictures.layout, photometric="PALETTE COLOR"))


def _extremes(frames: Frames, pictures: Pictures, stream: Stream, name: str) -> tuple[float, float] | None:
    """Return the lowest and the highest sample of some frames spread over the cine; None where all are alike."""
    low, high = math.inf, -math.inf
    for number in spread(len(frames)):
        try:
            with as_unreadable(name, f"Frame {number} cannot be decoded"):
                samples = pictures.samples(frames.payload(stream, number))
        except UnreadableError:
            if number == 0:
                raise
            continue  # said when somebody asks for this frame
        low, high = min(low, float(samples.min())), max(high, float(samples.max()))
    return (low, high) if low < high else None
