"""Cines of one picture file: a still, or the pages of a TIFF, WebP or animated PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from echoplane.errors import NoFramesError, RefusedError, UnreadableError
from echoplane.records import Cine, CineKind, UInt8Array
from echoplane.sources.animation import page_durations, rate_of
from echoplane.sources.guard import checked_request, reading
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.picture import (
    PictureHeader,
    decode_jpeg,
    decode_page,
    deep_samples,
    frame_rate_of,
    header_of,
    opened_picture,
    orientation_of,
    white_is_zero,
)
from echoplane.sources.scaling import Scaling, choose_scaling, spread
from echoplane.sources.turbo import has_too_many_scans

#: TIFF tag that programs describe their stacks in.
_TIFF_DESCRIPTION = 270


class ImageReader:
    """Pages of one picture file, decoded on request.

    Parameters
    ----------
    path : Path
    kind : str
        ``"png"``, ``"jpeg"``, ``"bmp"``, ``"webp"`` or ``"tiff"``.
    source : str
    limits : Limits
    n_frames : int
    size : (int, int)
        Height and width, upright.
    scaling : Scaling
        For pages of more than 8 bits.
    hidden : int
        Pages before the first frame: 1 for an animated PNG whose first picture is no part of the animation, else 0.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        source: str,
        limits: Limits,
        n_frames: int,
        size: tuple[int, int],
        scaling: Scaling,
        hidden: int = 0,
    ) -> None:
        self._path, self._kind, self._source, self._limits = path, kind, source, limits
        self._n_frames, self._size, self._scaling, self._hidden = n_frames, size, scaling, hidden

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Decode pages; see :class:`echoplane.records.FrameReader`. Only JPEG comes at reduced size.

        Raises
        ------
        UsageError
            For frame numbers that are not there.
        UnreadableError
            When a page does not decode.
        """
        wanted = checked_request(indices, self._n_frames, reduce)
        if self._kind == "jpeg":
            picture = read_jpeg(self._path, self._source, self._limits, color=color, reduce=reduce)
            return np.repeat(picture[None], len(wanted), axis=0)
        shape = (*self._size, 3) if color else self._size
        out = np.empty((len(wanted), *shape), np.uint8)
        with opened_picture(self._path, self._kind, self._source, self._limits) as image:
            for number in sorted(set(wanted)):
                _turn_to(image, number, self._hidden)
                page = decode_page(image, color=color, scaling=self._scaling)
                if page.shape != shape:
                    raise UnreadableError(self._source, f"Page {number + 1} did not decode to its size.")
                out[[row for row, i in enumerate(wanted) if i == number]] = page
        return out


def read_jpeg(path: Path, source: str, limits: Limits, *, color: bool, reduce: int) -> UInt8Array:
    """Decode one JPEG file: uint8 (h, w), or (h, w, 3) with `color`, at ``ceil(size / reduce)``.

    Raises
    ------
    UnreadableError, RefusedError
    """
    with opened_picture(path, "jpeg", source, limits) as image:
        data = path.read_bytes()
        if image.info.get("progressive") and has_too_many_scans(data):
            raise RefusedError(source, "The JPEG picture has so many scans that it would take very long to decode.")
        if image.mode in ("L", "RGB"):
            fast = decode_jpeg(data, color=color, reduce=reduce, orientation=orientation_of(image))
            if fast is not None:
                return fast
        return decode_page(image, color=color)[::reduce, ::reduce]


def open_image(path: Path, kind: str, *, source: str = "", limits: Limits = DEFAULT_LIMITS) -> Cine:
    """Open a picture file as a still, or as a cine when it has several pages.

    Parameters
    ----------
    path : Path
    kind : str
        ``"png"``, ``"jpeg"``, ``"bmp"``, ``"webp"`` or ``"tiff"``.
    source : str
        Name shown in results; default: the path.
    limits : Limits

    Raises
    ------
    UnreadableError
        When the file is damaged, or its pages differ in size.
    RefusedError
        When it has more pixels or pages than the limits allow.
    NoFramesError
        When it has no page.
    """
    name = source or str(path)
    with opened_picture(path, kind, name, limits) as image:
        if kind == "webp":  # its frame times come with the pixels
            image.load()
        header = header_of(image, name)
        hidden = int(bool(getattr(image, "default_image", False)))
        n_frames, total = _count_pages(image, kind, header, name, limits)
        scaling = _scaling(image, header, n_frames, hidden, name)
        if kind != "jpeg":  # a damaged still should be known at once; pages of a stack are decoded when asked for
            _turn_to(image, 0, hidden)
            decode_page(image, color=False, scaling=scaling)
    if kind == "jpeg":
        read_jpeg(path, name, limits, color=False, reduce=8)
    description = _description(image)
    fps, fps_source, rate_notes = _rate(path, kind, header, n_frames, description)
    notes = header.notes + ((scaling.note,) if scaling.note else ()) + total + rate_notes
    notes += _imagej_rest(description, n_frames)
    return Cine(
        source=name,
        reader=ImageReader(path, kind, name, limits, n_frames, (header.height, header.width), scaling, hidden),
        n_frames=n_frames,
        height=header.height,
        width=header.width,
        fps=fps,
        fps_source=fps_source,
        kind=CineKind.STILL if n_frames == 1 else CineKind.B_MODE,
        notes=notes,
        facts={"format": kind, "pixels": header.mode, "color": "yes" if header.color else "grey"},
    )


def _turn_to(image: Any, number: int, hidden: int) -> None:
    """Stand at a frame of an open picture."""
    page = number + hidden
    if hidden and not 0 < image.tell() <= page:
        # Pillow paints the animation over the hidden picture; it begins on nothing.
        image.seek(0)
        image.paste(0, (0, 0, *image.size))
    image.seek(page)


def _rate(
    path: Path, kind: str, header: PictureHeader, n_frames: int, description: str
) -> tuple[float | None, str, tuple[str, ...]]:
    """Frame rate, where it is from, and what is odd about it."""
    if n_frames < 2:
        return None, "", ()
    durations = page_durations(path, kind, n_frames)
    return rate_of(durations) if durations else (*frame_rate_of(header.info, description), ())


def _count_pages(
    image: Any, kind: str, header: PictureHeader, source: str, limits: Limits
) -> tuple[int, tuple[str, ...]]:
    """Count the pages and check that they are all of one size; the image is left at some page."""
    if kind in ("jpeg", "bmp"):
        return 1, ()
    if kind != "tiff":  # pages of animated PNG and WebP are painted on one canvas
        count = int(getattr(image, "n_frames", 1) or 0) - int(bool(getattr(image, "default_image", False)))
        limits.check_count(source, count)
        if count < 1:
            raise NoFramesError(source, "The picture file holds no page.")
        return count, ()
    count = 1
    while True:
        try:
            if not _has_page(image, count):
                return count, ()
        except Exception as error:  # noqa: BLE001 - Pillow raises whatever a torn directory makes of its numbers
            return _whole_pages(image, header, count, error)
        count += 1
        limits.check_count(source, count)
        page = header_of(image, source)
        limits.check_frame(source, page.height, page.width)
        same = (header.height, header.width, header.mode, header.samples)
        if (page.height, page.width, page.mode, page.samples) != same:
            raise UnreadableError(
                source,
                f"Page {count} is {page.width} x {page.height} ({page.mode}, {page.samples}), "
                f"page 1 is {header.width} x {header.height} ({header.mode}, {header.samples}).",
                "A cine needs pages of one size and kind; split the file.",
            )


def _whole_pages(image: Any, header: PictureHeader, count: int, error: Exception) -> tuple[int, tuple[str, ...]]:
    """Count the pages before a torn one whose samples are all there; raise `error` where none is."""
    for whole in range(count, 0, -1):
        try:
            image.seek(whole - 1)
            (deep_samples if header.deep else lambda page: decode_page(page, color=False))(image)
        except Exception:  # noqa: BLE001 - as above
            continue
        said = f"{whole} whole page{' is' if whole == 1 else 's are'}"
        return whole, (f"The file is damaged or cut off behind page {whole}; {said} read.",)
    raise error


def _has_page(image: Any, number: int) -> bool:
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _scaling(image: Any, header: PictureHeader, n_frames: int, hidden: int, source: str) -> Scaling:
    if not header.deep:
        return Scaling()
    with reading(source, "The picture is damaged"):

        def parts() -> Any:
            for number in spread(n_frames):
                _turn_to(image, number, hidden)
                yield deep_samples(image)

        return choose_scaling(parts(), white_is_low=white_is_zero(image))


def _description(image: Any) -> str:
    tags = getattr(image, "tag_v2", None)
    value = tags.get(_TIFF_DESCRIPTION, "") if tags is not None else ""
    return value if isinstance(value, str) else ""


def _imagej_rest(description: str, n_frames: int) -> tuple[str, ...]:
    """Note that ImageJ keeps big stacks behind one page, of which only the first picture is found."""
    for line in description.splitlines() if description.startswith("ImageJ=") else ():
        if line.startswith("images=") and line[7:].isdigit() and int(line[7:]) > n_frames:
            return (f"ImageJ says {line[7:]} pictures, {n_frames} are found; save the stack again as single pages.",)
    return ()
