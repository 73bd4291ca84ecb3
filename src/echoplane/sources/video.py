"""Videos through FFmpeg (PyAV): AVI, MP4, MOV, MKV, WebM, WMV, MPEG and animated GIF."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np

from echoplane.errors import NoFramesError, UnreadableError, UnsupportedError
from echoplane.records import Cine, CineKind, UInt8Array
from echoplane.sources.guard import checked_request, reading
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.video_index import VideoIndex, decoded, index_video
from echoplane.sources.video_pixels import grey_of, is_full_range, rgb_of

#: FFmpeg's name of each container that is read. The container is always named, never guessed by FFmpeg: some of its
#: formats are play lists that would open other files or addresses.
CONTAINERS = {
    "avi": "avi",
    "mp4": "mov",
    "mkv": "matroska",
    "wmv": "asf",
    "gif": "gif",
    "mpeg": "mpeg",
    "mpegts": "mpegts",
    "mpegvideo": "mpegvideo",
    "h264": "h264",
    "hevc": "hevc",
    "flv": "flv",
    "ogg": "ogg",
}

#: Streams without a container. FFmpeg makes up 25 frames a second for all of them; only the stream itself may say.
_BARE = frozenset({"h264", "hevc"})
#: Frame rates outside this range (frames a second) are no frame rates but time bases or mistakes.
_PLAUSIBLE_FPS = (0.5, 1000.0)
#: Frame intervals may differ this much (as a share of the middle one, beside rounding) before the rate is called
#: variable.
_EVEN = 0.25
#: Frames of a GIF that are said to last a hundredth of a second mean "as fast as possible": browsers show them for ten.
_GIF_UNSAID = 100.0
#: Bytes at the end of a GIF in which its last mark is looked for; some programs fill up with zeros.
_GIF_TAIL = 1024


@dataclass(frozen=True, slots=True)
class VideoSource:
    """Where a video lies: in a file, or in memory.

    Attributes
    ----------
    place : Path or bytes
    container : str
        A key of :data:`CONTAINERS`.
    source : str
        Name shown in messages.
    limits : Limits
    """

    place: Path | bytes
    container: str
    source: str
    limits: Limits = DEFAULT_LIMITS

    @contextmanager
    def opened(self) -> Iterator[tuple[Any, Any]]:
        """Yield the open container and its first real video stream.

        Raises
        ------
        NoFramesError
            When there is no video stream in it.
        UnsupportedError
            When no decoder for it is there.
        RefusedError
            When a frame has more pixels than the limits allow.
        UnreadableError
            When FFmpeg cannot open it.
        """
        with reading(self.source, f"The {self.container} video cannot be opened"):
            stream_of_bytes = io.BytesIO(self.place) if isinstance(self.place, bytes) else self.place.open("rb")
        with stream_of_bytes as file, self._opening(file) as container:
            yield container, self._stream(container)

    def _opening(self, file: Any) -> Any:
        with reading(self.source, f"The {self.container} video cannot be opened"):
            try:
                return av.open(
                    _Bytes(cast(BinaryIO, file)), format=CONTAINERS[self.container], metadata_errors="replace"
                )
            except av.error.InvalidDataError as error:
                # FFmpeg's own message names an error number and nothing else.
                index = "its index, which may stand at the end, is" if self.container == "mp4" else "its header is"
                raise UnreadableError(
                    self.source,
                    f"The {self.container} video cannot be opened: {index} missing or damaged.",
                    "Was the recording or the copy cut short?",
                ) from error

    def _stream(self, container: Any) -> Any:
        # A cover picture (album art) is a video stream too, of one frame, beside the real one.
        streams = sorted(container.streams.video, key=lambda s: bool(s.disposition & 0x400))
        if not streams:
            raise NoFramesError(self.source, "The file holds no video stream.", "Is it a sound recording?")
        stream = streams[0]
        codec = stream.codec_context
        if codec is None:
            raise UnsupportedError(self.source, "The video codec is not known here.", "Convert it to MP4 (H.264).")
        self.limits.check_frame(self.source, codec.height or 0, codec.width or 0)
        with reading(self.source, "The video codec cannot be started"):
            codec.thread_count = 1  # the caller spreads files over cores; frame threads would only add memory
            codec.options = {"max_pixels": str(max(self.limits.max_pixels, 4096))}
            if self.container == "gif":
                # Transparent pixels are black here, as those of other formats; the decoder's own are white.
                codec.options |= {"trans_color": "0"}
        return stream


class _Bytes:
    """A file as FFmpeg asks for it: a damaged index sends it to impossible places, which is an answer, no exception."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.tell, self._file = file.read, file.tell, file

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


