"""A model card written from a bundle's facts: nothing in it is typed in by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from echoplane.models.bundle import CARD_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts

_NOT_GIVEN = "not given"


def with_card(bundle: Bundle) -> Bundle:
    """Return a copy of a bundle whose ``MODEL_CARD.md`` says what its facts say now."""
    members = {name: bundle.read(name) for name in bundle.facts.members if name != CARD_NAME}
    return Bundle.create(bundle.facts, {**members, CARD_NAME: model_card(bundle.facts).encode()})


def model_card(facts: BundleFacts) -> str:
    """Write the facts for people, as Markdown.

    Parameters
    ----------
    facts : BundleFacts

    Returns
    -------
    str
        What the network answers and from what, what it was trained and measured on, when it says unsure, what each
        precision costs. What the facts do not hold is named as missing, since a reader must know that too.
    """
    parts = [
        f"# {facts.name}",
        *facts.notes,
        "The answers are for research; do not use them for diagnosis.",
        _bullets(_what(facts)),
        "## Measured",
        _measured(facts),
        "## Trained on",
        _data(facts),
        "## How sure",
        _bullets(_sure(facts)),
        "## Precisions",
        _precisions(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _what(facts: BundleFacts) -> Iterable[tuple[str, str]]:
    frames, height, width = facts.clip_shape
    others = [label for label in facts.vocabulary if label not in facts.answers]
    options = ", ".join(f"{key} {value}" for key, value in facts.network.options.items())
    yield "Answers", ", ".join(facts.answers)
    yield "Also knows, and calls `other`", ", ".join(others) or "nothing"
    yield "Network", f"{facts.network.name}{f' ({options})' if options else ''}"
    yield "Takes", f"clips of {frames} frames, {width} x {height} pixels, prepared by recipe `{facts.recipe.name}`"
    yield "Licence of the weights", facts.licence or _NOT_GIVEN
    yield "Made", f"{facts.created or _NOT_GIVEN}, by {facts.made_by or _NOT_GIVEN}"


def _sure(facts: BundleFacts) -> Iterable[tuple[str, str]]:
    limits = facts.thresholds
    yield "Calibrated on", facts.calibrated_on or "nothing: the probabilities are the network's own, and too sure"
    below = f"below a probability of {limits.min_probability:.2f}" if limits.min_probability else ""
    parts = [below, *(f"{label} below {value:.2f}" for label, value in limits.per_view.items())]
    if limits.novelty_limit is not None:
        parts.append(f"{limits.novelty.replace('_', ' ')} score above {limits.novelty_limit:.2f}")
    yield "Says `unsure`", "; ".join(p for p in parts if p) or "never: no threshold is set"
    if limits.mirror_margin is not None:
        asked = "" if limits.mirror_known is None else f", asked for above an energy of {limits.mirror_known:.2f}"
        yield "Left and right exchanged", f"noticed from a gain in energy of {limits.mirror_margin:.2f} on{asked}"
    if limits.enough is not None:
        yield "Two clips are enough", f"where they agree with a probability of {limits.enough:.2f} or more"
    sets = ", ".join(f"{s.level:.0%} ({s.samples} cines)" for s in facts.conformal)
    yield "Prediction sets for a coverage of", sets or "none"


def _measured(facts: BundleFacts) -> str:
    rows = [
        (m.name, f"{m.value:.3f}", f"{m.low:.3f} to {m.high:.3f}", f"{m.level:.0%}", m.cines, m.groups, m.on)
        for m in facts.metrics
    ]
    head = ("figure", "value", "interval", "level", "cines", "patients", "on")
    return _table(head, rows) or "Nothing was measured, or nothing was written down. Do not trust it before you have."


def _data(facts: BundleFacts) -> str:
    rows = [(d.name, d.use, d.cines, d.groups, d.licence or _NOT_GIVEN, d.note) for d in facts.data]
    return _table(("data", "for", "cines", "patients", "licence", "note"), rows) or "Not written down."


def _precisions(facts: BundleFacts) -> str:
    rows = [
        (
            f"{v.precision}{', the one that is run' if v.precision == facts.precision else ''}",
            "" if v.accuracy is None else f"{v.accuracy:.3f}",
            "" if v.milliseconds is None else f"{v.milliseconds:.2f}",
            v.note or "not measured",
        )
        for v in facts.variants
    ]
    return _table(("precision", "accuracy", "ms a clip", "on"), rows) or "None."


def _bullets(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in pairs)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; empty without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    # A bar inside a cell would end it.
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)
