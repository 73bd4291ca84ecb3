"""What a bundle answers to frames that lie in memory: the same steps as prediction takes, and the novelty score."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from echoplane.inference import mirror
from echoplane.inference.decide import decide
from echoplane.inference.engine import load_engine
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.selective import energy
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, Thresholds
from echoplane.prepare.frames import prepare
from echoplane.records import Cine, FloatArray, UInt8Array
from echoplane.sampling.clips import gather, plan
from echoplane.views import MAIN_VIEWS, OTHER


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer.

    Attributes
    ----------
    status : str
        ``ok``, ``other`` or ``unsure``.
    best : str
        The forced choice; every label outside the main views counts as ``other``.
    label : str
        The forced choice as the network spells it.
    probability : float
        Of the winning side: the best main view, or all others together.
    main, most : float
        Largest probability of a main view; largest of any label.
    energy, answers_energy : float or None
        Of all logits, and of those of the offered labels alone; None where only probabilities are known.
    mirrored : bool
        Taken for a picture with left and right exchanged, and answered turned around.
    """

    status: str
    best: str
    label: str
    probability: float
    main: float
    most: float
    energy: float | None = None
    answers_energy: float | None = None
    mirrored: bool = False

    def row(self) -> dict[str, object]:
        """Return the answer as a row of a ledger."""
        return asdict(self)


def coarse(label: str) -> str:
    """Return a main view by its name, and everything else as ``other``."""
    return label if label in MAIN_VIEWS else OTHER


class Reader:
    """A bundle with its engine on one thread."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.facts = bundle.facts
        self.engine = load_engine(bundle, threads=1)

    def cine(self, cine: Cine) -> Reading:
        """Answer for a cine by the whole path: sampling, sector, crop, network, decision."""
        sampling = plan(cine.n_frames, cine.fps, self.facts.sampling, source=cine.source)
        return self.clips(gather(prepare(cine, self.facts.recipe, sampling.needed), sampling))

    def clips(self, clips_CNHW: UInt8Array) -> Reading:
        """Answer for clips that are prepared already."""
        logits, turned = self._run(clips_CNHW), clips_CNHW[..., ::-1]
        if mirror.seems_exchanged(logits, lambda: self._run(turned[:1]), self.facts):
            return replace(reading(self._run(turned), self.facts), mirrored=True)
        return reading(logits, self.facts)

    def _run(self, clips_CNHW: UInt8Array) -> FloatArray:
        return self.engine.run(self.facts.recipe.normalise(clips_CNHW)[:, None])


def reading(logits_CK: npt.NDArray[np.floating], facts: BundleFacts) -> Reading:
    """Decide as the product does."""
    answer = decide(logits_CK, facts)
    p = answer.probabilities
    main = max((p[label] for label in facts.answers), default=0.0)
    rest = sum(value for label, value in p.items() if label not in facts.answers)
    offered = answer.best_view in facts.answers
    columns = [k for k, label in enumerate(facts.vocabulary) if label in facts.answers]
    return Reading(
        str(answer.status),
        coarse(answer.best_view),
        answer.best_view,
        main if offered else rest,
        main,
        max(p.values(), default=0.0),
        float(energy(logits_CK).mean()),
        float(energy(logits_CK[:, columns]).mean()),
    )


def from_probabilities(p_K: npt.NDArray[np.floating], labels: tuple[str, ...], facts: BundleFacts) -> Reading:
    """Decide from the probabilities of a cine alone, by the bundle's threshold; the novelty check is left out."""
    limits = facts.thresholds
    per_view = {label: v for label, v in limits.per_view.items() if label in labels}
    bare = replace(
        facts,
        vocabulary=labels,
        offered=tuple(label for label in labels if label in MAIN_VIEWS),
        calibration=Scaling(),
        conformal=(),
        thresholds=Thresholds(min_probability=limits.min_probability, per_view=per_view),
    )
    found = reading(np.log(np.clip(p_K, 1e-12, None))[None], bare)
    return replace(found, energy=None, answers_energy=None)
