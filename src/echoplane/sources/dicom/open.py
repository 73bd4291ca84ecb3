"""A DICOM file to a :class:`~echoplane.records.Cine`: header read, frames found, nothing decoded yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from echoplane.errors import NoFramesError, UnreadableError, UnsupportedError
from echoplane.records import Cine
from echoplane.sources.dicom import codecs, jpeg
from echoplane.sources.dicom.frames import EncapsulatedFrames, NativeFrames, group_frames, walk
from echoplane.sources.dicom.header import Header, PixelElement, read_header
from echoplane.sources.dicom.kind import read_kind
from echoplane.sources.dicom.layout import (
    MAX_CINE_BYTES,
    MAX_FRAME_PIXELS,
    Layout,
    check_cine,
    check_size,
    read_layout,
    require_picture,
)
from echoplane.sources.dicom.pictures import Pictures
from echoplane.sources.dicom.reader import FrameByFrameReader
from echoplane.sources.dicom.regions import picture_spacing, read_regions
from echoplane.sources.dicom.stream import Stream
from echoplane.sources.dicom.syntax import EXPLICIT_BE, Codec, codec_of, name_of
from echoplane.sources.dicom.timing import read_fps
from echoplane.sources.dicom.tone import needs_measuring


def open_dicom(
    path: str | Path, *, max_frame_pixels: int = MAX_FRAME_PIXELS, max_cine_bytes: int = MAX_CINE_BYTES
) -> Cine:
    """Open a DICOM file as a cine.

    Reads the header, walks over the frames' own headers, and decodes nothing; memory does not grow with the file.

    Parameters
    ----------
    path : str or Path
    max_frame_pixels : int
        Largest frame, in pixels, that may be decoded.
    max_cine_bytes : int
        Largest cine, in bytes of all its frames decoded, that may be opened.

    Returns
    -------
    Cine

    Raises
    ------
    NotImageError
        Not a DICOM file, or one without a picture: a report, a waveform, a DICOMDIR.
    UnreadableError
        Damaged, cut off, or with a header that contradicts its content.
    UnsupportedError
        A transfer syntax or pixel format that is not read.
    RefusedError
        Over one of the limits, or not a regular file.
    NoFramesError
        No frame in it.
    """
    name = str(path)
    header = read_header(name)
    require_picture(header, name)
    layout, notes = read_layout(header, name)
    check_size(name, layout.rows, layout.columns, max_frame_pixels)
    found = _find_frames(header, layout, name)
    check_size(name, found.layout.rows, found.layout.columns, max_frame_pixels)
    check_cine(name, found.layout, len(found.reader.frames), max_cine_bytes)
    return _cine(name, header, found, (*header.notes, *notes, *found.notes))


@dataclass(frozen=True, slots=True)
class _Found:
    reader: FrameByFrameReader
    layout: Layout
    notes: tuple[str, ...]


def _cine(name: str, header: Header, found: _Found, notes: tuple[str, ...]) -> Cine:
    layout, n_frames = found.layout, len(found.reader.frames)
    fps, fps_source, time_notes = read_fps(header, n_frames)
    regions, region_notes = read_regions(header, layout.rows, layout.columns)
    kind, sure, kind_notes = read_kind(header, regions, n_frames)
    facts = {
        "format": "DICOM",
        "transfer syntax": name_of(header.syntax),
        "photometric interpretation": layout.photometric,
        "bits": f"{layout.stored} of {layout.allocated}",
        "manufacturer": header.text("Manufacturer"),
        "model": header.text("ManufacturerModelName"),
        "kind from": "header" if sure else "header, not certain",
    }
    return Cine(
        source=name,
        reader=found.reader,
        n_frames=n_frames,
        height=layout.rows,
        width=layout.columns,
        fps=fps,
        fps_source=fps_source,
        kind=kind,
        regions=regions,
        spacing_mm=picture_spacing(header, regions),
        notes=(*notes, *time_notes, *region_notes, *kind_notes),
        facts={key: value for key, value in facts.items() if value},
    )


def _find_frames(header: Header, layout: Layout, name: str) -> _Found:
    pixels = header.pixels
    assert pixels is not None
    codec = codec_of(header.syntax) if header.syntax else Codec.NATIVE
    if pixels.length is None:
        return _encapsulated(header, layout, pixels, codec, name)
    if codec is None:
        raise UnsupportedError(name, f"The transfer syntax {header.syntax[:64]} is not read.")
    return _native(header, layout, pixels, codec, name)


def _native(header: Header, layout: Layout, pixels: PixelElement, codec: Codec, name: str) -> _Found:
    notes: list[str] = []
    if codec is not Codec.NATIVE:
        notes.append(f"The header says {name_of(header.syntax)}, but the pixels are not compressed; read as they are.")
    if layout.photometric in ("YBR_RCT", "YBR_ICT"):
        notes.append(f"{layout.photometric} has a meaning inside JPEG 2000 only; read as RGB.")
    with header.opener.open() as stream:
        there = max(0, min(pixels.length or 0, stream.size - pixels.offset))
    declared = header.integer("NumberOfFrames")
    if layout.is_422 and _is_444(layout, there, declared):
        notes.append(f"The header says {layout.photometric}, but chroma is stored for every pixel; read so.")
        layout = replace(layout, photometric=layout.photometric.removesuffix("_422"))
    count = _count_native(layout, there, declared, notes)
    if there < (pixels.length or 0):
        notes.append(f"The file is cut off: {there} of {pixels.length} bytes of pixels are there.")
    if count == 0:
        raise UnreadableError(
            name,
            f"The header describes frames of {layout.frame_bytes} bytes, but only {there} bytes of pixels are there.",
        )
    measure = layout.photometric.startswith("MONO") and needs_measuring(header, layout)
    if measure:
        notes.append("No grey window in the header; grey levels are spread over the range of the first frame.")
    frames = NativeFrames(pixels.offset, layout.frame_bytes, count)
    swapped = header.syntax == EXPLICIT_BE and layout.allocated == 8 and pixels.vr == "OW"
    pictures = Pictures(header, layout, Codec.NATIVE, False, layout.samples)
    return _Found(FrameByFrameReader(header.opener, frames, pictures, swapped, measure), layout, tuple(notes))


def _is_444(layout: Layout, there: int, declared: int | None) -> bool:
    full = layout.frame_bytes // 2 * 3 * max(1, declared or 1)
    return full <= there <= full + 1


def _count_native(layout: Layout, there: int, declared: int | None, notes: list[str]) -> int:
    count, rest = divmod(there, layout.frame_bytes)
    if declared == count or (declared is None and count <= 1):
        return count
    if declared is not None and 0 < declared < count and rest > 1:
        return declared  # something else follows the frames
    notes.append(_count_note(declared, count))
    return count


def _count_note(declared: int | None, count: int) -> str:
    said = "does not give the number of frames" if declared is None else f"says {declared} frames"
    return f"The header {said}; {count} are there."


def _encapsulated(header: Header, layout: Layout, pixels: PixelElement, codec: Codec | None, name: str) -> _Found:
    notes: list[str] = []
    declared = header.integer("NumberOfFrames")
    with header.opener.open() as stream:
        fragments = walk(stream, pixels.offset, header.little)
        extended = header.values.get("ExtendedOffsetTable")
        frames, more = group_frames(
            stream, fragments, extended if isinstance(extended, bytes) else b"", declared, header.little
        )
        notes.extend(more)
        if fragments.cut:
            notes.append("The file is cut off inside its pixels; only whole frames are read.")
            if any(len(pieces) > 1 for pieces in frames.pieces):
                frames = EncapsulatedFrames(frames.pieces[:-1])
        if not len(frames):
            raise NoFramesError(name, "The file has no whole frame in it.")
        if len(frames) != (declared if declared is not None else 1):
            notes.append(_count_note(declared, len(frames)))
        pictures = _sniff(header, layout, codec, _first(stream, frames), name, notes)
    measure = (
        pictures.components == 1 and layout.photometric.startswith("MONO") and needs_measuring(header, pictures.layout)
    )
    if measure:
        notes.append("No grey window in the header; grey levels are spread over the range of the first frame.")
    reader = FrameByFrameReader(header.opener, frames, pictures, False, measure)
    return _Found(reader, pictures.layout, tuple(notes))


def _first(stream: Stream, frames: EncapsulatedFrames) -> bytes:
    return frames.payload(stream, 0)


def _sniff(header: Header, layout: Layout, codec: Codec | None, data: bytes, name: str, notes: list[str]) -> Pictures:
    """Choose the decoder by what the first frame's own header says; the transfer syntax only names RLE and video."""
    if codec is Codec.RLE:
        return Pictures(header, layout, Codec.RLE, False, layout.samples)
    try:
        if data[:2] == b"\xff\xd8":
            info = jpeg.read_info(data)
            seen = Codec.JPEG if info.is_turbo else (Codec.JPEG_LS if info.sof == jpeg.JPEG_LS_SOF else Codec.JPEG_WIDE)
            size = (info.rows, info.columns, info.components, info.precision)
        else:
            j2k = codecs.read_j2k(data)
            seen, size = Codec.JPEG_2000, (j2k.rows, j2k.columns, j2k.components, j2k.precision)
    except ValueError as error:
        if codec is None:
            raise UnsupportedError(name, f"The transfer syntax {header.syntax[:64]} is not read.") from None
        raise UnreadableError(name, f"The first frame is no picture: {error}.") from None
    rows, columns, components, precision = size
    if components not in (1, 3):
        raise UnsupportedError(name, f"Pictures of {components} components are not read.")
    if (rows, columns) != (layout.rows, layout.columns):
        notes.append(f"The header says {layout.columns} x {layout.rows} pixels, the frames are {columns} x {rows}.")
    is_ybr = False
    if components == 3 and seen is Codec.JPEG:
        is_ybr, note = jpeg.transform_of(info, layout.photometric)
        notes.extend([note] if note else [])
    return Pictures(
        header,
        replace(layout, rows=rows, columns=columns, stored=precision, high=precision - 1),
        seen,
        is_ybr,
        components,
    )
