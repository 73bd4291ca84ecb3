"""Of a B-mode panel beside one with colour Doppler, the B-mode panel is looked at."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from echoplane.errors import UnreadableError
from echoplane.phantom.clip import render_clip
from echoplane.prepare.sector import locate
from echoplane.records import Cine, Region

Paint = Callable[..., Any]
Make = Callable[..., Cine]


def with_colour_box(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Paint red and blue patches that come and go into the middle of the picture."""
    rng = np.random.default_rng(0)
    rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    middle = (slice(rows[len(rows) // 3], rows[2 * len(rows) // 3]), slice(columns[len(columns) // 3], columns[-120]))
    coloured = np.repeat(frames[..., None], 3, axis=-1)
    for frame in coloured:
        box = frame[middle]
        patches = rng.integers(0, 3, (box.shape[0] // 20 + 1, box.shape[1] // 20 + 1))
        patches = np.kron(patches, np.ones((20, 20), int))[: box.shape[0], : box.shape[1]]
        box[patches == 1] = (230, 60, 0)
        box[patches == 2] = (0, 80, 230)
    return coloured


def side_by_side(screen: Paint, gap: int, colour_first: bool) -> tuple[np.ndarray, np.ndarray]:
    """B-mode and colour Doppler of the same heart; truth is the B-mode panel."""
    painted = screen(3, "phased", size=(336, 384), overlays=False)
    grey = np.repeat(painted.frames[..., None], 3, axis=-1)
    panels = [grey, with_colour_box(painted.frames, painted.truth)]
    truths = [painted.truth, np.zeros_like(painted.truth)]
    space = np.zeros((*grey.shape[:2], gap, 3), np.uint8)
    if colour_first:
        panels, truths = panels[::-1], truths[::-1]
    frames = np.concatenate([panels[0], space, panels[1]], axis=2)
    return frames, np.concatenate([truths[0], np.zeros((len(painted.truth), gap), bool), truths[1]], axis=1)


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def grey_of(cine: Cine) -> np.ndarray:
    return cine.reader.read(range(cine.n_frames))


@pytest.mark.parametrize("gap", [0, 40])
@pytest.mark.parametrize("colour_first", [True, False])
def test_the_panel_without_colour_is_taken(screen: Paint, in_memory: Make, gap: int, colour_first: bool) -> None:
    frames, truth = side_by_side(screen, gap, colour_first)
    cine = in_memory(frames)
    located = locate(grey_of(cine), cine)
    assert iou(located.sector.mask(*truth.shape), truth) > 0.95
    which = "right" if colour_first else "left"
    assert located.notes == (
        f"The screen holds a B-mode panel beside one with colour Doppler; the B-mode panel ({which}) was used.",
    )


def test_the_header_says_where_the_panels_are(screen: Paint, in_memory: Make) -> None:
    frames, truth = side_by_side(screen, 0, colour_first=True)
    cine = in_memory(frames, regions=(Region(0, 0, 384, 336, 1, 2), Region(384, 0, 768, 336, 1, 1)))
    located = locate(grey_of(cine), cine)
    assert located.sector.origin == "dicom"
    assert iou(located.sector.mask(*truth.shape), truth) > 0.95
    assert "B-mode panel beside one with colour Doppler" in located.notes[0]


def test_a_colour_box_in_the_only_panel_changes_nothing(screen: Paint, in_memory: Make) -> None:
    painted = screen(3, "phased", size=(336, 384), overlays=False)
    cine = in_memory(with_colour_box(painted.frames, painted.truth))
    located = locate(grey_of(cine), cine)
    assert iou(located.sector.mask(*painted.truth.shape), painted.truth) > 0.95
    assert not located.notes


def test_two_panels_with_colour_are_told_apart_by_motion(screen: Paint, in_memory: Make) -> None:
    painted = screen(3, "phased", size=(336, 384), overlays=False)
    coloured = with_colour_box(painted.frames, painted.truth)
    cine = in_memory(np.concatenate([coloured, coloured], axis=2))
    assert "one, with most motion, was used" in locate(grey_of(cine), cine).notes[0]


@pytest.mark.parametrize(("axis", "sides"), [(2, ("left", "right")), (1, ("upper", "lower"))])
@pytest.mark.parametrize("still", [0, 1])
def test_the_note_says_which_of_two_panels_was_used(
    screen: Paint, in_memory: Make, axis: int, sides: tuple[str, str], still: int
) -> None:
    moving = screen(3, "phased", size=(336, 384), overlays=False).frames
    calm = moving.copy()
    calm[:, 200:] = calm[:1, 200:]  # its lower part stands still
    panels = [moving, moving]
    panels[still] = calm
    cine = in_memory(np.concatenate(panels, axis=axis))
    located = locate(grey_of(cine), cine)
    assert f"the {sides[1 - still]} one, with most motion," in located.notes[0]
    x, y = located.sector.box[0] + located.sector.box[2], located.sector.box[1] + located.sector.box[3]
    assert (x > cine.width if axis == 2 else y > cine.height) == (still == 0)


@pytest.mark.parametrize("seeds", [(106, 306), (108, 308)])
def test_panels_whose_one_side_is_lost_in_the_dark_are_two(in_memory: Make, seeds: tuple[int, int]) -> None:
    planes = [
        render_clip(view, seed, frames=8, fps=8, size=(480, 480), nuisances=("pose", "disease", "acoustics"))
        for view, seed in zip(("A4C", "A2C"), seeds, strict=True)
    ]
    masks = [plane.sector.mask(480, 480) for plane in planes]
    cine = in_memory(np.concatenate([plane.frames for plane in planes], axis=2))
    located = locate(grey_of(cine), cine)
    assert "more than one live panel" in located.notes[0]
    nothing = np.zeros_like(masks[0])
    truths = [np.concatenate(pair, axis=1) for pair in ((masks[0], nothing), (nothing, masks[1]))]
    assert max(iou(located.sector.mask(*truth.shape), truth) for truth in truths) > 0.8


class _NoColour:
    """Decodes grey only."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames = frames

    def read(self, indices: Sequence[int], *, color: bool = False, reduce: int = 1) -> np.ndarray:
        if color:
            raise UnreadableError("painted", "Frame 0 is damaged.")
        return self.frames[list(indices)]


def test_frames_that_do_not_decode_in_colour_are_taken_for_grey(screen: Paint, in_memory: Make) -> None:
    frames, _ = side_by_side(screen, 40, colour_first=False)
    grey = grey_of(in_memory(frames))
    cine = Cine("painted", _NoColour(grey), 8, *grey.shape[1:], fps=30.0)
    assert "one, with most motion, was used" in locate(grey, cine).notes[0]


def test_one_panel_is_never_decoded_in_colour(screen: Paint, in_memory: Make) -> None:
    painted = screen(3, "phased", size=(336, 384), overlays=False)
    cine = in_memory(painted.frames)
    locate(painted.frames, cine)
    assert not cine.reader.asked  # type: ignore[attr-defined]
