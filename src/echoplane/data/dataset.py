"""Stored cines as training batches: the only module of the data room that imports torch.

Clips travel as uint8 and become floats on the training side (:func:`normalise`), a quarter of the bytes between
processes. What an index gives depends on (seed, epoch, index) alone: not on the number of workers, nor on the order
of reading.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from echoplane.data.augment import AugmentRecipe, Draw, Fan, apply, draw, retime
from echoplane.data.epochs import MOST_REPEATS, chances, check_repeats, draw_epoch
from echoplane.data.items import Item, Table, build_table
from echoplane.records import IntArray, UInt8Array
from echoplane.sampling import SamplingRule
from echoplane.sampling.clips import frames_with_picture
from echoplane.store import StoreReader

#: A batch: ``clip`` uint8 (B, 1, N, H, W), ``target`` float32 (B, K), ``weight`` float32 (B,), ``row`` int64 (B,),
#: ``mirrored`` bool (B,): left and right are exchanged, by the augmentation or in the cine itself (``extra`` of its
#: row).
Batch = dict[str, torch.Tensor]


def normalise(clip: torch.Tensor, mean: float, std: float) -> torch.Tensor:
    """Turn grey values 0..255 into what a network sees, ``(v / 255 - mean) / std``, float32 of the same shape."""
    return clip.to(torch.float32).mul_(1 / (255 * std)).sub_(mean / std)


class ClipDataset(Dataset[Batch]):
    """Clips of stored cines, one a time or a batch a time.

    Parameters
    ----------
    stores : StoreReader or sequence of StoreReader
        Read together; all of one frame size.
    views : sequence of str
        Labels in the order of the targets.
    cines : collection of str, optional
        Keys of the cines to use (``Split.cines``); all when left out.
    rule : SamplingRule
        Which frames make a clip.
    per_cine : int, optional
        So many clips of every cine an epoch, each starting at a random frame of its picture, not in the black or the
        title before it. None: exactly the planned clips, the same in every epoch, as in evaluation.
    augment : AugmentRecipe, optional
        None for none.
    seed : int
    labelled : bool
        Leave out cines with no label among `views` (True), or give them a target of zeros (False).
    weights : mapping of str to float, optional
        Weight of a cine in the loss by its view; 1 where not named.

    Attributes
    ----------
    items : tuple of Item
        What every index means: number of the row and of the planned clip.
    rows : tuple of StoreRow
        The cines in use; ``batch["row"]`` counts in it.
    groups : int64 array, (len(rows),)
        Number of the patient (or study, or cine) of every row.
    targets : float32 array, (len(rows), K)
    skipped : tuple of (str, str)
        Cines asked for and not used, with the reason.

    Notes
    -----
    ``dataset[i + epoch * len(dataset)]`` is item `i` of that epoch, so that an epoch reaches worker processes that
    live on between epochs; :class:`ClipSampler` yields such indices. Where an item comes again within an epoch, each
    repeat takes the number of an epoch of its own.
    """

    def __init__(
        self,
        stores: StoreReader | Sequence[StoreReader],
        views: Sequence[str],
        *,
        rule: SamplingRule,
        cines: Sequence[str] | None = None,
        per_cine: int | None = None,
        augment: AugmentRecipe | None = None,
        seed: int = 0,
        labelled: bool = True,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.table: Table = build_table(
            [stores] if isinstance(stores, StoreReader) else list(stores), tuple(views), rule, cines, per_cine, labelled
        )
        self.views = tuple(views)
        self.rule = rule
        self.per_cine = per_cine
        self.augment = augment
        self.seed = seed
        self.items: tuple[Item, ...] = self.table.items
        self.rows, self.targets, self.groups = self.table.rows, self.table.targets, self.table.groups
        self.skipped = self.table.skipped
        by_view = dict(weights or {})
        self.weights = np.array([by_view.get(row.top_label(), 1.0) for row in self.rows], np.float32)
        self.frame_size = self.table.frame_size
        self._store_of, self._cines_of = _by_store(self.table)
        self._pictures: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Batch:
        """Return one item: as a batch, without the first axis."""
        return {name: value[0] for name, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a whole batch; a DataLoader calls this, and :func:`collate` hands it on."""
        shape = (len(indices), 1, self.rule.frames, *self.frame_size)
        clips = torch.empty(shape, dtype=torch.uint8)
        view = clips.numpy()
        mirrored = [self._fill(int(index), place[0]) for place, index in zip(view, indices, strict=True)]
        rows = np.array([self.items[int(i) % len(self)].row for i in indices], np.int64)
        return {
            "clip": clips,
            "target": torch.from_numpy(self.targets[rows]),
            "weight": torch.from_numpy(self.weights[rows]),
            "row": torch.from_numpy(rows),
            "mirrored": torch.tensor(mirrored, dtype=torch.bool),
        }

    def clip(self, index: int) -> UInt8Array:
        """Return one clip, uint8 (N, H, W)."""
        out = np.empty((self.rule.frames, *self.frame_size), np.uint8)
        self._fill(index, out)
        return out

    def _fill(self, index: int, out: UInt8Array) -> bool:
        """Read a clip; return whether left and right are exchanged in it."""
        epoch, number = divmod(index, len(self))
        item = self.items[number]
        mirrored = bool(self.rows[item.row].extra.get("mirrored", False))
        planned = self.table.plans[item.row].indices
        if self.per_cine is None and self.augment is None:
            self.table.read_into(item.row, planned[item.clip], out)
            return mirrored
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, epoch, number])))
        if self.per_cine is None:
            frames = planned[item.clip]
        else:
            frames = random_frames(planned, self.rows[item.row].n_frames, rng, self._picture(item.row))
        if self.augment is None:
            self.table.read_into(item.row, frames, out)
            return mirrored
        drawn = draw(rng, self.augment)
        out[...] = self._augmented(item.row, frames, drawn)
        return mirrored != (drawn.geometry is not None and drawn.geometry.flip)

    def _augmented(self, row: int, frames: IntArray, drawn: Draw) -> UInt8Array:
        first, end = self._picture(row)
        if frames.min() < first or frames.max() >= end:  # the cine is too short to do without empty frames
            first, end = 0, self.rows[row].n_frames
        clip = self.table.frames(row, first + retime(frames - first, end - first, drawn.time))
        partner, partner_fan = None, None
        if drawn.mix is not None and drawn.mix.partner is not None:
            other = int(drawn.mix.partner * len(self.rows))
            partner, partner_fan = self._frame(other)
        example, example_fan = None, None
        if drawn.style is not None and (found := self._elsewhere(row, *drawn.style.example)) is not None:
            example, example_fan = self._frame(found)
        fan = Fan.of(self.rows[row], *self.frame_size)
        return apply(
            clip, drawn, fan=fan, partner=partner, partner_fan=partner_fan, example=example, example_fan=example_fan
        )

    def _frame(self, row: int) -> tuple[UInt8Array, Fan]:
        """First frame of a cine that shows something, and its fan."""
        return self.table.frames(row, np.array(self._picture(row)[:1]))[0], Fan.of(self.rows[row], *self.frame_size)

    def _picture(self, row: int) -> tuple[int, int]:
        """Return where the picture of a cine begins and ends; looked at once, when a clip of it is first drawn."""
        found = self._pictures.get(row)
        if found is None:
            found = frames_with_picture(
                self.rows[row].n_frames, lambda numbers: self.table.frames(row, np.array(numbers))
            )
            self._pictures[row] = found
        return found

    def _elsewhere(self, row: int, store: float, group: float, cine: float) -> int | None:
        """Choose a cine of another store: any store, and any patient in it, as likely as the next."""
        others = [groups for number, groups in enumerate(self._cines_of) if number != self._store_of[row]]
        if not others:
            return None
        groups = others[int(store * len(others))]
        rows = groups[int(group * len(groups))]
        return rows[int(cine * len(rows))]


