"""When a cine is asked for its mirror image, and when it is answered turned around."""

from dataclasses import replace

import numpy as np
import pytest

from echoplane.errors import DataError
from echoplane.inference import mirror
from echoplane.metrics.calibration import softmax
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Thresholds
from echoplane.pipelines.calibrate import calibrate
from echoplane.pipelines.calibrate_mirror import MISSED, NOTICED, mirror_known, mirror_margin, without_mirror_margin
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule

VIEWS = ("A2C", "A4C", "PSAX-MV", "other")


def predictions(n: int = 1500, factor: float = 3.0, seed: int = 0) -> Predictions:
    """Sure of itself by `factor`, three clips a cine, five cines a patient."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, 4))
    y = (softmax(logits).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    clips = np.repeat(logits, 3, axis=0) * factor + rng.normal(scale=0.3, size=(3 * n, 4))
    return Predictions(VIEWS, tuple(f"c{i}" for i in range(n)), tuple(f"p{i // 5}" for i in range(n)), y,
                       np.repeat(np.arange(n), 3), clips.astype(np.float32),
                       np.zeros(n, dtype=int), ("",) * n)  # fmt: skip


def bundle() -> Bundle:
    return Bundle.create(BundleFacts("b", VIEWS, NetworkSpec("compact3d"), PrepareRecipe(), SamplingRule()), {})


def test_the_mirror_margin_lets_so_many_pass_as_asked() -> None:
    p = predictions(factor=0.5)
    turned = replace(p, logits=p.logits + np.random.default_rng(1).normal(-1, 1, (len(p.logits), 1)).astype(np.float32))
    facts = replace(bundle().facts, thresholds=Thresholds(mirror_margin=0.0))
    margin = mirror_margin(facts, p, turned, 0.05)
    first = np.arange(0, len(p.logits), 3)
    gains = np.array([mirror.gain(p.logits[i : i + 1], turned.logits[i : i + 1]) for i in first])
    asked = np.array([mirror.worth_asking(p.logits[i : i + 3], facts) for i in first])
    assert margin > 0
    assert 0.04 < np.mean(asked & (gains > margin)) <= 0.05
    # Where everything is better known as it is, any gain at all would be news.
    assert mirror_margin(facts, p, replace(p, logits=p.logits - 3), 0.05) == 0
    with pytest.raises(DataError, match="different cines"):
        mirror_margin(facts, p.take(np.arange(3)), turned)
    # Cines without a mirror image do not count.
    some = np.arange(0, len(p.cines), 7)
    alone = mirror_margin(facts, p.take(some), turned.take(some), 0.05)
    assert mirror_margin(facts, p, turned.take(some), 0.05) == alone


def test_of_what_is_known_well_nobody_asks_for_the_mirror_image() -> None:
    """Found again by hand: of the cines turned around that are noticed, one in a hundred may be missed."""
    p = predictions(900, factor=0.5)
    noise = np.random.default_rng(2).normal(0, 0.5, (len(p.logits), 1)).astype(np.float32)
    turned = replace(p, logits=0.5 * p.logits - 2 + noise)
    facts = replace(bundle().facts, thresholds=Thresholds(mirror_margin=1.5))
    known = mirror_known(facts, p, turned)
    assert known is not None
    asking = replace(facts, thresholds=replace(facts.thresholds, mirror_known=known))
    first = np.arange(0, len(p.logits), 3)

    def noticed(facts: BundleFacts) -> int:
        return sum(
            mirror.seems_exchanged(turned.logits[i : i + 3], lambda i=i: p.logits[i : i + 1], facts) for i in first
        )

    assert noticed(facts) >= NOTICED
    assert 0 < noticed(facts) - noticed(asking) <= MISSED * noticed(facts)
    asked, before = (sum(mirror.worth_asking(p.logits[i : i + 3], f) for i in first) for f in (asking, facts))
    assert asked < 0.9 * before
    # Too few to tell, or no margin: then as before.
    assert mirror_known(facts, p.take(np.arange(90)), turned.take(np.arange(90))) is None
    assert mirror_known(bundle().facts, p, turned) is None


def test_the_mirror_margin_stays_what_it_was_where_it_is_not_fitted() -> None:
    looking = Bundle.create(replace(bundle().facts, thresholds=Thresholds(mirror_margin=0.7, mirror_known=-3)), {})
    made, _ = calibrate(looking, predictions(200))
    assert (made.facts.thresholds.mirror_margin, made.facts.thresholds.mirror_known) == (0.7, -3)
    blind = without_mirror_margin(made).facts.thresholds
    assert (blind.mirror_margin, blind.mirror_known) == (None, None)
