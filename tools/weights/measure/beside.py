"""Other networks trained alike (a 2D baseline, the reference 3D network) on the same phantom patients."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from echoplane.inference.engine import load_engine
from echoplane.metrics.intervals import compare
from echoplane.models.bundle import Bundle
from measure import cost, fresh
from measure.reader import coarse
from measure.results import Ledger, Row, Say, identity, points, quiet, ranged, save, table

ROUNDS = 15


def measure(bundle: Bundle, out: Path, others: dict[str, Path], cines: int = 480, say: Say = quiet) -> Row:
    """Answer for the same phantoms with every network; write ``beside.json`` and its table."""
    bundles = {"these weights": bundle, **{name: Bundle.load(path) for name, path in others.items()}}
    places = {name: out if name == "these weights" else out / f"beside-{name}" for name in bundles}
    rows: dict[str, list[Row]] = {}
    for name, other in bundles.items():
        fresh.measure(other, places[name], cines, say)
        found = Ledger(places[name] / "phantom.rows.jsonl", {"bundle": identity(other)}).rows()
        rows[name] = sorted((r for r in found if int(r["cine"]) < cines), key=lambda r: r["cine"])
    speed = _in_turns(bundles)
    own = rows["these weights"]
    facts = {
        "bundle": identity(bundle),
        "cines": cines,
        "networks": [_one(name, bundles[name], own, rows[name], speed[name]) for name in bundles],
    }
    save(out, "beside", facts, markdown(facts))
    return facts


def _one(name: str, bundle: Bundle, own: list[Row], rows: list[Row], seconds: float) -> Row:
    right, theirs = (np.array([r["best"] == coarse(r["truth"]) for r in found]) for found in (own, rows))
    gap = compare(right, theirs, [r["group"] for r in own], repeats=1000)
    figures = fresh.figures(rows)
    return {
        "name": name,
        "network": bundle.facts.network.name,
        "parameters": cost.parameters(bundle),
        "mb": sum(m.size for m in bundle.facts.members.values()) / 1e6,
        "cpu_ms": 1e3 * seconds,
        "accuracy": figures["accuracy"],
        "accuracy_main": figures["accuracy_main"],
        "difference": {"value": gap.difference.value, "low": gap.difference.low, "high": gap.difference.high},
        "only_own": gap.only_first,
        "only_other": gap.only_second,
    }


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
    lines = []
    for row in facts["networks"]:
        gap = row["difference"]
        same = row is facts["networks"][0]
        lines.append(
            (
                f"{row['name']} ({row['network']})",
                f"{row['parameters']:,}",
                f"{row['cpu_ms']:.1f}",
                ranged(row["accuracy"]),
                ranged(row["accuracy_main"]),
                "" if same else f"{points(gap['value'])} ({points(gap['low'])} to {points(gap['high'])})",
            )
        )
    header = (
        "network",
        "parameters",
        "ms a clip",
        "accuracy, six views and other",
        "six main views",
        "these weights minus it, points",
    )
    return table(header, lines)