class VideoReader:
    """Frames of a video by number, decoded on request; nothing stays open or in memory between requests.

    Parameters
    ----------
    video : VideoSource
    index : VideoIndex
    height, width : int
        Size of every frame, upright.
    """

    def __init__(self, video: VideoSource, index: VideoIndex, height: int, width: int) -> None:
        self._video = video
        self._index = index
        self._size = (height, width)

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Decode frames; see :class:`echoplane.records.FrameReader`. Always at full size.

        Raises
        ------
        UsageError
            For frame numbers that are not there.
        UnreadableError
            When a frame does not decode.
        """
        wanted = checked_request(indices, self._index.n_frames, reduce)
        shape = (*self._size, 3) if color else self._size
        out = np.empty((len(wanted), *shape), np.uint8)
        rows: dict[int, list[int]] = {}
        for row, number in enumerate(wanted):
            rows.setdefault(number, []).append(row)
        for number, frame in self._frames(sorted(rows)):
            out[rows[number]] = self._picture(number, frame, color)
        return out

    def parts(self, count: int, *, color: bool = False) -> Iterator[UInt8Array]:
        """Yield all frames in order, `count` at a time, each decoded once; see :meth:`read`.

        Raises
        ------
        UnreadableError
            When a frame does not decode.
        """
        numbers = range(self._index.n_frames)
        if self._index.seekable:
            yield from (self.read(numbers[start : start + count], color=color) for start in numbers[::count])
            return
        frames = self._frames(list(numbers))
        while part := [self._picture(number, frame, color) for number, frame in itertools.islice(frames, count)]:
            yield np.stack(part)

    def _picture(self, number: int, frame: Any, color: bool) -> UInt8Array:
        picture = rgb_of(frame) if color else grey_of(frame)
        if picture.shape[:2] != self._size:
            raise UnreadableError(
                self._video.source,
                f"Frame {number} is {picture.shape[1]} x {picture.shape[0]} pixels, "
                f"the first one {self._size[1]} x {self._size[0]}.",
            )
        return picture

    def _frames(self, wanted: list[int]) -> Iterator[tuple[int, Any]]:
        """Yield (number, frame) for rising frame numbers, each exactly once."""
        if not wanted:
            return
        missing = wanted
        with self._video.opened() as (container, stream), reading(self._video.source, "A frame cannot be decoded"):
            if self._index.seekable:
                got: set[int] = set()
                for number, frame in self._by_time(container, stream, wanted):
                    got.add(number)
                    yield number, frame
                missing = [i for i in wanted if i not in got]
        if missing:
            # Time stamps that promised more than they hold: count from the start instead.
            with self._video.opened() as (container, stream), reading(self._video.source, "A frame cannot be decoded"):
                yield from self._by_count(container, stream, missing)

    def _by_time(self, container: Any, stream: Any, wanted: list[int]) -> Iterator[tuple[int, Any]]:
        index = self._index
        numbers = {int(p): i for i, p in enumerate(index.pts)}
        left = set(wanted)
        needed = {int(index.pts[number]) for number in wanted}
        position = floor = -1
        frames: Iterator[Any] = iter(())
        for target in wanted:
            key = int(index.key[target])
            if position < 0 or key > position + 1:
                container.seek(index.key_dts[key], stream=stream)
                frames, floor = decoded(container, stream, wanted=needed), key
            while position < target:
                frame = next(frames, None)
                if frame is None:
                    return
                number = numbers.get(frame.pts, -1)
                # Frames stored after the key frame but shown before it lean on one that was not decoded.
                if number < floor:
                    continue
                position = max(position, number)
                if number in left:
                    left.remove(number)
                    yield number, frame

    def _by_count(self, container: Any, stream: Any, wanted: list[int]) -> Iterator[tuple[int, Any]]:
        left = iter(wanted)
        target = next(left)
        for number, frame in enumerate(decoded(container, stream)):
            if number == target:
                yield number, frame
                following = next(left, None)
                if following is None:
                    return
                target = following
        raise UnreadableError(self._video.source, f"Frame {target} cannot be decoded.", "The file may be damaged.")


def open_video(
    place: str | Path | bytes,
    container: str,
    *,
    source: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Cine:
    """Open a video: count its frames, decode the first one for its size, and leave the rest on disk.

    Parameters
    ----------
    place : str, Path or bytes
        A file, or the bytes of one.
    container : str
        A key of :data:`CONTAINERS`, for example ``"mp4"`` (also MOV) or ``"avi"``.
    source : str
        Name shown in results; default: the path.
    limits : Limits

    Returns
    -------
    Cine
        Kind ``STILL`` for one frame, else ``B_MODE``: a video says nothing about what it shows.

    Raises
    ------
    UnreadableError, NoFramesError, UnsupportedError, RefusedError
        As their names say; see :mod:`echoplane.errors`.
    """
    name = source or ("video in memory" if isinstance(place, bytes) else str(place))
    video = VideoSource(Path(place) if isinstance(place, str) else place, container, name, limits)
    with reading(name, f"The {container} video cannot be read"):
        index = index_video(video.opened, name, limits)
    with video.opened() as (opened, stream), reading(name, "The first frame cannot be decoded"):
        first = next(decoded(opened, stream), None)
        if first is None:
            raise NoFramesError(name, "No frame of the video can be decoded.", "The file may have been cut short.")
        height, width = grey_of(first).shape
        limits.check_frame(name, height, width)
        pixels = f"{first.format.name}, {'full' if is_full_range(first) else 'limited'} range"
        rate = stream.codec_context.framerate if container in _BARE else stream.average_rate
        aspect, codec = stream.sample_aspect_ratio, stream.codec_context.name
        clear = container == "gif" and bool((first.to_ndarray(format="bgra")[..., 3] < 255).any())
        said_seconds, tick = _said_seconds(opened, stream), float(stream.time_base or 0)
    fps, fps_source, rate_notes = frame_rate(index, rate, tick)
    if container in _BARE and fps_source == "container":
        fps_source = "stream"
    if container == "gif" and fps is not None and fps > 0.99 * _GIF_UNSAID:
        fps, fps_source = None, ""
        rate_notes += ("The GIF says 10 ms a frame, which stands for no rate at all; no program shows it so fast.",)
    notes = index.notes + rate_notes + _early_end(index, said_seconds) + _torn_gif(video)
    if clear:
        notes += ("Has transparent pixels: they are taken as lying on black.",)
    if aspect and aspect != 1:
        notes += (f"Pixels are said to be {float(aspect):.3g} times as wide as high; they are taken as square.",)
    return Cine(
        source=name,
        reader=VideoReader(video, index, height, width),
        n_frames=index.n_frames,
        height=height,
        width=width,
        fps=fps,
        fps_source=fps_source,
        kind=CineKind.STILL if index.n_frames == 1 else CineKind.B_MODE,
        notes=notes,
        facts={
            "format": container,
            "codec": codec,
            "pixels": pixels,
            "access": "by key frame" if index.seekable else "from the start (frames were counted by decoding once)",
        },
    )


def _said_seconds(container: Any, stream: Any) -> float:
    """Return the length that the header gives, 0 where it says none (or may mean the sound)."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0


