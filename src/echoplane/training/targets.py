"""From the labels of the stores to what the network is to answer.

Letters: R cines, K views. A target is a row of K numbers: shares that sum to 1, or, where only "one of these" is known,
ones at these and zeros elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from echoplane.errors import ConfigError, DataError, UsageError
from echoplane.models.bundle_facts import BundleFacts, LabelUse, NetworkSpec
from echoplane.records import FloatArray
from echoplane.store import StoreRow
from echoplane.views import OTHER, find_view, suggest

#: The short-axis levels from base to apex; neighbours in this list look alike.
LEVELS = ("PSAX-AV", "PSAX-MV", "PSAX-PM", "PSAX-AP")

#: Sums above this belong to "one of these" targets; shares sum to 1.
ONE_OF = 1.5
#: Shares that differ by less are equal: they were added up in float32.
EQUAL = 1e-4


def check_labels(views: Sequence[str], labels: Mapping[str, LabelUse]) -> None:
    """Refuse label tables that lead outside of the views.

    Raises
    ------
    ConfigError
        Fewer than two views, a view twice, or a label mapped to something that is not a view.
    """
    if len(views) < 2 or len(set(views)) != len(views):
        raise ConfigError(f"views {list(views)}: expected two labels or more, each once.")
    for label, use in labels.items():
        names = [use] if isinstance(use, str) else list(use)
        for name in names:
            if name not in views and use != "":
                raise ConfigError(f"labels.{label}: {name!r} is not among views {list(views)}{suggest(name, views)}.")


def check_views(views: Sequence[str]) -> None:
    """Refuse views that no bundle takes: what was trained could not be kept.

    Raises
    ------
    ConfigError
        As :class:`echoplane.models.bundle_facts.BundleFacts` refuses them, whose rule it is; and for ``other`` in
        another spelling, which would be a view of its own and offered as an answer.
    """
    if odd := [view for view in views if view != OTHER and view.casefold() == OTHER.casefold()]:
        raise ConfigError(
            f"views {list(views)}: {odd[0]!r} would be a view like any other, and an answer; what is none of the views "
            f"is called {OTHER!r}. Write that, and \"{odd[0]}: {OTHER}\" under 'labels:' where the stores have it so."
        )
    try:
        BundleFacts("views", tuple(views), NetworkSpec("any"))
    except UsageError as error:
        raise ConfigError(
            f"views {list(views)}: no bundle could hold a network for them ({str(error).rstrip('.')}). List other "
            "names under 'views:', and say under 'labels:' which of the stores' labels is which."
        ) from error


def views_in_use(
    views: Sequence[str], rows: Iterable[StoreRow], labels: Mapping[str, LabelUse]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part views into those that a cine or the label table names, and the others, which nothing could be learned of.

    A label that the table turns into another one is none of the first.
    """
    named = {name for row in rows for name in _names(row)} - set(labels)
    for use in labels.values():
        named.update([use] if isinstance(use, str) else use)
    return tuple(view for view in views if view in named), tuple(view for view in views if view not in named)


def make_targets(rows: Sequence[StoreRow], views: Sequence[str], labels: Mapping[str, LabelUse]) -> FloatArray:
    """Translate labels into targets.

    Parameters
    ----------
    rows : sequence of StoreRow
    views : sequence of str
        The K answers in order.
    labels : mapping
        As in :class:`echoplane.training.recipe.TrainRecipe`.

    Returns
    -------
    float32 array, (R, K)
        All zero for cines that are left out: unlabelled ones, and those whose label is mapped to ``""``.

    Raises
    ------
    DataError
        When labels occur that are neither views nor mapped; lists them with their counts.
    """
    check_labels(views, labels)
    strangers = Counter(name for row in rows for name in _names(row) if name not in views and name not in labels)
    if strangers:
        # A view that is known and not wanted is no misspelling of another one.
        meant = {name: find_view(name) for name in strangers}
        hints = {name: suggest(name, views) if v is None or v.label in views else "" for name, v in meant.items()}
        listed = ", ".join(f"{name!r} ({count} cines{hints[name]})" for name, count in strangers.most_common())
        raise DataError(
            f"labels that the recipe does not know: {listed}. Add each under 'labels:', for example "
            f'"{next(iter(strangers))}: other", or with "" to leave these cines out.'
        )
    table = {name: _target(name, views, labels) for row in rows for name in _names(row)}
    targets = np.zeros((len(rows), len(views)), np.float32)
    for i, row in enumerate(rows):
        if not row.shares:
            targets[i] = table.get(row.label, 0)
            continue
        for name in _names(row):
            one = table[name]
            targets[i] += row.shares[name] * one / max(float(one.sum()), 1.0)
        total = targets[i].sum()
        targets[i] /= total if total > 0 else 1.0
    return targets


