"""Fit when a mirror image is asked for, and when it is what is answered (:mod:`echoplane.inference.mirror`).

All limits are energies of logits as they leave the network, which no other calibration changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from echoplane.errors import DataError
from echoplane.inference import mirror
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.selective import energy
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, Thresholds
from echoplane.models.card import with_card
from echoplane.records import FloatArray

#: Share of cines shown the right way round that may be taken for mirrored.
MIRRORED = 0.03
#: Share of mirrored cines, of those that are noticed, that may be missed because nobody asks; and how many of them must
#: show where that is.
MISSED, NOTICED = 0.01, 100


def mirror_margin(facts: BundleFacts, as_drawn: Predictions, turned: Predictions, share: float = MIRRORED) -> float:
    """Return the margin above which a cine is answered turned around (:mod:`echoplane.inference.mirror`).

    Parameters
    ----------
    facts : BundleFacts
        Calibrated.
    as_drawn, turned : Predictions
        Of cines as they are, and of those of them that are not mirrored to begin with, with left and right exchanged;
        only these count.
    share : float
        Share of such cines that may be taken for mirrored, in (0, 1).

    Raises
    ------
    DataError
        When a cine turned around is not among those as drawn.
    """
    limits = replace(facts, thresholds=Thresholds(mirror_margin=0.0))
    gains = [
        mirror.gain(mine, other) if mirror.worth_asking(mine, limits) else -np.inf
        for mine, other in _both_ways(as_drawn, turned)
    ]
    # Not interpolated: between a cine that was not asked for and one that was there is nothing.
    return max(float(np.quantile(gains, 1 - share, method="higher")), 0.0)


def mirror_known(facts: BundleFacts, as_drawn: Predictions, turned: Predictions) -> float | None:
    """Return the energy of a first clip up to which nobody need ask for the mirror image.

    Parameters
    ----------
    facts : BundleFacts
        Calibrated, with its mirror margin.
    as_drawn, turned : Predictions
        As for :func:`mirror_margin`.

    Returns
    -------
    float or None
        With which no more than `MISSED` of the cines turned around that are noticed otherwise are not; None where
        fewer than `NOTICED` of them show it.

    Raises
    ------
    DataError
        When a cine turned around is not among those as drawn.
    """
    limits = replace(facts, thresholds=replace(facts.thresholds, mirror_known=None))
    noticed = []
    for right, exchanged in _both_ways(as_drawn, turned):
        if mirror.seems_exchanged(exchanged, partial(right.__getitem__, slice(1)), limits):
            noticed.append(float(energy(exchanged[:1]).item()))
    if len(noticed) < NOTICED:
        return None
    return sorted(noticed)[int(MISSED * len(noticed)) - 1]  # it is not asked for either


def _both_ways(as_drawn: Predictions, turned: Predictions) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the logits of every cine turned around: as drawn, and turned around."""
    place = {cine: row for row, cine in enumerate(as_drawn.cines)}
    if not place.keys() >= set(turned.cines):
        raise DataError("the answers as drawn and turned around are of different cines.")
    as_drawn = as_drawn.take([place[cine] for cine in turned.cines])
    for cine in range(len(as_drawn.cines)):
        mine, other = (p.logits[p.cine_of_clip == cine] for p in (as_drawn, turned))
        yield mine, other


def with_mirror_margin(bundle: Bundle, as_drawn: Predictions, turned: Predictions, share: float = MIRRORED) -> Bundle:
    """Return a copy of a calibrated bundle that looks for exchanged left and right; see :func:`mirror_margin`."""
    limits = replace(bundle.facts.thresholds, mirror_margin=mirror_margin(bundle.facts, as_drawn, turned, share))
    facts = replace(bundle.facts, thresholds=limits)
    facts = replace(facts, thresholds=replace(limits, mirror_known=mirror_known(facts, as_drawn, turned)))
    return with_card(Bundle.create(facts, {name: bundle.read(name) for name in bundle.facts.members}))


def without_mirror_margin(bundle: Bundle) -> Bundle:
    """Return a copy of a bundle that does not look for exchanged left and right."""
    facts = replace(bundle.facts, thresholds=replace(bundle.facts.thresholds, mirror_margin=None, mirror_known=None))
    return with_card(Bundle.create(facts, {name: bundle.read(name) for name in bundle.facts.members}))
