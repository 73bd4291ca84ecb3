"""Letters that run into the picture do not bend the sector."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from echoplane.prepare import find_sector
from echoplane.prepare.sector_evidence import like_text
from echoplane.prepare.sector_letters import without_letters
from echoplane.records import Cine

Paint = Callable[..., Any]
Make = Callable[..., Cine]


def lettered(
    frames: np.ndarray, truth: np.ndarray, left: bool, scale: float = 0.6, over: float = 0.15, level: int = 230
) -> np.ndarray:
    """Write five lines beside the picture, each running into its side by a part of its length."""
    frames = frames.copy()
    rows = np.flatnonzero(truth.any(axis=1))
    for i, words in enumerate(("HOSPITAL", "TIS0.7 MI 1.1", "62Hz 16cm", "2D 58% C 50", "P Low HGen")):
        y = int(rows[0] + 0.3 * np.ptp(rows)) + round(34 * scale) * i
        wide = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)[0][0]
        row = np.flatnonzero(truth[y - 5])
        at = int(row[0] - (1 - over) * wide if left else row[-1] - over * wide), y
        for frame in frames:
            cv2.putText(frame, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, level, 2, cv2.LINE_AA)
    return frames


def small(frames: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(frame, (320, 229), interpolation=cv2.INTER_AREA) for frame in frames])


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("shape", ["phased", "curved", "tilted"])
def test_letters_that_touch_the_picture_do_not_bend_the_sector(
    screen: Paint, in_memory: Make, shape: str, left: bool
) -> None:
    painted = screen(0, shape, size=(400, 560), overlays=False)
    sector = find_sector(in_memory(lettered(painted.frames, painted.truth, left)))
    found = sector.mask(*painted.truth.shape)
    assert (found & painted.truth).sum() / (found | painted.truth).sum() > 0.97
    assert sector.is_confident


def test_only_the_letters_are_painted_over(screen: Paint) -> None:
    painted = screen(0, "phased", size=(400, 560), overlays=False)
    truth = small(painted.truth[None].astype(np.uint8))[0] > 0
    written = small(lettered(painted.frames, painted.truth, True))
    cleaned = without_letters(written)
    assert cleaned is not None
    # Letters that stand alone may stay: parts that do not move fall outside anyway.
    left, before = (int(np.count_nonzero(frames[:, ~truth] > 60)) for frames in (cleaned, written))
    assert left < 0.6 * before
    assert (cleaned == written)[:, truth].mean() > 0.97


def test_a_picture_without_letters_stays(screen: Paint) -> None:
    for seed in range(4):
        assert without_letters(screen(seed, size=(240, 320), overlays=False).frames) is None
    assert without_letters(np.zeros((8, 40, 60), np.uint8)) is None


def test_a_few_frames_do_not_tell(screen: Paint) -> None:
    painted = screen(0, "phased", size=(400, 560), overlays=False)
    assert without_letters(small(lettered(painted.frames, painted.truth, True))[:3]) is None


def test_letters_on_a_dim_smooth_picture_do_not_make_it_a_page(screen: Paint, in_memory: Make) -> None:
    for seed in (2, 5):
        painted = screen(seed, "phased", size=(400, 560), overlays=False)
        dim = np.stack([0.45 * cv2.GaussianBlur(frame, (0, 0), 2.5) for frame in painted.frames]).astype(np.uint8)
        assert find_sector(in_memory(lettered(dim, painted.truth, True, 0.8, 0.3, 255))).is_confident


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1)])
def test_a_row_of_pixels_can_be_asked(shape: tuple[int, int]) -> None:
    black_and_white = np.random.default_rng(0).integers(0, 2, (3, *shape), np.uint8) * 255
    assert like_text(black_and_white, np.ones(shape, bool)) == (shape != (1, 1))


def test_what_fills_the_frame_has_nothing_around_it_to_hang_on_to() -> None:
    """Warnings are errors here: there was a division by nothing."""
    assert without_letters(np.full((8, 240, 320), 200, np.uint8)) is None
