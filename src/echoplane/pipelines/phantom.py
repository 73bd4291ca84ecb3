"""Phantom clips, studies and training sets as files: what the CLI and the Python API share."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import cv2

from echoplane.config import to_mapping
from echoplane.phantom.dataset import DatasetPlan, render_planned
from echoplane.phantom.training import TrainingClip
from echoplane.prepare.recipe import RECIPES, PrepareRecipe
from echoplane.store import StoreRow, StoreWriter

Progress = Callable[[int, int], None]

#: Clips handed to a worker at once, and how many such hand-outs may wait for the writer.
CHUNK, CHUNKS_AHEAD = 8, 4
ORIGIN = "echoplane phantom, rendered; no patient data; Apache-2.0"


def write_dataset(
    out: str | Path,
    plan: DatasetPlan,
    *,
    jobs: int = 1,
    recipe: PrepareRecipe = RECIPES["store"],
    progress: Progress | None = None,
) -> int:
    """Render a training set into a store, going on where an earlier run stopped.

    Parameters
    ----------
    out : str or Path
        Folder of the store.
    plan : DatasetPlan
    jobs : int
        Worker processes. The data do not depend on it.
    recipe : PrepareRecipe
    progress : callable, optional
        Called with (done, total) after every clip.

    Returns
    -------
    int
        Clips rendered now.

    Raises
    ------
    echoplane.errors.StoreError
        When the folder holds something else.
    """
    rows, columns = recipe.size
    views = sorted(plan.view_weights)
    # Through JSON, as the store keeps it: tuples become lists, and a second run finds the same settings.
    settings = json.loads(json.dumps(to_mapping(recipe)))
    with StoreWriter(out, recipe=settings, views=views, height=rows, width=columns, origin=ORIGIN) as writer:
        missing = [n for n in range(plan.clips) if plan.key(n) not in writer]
        done = plan.clips - len(missing)
        for number, clip in _rendered(plan, missing, recipe, jobs):
            writer.append(clip.frames, store_row(plan, number, clip))
            done += 1
            if progress:
                progress(done, plan.clips)
    return len(missing)


def store_row(plan: DatasetPlan, number: int, clip: TrainingClip) -> StoreRow:
    """Describe one training clip."""
    return StoreRow(
        cine=plan.key(number),
        label=clip.view,
        shares=dict(clip.shares),
        group=plan.patient_of(number),
        source=plan.key(number),
        fps=clip.fps,
        sector=clip.sector,
        crop=clip.crop,
        extra=dict(clip.facts),
    )


def _rendered(
    plan: DatasetPlan, numbers: list[int], recipe: PrepareRecipe, jobs: int
) -> Iterator[tuple[int, TrainingClip]]:
    """Render clips in order, in this process or in several."""
    if jobs <= 1 or len(numbers) <= CHUNK:
        for number in numbers:
            yield number, render_planned(plan, number, recipe)
        return
    chunks = iter([numbers[i : i + CHUNK] for i in range(0, len(numbers), CHUNK)])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread) as pool:
        waiting = [_submit(pool, plan, chunk, recipe) for chunk in itertools.islice(chunks, jobs + CHUNKS_AHEAD)]
        while waiting:
            yield from waiting.pop(0).result()
            waiting.extend(_submit(pool, plan, chunk, recipe) for chunk in itertools.islice(chunks, 1))


def _submit(
    pool: ProcessPoolExecutor, plan: DatasetPlan, chunk: list[int], recipe: PrepareRecipe
) -> Future[list[tuple[int, TrainingClip]]]:
    return pool.submit(_render_chunk, plan, chunk, recipe)


def _render_chunk(plan: DatasetPlan, chunk: list[int], recipe: PrepareRecipe) -> list[tuple[int, TrainingClip]]:
    return [(number, render_planned(plan, number, recipe)) for number in chunk]


def _one_thread() -> None:
    cv2.setNumThreads(1)
