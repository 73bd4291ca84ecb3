"""What a probe sees when it is not on the heart: liver, kidney, bladder, neck, muscle, lung, a test phantom, air.

Each scene answers the same question as the heart's (what are these points at this time), so that the same sound and
the same machine make its pictures. The frame is the probe's own: x to the right, y away from the probe, z out of the
plane; centimetres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from echoplane.phantom.arrays import f32
from echoplane.phantom.labels import Slice, Tissue
from echoplane.phantom.looks import Rng
from echoplane.phantom.poses import Pose
from echoplane.records import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """An ellipsoid, or a tube where one half axis is very long.

    Attributes
    ----------
    centre : float32 array, (3,)
    to_unit : float32 array, (3, 3)
        Turns an offset from the centre into units of the half axes.
    tissue : Tissue
        Inside.
    rim : Tissue or None
        Of its capsule.
    rim_share : float
        Thickness of the capsule, share of the half axes.
    pulse : float
        Share by which it widens with every beat.
    """

    centre: FloatArray
    to_unit: FloatArray
    tissue: Tissue
    rim: Tissue | None = None
    rim_share: float = 0.06
    pulse: float = 0.0

    def reach(self, points: FloatArray, beat: float) -> FloatArray:
        """Distance from the centre in half axes."""
        offset = (points - self.centre) @ self.to_unit.T
        return f32(np.sqrt((offset**2).sum(-1))) / np.float32(1 + self.pulse * beat)


def _blob(
    rng: Rng, centre: tuple[float, float], axes: tuple[float, float, float], tissue: Tissue, **more: object
) -> Blob:
    turn, tip = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.3)
    c, s, ct, st = np.cos(turn), np.sin(turn), np.cos(tip), np.sin(tip)
    rotation = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, ct, st], [0, -st, ct]])
    place = f32([*centre, rng.normal(0, 0.3)])
    return Blob(place, f32(rotation / np.array(axes)[:, None]), tissue, **more)  # type: ignore[arg-type]


class OrganScene:
    """Something that is not the heart, in front of the probe.

    Parameters
    ----------
    kind : str
        Of :data:`ORGANS`.
    seed : int
    """

    def __init__(self, kind: str, seed: int) -> None:
        rng = np.random.Generator(np.random.PCG64([seed, 77]))
        self.kind = kind
        self.base, self.floor, self.blobs = ORGANS[kind](rng)
        self._rate = float(rng.uniform(0.8, 1.7))
        self._breath = f32([rng.normal(0, 0.15), rng.normal(0, 0.25), rng.normal(0, 0.1)])
        self._breath_rate = float(rng.uniform(0.2, 0.4))
        self._start = float(rng.uniform(0, 10))

    def phase(self, time_s: float) -> float:
        """Phase of the beat, [0, 1)."""
        return (time_s * self._rate + self._start) % 1.0

    def slice(self, points: FloatArray, time_s: float) -> Slice:
        """Tell what the points are; see :meth:`echoplane.phantom.scene.Scene.slice`."""
        shift = self._breath * np.float32(np.sin(2 * np.pi * self._breath_rate * time_s + self._start))
        material = points - shift
        beat = float(np.exp(-self.phase(time_s) * 4))
        label = np.full(points.shape[:2], self.base, np.uint8)
        for depth, tissue in self.floor:
            # Layers sag a little, so that none is a perfect line.
            sag = 0.15 * np.sin(material[..., 0] * 0.7 + depth * 5)
            label[material[..., 1] > depth + sag] = tissue
        for blob in self.blobs:
            reach = blob.reach(material, beat)
            label[reach < 1] = blob.tissue
            if blob.rim is not None:
                label[_rim(reach, blob.rim_share)] = blob.rim
        return Slice(label, f32(material), np.full(points.shape[:2], 1, np.float32))


def _rim(reach: FloatArray, share: float) -> BoolArray:
    return np.asarray((reach >= 1) & (reach < 1 + share), np.bool_)


#: What a body is made of: the tissue everywhere, layers (from which depth, what), and blobs over them.
_Anatomy = tuple[Tissue, list[tuple[float, Tissue]], list[Blob]]


def _vessels(rng: Rng, number: int, depth: tuple[float, float], size: tuple[float, float]) -> list[Blob]:
    found = []
    for _ in range(number):
        r = rng.uniform(*size)
        found.append(
            _blob(
                rng,
                (rng.uniform(-6, 6), rng.uniform(*depth)),
                (rng.uniform(2, 12), r, r * rng.uniform(0.8, 1.2)),
                Tissue.BLOOD_OTHER,
                rim=Tissue.WALL_VESSEL if rng.random() < 0.5 else None,
                rim_share=0.15,
            )
        )
    return found


def _liver(rng: Rng) -> _Anatomy:
    floor = [(float(rng.uniform(9, 15)), Tissue.PERICARDIUM)]
    floor.append((floor[0][0] + 0.35, Tissue.LUNG))
    blobs = _vessels(rng, int(rng.integers(3, 9)), (3, 12), (0.2, 0.7))
    if rng.random() < 0.4:  # a gall bladder
        blobs.append(
            _blob(
                rng, (rng.uniform(-3, 3), rng.uniform(4, 8)), (2.5, 1.1, 1.2), Tissue.EFFUSION, rim=Tissue.WALL_VESSEL
            )
        )
    return Tissue.LIVER, floor, blobs


def _kidney(rng: Rng) -> _Anatomy:
    at = (float(rng.uniform(-2, 2)), float(rng.uniform(5, 9)))
    turn = rng.bit_generator.state
    outer = _blob(rng, at, (5.0, 2.4, 2.2), Tissue.LIVER, rim=Tissue.PERICARDIUM, rim_share=0.04)
    rng.bit_generator.state = turn
    sinus = _blob(rng, at, (3.2, 1.1, 1.0), Tissue.FAT)
    return Tissue.LIVER if rng.random() < 0.5 else Tissue.OUTSIDE, [], [outer, sinus]


def _bladder(rng: Rng) -> _Anatomy:
    size = rng.uniform(2.0, 4.5)
    blob = _blob(
        rng,
        (rng.uniform(-1.5, 1.5), rng.uniform(4, 8)),
        (size * 1.3, size, size),
        Tissue.EFFUSION,
        rim=Tissue.WALL_ATRIA,
    )
    return Tissue.OUTSIDE, [], [blob]


def _neck(rng: Rng) -> _Anatomy:
    blobs = [
        _blob(rng, (rng.uniform(-3, 3), rng.uniform(1.5, 4)), (2.2, 1.2, 2), Tissue.MYO_LV, rim=Tissue.FAT),
        _blob(
            rng,
            (rng.uniform(-3, 3), rng.uniform(2, 5)),
            (0.5, 0.5, 20),
            Tissue.BLOOD_OTHER,
            rim=Tissue.WALL_VESSEL,
            rim_share=0.2,
            pulse=0.08,
        ),
        _blob(
            rng,
            (rng.uniform(-3, 3), rng.uniform(2, 5)),
            (9, 0.5, 0.5),
            Tissue.BLOOD_OTHER,
            rim=Tissue.WALL_VESSEL,
            rim_share=0.2,
            pulse=0.08,
        ),
    ]
    return Tissue.OUTSIDE, [(float(rng.uniform(6, 9)), Tissue.RIB)], blobs


def _muscle(rng: Rng) -> _Anatomy:
    depth, floor = 0.0, []
    while depth < 10:
        depth += float(rng.uniform(0.3, 1.6))
        floor.append((depth, (Tissue.FAT, Tissue.MYO_LV, Tissue.PERICARDIUM, Tissue.OUTSIDE)[int(rng.integers(4))]))
    if rng.random() < 0.5:
        floor.append((float(rng.uniform(4, 9)), Tissue.RIB))
    return Tissue.OUTSIDE, sorted(floor), []


def _lung(rng: Rng) -> _Anatomy:
    pleura = float(rng.uniform(1.5, 4))
    ribs = [_blob(rng, (side * rng.uniform(1.5, 3.5), pleura - 0.4), (0.8, 0.45, 20), Tissue.RIB) for side in (-1, 1)]
    return (
        Tissue.OUTSIDE,
        [(pleura, Tissue.PERICARDIUM), (pleura + 0.15, Tissue.LUNG)],
        ribs if rng.random() < 0.6 else [],
    )


def _test_object(rng: Rng) -> _Anatomy:
    blobs = []
    for row in range(1, 6):
        r = rng.uniform(0.2, 0.8)
        tissue = (Tissue.EFFUSION, Tissue.PERICARDIUM, Tissue.BLOOD_OTHER)[int(rng.integers(3))]
        blobs += [_blob(rng, (x, row * 2.5), (r, r, 20), tissue) for x in (-3.0, 0.0, 3.0)]
    return Tissue.LIVER, [], blobs


def _belly(rng: Rng) -> _Anatomy:
    blobs = []
    for _ in range(int(rng.integers(4, 12))):
        tissue = (Tissue.FAT, Tissue.LIVER, Tissue.EFFUSION, Tissue.LUNG, Tissue.MYO_RV)[int(rng.integers(5))]
        axes = tuple(rng.uniform(0.6, 3.5, 3))
        rim = Tissue.WALL_ATRIA if rng.random() < 0.6 else None
        blobs.append(_blob(rng, (rng.uniform(-6, 6), rng.uniform(2, 12)), (axes[0], axes[1], axes[2]), tissue, rim=rim))
    return Tissue.OUTSIDE, [], blobs


def _air(rng: Rng) -> _Anatomy:
    return Tissue.LUNG, [(float(rng.uniform(0.0, 0.4)), Tissue.CALCIUM)], []


ORGANS: dict[str, Callable[[Rng], _Anatomy]] = {
    "liver": _liver,
    "kidney": _kidney,
    "bladder": _bladder,
    "neck": _neck,
    "muscle": _muscle,
    "lung": _lung,
    "test object": _test_object,
    "belly": _belly,
    "air": _air,
}


def organ_pose() -> Pose:
    """Return the pose of a probe on something else: its own frame."""
    return Pose("NOISE", f32([0, 0, 0]), f32([0, 1, 0]), f32([1, 0, 0]), {"NOISE": 1.0})
