"""Which cines and which clips a data set is made of; no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from echoplane.data.groups import group_rows
from echoplane.errors import DataError, TooShortError
from echoplane.records import FloatArray, IntArray, SamplingPlan, UInt8Array
from echoplane.sampling import SamplingRule, plan
from echoplane.sampling.clips import without_empty
from echoplane.store import StoreReader, StoreRow


@dataclass(frozen=True, slots=True)
class Item:
    """One clip: number of its cine in the table, and of the clip in the cine's plan."""

    row: int
    clip: int


@dataclass(frozen=True)
class Table:
    """Cines in use, with their plans and targets.

    Attributes
    ----------
    rows : tuple of StoreRow
        In the order of the keys.
    plans : tuple of SamplingPlan
    items : tuple of Item
    targets : float32 array, (R, K)
    groups : int64 array, (R,)
    skipped : tuple of (str, str)
        Key and reason.
    frame_size : (int, int)
        Height and width, pixels.
    places : tuple of (StoreReader, int)
        Where each row's cine lies: its store, and its number there.
    """

    rows: tuple[StoreRow, ...]
    plans: tuple[SamplingPlan, ...]
    items: tuple[Item, ...]
    targets: FloatArray
    groups: IntArray
    skipped: tuple[tuple[str, str], ...]
    frame_size: tuple[int, int]
    places: tuple[tuple[StoreReader, int], ...]

    def frames(self, row: int, indices: IntArray) -> UInt8Array:
        """Read frames of one cine, uint8 (len(indices), H, W)."""
        reader, number = self.places[row]
        return reader.frames(number, indices)

    def read_into(self, row: int, indices: IntArray, out: UInt8Array) -> None:
        """Read frames of one cine into `out`."""
        reader, number = self.places[row]
        reader.read_into(number, indices, out)


def build_table(
    stores: Sequence[StoreReader],
    views: tuple[str, ...],
    rule: SamplingRule,
    cines: Iterable[str] | None,
    per_cine: int | None,
    labelled: bool,
) -> Table:
    """Choose the cines and plan their clips; without `per_cine` those of prediction, which look at the frames.

    Raises
    ------
    DataError
        When a cine asked for is in none of the stores, stores differ in frame size, or nothing is left.
    StoreError
        When a cine that is looked at is damaged.
    """
    sizes = {(reader.info.height, reader.info.width) for reader in stores}
    if len(sizes) != 1:
        raise DataError(f"stores with frames of different sizes cannot be used together: {sorted(sizes)}.")
    found = sorted(
        ((row.cine, n, i) for n, reader in enumerate(stores) for i, row in enumerate(reader.rows)),
    )
    keys = {key for key, _, _ in found}
    if len(keys) < len(found):
        raise DataError("the same cine is in two of the stores, or one store was given twice.")
    if cines is not None:
        wanted = set(cines)
        missing = wanted - keys
        if missing:
            raise DataError(
                f"{len(missing)} cines of the split are in none of the stores, for example {min(missing)!r}; "
                "the split was made for other data."
            )
        found = [entry for entry in found if entry[0] in wanted]
    rows, plans, places, skipped = [], [], [], []
    for key, n, i in found:
        row = stores[n].rows[i]
        try:
            planned = plan(row.n_frames, row.fps, rule, source=key)
        except TooShortError as error:
            skipped.append((key, error.sentence))
            continue
        if labelled and not row.target(views).any():
            skipped.append((key, f"Its label {row.top_label()!r} is not among the views of this data set."))
            continue
        if per_cine is None:  # clips drawn at random are kept out of empty frames when they are drawn
            frames = stores[n].frames(i, np.array(planned.needed))
            planned = without_empty(frames, planned.needed, planned)
        rows.append(row)
        plans.append(planned)
        places.append((stores[n], i))
    if not rows:
        why = f" The first of {len(skipped)}: {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise DataError(f"no cine is left to use.{why}")
    counts = [per_cine or len(planned.indices) for planned in plans]
    return Table(
        rows=tuple(rows),
        plans=tuple(plans),
        items=tuple(Item(r, c) for r, count in enumerate(counts) for c in range(count)),
        targets=np.stack([row.target(views) for row in rows]).astype(np.float32),
        groups=np.array(group_rows(rows).of, np.int64),
        skipped=tuple(skipped),
        frame_size=sizes.pop(),
        places=tuple(places),
    )