def soften_levels(targets_RK: FloatArray, views: Sequence[str], share: float) -> FloatArray:
    """Give a share of each short-axis level to the levels next to it.

    Parameters
    ----------
    targets_RK : float32 array, (R, K)
        Rows of "one of these" stay as they are.
    views : sequence of str
    share : float
        In [0, 1). Split evenly where there are two neighbours among the views.

    Returns
    -------
    float32 array, (R, K)
    """
    spread = np.eye(len(views), dtype=np.float32)
    column = {view: k for k, view in enumerate(views)}
    for place, level in enumerate(LEVELS):
        near = [column[n] for n in (*LEVELS[max(place - 1, 0) : place], *LEVELS[place + 1 : place + 2]) if n in column]
        if level in column and near:
            spread[column[level], column[level]] = 1 - share
            spread[column[level], near] = share / len(near)
    one_of = targets_RK.sum(axis=1, keepdims=True) > ONE_OF
    return np.where(one_of, targets_RK, targets_RK @ spread).astype(np.float32)


def hard_labels(targets_RK: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the view with the largest share, (R,); -1 where none is largest, of "one of these", or left out."""
    total, largest = targets_RK.sum(axis=1), targets_RK.max(axis=1, initial=0, keepdims=True)
    known = (total > 0) & (total <= ONE_OF) & ((targets_RK > largest - EQUAL).sum(axis=1) == 1)
    return np.where(known, targets_RK.argmax(axis=1), -1).astype(np.int64)


def views_shown(
    rows: Sequence[StoreRow], views: Sequence[str], labels: Mapping[str, LabelUse]
) -> list[tuple[int, str]]:
    """Say what each cine shows as training counts it, for evaluation: labels that nobody knows are no error here.

    Parameters
    ----------
    rows, views, labels
        As for :func:`make_targets`.

    Returns
    -------
    list of (int, str)
        The number of the view and ``""``; or -1 and why the cine cannot be counted.
    """
    # A label that is not known is like a view that the network does not tell: it may have the largest share.
    strangers = dict.fromkeys(name for row in rows for name in _names(row) if name not in views and name not in labels)
    known = (*views, *strangers)
    targets = make_targets(rows, known, labels)
    found = []
    for row, target, label in zip(rows, targets, hard_labels(targets).tolist(), strict=True):
        if 0 <= label < len(views):
            found.append((label, ""))
        elif label >= 0:
            found.append((-1, f"label {known[label]!r} is not in the vocabulary"))
        elif target.any():
            how = "may be one of several views" if target.sum() > ONE_OF else "shows several views in equal shares"
            found.append((-1, f"label {row.top_label()!r} {how}"))
        else:
            what = f"label {row.top_label()!r} was left out of the training" if _names(row) else "no label"
            found.append((-1, what))
    return found


def _names(row: StoreRow) -> list[str]:
    return [name for name, share in row.shares.items() if share > 0] if row.shares else [row.label] if row.label else []


def _target(name: str, views: Sequence[str], labels: Mapping[str, LabelUse]) -> FloatArray:
    use = labels.get(name, name)
    target = np.zeros(len(views), np.float32)
    if isinstance(use, str):
        if use:
            target[list(views).index(use)] = 1.0
    elif isinstance(use, Mapping):
        for view, share in use.items():
            target[list(views).index(view)] = share
        target /= target.sum()
    else:
        for view in use:
            target[list(views).index(view)] = 1.0
    return target
