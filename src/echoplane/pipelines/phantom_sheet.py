"""Phantom beside real clips: a contact sheet to look at, and the statistics that a network could tell them apart by."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from echoplane._files import atomic_write
from echoplane.errors import DataError, UsageError
from echoplane.phantom.training import render_training_clip
from echoplane.prepare import prepare
from echoplane.prepare.recipe import RECIPES, PrepareRecipe
from echoplane.records import FloatArray, UInt8Array
from echoplane.sources.open import open_cine
from echoplane.views import VIEWS, Family, family_of, find_view

#: Frames compared are this far apart; a network sees about this step.
STEP_S = 1 / 16
FRAMES = 8
#: Figures of :func:`statistics`, in order.
FIGURES = (
    "q10", "q25", "q50", "q75", "q90", "q99", "dark", "bright", "coarse", "middle", "fine", "grain", "steady", "fill",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Prepared frames of one clip.

    Attributes
    ----------
    view : str
    name : str
    frames : uint8 array, (T, H, W)
    """

    view: str
    name: str
    frames: UInt8Array


def real_samples(index: str | Path, per_group: int = 2, recipe: PrepareRecipe = RECIPES["store"]) -> list[Sample]:
    """Read real clips, a few a group and view.

    Parameters
    ----------
    index : str or Path
        A CSV file with the columns ``file`` (relative to its folder), ``view`` and ``group``.
    per_group : int
        Clips of one group and view, at most: groups of many near-copies must not outweigh the rest.
    recipe : PrepareRecipe

    Raises
    ------
    DataError
        When the file cannot be read or lacks a column.
    """
    index = Path(index)
    try:
        with index.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        taken: dict[tuple[str, str], int] = defaultdict(int)
        chosen = []
        for row in rows:
            key = row["group"], row["view"]
            taken[key] += 1
            if taken[key] <= per_group:
                chosen.append((row["view"], row["file"]))
    except (OSError, KeyError) as error:
        raise DataError(f"{index}: needs the columns file, view and group ({error!r}).") from error
    samples = []
    for view, file in chosen:
        cine = open_cine(index.parent / file)
        step = max(1, round((cine.fps or 30) * STEP_S))
        numbers = list(range(0, cine.n_frames, step))[:FRAMES]
        found = find_view(view)
        samples.append(Sample(found.label if found else view, file, prepare(cine, recipe, numbers).frames))
    return samples


def phantom_samples(
    views: Sequence[str], seed: int, per_view: int, recipe: PrepareRecipe = RECIPES["store"]
) -> list[Sample]:
    """Render phantom clips, `per_view` of each view, from consecutive seeds."""
    samples = []
    for number, view in enumerate(view for view in views for _ in range(per_view)):
        clip = render_training_clip(view, seed + number, frames=FRAMES, fps=1 / STEP_S, recipe=recipe)
        samples.append(Sample(view, f"seed {seed + number}", clip.frames))
    return samples


