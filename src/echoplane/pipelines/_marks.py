"""Misread cines with the map of their mistake: what spoke for the answer that was given, and what for the true view."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from echoplane.errors import BundleError, UsageError
from echoplane.explain.cinemap import cine_map
from echoplane.explain.enlarge import enlarge
from echoplane.explain.tint import blend
from echoplane.inference.cam import CamEngine
from echoplane.models.bundle import Bundle
from echoplane.models.registry import is_padded
from echoplane.pipelines.answer import check_recipe
from echoplane.records import UInt8Array
from echoplane.sampling.clips import plan, without_empty
from echoplane.store.reader import StoreReader

#: Given a store, the number of a cine, the answer and the truth: frames (T, H, W, 3), or None where nothing was seen.
Mark = Callable[[StoreReader, int, str, str], UInt8Array | None]

WORDS = (
    "Beside each cine the same with class activation maps: orange is what spoke for the answer that was given and "
    "against the true view, blue the other way round."
)


def marker(bundle: Bundle, stores: Sequence[StoreReader]) -> Mark | None:
    """Return what draws the map of a mistake, or None for a network that has no map of its own.

    Raises
    ------
    UsageError
        When a store was prepared by another recipe than the bundle's.
    """
    for store in stores:
        check_recipe(bundle, store)
    try:
        engine = CamEngine(bundle, precision="f32")
    except (UsageError, BundleError):
        return None
    facts = bundle.facts

    def mark(store: StoreReader, i: int, answer: str, truth: str) -> UInt8Array | None:
        row, names = store.rows[i], facts.vocabulary
        if row.sector is None or row.crop is None or answer not in names:
            return None
        frames = store.frames(i)
        sampling = plan(row.n_frames, row.fps, facts.sampling, source=row.cine)
        sampling = without_empty(frames[list(sampling.needed)], sampling.needed, sampling)
        clips = facts.recipe.normalise(frames[sampling.indices.ravel()])
        _, maps = engine.look(clips.reshape(len(sampling.indices), 1, -1, *frames.shape[1:]))
        of_mistake = maps[:, names.index(answer)] - (maps[:, names.index(truth)] if truth in names else 0)
        grown = enlarge(of_mistake, (sampling.indices.shape[1], *frames.shape[1:]), is_padded(facts.network.name))
        found = cine_map(grown, sampling, len(frames), row.sector, row.crop, method="cam", target=answer)
        tinted = np.stack([blend(frame, heat) for frame, heat in zip(frames, found.values, strict=True)])
        plain = np.repeat(frames[..., None], 3, axis=3)
        return np.concatenate([plain, tinted], axis=2)

    return mark
