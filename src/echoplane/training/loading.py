"""Batches of an epoch, loaded ahead: by a thread where cores are few, by processes where they are many."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import torch
from torch.utils.data import DataLoader

from echoplane._processes import check_guarded
from echoplane.data.dataset import Batch, ClipDataset, collate
from echoplane.errors import EchoplaneError, StoreError
from echoplane.training.order import EpochBatches
from echoplane.training.prefetch import prefetch

#: With up to so many cores the network needs them all, and a thread is enough.
FEW_CORES = 4

#: More processes than this only wait for the network.
MOST_WORKERS = 12


def choose_workers(wanted: int) -> int:
    """Return the number of loading processes; -1 chooses."""
    cores = os.cpu_count() or 1
    if wanted >= 0:
        return wanted
    return 0 if cores <= FEW_CORES else min(cores - 2, MOST_WORKERS)


class Batches:
    """The training batches, epoch after epoch.

    Parameters
    ----------
    clips : ClipDataset
    order : EpochBatches
    workers : int
        As in :class:`echoplane.training.recipe.Fit`.
    pin_memory : bool
        For GPUs.
    """

    def __init__(self, clips: ClipDataset, order: EpochBatches, workers: int, pin_memory: bool) -> None:
        self.order = order
        self.workers = choose_workers(workers)
        self.loader: DataLoader[Batch] = DataLoader(
            clips,
            batch_sampler=order,
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=pin_memory,
            persistent_workers=self.workers > 0,
            worker_init_fn=_one_thread if self.workers else None,
            # Forking a process whose OpenCV and OpenMP threads are running can hang the child.
            multiprocessing_context="spawn" if self.workers else None,
            prefetch_factor=4 if self.workers else None,
            # The loader draws a number when it begins: with processes once, without them every epoch. Drawn from
            # torch's own generator, it would move the dropout of the network on, in some epochs and not in others.
            generator=torch.Generator(),
        )

    def check_started(self) -> None:
        """Make sure that loading processes come up, before anything is written.

        Raises
        ------
        UsageError
            When they would not, as in a script without its ``if __name__ == "__main__"``.
        """
        if self.workers:
            check_guarded("set fit.workers to fewer, or to 0")

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, always the same ones for the same number; torch's generator stays as it is."""
        self.order.epoch = number
        return _in_words(self.loader) if self.workers else prefetch(self.loader)

    def __len__(self) -> int:
        return len(self.order)


def _in_words(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches; a damaged store that a process met is told of as it was there, without torch's traceback.

    So is a process that is gone.
    """
    try:
        yield from batches
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        what = str(error).partition(". ")[0].rstrip(".")
        raise EchoplaneError(
            f"A process that loads clips ended in the middle of its work ({what}); perhaps the memory is too "
            "small for so many. What was finished is kept: go on with --resume, and set fit.workers to fewer, or to 0."
        ) from error
    except StoreError as error:
        raise StoreError(str(error).rpartition(f"{StoreError.__name__}: ")[2].strip()) from error


def _one_thread(_worker: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
