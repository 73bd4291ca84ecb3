"""Contact sheets of misread cines: what it is, and what it was taken for. Only what lies in the sector is shown."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np

from echoplane.models.bundle import Bundle
from echoplane.prepare.frames import prepare
from echoplane.prepare.recipe import RECIPES
from echoplane.records import Cine, UInt8Array
from echoplane.sources.open import open_cine
from measure import phantoms
from measure.development import Clip
from measure.results import Row, load, save
from measure.robustness import SCREEN

TILE, CAPTION, COLUMNS = 160, 30, 8
MOST = 24
REAL, PHANTOM = "default-weights-misread-real.jpg", "default-weights-misread-phantom.jpg"


def measure(bundle: Bundle, out: Path, clips: list[Clip], pictures: Path) -> Row:
    """Draw both sheets from what was measured before; write ``failures.json``."""
    facts: Row = {"real": None, "phantom": None}
    development = load(out, "development") or {}
    files = {clip.file: clip for clip in clips}
    real = [row for row in development.get("misread", []) if row["cine"] in files]
    if real:
        shown = spread(real, MOST)
        tiles = [tile(_middle(open_cine(files[row["cine"]].path)), row) for row in shown]
        facts["real"] = {"file": REAL, "shown": len(tiles), "of": len(real), "answers": development["how"]}
        write(sheet(tiles), pictures / REAL)
    misread = [row for row in _screens(out) if row["best"] != row["truth"]]
    if misread:
        shown = spread(misread, MOST)
        rule = bundle.facts.sampling
        tiles = [
            tile(_middle(phantoms.as_cine(*phantoms.picture_cine(phantoms.recording(int(row["cine"])), rule))), row)
            for row in shown
        ]
        facts["phantom"] = {"file": PHANTOM, "shown": len(tiles), "of": len(misread)}
        write(sheet(tiles), pictures / PHANTOM)
    save(out, "failures", facts, "")
    return facts


def _screens(out: Path) -> list[Row]:
    path = out / "robustness.rows.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
    return [
        {"cine": line["unit"], **row}
        for line in map(json.loads, lines)
        for row in line["rows"]
        if row["level"] == SCREEN
    ]


def spread(rows: list[Row], most: int) -> list[Row]:
    """Return the surest mistakes, but of every pair of truth and answer one before a second."""
    seen: dict[tuple[str, str], int] = {}
    ranked = []
    for row in sorted(rows, key=lambda r: -r["probability"]):
        pair = (row["truth"], row["best"])
        seen[pair] = seen.get(pair, 0) + 1
        ranked.append((seen[pair], -row["probability"], row["cine"], row))
    return [row for *_, row in sorted(ranked, key=lambda r: r[:3])[:most]]


def _middle(cine: Cine) -> UInt8Array:
    return np.asarray(prepare(cine, RECIPES["store"], [cine.n_frames // 2]).frames[0])


def tile(frame: UInt8Array, row: Row) -> UInt8Array:
    """Return one picture with its caption, (TILE + CAPTION, TILE)."""
    made = np.zeros((TILE + CAPTION, TILE), np.uint8)
    made[CAPTION:] = cv2.resize(frame, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    sure = "unsure, would be" if row["status"] == "unsure" else "read"
    for y, words in ((12, f"is {row['truth']}"), (25, f"{sure} {row['best']} {row['probability']:.2f}")):
        cv2.putText(made, words, (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.38, 235, 1, cv2.LINE_AA)
    return made


def sheet(tiles: list[UInt8Array]) -> UInt8Array:
    """Put tiles into rows."""
    columns = min(COLUMNS, len(tiles))
    blank = np.zeros_like(tiles[0])
    padded = tiles + [blank] * (math.ceil(len(tiles) / columns) * columns - len(tiles))
    return np.vstack([np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)])


def write(picture: UInt8Array, path: Path) -> None:
    """Write a JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 82])