def _by_store(table: Table) -> tuple[list[int], list[list[list[int]]]]:
    """Return the number of each row's store, and for each store its rows by patient."""
    numbers: dict[int, int] = {}
    # Numbers, for in a worker process the readers are others.
    store_of = [numbers.setdefault(id(reader), len(numbers)) for reader, _ in table.places]
    found: list[dict[int, list[int]]] = [{} for _ in numbers]
    for row, store in enumerate(store_of):
        found[store].setdefault(int(table.groups[row]), []).append(row)
    return store_of, [list(groups.values()) for groups in found]


def random_frames(
    planned: IntArray, n_frames: int, rng: np.random.Generator, picture: tuple[int, int] | None = None
) -> IntArray:
    """Choose one of the planned clips, and move it to a random place in the cine.

    Parameters
    ----------
    planned : int64 array, (C, N)
    n_frames : int
    rng : Generator
    picture : (int, int), optional
        Where the clip is to begin at the earliest, and the end of the frames it may have; all where it does not fit.

    Returns
    -------
    int64 array, (N,)
    """
    frames = planned[int(rng.integers(len(planned)))]
    low, high = int(frames.min()), int(frames.max())
    first, end = picture if picture is not None and high - low < picture[1] - picture[0] else (0, n_frames)
    moved: IntArray = frames + int(rng.integers(first - low, end - high))
    return moved


