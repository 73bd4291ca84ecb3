"""One recording: a body in front of a probe, a look, and the polar pictures that come of them.

What a recording is made of is drawn in ``plan.py``; here it is rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from echoplane.phantom.acoustics import Body, make_body
from echoplane.phantom.arrays import f32
from echoplane.phantom.colour import ColourBox
from echoplane.phantom.fan import Fan, Framing, PolarGrid
from echoplane.phantom.labels import Slice
from echoplane.phantom.looks import Acoustics, Rng, Scanner, Shape
from echoplane.phantom.population import Patient
from echoplane.phantom.poses import Pose
from echoplane.phantom.scanner import Processor
from echoplane.phantom.scene import Scene
from echoplane.phantom.screen import Screen
from echoplane.records import FloatArray, SectorKind, UInt8Array

#: The groups of nuisances that can be switched off.
GROUPS = ("acoustics", "screen", "pose", "disease")
ALL_GROUPS = frozenset(GROUPS)

#: Raised whenever one seed gives another picture or another name than before: such clips do not belong in one set.
DRAWING = 2
# Streams of random numbers; append, never renumber, or every seed gives another picture.
PATIENT, POSE, ACOUSTICS, SCANNER, SHAPE, SCREEN, RENDER, TIMING, FOUND_SECTOR, CONTENT = range(10)

#: Contents that fill the whole picture instead of a fan.
PAGES = ("spectral", "m-mode", "static", "drawing")


class Source(Protocol):
    """What lies in front of the probe: the heart's scene, or something else."""

    def slice(self, points: FloatArray, time_s: float) -> Slice:
        """Tissue of the points at a time."""

    def phase(self, time_s: float) -> float:
        """Phase of the beat, [0, 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class PolarFrame:
    """One frame before scan conversion.

    Attributes
    ----------
    grey : uint8 array, (B, D)
    velocity : float32 array, (B, D), or None
        For colour Doppler, [-1, 1].
    """

    grey: UInt8Array
    velocity: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Everything one clip is made of.

    Attributes
    ----------
    view : str
        As asked for.
    seed : int
    content : str
        ``"heart"``, ``"colour"`` (heart with a colour box), ``"organ: ..."``, or one of :data:`PAGES`.
    source : Source
    patient : Patient or None
        None where there is no heart.
    pose : Pose
    shares : mapping of str to float
        How much the clip is of each view.
    acoustics : Acoustics
    scanner : Scanner
    shape : Shape
    screen : Screen
    fan : Fan
    framing : Framing
    colour : ColourBox or None
    groups : frozenset of str
        The nuisances that were on.
    frame_rate : float
        Frames a second of the machine.
    """

    view: str
    seed: int
    content: str
    source: Source
    patient: Patient | None
    pose: Pose
    shares: Mapping[str, float]
    acoustics: Acoustics
    scanner: Scanner
    shape: Shape
    screen: Screen
    fan: Fan
    framing: Framing
    colour: ColourBox | None = None
    groups: frozenset[str] = field(default=ALL_GROUPS)
    frame_rate: float = 50.0

    @property
    def ejection_fraction(self) -> float | None:
        """Of the left ventricle, in [0, 1]; None where there is no heart."""
        return float(self.patient.lv.ejection_fraction) if self.patient else None

    def facts(self) -> dict[str, Any]:
        """Return what was drawn, as plain data for a row of a store or a truth table."""
        fraction = self.ejection_fraction
        return {
            "seed": self.seed,
            "content": self.content,
            "disease": self.patient.disease if self.patient else "",
            "ejection_fraction": None if fraction is None else round(fraction, 4),
            "pose": {name: round(float(value), 4) for name, value in self.pose.errors.items()},
            "layout": self.screen.layout,
            "mirrored": self.shape.mirrored,
            "depth_cm": round(self.shape.depth_cm, 2),
            "haze_db": round(self.acoustics.haze_db, 1),
            "level": round(self.scanner.level, 3),
            "groups": sorted(self.groups),
        }

    def stream(self, *number: int) -> Rng:
        """Return the random numbers of one stream of this recording."""
        return stream(self.seed, *number)

    def body(self, grid: PolarGrid) -> Body:
        """Prepare the sound of this recording on a grid."""
        return make_body(grid, self.acoustics, self.pose.at(0.0), self.stream(RENDER))

    def grid(self, detail: float = 1.0) -> PolarGrid:
        """Lay the polar grid; `detail` scales beams and samples, since small pictures need fewer."""
        beams, samples = (max(48, round(n * detail)) for n in (self.scanner.beams, self.scanner.samples))
        return PolarGrid.of(self.fan, beams, samples)

    def polar(self, grid: PolarGrid, times_s: Sequence[float]) -> Iterator[PolarFrame]:
        """Render polar pictures at times, seconds after the start, rising."""
        body = self.body(grid)
        source = afresh(self.source)
        processor = Processor.of(self.scanner)
        rng = self.stream(RENDER, 1)
        first = True
        for time_s in times_s:
            cut = source.slice(body.points(self.pose.at(time_s)), time_s)
            echoes = body.echoes(cut, time_s, rng)
            if first:
                processor.set_gain(echoes, body.fine.radii)
                first = False
            velocity = None
            if self.colour:
                velocity = self.colour.velocity(grid, cut.label, self.source.phase(time_s), time_s)
            yield PolarFrame(processor.frame(echoes), velocity)


def afresh(source: Source) -> Source:
    """Return a source that does not remember what was asked before, so that a recording can be played again."""
    return source.afresh() if isinstance(source, Scene) else source


def stream(seed: int, *number: int) -> Rng:
    """Return the random numbers of one stream of a seed."""
    return np.random.Generator(np.random.PCG64([seed, *number]))


def look_around(source: Source, pose: Pose, tissues: Sequence[int]) -> float | None:
    """Depth below the probe, centimetres, of the far end of some tissues in a plane; None where there are none."""
    grid = PolarGrid.of(Fan(SectorKind.PHASED, 0.0, 26.0, -0.6, 0.6), 25, 66)
    points = f32(grid.along[..., None] * pose.axis + grid.across[..., None] * pose.lateral + pose.origin)
    found = np.isin(source.slice(points, 0.0).label, tissues)
    return float(np.percentile(grid.along[found], 97)) if found.sum() >= 8 else None
