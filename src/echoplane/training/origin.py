"""Where the first weights of a run come from, and which of the cines that are to judge it they know already.

A run folder says on which cines its weights were trained (``split.csv``) and from which weights it began itself
(``recipe.yaml``), so that all runs before are asked. Of weights in other files nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from echoplane import config
from echoplane.data.split import TRAIN, Split
from echoplane.errors import ConfigError, DataError, StoreError
from echoplane.models.bundle import WEIGHTS_NAME
from echoplane.store import StoreReader, StoreRow
from echoplane.training.checkpoint import BEST
from echoplane.training.cines import TrainingData
from echoplane.training.run_folder import BUNDLE, RECIPE, SPLIT, Origin, written_origin
from echoplane.training.start import weights_hash


def origin_of(folder: Path, weights: str, data: TrainingData, goes_on: bool) -> tuple[Origin, tuple[str, ...]]:
    """Return the first weights of a run as its folder is to say them, and what to know of them.

    Parameters
    ----------
    folder : Path
        Of the run.
    weights : str
        ``network.weights`` of its recipe.
    data : TrainingData
    goes_on : bool
        The run began before: then what it wrote down holds, for these weights may be gone, or others.
    """
    digest = weights_hash(weights)
    if goes_on and (written := written_origin(folder)):
        note = (
            f"The weights in {weights} are not those that this run began with. It goes on with what it has learned, "
            "but its recipe would no longer make it again."
        )
        is_other = digest and written.sha256 and digest != written.sha256
        return written, tuple(text for text in (written.seen, note if is_other else "") if text)
    part = data.validation
    seen = seen_before(weights, part.rows, data.stores, "validation cines") if part else ""
    return Origin(weights, digest, seen), (seen,) if seen else ()


def seen_before(weights: str, rows: Sequence[StoreRow], stores: Sequence[StoreReader], what: str) -> str:
    """Say how many cines the weights of a run were trained on.

    Parameters
    ----------
    weights : str
        ``network.weights`` of a recipe.
    rows : sequence of StoreRow
        Cines that are held out. One is known by its content where the stores of the earlier run are still there, else
        by its key.
    stores : sequence of StoreReader
        Those that are open.
    what : str
        What the cines are called.

    Returns
    -------
    str
        A sentence or two without paths; empty where there are none, or nothing says it.
    """
    count, unread = count_seen(weights, rows, stores)
    if unread:
        return f"Whether the {what} were trained on by the weights it starts from is not known, for {unread}."
    if not count:
        return ""
    return (
        f"{count} of {len(rows)} {what} were trained on by the weights it starts from; its figures are no measure. "
        "Start from weights that saw none of these cines, or hold out others."
    )


def count_seen(weights: str, rows: Sequence[StoreRow], stores: Sequence[StoreReader]) -> tuple[int, str]:
    """Return how many cines weights were trained on, and why that is not known where it cannot be read, else ``""``.

    Parameters
    ----------
    weights, rows, stores
        As for :func:`seen_before`; a run's bundle stands for its weights.
    """
    opened = {store.path: store for store in stores}
    keys: dict[str, str] = {}
    for run in _runs(weights):
        try:
            trained = {row.cine for row in Split.load(run / SPLIT).rows if row.part == TRAIN}
        except DataError:  # whose text has the whole path, and this one goes into bundles
            return 0, f"{run.name}/{SPLIT} cannot be read"
        keys |= {cine: keys.get(cine, "") for cine in trained}
        keys |= {row.cine: row.sha256 for store in _stores(run, opened) for row in store.rows if row.cine in trained}
    contents = set(keys.values()) - {""}
    # Another hospital's cine may have the same key; its content tells.
    return sum(row.sha256 in contents or keys.get(row.cine) == "" for row in rows), ""


def _runs(weights: str) -> Iterator[Path]:
    """Yield the run folder that weights are of, and those of the runs before it."""
    found: set[Path] = set()
    while weights and (folder := _run_folder(Path(weights))) and folder not in found:
        found.add(folder)
        yield folder
        network = _recipe(folder).get("network")
        weights = str(network.get("weights") or "") if isinstance(network, Mapping) else ""


def _run_folder(path: Path) -> Path | None:
    """Return the run folder that weights lie in: given itself, by its file of weights, or by its bundle."""
    if path.name == WEIGHTS_NAME and path.parent.name == BUNDLE:
        path = path.parent
    folder = path.parent if path.name in (BEST, BUNDLE) else path
    return folder if (folder / BEST).is_file() and (folder / SPLIT).is_file() else None


def _recipe(folder: Path) -> dict[str, Any]:
    """Return a run's recipe as plain data, for one of another version need not be valid today."""
    try:
        return config.load_mapping(folder / RECIPE)
    except (ConfigError, OSError):
        return {}


def _stores(run: Path, opened: Mapping[str, StoreReader]) -> Iterator[StoreReader]:
    """Yield the stores of an earlier run that are at hand."""
    data = _recipe(run).get("data")
    uses = data.get("stores") if isinstance(data, Mapping) else None
    for use in uses if isinstance(uses, list) else ():
        path = str(use.get("path") or "") if isinstance(use, Mapping) else ""
        if path in opened:
            yield opened[path]
        elif path and "://" not in path:  # nothing is fetched for a warning
            try:
                yield StoreReader(path)
            except (StoreError, OSError):
                continue
