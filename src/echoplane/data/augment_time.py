"""Time: speed, direction, dropped frames and stills, as a change of the frame numbers before anything is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echoplane.data.augment_base import Between, chance, unit
from echoplane.records import IntArray


@dataclass(frozen=True, slots=True)
class TimeDraw:
    """What happens to the frame numbers.

    Attributes
    ----------
    speed : float
        Factor on the distance from one frame to the next.
    reverse : bool
        Played backwards.
    dropped : tuple of float
        Places in [0, 1) of frames that the scanner dropped: the one before is shown again.
    frozen : bool
        The first frame is shown all the time, as when a still comes as a cine.
    """

    speed: float = 1.0
    reverse: bool = False
    dropped: tuple[float, ...] = ()
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """Speed, direction, dropped frames, stills.

    Attributes
    ----------
    p : float
        Probability of another speed.
    speed : (float, float)
        Factor on the distance between frames, drawn evenly on a log scale. A heart rate varies by more than this.
    reverse_p : float
        Probability of playing backwards: the view stays the same, the beat does not.
    drop_p : float
        Probability of up to three dropped frames.
    freeze_p : float
        Probability of a still: what a study holds beside its cines.
    """

    p: float = 0.3
    speed: Between = (0.8, 1.25)
    reverse_p: float = 0.1
    drop_p: float = 0.05
    freeze_p: float = 0.03

    def __post_init__(self) -> None:
        unit("time", p=self.p, reverse_p=self.reverse_p, drop_p=self.drop_p, freeze_p=self.freeze_p)

    def draw(self, rng: np.random.Generator) -> TimeDraw | None:
        """Draw, or None for no change."""
        speed = float(np.exp(rng.uniform(*np.log(self.speed)))) if chance(rng, self.p) else 1.0
        reverse = chance(rng, self.reverse_p)
        dropped = tuple(rng.random(int(rng.integers(1, 4))).tolist()) if chance(rng, self.drop_p) else ()
        drawn = TimeDraw(speed, reverse, dropped, chance(rng, self.freeze_p))
        return None if drawn == TimeDraw() else drawn


def retime(indices: IntArray, n_frames: int, drawn: TimeDraw | None) -> IntArray:
    """Change the frame numbers of a clip.

    Parameters
    ----------
    indices : int64 array, (N,)
        Frame numbers in 0..n_frames-1.
    n_frames : int
        Frames of the cine; a faster clip is moved back, and slowed where it does not fit at all.
    drawn : TimeDraw or None

    Returns
    -------
    int64 array, (N,)
        In 0..n_frames-1.
    """
    if drawn is None:
        return indices
    if drawn.frozen:
        return np.full_like(indices, indices[0])
    if drawn.speed != 1.0 and (np.diff(indices) >= 0).all():  # a looped clip keeps its speed
        first, last = int(indices[0]), int(indices[-1])
        speed = min(drawn.speed, (n_frames - 1) / max(last - first, 1))
        indices = np.floor((indices - first) * speed + 0.5).astype(np.int64)
        indices += min(first, n_frames - 1 - int(indices[-1]))
    for place in drawn.dropped:
        frame = 1 + int(place * (len(indices) - 1))
        if frame < len(indices):
            indices = indices.copy()
            indices[frame] = indices[frame - 1]
    return indices[::-1] if drawn.reverse else indices
