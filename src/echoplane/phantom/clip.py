"""A phantom clip: frames as a file would hold them, with the truth beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from echoplane.phantom.arrays import f32
from echoplane.phantom.codec import through_jpeg, through_video
from echoplane.phantom.colour import Outline, paint
from echoplane.phantom.convert import ScanConverter, multiply, soften
from echoplane.phantom.fan import Fan, Framing, coverage
from echoplane.phantom.overlays import Canvas, Ecg, draw_furniture
from echoplane.phantom.pages import render_page
from echoplane.phantom.plan import check_timing, plan_recording
from echoplane.phantom.population import Patient
from echoplane.phantom.recording import GROUPS, PAGES, Recording, afresh
from echoplane.phantom.scene import Scene
from echoplane.phantom.screen import Size, other_half
from echoplane.records import Cine, FloatArray, Sector, UInt8Array
from echoplane.sources.array import cine_from_array

#: Polar lines and samples that a fan of this many pixels can still show.
FULL_DETAIL_PX = 420
LEAST_DETAIL = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class PhantomCine:
    """Frames and the truth about them.

    Attributes
    ----------
    frames : uint8 array, (T, H, W) or (T, H, W, 3)
        Grey, or R, G, B where the screen has colour.
    fps : float
    view : str
        The view asked for.
    shares : mapping of str to float
        How much the clip is of each view, summing to 1.
    sector : Sector
        Exact, in pixels of the frame.
    phases : float32 array, (T,)
        Phase of the beat of every frame, [0, 1), 0 at the R wave.
    ejection_fraction : float or None
        Of the left ventricle, in [0, 1]; None where there is no heart.
    recording : Recording
        Everything drawn: patient, pose, look.
    """

    frames: UInt8Array
    fps: float
    view: str
    shares: Mapping[str, float]
    sector: Sector
    phases: FloatArray
    ejection_fraction: float | None
    recording: Recording = field(repr=False)

    def to_cine(self) -> Cine:
        """Return the frames as a cine that the rest of the package reads."""
        name = f"phantom/{self.view}/{self.recording.seed}"
        pitch = 10.0 / self.recording.framing.pixels_per_cm
        return cine_from_array(self.frames, self.fps, name, fps_source="given", spacing_mm=(pitch, pitch))

    def labels(self, indices: Sequence[int]) -> UInt8Array:
        """Label maps in picture pixels.

        Parameters
        ----------
        indices : sequence of int
            Frame numbers in any order, repeats allowed; negative ones count from the end.

        Returns
        -------
        uint8 array, (len(indices), H, W)
            :class:`echoplane.phantom.labels.Tissue` of every pixel; 255 outside the sector, and in spectra, M-mode and
            other pages, which show no plane.

        Raises
        ------
        IndexError
            When the clip has no such frame.
        """
        height, width = self.frames.shape[1:3]
        rec = self.recording
        if rec.content in PAGES:
            return np.full((len(indices), height, width), 255, np.uint8)
        radius, angle = rec.framing.polar((0, 0, width, height), (height, width))
        along = (np.cos(angle) * radius - rec.fan.face_cm).astype(np.float32)
        across = (np.sin(angle) * radius).astype(np.float32)
        inside = self.sector.mask(height, width)
        out = np.full((len(indices), height, width), 255, np.uint8)
        numbers = [range(len(self.frames))[index] for index in indices]
        # The picture shows what stands still where it was when the probe last had moved far, so every frame is passed
        # as when it was rendered: labels do not depend on which frames are asked, or in which order.
        source = afresh(rec.source)
        for number in range(max(numbers, default=-1) + 1):
            now = number / self.fps
            pose = rec.pose.at(now)
            points = f32(along[..., None] * pose.axis + across[..., None] * pose.lateral + pose.origin)
            if number in numbers:
                out[np.equal(numbers, number)] = np.where(inside, source.slice(points, now).label, np.uint8(255))
            elif isinstance(source, Scene):
                source.look(points)
        return out


def render_clip(
    view: str,
    seed: int,
    *,
    frames: int = 60,
    fps: float | None = None,
    size: Size | None = None,
    disease: str | None = None,
    patient: Patient | None = None,
    nuisances: Collection[str] = GROUPS,
    machine: int | None = None,
) -> PhantomCine:
    """Render one clip as a scanner would store it.

    Parameters
    ----------
    view : str
        A view of :data:`echoplane.phantom.plan.PHANTOM_VIEWS`.
    seed : int
        The same seed and arguments give the same bytes.
    frames : int
        At least 1.
    fps : float, optional
        Frames a second; drawn when left out.
    size : tuple of int, optional
        (height, width) of the frames; the drawn screen's own when left out.
    disease : str, optional
        Drawn when left out.
    patient : Patient, optional
        Use this patient rather than the seed's own; `disease` then says nothing.
    nuisances : collection of str
        Groups that are on: "acoustics", "screen", "pose", "disease".
    machine : int, optional
        Seed of the machine, for clips that come off the same one; the clip's own when left out.

    Raises
    ------
    UsageError
        For an unknown view, disease or group, or a number that makes no sense.
    """
    check_timing(frames, fps)
    rec = plan_recording(
        view, seed, disease=disease, patient=patient, nuisances=frozenset(nuisances), size=size, machine=machine
    )
    fps = rec.frame_rate if fps is None else fps
    times = [n / fps for n in range(frames)]
    pictures = render_page(rec, times) if rec.content in PAGES else render_frames(rec, times)
    pictures = _compress(pictures, rec, fps)
    return PhantomCine(
        frames=pictures,
        fps=fps,
        view=rec.view,
        shares=rec.shares,
        sector=rec.framing.sector(rec.fan),
        phases=np.array([rec.source.phase(t) for t in times], np.float32),
        ejection_fraction=rec.ejection_fraction,
        recording=rec,
    )


def detail_for(fan: Fan, framing: Framing, shrink: float = 1.0) -> float:
    """How many of the full beams and samples a picture can show."""
    pixels = min(fan.depth_cm * framing.pixels_per_cm, framing.height) * shrink
    return float(np.clip(pixels / FULL_DETAIL_PX, LEAST_DETAIL, 1.0))


def render_frames(rec: Recording, times: Sequence[float]) -> UInt8Array:
    """Render scan-converted, tinted frames with their furniture, not yet compressed."""
    height, width = rec.screen.size
    grid = rec.grid(detail_for(rec.fan, rec.framing))
    whole = (0.0, 0.0, float(width), float(height))
    converter = ScanConverter.of(rec.framing, grid, whole, (height, width))
    inside = coverage(rec.framing.sector(rec.fan), height, width, whole, (height, width))
    outline = box_outline(rec)
    aside, frozen = other_half(rec.screen), None
    canvas = draw_furniture(rec.screen, rec.fan, rec.framing)
    ecg = Ecg.of(rec.screen) if "ecg" in rec.screen.furniture else None
    colourful = rec.screen.tint != (1.0, 1.0, 1.0) or bool(rec.screen.furniture) or rec.colour is not None
    out = np.empty((len(times), height, width, 3) if colourful else (len(times), height, width), np.uint8)
    tint = np.clip(np.arange(256)[:, None] * np.array(rec.screen.tint), 0, 255).astype(np.uint8)
    for picture, frame, time_s in zip(out, rec.polar(grid, times), times, strict=True):
        grey = multiply(soften(converter.grey(frame.grey), rec.scanner.blur_px * height / 1000), inside)
        if aside:
            frozen = grey.copy() if frozen is None else frozen
            np.maximum(grey, np.roll(frozen, aside, 1), out=grey)
        if rec.screen.background:
            np.maximum(grey, rec.screen.background, out=grey)
        if not colourful:
            picture[...] = grey
            continue
        picture[...] = tint[grey]
        if frame.velocity is not None:
            paint_box(picture, converter.velocity(frame.velocity), inside, outline)
        _paste(picture, canvas)
        if ecg:
            ecg.draw(picture, rec.source.phase, time_s)
    return out


def paint_box(picture: UInt8Array, velocity: FloatArray, inside: UInt8Array, outline: Outline | None) -> None:
    """Paint the colour box over a scan-converted picture, (H, W, 3), in place."""
    picture[...] = paint(picture, f32(velocity * (inside > 127)))
    if outline is not None:
        cv2.polylines(picture, [outline], True, (220, 220, 220), 1, cv2.LINE_AA)


def box_outline(rec: Recording, zoom: float = 1.0, origin: tuple[float, float] = (0.0, 0.0)) -> Outline | None:
    """Return the outline of the colour box, if it is drawn, in pixels of a zoomed part of the picture."""
    if rec.colour is None or not rec.colour.outlined:
        return None
    return np.round((rec.colour.outline(rec.framing, rec.fan) - origin) * zoom).astype(np.int32)


def _paste(picture: UInt8Array, canvas: Canvas) -> None:
    """Lay furniture over a picture, in place."""
    rows, columns = np.nonzero(canvas.alpha)
    share = canvas.alpha[rows, columns, None].astype(np.float32) / 255
    under = picture[rows, columns]
    picture[rows, columns] = (under + share * (canvas.colour[rows, columns].astype(np.float32) - under)).astype(
        np.uint8
    )


def _compress(pictures: UInt8Array, rec: Recording, fps: float) -> UInt8Array:
    if rec.screen.jpeg_quality:
        pictures = np.stack([through_jpeg(p, rec.screen.jpeg_quality) for p in pictures])
    if rec.screen.video_kbps:
        pictures = through_video(pictures, fps, rec.screen.video_kbps)
    return pictures
