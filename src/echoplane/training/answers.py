"""What a network answers on labelled clips, gathered into predictions by cine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from echoplane.data.dataset import normalise
from echoplane.data.groups import group_of
from echoplane.metrics.predictions import Predictions
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import FloatArray, IntArray
from echoplane.training.cines import LabelledClips
from echoplane.training.prefetch import prefetch
from echoplane.training.targets import hard_labels

#: Changes raw clips, uint8 (B, 1, N, H, W), before they are answered.
Change = Callable[[Tensor], Tensor]


def answer_clips(
    network: Callable[[Tensor], Tensor],
    part: LabelledClips,
    prepare: PrepareRecipe,
    *,
    batch: int,
    device: torch.device | str = "cpu",
    channels_last: bool = True,
    change: Change | None = None,
    rank: int = 0,
    world: int = 1,
) -> tuple[IntArray, FloatArray]:
    """Run (this process's part of) all clips through a network.

    Parameters
    ----------
    network : callable
        Normalised clips to logits; in evaluation mode.
    part : LabelledClips
    prepare : PrepareRecipe
        For the normalisation.
    batch : int
        Clips at once.
    device : torch.device or str
    channels_last : bool
    change : callable, optional
        Applied to the raw clips.
    rank, world : int
        Every `world`-th clip, from `rank` on.

    Returns
    -------
    items : int64 array, (C,)
        Numbers of the clips.
    logits : float32 array, (C, K)
    """
    items = np.arange(rank, len(part.clips), world)

    def batches() -> Iterator[Tensor]:
        for start in range(0, len(items), batch):
            yield part.clips.__getitems__(items[start : start + batch].tolist())["clip"]

    logits = []
    with torch.no_grad():
        for raw in prefetch(batches()):
            clips = ready(change(raw) if change else raw, prepare, device, channels_last)
            logits.append(network(clips).float().cpu().numpy())
    return items, np.concatenate(logits) if logits else np.zeros((0, 0), np.float32)


def ready(raw: Tensor, prepare: PrepareRecipe, device: torch.device | str, channels_last: bool) -> Tensor:
    """Move raw uint8 clips (B, 1, N, H, W) to the device and normalise them there, float32."""
    clips = normalise(raw.to(device, non_blocking=True), prepare.mean, prepare.std)
    return clips.contiguous(memory_format=torch.channels_last_3d) if channels_last else clips


def as_predictions(
    items: IntArray, logits: FloatArray, part: LabelledClips, views: tuple[str, ...], fold: int = 0
) -> Predictions:
    """Sort answers by cine.

    Parameters
    ----------
    items, logits
        As from :func:`answer_clips`, of all processes together, in any order.
    part : LabelledClips
        Every cine with a hard label.
    views : tuple of str
    fold : int
    """
    order = np.argsort(items, kind="stable")
    rows = part.row_of_clip[items[order]]
    return Predictions(
        views=views,
        cines=tuple(row.cine for row in part.rows),
        groups=tuple(group_of(row)[0] for row in part.rows),
        y_true=hard_labels(part.targets),
        cine_of_clip=rows,
        logits=logits[order].astype(np.float32),
        folds=np.full(len(part.rows), fold, np.int64),
        sources=tuple(row.source for row in part.rows),
        known_by=tuple(group_of(row)[1] for row in part.rows),
    )
