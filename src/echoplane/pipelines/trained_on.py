"""Cines that a network was trained on are no measure of it: its run folder, where there is one, says which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from echoplane.models.bundle import DEFAULT
from echoplane.pipelines.answer import rows_in
from echoplane.store.reader import open_stores
from echoplane.training.origin import count_seen
from echoplane.training.run_folder import SPLIT


def trained_on(bundle: str | None, inputs: str | Path | Sequence[str | Path], split: str | None = None) -> str:
    """Say how many labelled cines of stores a bundle's network was trained on.

    Parameters
    ----------
    bundle : str or None
        Where it lies. Of one outside of its run folder, and of the default one, nothing is known.
    inputs : path or sequence of path
        Stores.
    split : str, optional
        Which rows, as :func:`echoplane.pipelines.answer.rows_in` takes it.

    Returns
    -------
    str
        How many, and how to measure rightly; empty where there are none, or nothing says it.

    Raises
    ------
    StoreError, DataError, UsageError
        When a store or the split cannot be read.
    """
    if not bundle or bundle == DEFAULT:
        return ""
    stores, keep = open_stores(inputs), rows_in(split)
    rows = [row for store in stores for row in store.rows if row.top_label() and (keep is None or keep(row))]
    count, unread = count_seen(bundle, rows, stores)
    if unread:
        return f"Whether {bundle} was trained on these cines is not known, for {unread}."
    if not count:
        return ""
    own = Path(bundle).parent / SPLIT
    advice = (
        "Take cines that neither its run nor the one whose weights it began with was trained on"
        if split
        else f"Take those that its training left out (--split {own}), cines of other patients, or `echoplane crossval`"
    )
    return f"{count} of {len(rows)} cines were trained on by {bundle}: figures of them are no measure. {advice}."
