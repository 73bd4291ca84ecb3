"""Draw the sector found in each of many cines, as one or more contact sheets.

    python tools/sector_sheet.py --out sheet.jpg [--columns 12 --tile 110 --pages 1 --dim] [FILE ...]

Without files: every development clip (``../shared/clips`` or ``$ECHOPLANE_CLIPS``) and pydicom's colour example.
``--statistics`` also prepares each cine by the default recipe and prints the mean and standard deviation of v / 255.
``--dim`` blackens what lies outside the sector, so that no burned-in name travels with the sheet.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from echoplane.prepare import RECIPES, find_sector, prepare
from echoplane.records import Cine, Sector
from echoplane.sampling import RULES, plan
from echoplane.sources.open import open_cine

COLORS = {"phased": (90, 230, 90), "curved": (255, 200, 60), "linear": (90, 190, 255), "full": (255, 90, 90)}


def development_files() -> list[Path]:
    root = Path(os.environ.get("ECHOPLANE_CLIPS", Path(__file__).parents[1] / "../shared/clips"))
    with (root / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        files = [root / row["file"] for row in csv.DictReader(stream)]
    from pydicom import examples

    return [*files, Path(str(examples.get_path("ybr_color")))]


def outline(mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(line, contours, -1, 1, max(1, round(max(mask.shape) / 250)))
    return line.astype(bool)


def tile(cine: Cine, sector: Sector, side: int, dim: bool, number: int) -> np.ndarray:
    frame = cine.reader.read([cine.n_frames // 2])[0]
    mask = sector.mask(*frame.shape)
    if dim:
        frame = np.where(mask, frame, 0)
    picture = np.repeat(frame[..., None], 3, axis=2).astype(np.uint8)
    picture[outline(mask)] = COLORS[sector.kind.value]
    scale = side / max(frame.shape)
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((side + 13, side, 3), np.uint8)
    canvas[13 : 13 + picture.shape[0], : picture.shape[1]] = picture
    words = f"{number} {sector.kind.value} {sector.confidence:.2f}"
    cv2.putText(canvas, words, (1, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.32, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def prepared_values(cine: Cine) -> np.ndarray:
    needed = plan(cine.n_frames, cine.fps, RULES["default"]).needed
    return prepare(cine, RECIPES["default"], needed).frames / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="cines to draw")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--columns", type=int, default=12, help="cines in a row (%(default)s)")
    parser.add_argument("--tile", type=int, default=110, help="pixels of a cine on the sheet (%(default)s)")
    parser.add_argument("--pages", type=int, default=1, help="sheets to spread the cines over (%(default)s)")
    parser.add_argument("--quality", type=int, default=80, help="of the JPEG (%(default)s)")
    parser.add_argument("--dim", action="store_true", help="blacken what lies outside the sector")
    parser.add_argument(
        "--statistics", action="store_true", help="print mean and standard deviation of prepared pixels"
    )
    args = parser.parse_args()
    tiles, kinds, seconds, moments = [], Counter[str](), 0.0, []
    for number, path in enumerate(args.files or development_files()):
        cine = open_cine(path)
        start = time.perf_counter()
        sector = find_sector(cine)
        seconds += time.perf_counter() - start
        kinds[sector.kind.value] += 1
        if args.statistics:
            values = prepared_values(cine)
            moments.append((values.mean(), (values**2).mean()))
        print(
            f"{number:3d} {path.name:45s} {sector.kind.value:7s} {sector.confidence:.2f} {sector.origin} {sector.box}"
        )
        tiles.append(tile(cine, sector, args.tile, args.dim, number))
    if moments:
        mean, square = np.mean(moments, axis=0)
        print(f"prepared by the default recipe: mean {mean:.3f}, std {math.sqrt(square - mean**2):.3f}")
    per_page = math.ceil(len(tiles) / args.pages)
    for page in range(args.pages):
        part = tiles[page * per_page : (page + 1) * per_page]
        rows = [part[i : i + args.columns] for i in range(0, len(part), args.columns)]
        blank = np.zeros_like(tiles[0])
        sheet = np.vstack([np.hstack(row + [blank] * (args.columns - len(row))) for row in rows])
        name = args.out if args.pages == 1 else args.out.with_stem(f"{args.out.stem}-{page + 1}")
        name.parent.mkdir(parents=True, exist_ok=True)
        quality = [cv2.IMWRITE_JPEG_QUALITY, args.quality] if name.suffix in (".jpg", ".jpeg") else []
        cv2.imwrite(str(name), sheet[..., ::-1], quality)
        print(name, sheet.shape)
    print(dict(kinds), f"{1000 * seconds / len(tiles):.1f} ms a cine, decoding included")


if __name__ == "__main__":
    main()
