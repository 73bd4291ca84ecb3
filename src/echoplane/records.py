"""The frozen records that travel from a file to an answer.

::

    source -> Cine -> PreparedCine -> Clips -> logits -> probabilities -> ViewResult
    read      records  prepare        sample   model     calibrate        report

Shape letters used throughout: T frames, H rows, W columns, C clips, N frames of a clip, K views.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class CineKind(StrEnum):
    """What a file shows, as its header (and, for colour boxes, its pixels) tells."""

    B_MODE = "b_mode"
    COLOR_DOPPLER = "color_doppler"
    SPECTRAL_DOPPLER = "spectral_doppler"
    M_MODE = "m_mode"
    STILL = "still"
    VOLUME = "volume"
    SECONDARY_CAPTURE = "secondary_capture"
    OTHER_MODALITY = "other_modality"  # MR, CT, angiography, ultrasound from inside a vessel
    UNKNOWN = "unknown"


class Status(StrEnum):
    """How one input file ended. Every file ends as exactly one row with one of these."""

    OK = "ok"  # a main view is offered as the answer
    OTHER = "other"  # an echo clip of none of the main views, or not the heart
    UNSURE = "unsure"  # the network ran, and its answer is not offered as one
    STILL = "still"  # a single frame; answered only when asked to
    COLOR_DOPPLER = "color_doppler"
    SPECTRAL_DOPPLER = "spectral_doppler"
    M_MODE = "m_mode"
    VOLUME = "volume"
    SECONDARY_CAPTURE = "secondary_capture"
    NOT_B_MODE = "not_b_mode"  # a picture of another kind, or of another modality
    NOT_IMAGE = "not_image"
    TOO_SHORT = "too_short"
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


class FrameReader(Protocol):
    """Random access to the decoded frames of one cine; decodes only what is asked for."""

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> UInt8Array:
        """Decode frames.

        Parameters
        ----------
        indices : sequence of int
            Frame numbers in 0..n_frames-1, in any order, repeats allowed.
        color : bool
            False gives luma (ITU-R BT.601 weights of R, G, B, full range); True gives R, G, B.
        reduce : {1, 2, 4, 8}
            Largest reduction the caller can use. A reader that can decode at a lower resolution for less
            work does so; the others return frames at full size. The caller looks at the shape.

        Returns
        -------
        uint8 array
            ``(len(indices), h, w)``, or ``(len(indices), h, w, 3)`` with `color`; ``h = ceil(height / r)``,
            ``w = ceil(width / r)`` with r = 1 or `reduce`.

        Raises
        ------
        echoplane.errors.UnreadableError
            When a frame cannot be decoded.
        """


@runtime_checkable
class InOrderReader(Protocol):
    """A reader that has to go through a cine from its start, and so is better asked for all frames at once."""

    def parts(self, count: int, *, color: bool = False) -> Iterator[UInt8Array]:
        """Yield all frames in order, `count` at a time; see :meth:`FrameReader.read`."""


@dataclass(frozen=True, slots=True)
class Region:
    """One item of SequenceOfUltrasoundRegions (PS3.3 C.8.5.5), pixel bounds half open.

    Attributes
    ----------
    x0, y0, x1, y1 : int
        Column and row bounds in pixels, ``x0 <= x < x1``.
    spatial_format : int
        RegionSpatialFormat: 1 2D, 2 M-mode, 3 spectral, 4 waveform, 5 graphics, 0 none.
    data_type : int
        RegionDataType: 1 tissue, 2 colour flow, 3 PW, 4 CW, ...
    flags : int
        RegionFlags as stored.
    spacing_mm : tuple of float or None
        (row, column) size of a pixel in millimetres, when the region gives it in centimetres.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    spatial_format: int = 0
    data_type: int = 0
    flags: int = 0
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Cine:
    """One cine: a header already read, and frames still on disk.

    Attributes
    ----------
    source : str
        The file, or ``folder/name`` for frames in a folder, as the user gave it.
    reader : FrameReader
        Decodes frames when asked.
    n_frames, height, width : int
        Size of the cine in frames and pixels.
    fps : float or None
        Frames a second; None where the file does not say.
    fps_source : str
        Where `fps` comes from, for example ``"FrameTime"``, ``"container"`` or ``""``.
    kind : CineKind
        What the header says it shows.
    regions : tuple of Region
        Ultrasound regions of a DICOM file.
    spacing_mm : tuple of float or None
        (row, column) pixel size in the B-mode region.
    notes : tuple of str
        What was odd about the file, one sentence each, for the ``reason`` column.
    facts : mapping of str to str
        Technical facts worth showing in ``info`` (format, transfer syntax, photometric interpretation); never
        anything about the patient.
    """

    source: str
    reader: FrameReader
    n_frames: int
    height: int
    width: int
    fps: float | None = None
    fps_source: str = ""
    kind: CineKind = CineKind.B_MODE
    regions: tuple[Region, ...] = ()
    spacing_mm: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class SectorKind(StrEnum):
    """Shape of the insonified area."""

    PHASED = "phased"  # two edges meeting in an apex that is (almost) in the picture
    CURVED = "curved"  # edges meeting above the picture, concave top arc; virtual convex and truncated apex too
    LINEAR = "linear"  # parallel edges
    FULL = "full"  # no geometry found: the whole frame, or the bounding box of what is lit


