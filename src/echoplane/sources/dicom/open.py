"""A DICOM file to a :class:`~echoplane.records.Cine`: header read, frames found, nothing decoded yet."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from echoplane.errors import UnsupportedError
from echoplane.records import Cine, FrameReader
from echoplane.sources.colour import with_colour_noticed
from echoplane.sources.dicom.failures import as_unreadable
from echoplane.sources.dicom.find import differing_count, differing_size, find_encapsulated, find_native
from echoplane.sources.dicom.header import Header, read_header
from echoplane.sources.dicom.kind import modality_of, read_kind
from echoplane.sources.dicom.layout import Layout, read_layout, require_picture
from echoplane.sources.dicom.mpeg import open_video_stream
from echoplane.sources.dicom.reader import FrameByFrameReader
from echoplane.sources.dicom.regions import aspect_notes, picture_spacing, read_regions
from echoplane.sources.dicom.stream import Opener
from echoplane.sources.dicom.syntax import Codec, codec_of, name_of
from echoplane.sources.dicom.timing import read_fps
from echoplane.sources.ground import with_ground_noticed
from echoplane.sources.limits import DEFAULT_LIMITS, Limits


def open_dicom(path: str | Path, *, source: str = "", limits: Limits = DEFAULT_LIMITS) -> Cine:
    """Open a DICOM file as a cine.

    Reads the header, walks over the frames' own headers, and decodes none but a few of them: the first one, for a white
    ground; more where more than 8 bits come without a grey window, and where the header leaves open whether colour
    Doppler is on. Memory does not grow with the file.

    Parameters
    ----------
    path : str or Path
    source : str
        Name shown in results and messages; default: the path.
    limits : Limits
        Sizes above which the file is refused.

    Returns
    -------
    Cine
        ``facts["kind_from"]`` is ``"header"`` where the header tells what the cine shows, ``"pixels"`` where colour
        Doppler was found in the pixels, ``"header and pixels"`` where it was looked for and not found.

    Raises
    ------
    NotImageError
        Not a DICOM file, or one without a picture: a report, a waveform, a DICOMDIR.
    UnreadableError
        Damaged, cut off before the first frame ends, or with a header that contradicts its content.
    NoFramesError
        No whole frame in it.
    UnsupportedError
        A transfer syntax or pixel format that is not read.
    RefusedError
        Over one of the limits, or not a regular file.
    """
    name = source or str(path)
    with as_unreadable(name, "The DICOM file is damaged"):
        header = read_header(Opener(str(path), name))
        require_picture(header, name)
        layout, notes = read_layout(header, name)
        return _open(header, layout, (*header.notes, *notes), limits)


def _open(header: Header, layout: Layout, notes: tuple[str, ...], limits: Limits) -> Cine:
    codec, pixels = codec_of(header.syntax), header.pixels
    assert pixels is not None
    if codec is None and header.syntax and pixels.length is not None:
        raise UnsupportedError(header.opener.name, f"The transfer syntax ({name_of(header.syntax)}) is not read.")
    if codec is not None and codec.is_video and pixels.length is None:
        return _video(header, layout, codec, notes, limits)
    with header.opener.open() as stream:
        find = find_encapsulated if pixels.length is None else find_native
        found = find(header, layout, stream, limits)
    reader = FrameByFrameReader(header.opener, found.frames, found.pictures)
    return _cine(header, reader, len(found.frames), found.pictures.layout, (*notes, *found.notes))


def _video(header: Header, layout: Layout, codec: Codec, notes: tuple[str, ...], limits: Limits) -> Cine:
    video = open_video_stream(header, codec, limits)
    if (video.height, video.width) != (layout.rows, layout.columns):
        notes += (differing_size(layout, video.height, video.width),)
    notes += differing_count(header.integer("NumberOfFrames"), video.n_frames)
    layout = dataclasses.replace(layout, rows=video.height, columns=video.width)
    cine = _cine(header, video.reader, video.n_frames, layout, notes)
    facts = {**cine.facts, "pixels": video.facts.get("pixels", ""), "container": video.facts.get("format", "")}
    if cine.fps is None and video.fps is not None:
        cine = dataclasses.replace(cine, fps=video.fps, fps_source=video.fps_source)
    return dataclasses.replace(cine, notes=(*cine.notes, *video.notes), facts=facts)


def _cine(header: Header, reader: FrameReader, n_frames: int, layout: Layout, notes: tuple[str, ...]) -> Cine:
    fps, fps_source, time_notes = read_fps(header, n_frames)
    regions, region_notes = read_regions(header, layout.rows, layout.columns)
    spacing = picture_spacing(header, regions)
    kind, sure, kind_notes = read_kind(header, n_frames)
    facts = {
        "format": "DICOM",
        "modality": modality_of(header),
        "transfer syntax": name_of(header.syntax),
        "photometric interpretation": layout.photometric,
        "bits": f"{layout.stored} of {layout.allocated}",
        "manufacturer": header.text("Manufacturer"),
        "model": header.text("ManufacturerModelName"),
        "kind_from": "header" if sure or layout.is_grey else "header and pixels",
    }
    cine = Cine(
        source=header.opener.name,
        reader=reader,
        n_frames=n_frames,
        height=layout.rows,
        width=layout.columns,
        fps=fps,
        fps_source=fps_source,
        kind=kind,
        regions=regions,
        spacing_mm=spacing,
        notes=(*notes, *_part_of_more(header), *time_notes, *region_notes, *aspect_notes(header, spacing), *kind_notes),
        facts={key: value for key, value in facts.items() if value},
    )
    return with_ground_noticed(cine) if sure or layout.is_grey else with_colour_noticed(cine)


def _part_of_more(header: Header) -> tuple[str, ...]:
    """Note that a cine was divided into several files (a concatenation, PS3.3 C.7.6.16.2.2.4), of which this is one."""
    number, total = header.integer("InConcatenationNumber"), header.integer("InConcatenationTotalNumber")
    if total == 1 or (number is None and total is None and not header.text("ConcatenationUID")):
        return ()
    part = "one part" if number is None else f"part {number}"
    return (f"Is {part}{'' if total is None else f' of {total}'} of a cine that was divided; the others are not seen.",)
