"""Check a bundle by reading all of it and running its network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echoplane.errors import BundleError, UsageError
from echoplane.inference.engine import load_engine
from echoplane.models.bundle import Bundle


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What :func:`verify` found in a bundle that is well.

    Attributes
    ----------
    runs : dict of str to str
        By precision: how far its probabilities are from those of f32 on random clips (int8: its measured accuracy), or
        why it was not run.
    strangers : tuple of str
        Files beside the members; they are never read.
    """

    runs: dict[str, str]
    strangers: tuple[str, ...]


def verify(bundle: Bundle) -> VerifyReport:
    """Check every hash, then run the network in every precision of the bundle on random clips.

    Raises
    ------
    BundleError
        A damaged member, a network that does not load or does not fit its description, or numbers that are not
        finite.
    """
    strangers = bundle.verify()
    facts = bundle.facts
    reference = None
    runs: dict[str, str] = {}
    for variant in sorted(facts.variants, key=lambda v: v.precision != "f32"):
        try:
            engine = load_engine(bundle, "openvino", precision=variant.precision)
        except UsageError as error:
            runs[variant.precision] = f"not run ({error})"
            continue
        # Drawn only now: the engine has made sure that the size of clips in bundle.json is that of the network.
        logits = engine.run(np.random.default_rng(0).normal(size=(3, 1, *facts.clip_shape)).astype(np.float32))
        if not np.isfinite(logits).all():
            raise BundleError(f"{bundle.where}: the {variant.precision} network gives numbers that are not finite.")
        probabilities = facts.calibration.apply(logits)
        if reference is None:
            reference = probabilities
            runs[variant.precision] = "runs"
        elif variant.precision == "int8":
            # Its ranges were fitted on hearts; how far it is off on noise says nothing.
            measured = "was not measured" if variant.accuracy is None else f"{variant.accuracy:.3f}"
            runs[variant.precision] = f"runs; accuracy {measured}"
        else:
            away = float(np.abs(probabilities - reference).max())
            runs[variant.precision] = f"runs; probabilities within {away:.1g} of f32 on random clips"
    return VerifyReport(runs, strangers)
