"""Names beside and on the picture: what an export would show of them."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from echoplane.errors import RefusedError
from echoplane.phantom.clip import render_clip
from echoplane.prepare import find_sector
from echoplane.prepare.deidentify import is_sure, without_writing
from echoplane.prepare.sector import spread
from echoplane.records import Cine
from echoplane.sources.array import cine_from_array
from echoplane.sources.open import open_cine

NAME = ("MUELLER, HANS", "ID 4711-0815", "01.02.1943", "St. Marien Klinik")


def written(frames: np.ndarray, lines: tuple[str, ...], at: tuple[int, int], size: float) -> tuple[Cine, np.ndarray]:
    """Return a cine with lines of text from a point on, and where their ink is."""
    page = np.zeros(frames.shape[1:3], np.uint8)
    for number, line in enumerate(lines):
        place = at[0], at[1] + round(30 * size * number)
        cv2.putText(page, line, place, cv2.FONT_HERSHEY_SIMPLEX, size, 220, 1, cv2.LINE_AA)
    return cine_from_array(np.maximum(frames, page), fps=30), page > 100


def shown(cine: Cine, ink: np.ndarray) -> tuple[float, float]:
    """Return which fraction of some ink the plain sector shows, and the one that an export goes by."""
    plain = find_sector(cine)
    assert is_sure(plain, cine.n_frames)
    before = float(plain.mask(*ink.shape)[ink].mean())
    try:
        return before, float(without_writing(cine, plain).mask(*ink.shape)[ink].mean())
    except RefusedError:
        return before, 0.0


def phantom(seed: int) -> np.ndarray:
    frames = render_clip("A4C", seed, frames=12, size=(300, 400)).frames
    return frames if frames.ndim == 3 else np.ascontiguousarray(frames[..., 0])


def test_a_name_that_widens_the_sector_is_masked() -> None:
    cine, ink = written(phantom(1), NAME[:2], (260, 60), 0.45)
    before, after = shown(cine, ink)
    assert before > 0.5  # or there is nothing to see here
    assert after < 0.1


@pytest.mark.parametrize("at", [(120, 120), (150, 200)])
def test_a_name_on_the_picture_is_refused(at: tuple[int, int]) -> None:
    cine, _ = written(phantom(2), NAME[:1], at, 0.5)
    with pytest.raises(RefusedError, match=r"writing stands on the picture \(1 line\).*--accept-guess or --no-mask"):
        without_writing(cine, find_sector(cine))


def test_a_picture_without_writing_keeps_its_sector() -> None:
    for seed in range(6):
        cine = cine_from_array(phantom(seed), fps=30)
        sector = find_sector(cine)
        if not is_sure(sector, cine.n_frames):
            continue
        kept, mask = without_writing(cine, sector).mask(300, 400), sector.mask(300, 400)
        assert (kept & mask).sum() > 0.97 * (kept | mask).sum()


def test_what_does_not_move_tells_nothing() -> None:
    still = np.repeat(phantom(3)[:1], 12, axis=0)
    cine, _ = written(still, NAME[:1], (150, 150), 0.5)
    sector = find_sector(cine_from_array(phantom(3), fps=30))
    assert without_writing(cine, sector) is sector
    short = cine_from_array(phantom(3)[:2], fps=30)
    assert without_writing(short, sector) is sector


@pytest.mark.slow
def test_names_beside_real_pictures(real_clips: Path) -> None:
    """No clip as it is is refused, and no name drawn beside one comes through."""
    with (real_clips / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        files = [row["file"] for row in csv.DictReader(stream)]
    rng = np.random.default_rng(0)
    leaks = refused = written_beside = 0
    for name in files:
        cine = open_cine(real_clips / name)
        if cine.n_frames < 2:
            continue
        frames = cine.reader.read(spread(cine.n_frames))
        sector = find_sector(cine)
        if not is_sure(sector, cine.n_frames):
            continue
        without_writing(cine, sector)
        height, width = frames.shape[1:]
        for _ in range(20):
            at = int(rng.integers(max(width - 60, 1))), int(rng.integers(12, height))
            text, ink = written(frames, NAME, at, 0.001 * height)
            if ink.sum() > 80 and sector.mask(height, width)[ink].mean() < 0.1:
                break
        else:
            continue
        plain = find_sector(text)
        if not is_sure(plain, len(frames)):
            continue
        written_beside += 1
        try:
            leaks += without_writing(text, plain).mask(height, width)[ink].mean() > 0.3
        except RefusedError:
            refused += 1
    assert written_beside > 100
    assert leaks == 0
    assert refused < 0.1 * written_beside


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lines", "at", "size"),
    [
        ("denoising/IM_0003.mp4", ("MUELLER HANS 01.02.1943",), (5, 440), 0.57),
        ("handheld/1550611179852050432_A4C.mp4", NAME, (665, 530), 0.65),
    ],
)
def test_names_that_came_through(
    real_clips: Path, name: str, lines: tuple[str, ...], at: tuple[int, int], size: float
) -> None:
    cine = open_cine(real_clips / name)
    frames = cine.reader.read(range(min(cine.n_frames, 30)))
    before, after = shown(*written(frames, lines, at, size))
    assert before > 0.3
    assert after < 0.1