@dataclass
class ClipSampler(Sampler[int]):
    """Order of an epoch: shuffled, or drawn so that every view comes equally often; the same on every machine.

    Parameters
    ----------
    dataset : ClipDataset
    seed : int
    balance : float
        0: every item once. 1: items drawn so that every view is as frequent as any other. In between: frequencies to
        the power ``1 - balance``. An item that comes again in an epoch is another clip, augmented anew.
    rank, world : int
        This process and the number of processes of a distributed training; each gets an equal part.
    shuffle : bool
        False: in order (with `balance` 0), for evaluation.
    epoch : int
        The one to begin with; see :meth:`set_epoch`.

    Raises
    ------
    DataError
        On iterating, when a clip would come more than :data:`echoplane.data.epochs.MOST_REPEATS` times in an epoch.
    """

    dataset: ClipDataset
    seed: int = 0
    balance: float = 0.0
    rank: int = 0
    world: int = 1
    shuffle: bool = True
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; call it before each one, or all epochs have the same order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.world)

    def __iter__(self) -> Iterator[int]:
        total = len(self.dataset)
        order, rounds = self._drawn() if self.balance > 0 else (self._once(), 1)
        # Filled up from the start, so that every process has equally many.
        padded = np.resize(order, len(self) * self.world)
        return iter((padded[self.rank :: self.world] + self.epoch * rounds * total).tolist())

    def _once(self) -> IntArray:
        total = len(self.dataset)
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, self.epoch, 77003]))
        return rng.permutation(total) if self.shuffle else np.arange(total)

    def _drawn(self) -> tuple[IntArray, int]:
        """Draw an epoch; return as well how many numbers of each item it may use: one for every repeat."""
        rows = [item.row for item in self.dataset.items]
        # All stores as one: a view is to be as frequent as another over all of them.
        chance = chances(self.dataset.targets[rows], np.zeros(len(rows), np.int64), [None], self.balance)
        check_repeats(chance, len(rows), "Take a smaller balance.")
        return draw_epoch(chance, len(rows), self.seed, self.epoch), MOST_REPEATS


def collate(batch: Any) -> Any:
    """Hand on what ``__getitems__`` made."""
    return batch


def _quiet_worker(_: int) -> None:
    import cv2

    # One worker, one thread: more only get into each other's way.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _start_method() -> str:
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def loader(
    dataset: ClipDataset,
    batch_size: int,
    *,
    sampler: Sampler[int] | None = None,
    workers: int = 0,
    drop_last: bool = False,
    pin_memory: bool = False,
    worker_init: Callable[[int], None] = _quiet_worker,
) -> DataLoader[Batch]:
    """Return a DataLoader that reads whole batches, with workers that live on between epochs.

    Without a `sampler` the items come in order. Workers are started afresh, not forked: OpenCV's threads do not
    survive a fork, and a fork of a process that has used them hangs.
    """
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        drop_last=drop_last,
        pin_memory=pin_memory,
        worker_init_fn=worker_init if workers else None,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        multiprocessing_context=_start_method() if workers else None,
        # One of its own, so that dropout does not depend on the number of workers.
        generator=torch.Generator(),
    )
