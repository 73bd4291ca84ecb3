"""Batches of an epoch, shared by processes; the same after every restart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from echoplane.data.epochs import MOST_REPEATS, check_repeats, draw_epoch
from echoplane.errors import UsageError


def check_shares(batch: int, world: int) -> None:
    """Refuse a batch that the processes cannot share evenly.

    The gradient of a step is the mean over processes, so clips of a smaller share would count for more, and a process
    without a clip would turn it into no number.

    Parameters
    ----------
    batch : int
        Clips of a step, over all processes.
    world : int
        Number of processes.

    Raises
    ------
    UsageError
        With the batches next to this one that would do.
    """
    if batch % world:
        near = [f"fit.batch={size}" for size in (batch - batch % world, batch - batch % world + world) if size]
        raise UsageError(
            f"fit.batch {batch} cannot be shared evenly by {world} processes (--devices times --nodes). "
            f"Set {' or '.join(near)}, or start a number of processes that divides {batch}."
        )


class EpochBatches:
    """Batches of item numbers for a DataLoader, this process's part of each.

    Parameters
    ----------
    chance_I : float64 array, (I,)
    size : int
        Clips of an epoch, over all processes.
    batch : int
        Clips of a step, over all processes, which divide it; the last step may be smaller.
    seed : int
    rank, world : int
        This process, and how many there are. Every process gets equally many clips of every step; the
        last step is filled up from the start of the epoch where it does not divide.

    Raises
    ------
    UsageError
        For a batch that the processes cannot share evenly.
    DataError
        When a clip would come more than :data:`MOST_REPEATS` times in an epoch.
    """

    def __init__(
        self, chance_I: npt.NDArray[np.float64], size: int, batch: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        check_shares(batch, world)
        check_repeats(chance_I, size, "Take a smaller share in data.stores, data.balance, or data.epoch_clips.")
        self.chance_I, self.size, self.batch, self.seed = chance_I, size, batch, seed
        self.rank, self.world = rank, world
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.size // self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        drawn = draw_epoch(self.chance_I, self.size, self.seed, self.epoch)
        # `batch` is a multiple of `world`, so this adds no step; np.resize begins again with the first clips.
        whole = -(-len(drawn) // self.world) * self.world
        drawn = np.resize(drawn, whole)
        # Each (epoch, repeat) has its own augmentation; the data set reads it off the number.
        drawn = drawn + self.epoch * MOST_REPEATS * len(self.chance_I)
        for start in range(0, whole, self.batch):
            yield drawn[start : start + self.batch][self.rank :: self.world].tolist()
