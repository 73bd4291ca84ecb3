"""Which frames a video file holds, and from where each can be decoded.

A container's own frame count and duration are often missing or wrong, so the packets are counted (no decoding, but the
file is read once). When their time stamps are sound, frame ``i`` is the ``i``-th by presentation time, and it is
reached from the last key frame before it. When they are not (AVI with B-frames, and what was packed from
it into another container; MPEG program streams, palettes, damaged or cut files, GIF), the frames are counted by
decoding once, and reached by decoding from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from echoplane.errors import NoFramesError
from echoplane.records import IntArray
from echoplane.sources.limits import Limits

#: Containers that are read from the start: in a GIF a frame is painted over the ones before it, whatever its key-frame
#: flags say; in an MPEG program stream the time stamps after a seek are guessed.
_FORWARD_ONLY = frozenset({"gif", "mpeg"})

#: Decoders that can be told with each packet to leave out what no other frame leans on. Of others, dav1d is told once,
#: when it is opened; and HEVC calls frames so on which some of a higher layer may lean.
_LEAVES_OUT = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4"})

#: Frames that are decoded to see whether time stamps are those of showing.
_LOOKED_AT = 24

#: Opens the video anew, at its start, and gives the ``av`` container and the video stream.
Opener = Callable[[], AbstractContextManager[tuple[Any, Any]]]


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """Frames of one video stream, in presentation order.

    Attributes
    ----------
    n_frames : int
    pts : int64 array, (n_frames,)
        Presentation times in units of the stream's time base, rising; empty where frames can only be counted.
    key : int64 array, (n_frames,)
        For each frame, the number of the key frame to decode from; empty where frames can only be counted.
    key_dts : dict of int to int
        Decoding time of each key frame, by frame number: where to seek.
    times : float64 array
        Presentation times in seconds, for the frame rate; may be empty.
    notes : tuple of str
    """

    n_frames: int
    pts: IntArray
    key: IntArray
    key_dts: dict[int, int]
    times: npt.NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def seekable(self) -> bool:
        """Whether single frames can be reached without decoding from the start."""
        return len(self.pts) > 0


@dataclass(frozen=True, slots=True)
class _Packet:
    pts: int | None
    dts: int | None
    key: bool
    corrupt: bool


def index_video(opened: Opener, source: str, limits: Limits) -> VideoIndex:
    """Count the frames of a video and plan how to reach them.

    Parameters
    ----------
    opened : callable
        Opens the video anew, see :data:`Opener`.
    source : str
        For messages.
    limits : Limits

    Raises
    ------
    NoFramesError
        When the stream has no packet, or no packet that decodes.
    RefusedError
        When there are more frames than the limits allow.
    """
    with opened() as (container, stream):
        said = int(stream.frames or 0)
        limits.check_count(source, said)
        packets, cut_away = _packets(container, stream, source, limits)
        if not packets:
            raise NoFramesError(source, "The video stream holds no frame.", "The file may have been cut short.")
        short = said > len(packets) + cut_away
        if not short and not any(p.corrupt for p in packets) and _can_seek(container, stream):
            sound = _from_packets(packets, stream)
            if sound is not None and _rise_when_shown(opened, packets):
                return sound
    notes = (f"The header says {said} frames, the file holds {len(packets)}.",) if short else ()
    with opened() as (container, stream):
        return _from_decoding(container, stream, source, limits, notes)


def _can_seek(container: Any, stream: Any) -> bool:
    """Tell whether frames come out right after a seek, and time stamps are those of presentation."""
    codec = stream.codec_context
    if container.format.name in _FORWARD_ONLY:
        return False
    if codec.pix_fmt == "pal8":  # FFmpeg hands out the palette with the first packet only
        return False
    # AVI knows no presentation times; FFmpeg's rise in decoding order.
    return not (container.format.name == "avi" and codec.has_b_frames)


def _rise_when_shown(opened: Opener, packets: list[_Packet]) -> bool:
    """Tell whether time stamps are those of showing, where they rise in the order of storage.

    Frames that are stored in another order come with theirs mixed. Most decoders of MPEG-1 and 2 expect such frames
    whether there are any or not, so some are decoded.
    """
    if any(a.pts > b.pts for a, b in pairwise(packets) if a.pts is not None and b.pts is not None):
        return True
    with opened() as (container, stream):
        if not stream.codec_context.has_b_frames:
            return True
        shown = [frame.pts for frame in islice(decoded(container, stream), _LOOKED_AT) if frame.pts is not None]
    return shown == sorted(shown)


def _packets(container: Any, stream: Any, source: str, limits: Limits) -> tuple[list[_Packet], int]:
    """Return the packets that are shown, and how many an edit list cuts away; they count as frames in the header."""
    found: list[_Packet] = []
    cut_away = 0
    try:
        for packet in container.demux(stream):
            # The flushing packet at the end is empty.
            if packet.size and packet.is_discard:
                cut_away += 1
            elif packet.size:
                found.append(_Packet(packet.pts, packet.dts, packet.is_keyframe, packet.is_corrupt))
                limits.check_count(source, len(found))
    except av.error.FFmpegError:
        if found:
            found[-1] = _Packet(found[-1].pts, found[-1].dts, found[-1].key, corrupt=True)
    return found, cut_away


def _from_packets(packets: list[_Packet], stream: Any) -> VideoIndex | None:
    """Return the index by time stamps, or None when they cannot be relied on."""
    pts = [p.pts for p in packets if p.pts is not None]
    if len(set(pts)) != len(packets) or not packets[0].key:
        return None
    order = np.argsort(np.array(pts, np.int64), kind="stable")
    ranked = np.array(pts, np.int64)[order]
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    key = np.full(len(packets), -1, np.int64)
    key_dts: dict[int, int] = {}
    for position, packet in enumerate(packets):
        if packet.key:
            number = int(rank[position])
            key_dts[number] = packet.pts if packet.dts is None else packet.dts  # type: ignore[assignment]
            # Everything shown after a key frame can be decoded from it; what comes later in the file overwrites.
            key[number:] = number
    if (key < 0).any():
        return None
    return VideoIndex(len(packets), ranked, key, key_dts, _seconds(ranked, stream))


def _from_decoding(container: Any, stream: Any, source: str, limits: Limits, notes: tuple[str, ...]) -> VideoIndex:
    """Return the index of frames that decode, counted in one pass over the whole stream."""
    count = corrupt = 0
    pts: list[int] = []
    failures: list[str] = []
    for frame in decoded(container, stream, failures):
        count += 1
        limits.check_count(source, count)
        corrupt += bool(frame.is_corrupt)
        if frame.pts is not None:
            pts.append(frame.pts)
    if not count:
        raise NoFramesError(source, "No frame of the video can be decoded.", "The file may have been cut short.")
    if failures or corrupt:
        bad = len(failures) + corrupt
        notes += (f"The video is damaged: {bad} frame{'s' if bad > 1 else ''} did not decode cleanly.",)
    times = np.array(sorted(pts), np.int64) if len(pts) == count else np.empty(0, np.int64)
    empty = np.empty(0, np.int64)
    return VideoIndex(count, empty, empty, {}, _seconds(times, stream), notes)


def decoded(
    container: Any, stream: Any, failures: list[str] | None = None, wanted: Set[int] | None = None
) -> Iterator[Any]:
    """Yield every frame that decodes, from where the container stands, stepping over packets that do not.

    Parameters
    ----------
    container, stream : av.container.InputContainer, av.video.stream.VideoStream
    failures : list of str, optional
        Gets the message of every packet that failed.
    wanted : set of int, optional
        Time stamps of the frames that must come. Of the others, those that no frame leans on are not decoded: in most
        videos every second one.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            if wanted is not None and stream.codec_context.name in _LEAVES_OUT:
                needed = packet.pts is None or packet.pts in wanted
                stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
            yield from packet.decode()
        except av.error.EOFError:
            return
        except (av.error.InvalidDataError, av.error.ArgumentError) as error:  # the latter: a torn uncompressed frame
            if failures is not None:
                failures.append(str(error))


def _seconds(pts: IntArray, stream: Any) -> npt.NDArray[np.float64]:
    base = float(stream.time_base or 0)
    return np.asarray(pts * base, np.float64) if base else np.empty(0, np.float64)
