"""Networks beside each other: one recipe, one budget, phantoms alone; so every real clip is new to each of them."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from echoplane.data.split import Split
from echoplane.errors import UsageError
from echoplane.inference.engine import load_engine
from echoplane.metrics.intervals import Comparison, compare
from echoplane.models.bundle import Bundle
from echoplane.views import Family, family_of
from measure import cost, development, fresh
from measure.development import Clip, target
from measure.reader import coarse
from measure.results import Ledger, Row, Say, identity, points, quiet, ranged, save, share, table

ROUNDS = 15


def measure(
    bundle: Bundle, out: Path, others: dict[str, Path], clips: list[Clip], cines: int = 480, say: Say = quiet
) -> Row:
    """Answer for the same phantoms and the same real clips with every network; write ``beside.json`` and its table.

    Parameters
    ----------
    bundle : Bundle
        The weights that the card is about; the others are not held against them, since they were trained longer.
    others : dict of str to Path
        Run folders of the networks; the first is what the others are held against.
    clips : list of Clip

    Raises
    ------
    UsageError
        A network that was trained on one of the clips.
    """
    bundles = {name: _unseen(name, run, clips) for name, run in others.items()}
    rows: dict[str, list[Row]] = {}
    real: dict[str, list[Row]] = {}
    for name, other in bundles.items():
        fresh.measure(other, out / f"beside-{name}", cines, say)
        found = Ledger(out / f"beside-{name}" / "phantom.rows.jsonl", {"bundle": identity(other)}).rows()
        rows[name] = sorted((r for r in found if int(r["cine"]) < cines), key=lambda r: r["cine"])
        known = [r for r in development.predicted(other, clips, say) if target(r["truth"]) != development.LEVEL_UNKNOWN]
        real[name] = known
    speed, first = _in_turns(bundles), next(iter(bundles))
    facts = {
        "bundle": identity(bundle),
        "cines": cines,
        "clips": len(real[first]),
        "networks": [
            {
                "name": name,
                "parameters": cost.parameters(other),
                "mb": sum(m.size for m in other.facts.members.values()) / 1e6,
                "cpu_ms": 1e3 * speed[name],
                "phantom": _phantom(rows[first], rows[name]),
                "real": _real(real[first], real[name]),
            }
            for name, other in bundles.items()
        ],
    }
    save(out, "beside", facts, markdown(facts))
    return facts


def _unseen(name: str, run: Path, clips: list[Clip]) -> Bundle:
    seen = {clip.file for clip in clips} & {row.cine for row in Split.load(run / "split.csv").rows}
    if seen:
        raise UsageError(f"{run}: {name} was trained with {len(seen)} of the clips in its split, it cannot be asked.")
    return Bundle.load(run / "bundle")


def _phantom(first: list[Row], rows: list[Row]) -> Row:
    levels = [r for r in rows if family_of(coarse(r["truth"])) is Family.SHORT_AXIS]
    good, theirs = (np.array([r["best"] == coarse(r["truth"]) for r in found]) for found in (first, rows))
    figures = fresh.figures(rows)
    return {
        "accuracy": figures["accuracy"],
        "levels": share([r["best"] == r["truth"] for r in levels], [r["group"] for r in levels]),
        **_gap(compare(good, theirs, [r["group"] for r in rows], repeats=1000)),
    }


def _real(first: list[Row], rows: list[Row]) -> Row:
    good, theirs = (np.array([development.right(r) for r in found]) for found in (first, rows))
    figures = development.figures(rows)
    return {
        "accuracy": figures["accuracy"],
        "family": figures["family"],
        **_gap(compare(good, theirs, [r["group"] for r in rows], repeats=1000)),
    }


def _gap(found: Comparison) -> Row:
    gap = found.difference
    return {"difference": {"value": gap.value, "low": gap.low, "high": gap.high}, "p": found.p_value}


def _in_turns(bundles: dict[str, Bundle]) -> dict[str, float]:
    """Processor seconds a clip of each network on one thread, medians, in turns."""
    engines = {name: load_engine(bundle, threads=1) for name, bundle in bundles.items()}
    clips = {name: np.zeros((1, 1, *bundle.facts.clip_shape), np.float32) for name, bundle in bundles.items()}
    times: dict[str, list[float]] = {name: [] for name in bundles}
    for number in range(ROUNDS + 1):
        for name, engine in engines.items():
            started = time.process_time()
            engine.run(clips[name])
            if number:
                times[name].append(time.process_time() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def markdown(facts: Row) -> str:
    """Return the table."""
    first = facts["networks"][0]["name"]
    lines = []
    for row in facts["networks"]:
        phantom, real = row["phantom"], row["real"]
        lines.append(
            (
                f"`{row['name']}`",
                f"{row['parameters']:,}",
                f"{row['cpu_ms']:.1f}",
                ranged(phantom["accuracy"]),
                ranged(phantom["levels"]),
                "" if row["name"] == first else _signed(phantom),
                ranged(real["accuracy"]),
                ranged(real["family"]),
                "" if row["name"] == first else _signed(real),
            )
        )
    header = (
        "network",
        "parameters",
        "ms a clip",
        "phantoms, six views and other",
        "short-axis levels",
        f"`{first}` minus it, points",
        "real clips, six views and other",
        "apical against short axis",
        f"`{first}` minus it, points",
    )
    return table(header, lines)


def _signed(row: Row) -> str:
    gap = row["difference"]
    return f"{points(gap['value'])} ({points(gap['low'])} to {points(gap['high'])})"
