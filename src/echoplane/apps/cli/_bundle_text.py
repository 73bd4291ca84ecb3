"""A bundle's facts as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts

if TYPE_CHECKING:
    from echoplane.pipelines.variants import VariantFigures


def variants_table(figures: Sequence[VariantFigures]) -> Any:
    """Return the precisions side by side; the first is what the others are held against.

    Milliseconds are of one clip, alone and among as many as predict hands over at once.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("precision")
    heads = ("right", "against f32, points (95 %)", "same answers", "ms alone", "faster", "ms of many", "faster")
    for name in heads:
        table.add_column(name, justify="right")
    for f in figures:
        table.add_row(
            f.precision,
            f"{100 * f.accuracy.value:.1f} %",
            f.difference.points("+") if f is not figures[0] else "",
            f"{100 * f.agreement:.1f} %",
            f"{f.milliseconds:.2f}",
            f"{figures[0].milliseconds / f.milliseconds:.2f}",
            f"{f.together:.2f}",
            f"{figures[0].together / f.together:.2f}",
        )
    return table


def _looked_at(facts: BundleFacts) -> str:
    least = facts.thresholds.enough
    return "every clip" if least is None else f"two clips where they agree with {least:.2f} or more, else every clip"


def describe(bundle: Bundle) -> str:
    """Return the facts of a bundle as lines of text."""
    facts = bundle.facts
    size = sum(member.size for member in facts.members.values()) / 1e6
    lines = [
        f"{facts.name}  ({bundle.where})",
        *(f"  {note}" for note in facts.notes),
        *_fields(
            {
                "hash": bundle.hash,
                "made": f"{facts.created or 'date not given'}, {facts.made_by or 'maker not given'}",
                "licence": facts.licence or "not given",
                "size": f"{size:.1f} MB in {len(facts.members)} members",
                "answers": ", ".join(facts.answers),
                "also knows": ", ".join(v for v in facts.vocabulary if v not in facts.answers) or "nothing else",
                "network": f"{facts.network.name}{_options(facts)}",
                "takes": _takes(facts),
                "calibrated": facts.calibrated_on or "no: probabilities are the network's own",
                "unsure": _unsure(facts),
                "looks at": _looked_at(facts),
            }
        ),
        "",
        *_section(
            f"precisions (run: {facts.precision})",
            [_variant(v.precision, v.accuracy, v.milliseconds, v.note) for v in facts.variants],
        ),
        *_section(
            "measured",
            [
                f"{m.name} {m.value:.3f} ({m.level:.0%} interval {m.low:.3f} to {m.high:.3f}), "
                f"{m.cines} cines, {m.groups} patients: {m.on}"
                for m in facts.metrics
            ],
        ),
        *_section(
            "data",
            [
                f"{d.name}: {d.cines} cines, {d.groups} patients, for {d.use}, {d.licence or 'licence not given'}"
                f"{'; ' + d.note if d.note else ''}"
                for d in facts.data
            ],
        ),
    ]
    return "\n".join(lines).rstrip()


def _fields(values: dict[str, str]) -> Iterator[str]:
    return (f"  {name:<11} {value}" for name, value in values.items())


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"  {title}", *(f"    {line}" for line in lines or ["none given"])]


def _options(facts: BundleFacts) -> str:
    options = facts.network.options
    return f" ({', '.join(f'{key}={value}' for key, value in options.items())})" if options else ""


def _takes(facts: BundleFacts) -> str:
    frames, height, width = facts.clip_shape
    rule = facts.sampling
    how = {
        "seconds": f"over {rule.seconds:g} s",
        "every_kth": f"every {rule.step}. frame",
        "sliding": f"{rule.step} apart, moved on by {rule.stride}",
    }[rule.kind]
    most = f"at most {rule.max_clips} clips"
    return f"{frames} frames {how}, {width}x{height} pixels, {most}; recipe {facts.recipe.name!r}"


def _unsure(facts: BundleFacts) -> str:
    limits = facts.thresholds
    parts = [f"below {limits.min_probability:.2f}"] if limits.min_probability else []
    parts += [f"{label} below {value:.2f}" for label, value in limits.per_view.items()]
    if limits.novelty_limit is not None:
        parts.append(f"{limits.novelty.replace('_', ' ')} score above {limits.novelty_limit:.2f}")
    return "; ".join(parts) or "never: no thresholds are set"


def _variant(precision: str, accuracy: float | None, milliseconds: float | None, note: str) -> str:
    facts = [
        "" if accuracy is None else f"accuracy {accuracy:.3f}",
        "" if milliseconds is None else f"{milliseconds:.1f} ms a clip",
        note,
    ]
    return f"{precision}: {', '.join(f for f in facts if f) or 'not measured'}"