@dataclass(frozen=True, slots=True)
class Sector:
    """Where the ultrasound picture lies in the frame, in pixels of the full-size frame.

    A point belongs to the sector when its distance r from the apex lies in [r0, r1] and its angle from straight
    down, positive to the right of the picture, lies in [left, right]. For ``LINEAR`` and ``FULL`` only the box counts.

    Attributes
    ----------
    kind : SectorKind
    box : tuple of int
        (x0, y0, x1, y1), half open, inside the frame; also clips the fan.
    apex : tuple of float
        (x, y) where the edges meet; may lie outside the frame.
    r0, r1 : float
        Radii of the top and bottom arcs, pixels.
    left, right : float
        Edge angles in radians, ``left < right``; about pi in a picture flipped upside down.
    confidence : float
        In [0, 1]; see :attr:`is_confident`.
    origin : str
        ``"dicom"``, ``"pixels"``, ``"given"`` or ``"none"``.
    """

    kind: SectorKind
    box: tuple[int, int, int, int]
    apex: tuple[float, float] = (0.0, 0.0)
    r0: float = 0.0
    r1: float = 0.0
    left: float = -math.pi / 4
    right: float = math.pi / 4
    confidence: float = 0.0
    origin: str = "none"

    @property
    def is_confident(self) -> bool:
        """Whether the sector can be relied on; else it is a guess."""
        return self.confidence >= 0.5

    @property
    def upside_down(self) -> bool:
        """Whether the fan's apex points to the bottom of the frame, as some laboratories show children's hearts."""
        return self.kind in (SectorKind.PHASED, SectorKind.CURVED) and abs(self.left + self.right) > math.pi

    def turned(self, crop: tuple[float, float, float, float]) -> Sector:
        """Return the sector of the same picture when the rows of its crop are taken from the bottom up.

        Parameters
        ----------
        crop : tuple of float
            (x0, y0, x1, y1) of :class:`PreparedCine`.
        """
        both = crop[1] + crop[3]
        x0, y0, x1, y1 = self.box
        return replace(
            self,
            box=(x0, round(both) - y1, x1, round(both) - y0),
            apex=(self.apex[0], both - 1 - self.apex[1]),
            left=math.pi - self.right,
            right=math.pi - self.left,
        )

    def mask(self, height: int, width: int, scale: float = 1.0) -> BoolArray:
        """Rasterise: True inside.

        Parameters
        ----------
        height, width : int
            Size of the mask.
        scale : float
            Mask pixels per full-size pixel (0.5 for frames decoded at half size).

        Returns
        -------
        bool array, (height, width)
        """
        # Pixel centres, in full-size pixel coordinates.
        x = ((np.arange(width, dtype=np.float32) + 0.5) / scale - 0.5)[None, :]
        y = ((np.arange(height, dtype=np.float32) + 0.5) / scale - 0.5)[:, None]
        return self.holds(x, y)

    def holds(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Say which points lie inside.

        Parameters
        ----------
        x, y : float32 array
            Full-size pixel coordinates; broadcast against each other.

        Returns
        -------
        bool array
        """
        x0, y0, x1, y1 = self.box
        inside = (x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)
        if self.kind in (SectorKind.PHASED, SectorKind.CURVED):
            dx, dy = x - self.apex[0], y - self.apex[1]
            square = dx * dx + dy * dy  # several times faster than np.hypot, and nothing here over- or underflows
            # Turned to the middle ray, so that a picture flipped upside down (angles about pi) does not wrap.
            middle, half = (self.left + self.right) / 2, (self.right - self.left) / 2
            cos, sin = np.float32(math.cos(middle)), np.float32(math.sin(middle))
            angle = np.abs(np.arctan2(dx * cos - dy * sin, dy * cos + dx * sin))
            inside &= (square >= self.r0**2) & (square <= self.r1**2) & (angle <= half)
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCine:
    """Frames of one cine as a network sees them, before sampling into clips.

    Attributes
    ----------
    frames : uint8 array, (T, H, W)
        Grey, masked, cropped, resized; only the frames that were asked for. Turned as in the file: who shows them to a
        network turns those upright whose sector is upside down, as `echoplane.sampling.clips.gather` does.
    indices : tuple of int
        The frame number in the cine of each row of `frames`, strictly rising.
    sector : Sector
        The sector used, in full-size pixels.
    crop : tuple of float
        (x0, y0, x1, y1) in full-size pixels: what the H x W frame shows. May reach outside the frame (zero there).
    notes : tuple of str
    """

    frames: UInt8Array
    indices: tuple[int, ...]
    sector: Sector
    crop: tuple[float, float, float, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SamplingPlan:
    """Which frames make which clip, decided from the frame count and rate alone, before anything is decoded.

    Attributes
    ----------
    indices : int64 array, (C, N)
        Frame numbers of each clip.
    short_policy : str
        ``""``, or the policy (``"loop"``, ``"hold"``) that had to be used because the cine is short; ``"spread"`` where
        it is so short that its frame rate is doubtful, and its frames were spread over one clip.
    notes : tuple of str
    """

    indices: IntArray
    short_policy: str = ""
    notes: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[int, ...]:
        """The distinct frame numbers, rising."""
        return tuple(int(i) for i in np.unique(self.indices))


@dataclass(frozen=True, slots=True)
class ViewResult:
    """The answer for one file.

    Attributes
    ----------
    file : str
        As given by the user.
    status : Status
        How it ended.
    view : str
        The view, only where it is offered as an answer (`status` ok); else empty.
    best_view : str
        The forced choice among the model's labels, whenever the network ran; else empty.
    probability : float or None
        Calibrated probability of `best_view`, in [0, 1].
    probabilities : mapping of str to float
        By label, summing to 1; empty when the network did not run.
    clip_votes : mapping of str to int
        How many of the clips looked at chose each label.
    vote : str
        Majority of the clips; labels joined by ``=`` where they tie.
    clip_probabilities : tuple of tuple of float
        One row a clip, in the order of `probabilities`.
    reasons : tuple of str
        Sentences: why no answer, or what to know about it.
    kind : CineKind
    n_frames, frames_used : int
        In the cine; decoded.
    fps : float or None
    short_policy : str
        As in SamplingPlan.
    mirrored : bool
        Whether left and right seemed exchanged, so that the answer is that for the picture turned around.
    sector : Sector or None
    seconds : mapping of str to float
        Wall time by step: ``open``, ``prepare``, ``network``.
    """

    file: str
    status: Status
    view: str = ""
    best_view: str = ""
    probability: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    clip_votes: Mapping[str, int] = field(default_factory=dict)
    vote: str = ""
    clip_probabilities: tuple[tuple[float, ...], ...] = ()
    reasons: tuple[str, ...] = ()
    kind: CineKind = CineKind.UNKNOWN
    n_frames: int = 0
    frames_used: int = 0
    fps: float | None = None
    short_policy: str = ""
    mirrored: bool = False
    sector: Sector | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