def _early_end(index: VideoIndex, said: float) -> tuple[str, ...]:
    times = index.times
    if len(times) < 2:
        return ()
    step = float(np.median(np.diff(times)))
    # Where a clip is cut out of a longer film, Matroska counts the length from the film's start.
    length = float(times[-1] - min(times[0], 0)) + step
    if said <= 1.1 * length + 2 * step:
        return ()
    return (f"The header says {said:.1f} s, the frames end after {length:.1f} s: the file may have been cut short.",)


def _torn_gif(video: VideoSource) -> tuple[str, ...]:
    """Note a GIF without the byte that ends one: nothing else in it tells how many frames there should be."""
    if video.container != "gif":
        return ()
    if isinstance(video.place, bytes):
        end = video.place[-_GIF_TAIL:]
    else:
        with video.place.open("rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - _GIF_TAIL))
            end = file.read()
    if end.rstrip(b"\0").endswith(b";"):
        return ()
    return ("The file does not end as a GIF does: it may have been cut short.",)


def frame_rate(index: VideoIndex, average_rate: Any, tick: float = 0.0) -> tuple[float | None, str, tuple[str, ...]]:
    """Choose the frame rate: the container's average where the time stamps agree, else the time stamps.

    Parameters
    ----------
    index : VideoIndex
    average_rate : Fraction or None
        As the container gives it.
    tick : float
        Seconds that time stamps are rounded to: a hundredth in GIF.

    Returns
    -------
    fps : float or None
    fps_source : str
        ``"container"``, ``"time stamps"`` or ``""``.
    notes : tuple of str
        When the frames are not evenly spaced, or the two rates differ.
    """
    low, high = _PLAUSIBLE_FPS
    said = float(average_rate) if average_rate and low <= float(average_rate) <= high else None
    steps = np.diff(index.times)
    span = float(steps.sum()) if len(steps) else 0.0
    if span <= 0 or not low <= len(steps) / span <= high:
        return said, "container" if said else "", ()
    timed = len(steps) / span
    middle = float(np.median(steps))
    notes: tuple[str, ...] = ()
    if (np.abs(steps - middle) > _EVEN * middle + 1.01 * tick).any():
        notes = (
            f"Frames are not evenly spaced ({1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms); "
            f"the mean rate is used.",
        )
    if said is not None and abs(said - timed) <= 0.02 * timed:
        return said, "container", notes
    return timed, "time stamps", notes
