"""Accuracy on phantoms with one thing overridden."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from echoplane.metrics.intervals import compare
from echoplane.models.bundle import Bundle
from echoplane.phantom.disease import DISEASES
from echoplane.phantom.looks import Acoustics, Dropout
from echoplane.phantom.recording import Recording
from echoplane.records import UInt8Array
from echoplane.views import MAIN_VIEWS, Family, family_of
from measure import phantoms, pictures
from measure.phantoms import Floats
from measure.reader import Reader, coarse
from measure.results import Ledger, Row, Say, identity, percent, points, quiet, ranged, save, share, table

DIRECT, SCREEN, HEALTHY = "as drawn, straight from the beams", "as drawn, whole screens", "no disease"
GAIN, WINDOW, SWAPPED = "gain: brightest tenth begins at", "poor window", "left and right swapped"
#: Diseases are rendered for so many patients of five.
ILL = 3
#: What stands for a poor window: far in the tails of what training draws.
HAZE = {"haze_db": -20.0, "haze_width": 1.5, "haze_from": 0.0, "haze_to": 1.0}
NOISE = {"noise_db": -46.0, "noise_rise_db": 36.0}
SHADOWS = (Dropout(-0.6, 0.4, 0.0, 26.0), Dropout(0.5, 0.4, 1.0, 26.0))
BLUR = {"axial_cm": 0.10, "beam_rad": 0.032}

Change = Callable[[Recording], Recording | None]
Pictures = Callable[[UInt8Array], UInt8Array]


@dataclass(frozen=True, slots=True)
class Factor:
    """One row of the table: what is changed, to what, and which row it is compared with."""

    name: str
    level: str
    against: str
    change: Change | None = None
    picture: Pictures | None = None
    fps: float | None = None
    dropped: float = 0.0
    disease: str | None = None

    @property
    def same_heart(self) -> bool:
        """Whether the plane shows what it shows in the reference."""
        return self.name in ("reference", GAIN, WINDOW) and self.disease is None


def _window(**changes: object) -> Change:
    return lambda rec: replace(rec, acoustics=replace(rec.acoustics, **changes))  # type: ignore[arg-type]


def _gain(level: float) -> Change:
    return lambda rec: replace(rec, scanner=replace(rec.scanner, level=level))


def _depth(factor: float) -> Change:
    return lambda rec: phantoms.with_shape(rec, depth_cm=rec.shape.depth_cm * factor)


def _width(degrees: float) -> Change:
    return lambda rec: phantoms.with_shape(rec, width=math.radians(degrees))


def _held(rotation: float = 0.0, tilt: float = 0.0) -> Change:
    return lambda rec: phantoms.with_pose(rec, phantoms.turned(rec.pose, rotation, tilt))


def _short(cm: float) -> Change:
    def change(rec: Recording) -> Recording | None:
        if family_of(rec.view) is not Family.APICAL:
            return None
        return phantoms.with_pose(rec, phantoms.foreshortened(rec, cm))

    return change


def _picture(how: Callable[..., UInt8Array], value: float | None = None) -> Pictures:
    return (lambda frames: how(frames)) if value is None else (lambda frames: how(frames, value))


def factors() -> Iterator[Factor]:
    """Yield the rows, in the order of the table."""
    yield Factor("reference", DIRECT, "")
    yield from _machine()
    yield from _hand()
    yield from _body()
    yield Factor("reference", SCREEN, "", picture=lambda frames: frames)
    yield from _export()


def _machine() -> Iterator[Factor]:
    for level in (0.2, 0.35, 0.8, 0.95):
        yield Factor(GAIN, f"{level:.0%} grey", DIRECT, _gain(level))
    for times in (0.75, 1.5):
        yield Factor("depth of the picture", f"x {times:g}", DIRECT, _depth(times))
    for degrees in (50, 65, 110):
        yield Factor("sector width", f"{degrees} degrees", DIRECT, _width(degrees))
    for fps in (15.0, 30.0, 100.0):
        yield Factor("frame rate", f"{fps:g} fps", DIRECT, fps=fps)
    for part in (0.2, 0.5):
        yield Factor("frames dropped, file says nothing of it", f"{part:.0%}", DIRECT, dropped=part)


def _hand() -> Iterator[Factor]:
    for angle in (-20, -10, 10, 20):
        yield Factor("probe turned around its beam", f"{angle:+d} degrees", DIRECT, _held(rotation=angle))
    for angle in (-10, 10):
        yield Factor("probe tilted off its plane", f"{angle:+d} degrees", DIRECT, _held(tilt=angle))
    for cm in (1.0, 2.0):
        yield Factor("foreshortened (apical views)", f"{cm:g} cm too high", DIRECT, _short(cm))


def _body() -> Iterator[Factor]:
    everything = {**HAZE, **NOISE, **BLUR, "dropouts": SHADOWS}
    for words, changes in (
        ("haze", HAZE),
        ("noise", NOISE),
        ("two shadows", {"dropouts": SHADOWS}),
        ("blur", BLUR),
        ("all of these", everything),
    ):
        yield Factor(WINDOW, words, DIRECT, _window(**changes))
    for name in ("none", *DISEASES):
        healthy = name == "none"
        level, against = (HEALTHY, "") if healthy else (name, HEALTHY)
        yield Factor("disease of all patients", level, against, disease=name)


def _export() -> Iterator[Factor]:
    for quality in (20, 40, 70, 95):
        yield Factor("JPEG quality", str(quality), SCREEN, picture=_picture(pictures.compressed, quality))
    for height in (80, 112, 240, 480, 1200):
        yield Factor("height of the picture", f"{height} pixels", SCREEN, picture=_picture(pictures.resized, height))
    yield Factor(SWAPPED, "", SCREEN, picture=pictures.mirrored)
    for angle in (-20, -10, 10, 20):
        yield Factor("picture turned", f"{angle:+d} degrees", SCREEN, picture=_picture(pictures.turned, angle))


def measure(bundle: Bundle, out: Path, cines: int = 150, say: Say = quiet) -> Row:
    """Render, answer, and write ``robustness.json`` and its table."""
    rows = list(factors())
    key = {"bundle": identity(bundle), "rows": [f"{f.name}/{f.level}" for f in rows]}
    ledger = Ledger(out / "robustness.rows.jsonl", key)
    reader = Reader(bundle)
    for number in range(cines):
        unit = f"{number:04d}"
        if unit not in ledger:
            ledger.add(unit, list(_answers(reader, number, rows)))
            say(f"robustness: cine {number + 1} of {cines}")
    wanted = [row for row in ledger.rows() if int(row["cine"]) < cines]
    facts = {
        "bundle": identity(bundle),
        "cines": cines,
        "patients": len({phantoms.patient_name(n) for n in range(cines)}),
        "poor_window": {
            "haze": HAZE,
            "noise": NOISE,
            "blur": BLUR,
            "shadows_loss_db": SHADOWS[0].loss_db,
            "usual": {name: getattr(Acoustics(), name) for name in (*HAZE, *NOISE, *BLUR)},
        },
        "mirror_noticed": _noticed(wanted, SWAPPED),
        "mirror_imagined": _noticed(wanted, "reference"),
        "rows": summary(wanted, rows),
    }
    save(out, "robustness", facts, markdown(facts))
    return facts


def _answers(reader: Reader, number: int, rows: list[Factor]) -> Iterator[Row]:
    rec = phantoms.recording(number)
    rule, recipe = reader.facts.sampling, reader.facts.recipe
    usual = phantoms.one_clip(rule, rec.frame_rate) / rec.frame_rate
    kept = phantoms.Direct(rec, usual, recipe)
    frames, fps = phantoms.picture_cine(rec, rule)
    for factor in rows:
        base = {"factor": factor.name, "level": factor.level, "truth": coarse(rec.view), "drawn": rec.shape.mirrored}
        if factor.picture is not None:
            found = reader.cine(phantoms.as_cine(factor.picture(frames), fps))
            yield {**base, **found.row()}
            continue
        changed = rec if factor.change is None else factor.change(rec)
        if factor.disease is not None:
            ill = number // len(MAIN_VIEWS) % 5 < ILL
            changed = phantoms.recording(number, factor.disease) if ill else None
        if changed is None:
            continue
        source = kept
        if not factor.same_heart:
            source = phantoms.Direct(changed, instants(factor, rec, reader, number), recipe)
        found = reader.clips(source.frames(changed)[None])
        yield {**base, "truth": coarse(changed.view), **found.row()}


def instants(factor: Factor, rec: Recording, reader: Reader, number: int) -> Floats:
    """Seconds after the start at which the frames of the clip were taken."""
    fps = factor.fps or rec.frame_rate
    wanted = phantoms.one_clip(reader.facts.sampling, fps)
    if not factor.dropped:
        return np.asarray(wanted / fps)
    # The file plays what is left at the old rate, so time jumps.
    rng = np.random.default_rng([phantoms.SEED, number, round(1000 * factor.dropped)])
    left = np.flatnonzero(rng.random(20 * (int(wanted.max()) + 2)) >= factor.dropped)
    return np.asarray(left[wanted] / fps)


def _noticed(found: list[Row], factor: str) -> float | None:
    """Return the share of the cines of a factor that were taken for mirrored, without those that are drawn mirrored."""
    own = [row["mirrored"] for row in found if row["factor"] == factor and not row["drawn"]]
    return sum(own) / len(own) if own else None


def summary(found: list[Row], rows: list[Factor]) -> list[Row]:
    """Return accuracy of each row, and its change against the row it is compared with, cine by cine."""
    by: dict[tuple[str, str], dict[str, Row]] = {}
    for row in found:
        by.setdefault((row["factor"], row["level"]), {})[row["cine"]] = row
    reference = {f.level: by.get((f.name, f.level), {}) for f in rows if not f.against}
    made = []
    for factor in rows:
        own = by.get((factor.name, factor.level), {})
        groups = [phantoms.patient_name(int(cine)) for cine in own]
        right = {cine: row["best"] == row["truth"] for cine, row in own.items()}
        offered = [cine for cine, row in own.items() if row["status"] == "ok"]
        made.append(
            {
                "factor": factor.name,
                "level": factor.level,
                "against": factor.against,
                "accuracy": share(right.values(), groups),
                "change": _change(right, reference.get(factor.against, {}), groups),
                "answered": len(offered) / len(own) if own else None,
                "right_of_answered": sum(right[c] for c in offered) / len(offered) if offered else None,
                "still_main": sum(row["truth"] in MAIN_VIEWS for row in own.values()),
            }
        )
    return made


def _change(right: dict[str, bool], reference: dict[str, Row], groups: list[str]) -> Row | None:
    if not reference or not right:
        return None
    before = [reference[cine]["best"] == reference[cine]["truth"] for cine in right]
    found = compare(np.array(list(right.values())), np.array(before), groups, repeats=1000).difference
    return {"value": found.value, "low": found.low, "high": found.high}


def markdown(facts: Row) -> str:
    """Return the table."""
    lines, last = [], ""
    for row in facts["rows"]:
        name = row["factor"] if row["factor"] != last else ""
        last = row["factor"]
        change = row["change"]
        lines.append(
            (
                " ".join(filter(None, (name, row["level"]))) if row["factor"] == "reference" else name,
                "" if row["factor"] == "reference" else row["level"],
                ranged(row["accuracy"]),
                ""
                if change is None
                else f"{points(change['value'])} ({points(change['low'])} to {points(change['high'])})",
                percent(row["answered"], 0),
                percent(row["right_of_answered"]),
                row["accuracy"]["cines"],
            )
        )
    header = ("what", "to", "accuracy", "change, points", "answered", "right of these", "cines")
    return table(header, lines)
