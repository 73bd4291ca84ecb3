"""What of a cine the network gets to see: two clips first, every clip where these leave any doubt.

Letters: C clips, K labels of the vocabulary, N frames of a clip.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from echoplane.inference import mirror
from echoplane.inference.cam import CamEngine
from echoplane.inference.engine import Engine
from echoplane.inference.enough import first_look, is_enough
from echoplane.models.bundle_facts import BundleFacts
from echoplane.prepare.frames import prepare, with_frames
from echoplane.records import Cine, FloatArray, PreparedCine, SamplingPlan, UInt8Array
from echoplane.sampling.clips import gather, plan, without_empty

#: Clips given to the network in one call: bounds the memory; more is no faster on a CPU.
CLIPS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the network was shown, and what it said.

    Attributes
    ----------
    prepared : PreparedCine
    sampling : SamplingPlan
        Of the clips that were looked at.
    clips : uint8 array, (C, N, H, W)
    logits : float32 array, (C, K)
    maps : float32 array, (C, K, n, h, w), or None
        What it looked at, from an engine that hands that out; they lie on `clips` as these are.
    mirrored : bool
        Whether it was shown the clips turned around, left and right exchanged.
    """

    prepared: PreparedCine
    sampling: SamplingPlan
    clips: UInt8Array
    logits: FloatArray
    maps: FloatArray | None
    mirrored: bool = False

    def by_clip(self) -> dict[tuple[int, ...], tuple[FloatArray, FloatArray | None]]:
        """Return logits (K,) and maps (K, n, h, w) by the clip's frame numbers."""
        return _by_clip([tuple(row) for row in self.sampling.indices], self.logits, self.maps)


def look_at(
    cine: Cine, facts: BundleFacts, engine: Engine, seconds: dict[str, float], *, all_clips: bool = False
) -> Seen:
    """Prepare a cine and run the network on as many of its clips as it takes.

    Parameters
    ----------
    cine : Cine
    facts : BundleFacts
        Of the bundle that `engine` runs.
    engine : Engine
    seconds : dict of str to float
        ``prepare`` and ``network`` are added to.
    all_clips : bool
        Look at every clip, whatever the first two say.

    Raises
    ------
    echoplane.errors.ReadError, echoplane.errors.PrepareError
        As planning and preparing raise them.
    """
    show = _Show(cine, facts, engine, seconds)
    whole = plan(cine.n_frames, cine.fps, facts.sampling, source=cine.source)
    first = whole if all_clips else first_look(whole, facts)
    seen = show.see(first)
    if first is whole:
        return show.turned(seen)
    if facts.recipe.needs_sector and not seen.prepared.sector.is_confident:
        # A sector that was guessed is looked for once more, in frames of the whole cine.
        return show.turned(show.see(whole))
    has_empty = seen.sampling is not first or not seen.prepared.frames.any()
    if not has_empty and is_enough(seen.logits, facts) and not show.seems_exchanged(seen):
        return seen
    return show.turned(show.see(whole, seen))


@dataclass(frozen=True, slots=True)
class _Show:
    """One cine and the network that it is shown to."""

    cine: Cine
    facts: BundleFacts
    engine: Engine
    seconds: dict[str, float]

    def see(self, planned: SamplingPlan, before: Seen | None = None) -> Seen:
        """Prepare the frames of a plan and run the network; what was seen `before` is not looked at again."""
        recipe = self.facts.recipe
        with self._timed("prepare"):
            if before is None:
                prepared = prepare(self.cine, recipe, planned.needed)
            else:
                prepared = with_frames(before.prepared, self.cine, recipe, planned.needed)
        with self._timed("network"):
            sampling = without_empty(prepared.frames, prepared.indices, planned)
            clips = gather(prepared, sampling)
            rows = [tuple(row) for row in sampling.indices]
            known = {} if before is None else before.by_clip()
            new = [i for i, row in enumerate(rows) if row not in known]
            if new:
                logits, maps = self._run(clips[new])
                known |= _by_clip([rows[i] for i in new], logits, maps)
            found = [known[row] for row in rows]
            maps_of = [maps for _, maps in found if maps is not None]
            both = np.stack([logits for logits, _ in found]), np.stack(maps_of) if maps_of else None
            return Seen(prepared, sampling, clips, *both)

    def seems_exchanged(self, seen: Seen) -> bool:
        """Say whether left and right seem exchanged; may run the first clip turned around."""
        with self._timed("network"):
            mirrored = seen.clips[:1, ..., ::-1]
            return mirror.seems_exchanged(seen.logits, lambda: self._run(mirrored)[0], self.facts)

    def turned(self, seen: Seen) -> Seen:
        """Show the clips turned around where left and right seem exchanged."""
        if not self.seems_exchanged(seen):
            return seen
        with self._timed("network"):
            logits, maps = self._run(seen.clips[..., ::-1])
        return replace(seen, logits=logits, maps=maps, mirrored=True)

    def _run(self, clips_CNHW: UInt8Array) -> tuple[FloatArray, FloatArray | None]:
        """Return logits (C, K) and, where somebody wants to look, maps (C, K, n, h, w)."""
        normalise = self.facts.recipe.normalise
        parts = [
            normalise(clips_CNHW[start : start + CLIPS_AT_ONCE])[:, None]
            for start in range(0, len(clips_CNHW), CLIPS_AT_ONCE)
        ]
        if not isinstance(self.engine, CamEngine):
            return np.concatenate([self.engine.run(part) for part in parts]), None
        both = [self.engine.look(part) for part in parts]
        return np.concatenate([logits for logits, _ in both]), np.concatenate([maps for _, maps in both])

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begun


def _by_clip(
    rows: list[tuple[int, ...]], logits: FloatArray, maps: FloatArray | None
) -> dict[tuple[int, ...], tuple[FloatArray, FloatArray | None]]:
    return {row: (logits[i], None if maps is None else maps[i]) for i, row in enumerate(rows)}