def statistics(frames: UInt8Array) -> FloatArray:
    """Figures of one prepared clip.

    Parameters
    ----------
    frames : uint8 array, (T, H, W)

    Returns
    -------
    float32 array, (len(FIGURES),)
        Grey quantiles inside the sector (``q10`` to ``q99``); shares of it that are ``dark`` (below 12) and ``bright``
        (above 200); shares of the spectral power in ``coarse`` (4 to 10 cycles a picture), ``middle`` (10 to 24) and
        ``fine`` (24 to 60) detail, each as log10 of the power a pixel; ``grain``, the median over tissue of the spread
        of 5 x 5 pixels over their mean; ``steady``, the correlation of one frame with
        the next; ``fill``, the share of the picture that is lit at some time.
    """
    lit = frames.max(0) > 8
    lit = cv2.morphologyEx(lit.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)).astype(bool)
    if lit.sum() < 50:
        return np.full(len(FIGURES), np.nan, np.float32)
    inside = frames[:, lit].astype(np.float32)
    quantiles = np.percentile(inside, (10, 25, 50, 75, 90, 99))
    picture = frames[0].astype(np.float32) - inside[0].mean()
    picture[~lit] = 0
    power = np.abs(np.fft.fftshift(np.fft.fft2(picture))) ** 2 / lit.sum()
    rows, columns = picture.shape
    away = np.hypot(np.arange(rows)[:, None] - rows // 2, np.arange(columns)[None, :] - columns // 2)
    bands = [np.log10(power[(away >= a) & (away < b)].mean() + 1e-3) for a, b in ((4, 10), (10, 24), (24, 60))]
    steady = (
        np.corrcoef(inside[0], inside[1])[0, 1] if len(inside) > 1 and inside[0].std() and inside[1].std() else np.nan
    )
    shares = (inside < 12).mean(), (inside > 200).mean()
    return np.array([*quantiles, *shares, *bands, _grain(frames[0]), steady, lit.mean()], np.float32)


def _grain(frame: UInt8Array) -> float:
    """Relative roughness of what is bright."""
    grey = frame.astype(np.float32)
    mean, square = cv2.blur(grey, (5, 5)), cv2.blur(grey * grey, (5, 5))
    bright = mean > 70
    spread = np.sqrt(np.maximum(square - mean * mean, 0))[bright] / mean[bright]
    return float(np.median(spread)) if bright.any() else float("nan")


def compare(real: Sequence[Sample], phantom: Sequence[Sample]) -> str:
    """Return a table: median and quartiles of every figure, real and phantom, by family of views."""
    head = f"{'figure':8s} {'family':12s} {'real: quartiles':>26s} {'phantom: quartiles':>26s}"
    lines = [f"{head}  real clips outside phantom 5-95 %"]
    for family in (Family.APICAL, Family.SHORT_AXIS):
        ours = np.array([statistics(s.frames) for s in phantom if family_of(s.view) is family])
        theirs = np.array([statistics(s.frames) for s in real if family_of(s.view) is family])
        if not len(ours) or not len(theirs):
            continue
        for column, figure in enumerate(FIGURES):
            a, b = theirs[:, column], ours[:, column]
            low, high = np.nanpercentile(b, (5, 95))
            outside = np.mean((a < low) | (a > high))
            lines.append(f"{figure:8s} {family.value:12s} {_quartiles(a)} {_quartiles(b)}  {outside:5.0%}")
    return "\n".join(lines)


def _quartiles(values: FloatArray) -> str:
    low, middle, high = np.nanpercentile(values, (25, 50, 75))
    return f"{low:8.2f} {middle:8.2f} {high:8.2f}"


def sheet(real: Sequence[Sample], phantom: Sequence[Sample], columns: int = 8, side: int = 96) -> UInt8Array:
    """Draw a contact sheet: for every view a row of real clips over a row of phantom clips.

    Returns
    -------
    uint8 array, (H, W)
    """
    order = [row.label for row in VIEWS]
    by_view: Mapping[str, tuple[list[Sample], list[Sample]]] = defaultdict(lambda: ([], []))
    for which, samples in enumerate((real, phantom)):
        for sample in samples:
            by_view[sample.view][which].append(sample)
    rows = []
    for view in sorted(by_view, key=lambda v: order.index(v) if v in order else len(order)):
        for name, samples in zip(("real", "phantom"), by_view[view], strict=True):
            if samples:
                rows.append(_row(f"{view} {name}", samples[:columns], columns, side))
    return np.concatenate(rows)


def check_ending(path: str | Path) -> str:
    """Return the ending of a sheet's name, in small letters.

    Raises
    ------
    UsageError
        When no sheet ends so.
    """
    ending = Path(path).suffix.lower()
    if ending not in (".png", ".jpg", ".jpeg"):
        raise UsageError(f"{path}: a contact sheet ends in .png or .jpg.")
    return ending


def write_sheet(
    path: str | Path, real: Sequence[Sample], phantom: Sequence[Sample], columns: int = 8, side: int = 96
) -> None:
    """Write :func:`sheet` as a PNG or JPEG file, as its name asks for.

    Raises
    ------
    UsageError
        For another ending.
    """
    ending = check_ending(path)
    with atomic_write(path, "wb") as stream:
        stream.write(cv2.imencode(ending, sheet(real, phantom, columns, side))[1].tobytes())


def _row(title: str, samples: Sequence[Sample], columns: int, side: int) -> UInt8Array:
    strip = np.zeros((side + 14, columns * side), np.uint8)
    strip[:12] = 70 if title.endswith("real") else 35
    cv2.putText(strip, title, (3, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 255, 1, cv2.LINE_AA)
    for number, sample in enumerate(samples):
        frame = sample.frames[min(2, len(sample.frames) - 1)]
        small = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)
        strip[12 : 12 + side, number * side : (number + 1) * side] = small
    return strip
