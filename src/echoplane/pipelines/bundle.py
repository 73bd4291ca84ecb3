"""Check a bundle by reading all of it and running its network; give it another sampling rule."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from echoplane.errors import BundleError, MissingExtraError, UsageError
from echoplane.inference.engine import load_engine
from echoplane.inference.torch_engine import TorchEngine
from echoplane.models.bundle import WEIGHTS_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts
from echoplane.models.card import with_card
from echoplane.records import FloatArray
from echoplane.sampling.rule import rule_named

#: Logits of the two engines differ by no more than this on clips of noise (measured: 1e-5), of which every network may
#: be so sure that their probabilities are alike whatever the weights.
ALIKE = 1e-2


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What :func:`verify` found in a bundle that is well.

    Attributes
    ----------
    runs : dict of str to str
        By precision: how far its probabilities are from those of f32 on random clips (int8: its measured accuracy), or
        why it was not run. ``torch`` stands for the weights from which a GPU runs.
    strangers : tuple of str
        Files beside the members; they are never read.
    """

    runs: dict[str, str]
    strangers: tuple[str, ...]


def with_sampling(bundle: Bundle, name: str) -> Bundle:
    """Return a copy of a bundle that takes its clips by another rule, with a card of it.

    For networks that were trained on clips made beforehand: the rule that takes such clips as they are would take the
    frames of a whole cine too densely.

    Raises
    ------
    UsageError
        No rule of this name, or one of another number of frames.
    """
    rule, frames = rule_named(name), bundle.facts.sampling.frames
    if rule.frames != frames:
        raise UsageError(
            f"the sampling rule {name!r} makes clips of {rule.frames} frames, and the network of {bundle.where} was "
            f"trained on {frames}: it would see another movement. Choose a rule of {frames} frames."
        )
    members = {member: bundle.read(member) for member in bundle.facts.members}
    return with_card(Bundle.create(replace(bundle.facts, sampling=rule), members))


def verify(bundle: Bundle) -> VerifyReport:
    """Check every hash, then run the network in every precision of the bundle, and its weights, on random clips.

    Raises
    ------
    BundleError
        A damaged member, a network that does not load or does not fit its description, numbers that are not finite, or
        weights that are those of another network.
    """
    strangers = bundle.verify()
    facts = bundle.facts
    reference: FloatArray | None = None
    runs: dict[str, str] = {}
    for variant in sorted(facts.variants, key=lambda v: v.precision != "f32"):
        try:
            engine = load_engine(bundle, "openvino", precision=variant.precision)
        except UsageError as error:
            runs[variant.precision] = f"not run ({error})"
            continue
        # Drawn only now: the engine has made sure that the size of clips in bundle.json is that of the network.
        logits = engine.run(_clips(facts))
        if not np.isfinite(logits).all():
            raise BundleError(f"{bundle.where}: the {variant.precision} network gives numbers that are not finite.")
        if reference is None:
            reference = logits
            runs[variant.precision] = "runs"
        elif variant.precision == "int8":
            # Its ranges were fitted on hearts; how far it is off on noise says nothing.
            measured = "was not measured" if variant.accuracy is None else f"{variant.accuracy:.3f}"
            runs[variant.precision] = f"runs; accuracy {measured}"
        else:
            away = float(np.abs(facts.calibration.apply(logits) - facts.calibration.apply(reference)).max())
            runs[variant.precision] = f"runs; probabilities within {away:.1g} of f32 on random clips"
    if reference is not None and WEIGHTS_NAME in facts.members:
        runs["torch"] = _weights(bundle, reference)
    return VerifyReport(runs, strangers)


def _clips(facts: BundleFacts) -> FloatArray:
    return np.random.default_rng(0).normal(size=(3, 1, *facts.clip_shape)).astype(np.float32)


def _weights(bundle: Bundle, expected: FloatArray) -> str:
    """Compare what the weights answer in torch with the logits (C, K) of the f32 network."""
    try:
        engine = TorchEngine(bundle, device="cpu")
    except MissingExtraError:
        return f"{WEIGHTS_NAME} was not compared (torch is not installed)"
    away = float(np.abs(engine.run(_clips(bundle.facts)) - expected).max())
    if not away <= ALIKE:
        raise BundleError(
            f"{bundle.where}: {WEIGHTS_NAME} and the f32 network differ by {away:.2g} in the logits of the same clips: "
            "they are not of one training, and a GPU would answer otherwise than a CPU. Export the bundle again."
        )
    return f"{WEIGHTS_NAME} runs; logits within {away:.1g} of the f32 network's on random clips"
