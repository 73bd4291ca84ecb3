"""Sectors found on painted screens whose geometry is known."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from echoplane.prepare import find_sector, prepare, recipe_named
from echoplane.prepare.deidentify import is_sure
from echoplane.prepare.sector import SIDE, _shrink, locate, probe_reduction, spread
from echoplane.records import Cine, Region, Sector, SectorKind

Paint = Callable[..., Any]
Make = Callable[..., Cine]


def iou(sector: Sector, truth: np.ndarray) -> float:
    mask = sector.mask(*truth.shape)
    return float((mask & truth).sum() / (mask | truth).sum())


def test_mean_iou_and_worst_decile(screen: Paint) -> None:
    painted = [screen(seed) for seed in range(24)]
    scores = sorted(iou(find_sector(each.cine), each.truth) for each in painted)
    assert np.mean(scores) >= 0.97
    assert np.mean(scores[:3]) >= 0.93


@pytest.mark.slow
def test_mean_iou_of_many(screen: Paint) -> None:
    scores = []
    for seed in range(5000, 5160):
        each = screen(seed)
        scores.append(iou(find_sector(each.cine), each.truth))
    scores.sort()
    assert np.mean(scores) >= 0.975
    assert np.mean(scores[:16]) >= 0.9


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [
        ("phased", {SectorKind.PHASED}),
        ("curved", {SectorKind.CURVED}),
        ("virtual_convex", {SectorKind.CURVED}),
        ("linear", {SectorKind.LINEAR}),
    ],
)
def test_kind(screen: Paint, shape: str, kinds: set[SectorKind]) -> None:
    for seed in range(3):
        sector = find_sector(screen(seed, shape).cine)
        assert sector.kind in kinds
        assert sector.origin == "pixels"
        assert sector.confidence > 0.8


def test_geometry_of_a_fan(screen: Paint) -> None:
    painted = screen(2, "curved")
    sector, truth = find_sector(painted.cine), painted.what
    scale = painted.truth.shape[0] / 100
    assert math.dist(sector.apex, (truth["x"], truth["y"])) < 3 * scale
    assert abs(sector.r0 - truth["r0"]) < 3 * scale
    assert abs(sector.r1 - truth["r1"]) < 3 * scale
    assert abs(sector.left - truth["left"]) < math.radians(2)
    assert abs(sector.right - truth["right"]) < math.radians(2)


def test_box_is_tight_and_inside_the_frame(screen: Paint) -> None:
    for seed in range(8):
        cine = screen(seed, size=(240, 320)).cine
        sector = find_sector(cine)
        x0, y0, x1, y1 = sector.box
        assert 0 <= x0 < x1 <= cine.width
        assert 0 <= y0 < y1 <= cine.height
        rows, columns = np.nonzero(sector.mask(cine.height, cine.width))
        extent = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert np.abs(np.array(extent) - sector.box).max() <= 2


def test_small_cropped_cine(screen: Paint) -> None:
    """A fan that fills 112 x 112 pixels with black corners."""
    for seed in range(4):
        painted = screen(seed, "full_screen", size=(112, 112), overlays=False)
        assert iou(find_sector(painted.cine), painted.truth) > 0.93


def test_a_still_is_found_from_its_light(screen: Paint) -> None:
    for seed in (0, 2, 9):
        painted = screen(seed, frames=1)
        assert iou(find_sector(painted.cine), painted.truth) > 0.93


def test_a_fan_upside_down(screen: Paint, in_memory: Make) -> None:
    for seed in (0, 9):
        painted = screen(seed, "phased")
        cine = in_memory(np.ascontiguousarray(painted.frames[:, ::-1]))
        located = locate(cine.reader.read(range(8)), cine)
        assert iou(located.sector, painted.truth[::-1]) > 0.95
        assert "upside down" in located.notes[0]


def test_a_frame_lit_all_over_is_kept_whole(in_memory: Make) -> None:
    frames = np.random.default_rng(0).integers(60, 200, (8, 120, 160), dtype=np.uint8)
    sector = find_sector(in_memory(frames))
    assert sector.kind is SectorKind.FULL
    assert sector.box == (0, 0, 160, 120)
    assert sector.confidence >= 0.5


@pytest.mark.parametrize("count", [1, 5])
def test_black_frames(in_memory: Make, count: int) -> None:
    located = locate(np.zeros((count, 60, 80), np.uint8), in_memory(np.zeros((count, 60, 80), np.uint8)))
    assert located.sector == Sector(SectorKind.FULL, (0, 0, 80, 60), confidence=0.0, origin="none")
    assert located.notes


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 40), (2, 5, 5), (4, 40, 2)])
def test_tiny_frames_do_not_break_it(in_memory: Make, shape: tuple[int, int, int]) -> None:
    for level in (0, 200):
        sector = find_sector(in_memory(np.full(shape, level, np.uint8)))
        x0, y0, x1, y1 = sector.box
        assert 0 <= x0 < x1 <= shape[2]
        assert 0 <= y0 < y1 <= shape[1]


@pytest.mark.parametrize("seed", range(12))
def test_noise_and_shapes_do_not_break_it(in_memory: Make, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = np.zeros((4, 90, 130), np.uint8)
    for _ in range(rng.integers(1, 6)):
        y, x = rng.integers(0, 80), rng.integers(0, 120)
        block = frames[:, y : y + rng.integers(1, 60), x : x + rng.integers(1, 60)]
        block[...] = rng.integers(0, 256, block.shape)
    sector = find_sector(in_memory(frames))
    assert 0 <= sector.confidence <= 1
    assert sector.mask(90, 130).any()


@pytest.mark.parametrize("grey", [255, 128])
@pytest.mark.parametrize("blur", [0, 1.2])
@pytest.mark.parametrize("centred", [True, False])
def test_pages_of_text_are_no_sure_sector(in_memory: Make, grey: int, blur: float, centred: bool) -> None:
    rng = np.random.default_rng(5)
    frames = np.zeros((8, 480, 640), np.uint8)
    for frame in frames:
        for i, y in enumerate(range(20, 480, 20)):
            line = "".join(chr(code) for code in rng.integers(65, 91, 3 + 2 * i if centred else rng.integers(5, 50)))
            wide = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)[0][0]
            x = 320 - wide // 2 if centred else 10
            cv2.putText(frame, line, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, grey, 1, cv2.LINE_AA)
        if blur:
            frame[...] = cv2.GaussianBlur(frame, (0, 0), blur)
    assert not is_sure(find_sector(in_memory(frames)), len(frames))


def test_overlays_move_the_sector_little(screen: Paint, in_memory: Make) -> None:
    for seed in (1, 2, 6, 9):
        bare, drawn = screen(seed, overlays=False), screen(seed, overlays=True)
        assert iou(find_sector(drawn.cine), find_sector(bare.cine).mask(*bare.truth.shape)) > 0.97


def test_overlays_do_not_reach_the_network(screen: Paint, in_memory: Make) -> None:
    """Text is drawn over everything outside the true sector: the prepared frames stay as good as equal."""
    recipe = recipe_named("default")
    for seed in (1, 2, 6, 9):
        bare = screen(seed, overlays=False)
        drawn = np.where(bare.truth, bare.frames, screen(seed, overlays=True).frames)
        same_sector = prepare(in_memory(bare.frames), recipe).sector
        a = prepare(in_memory(bare.frames), recipe, sector=same_sector).frames.astype(int)
        b = prepare(in_memory(drawn), recipe, sector=same_sector).frames.astype(int)
        c = prepare(in_memory(drawn), recipe).frames.astype(int)
        assert np.abs(a - b).mean() < 0.2
        assert np.abs(a - c).mean() < 4


@pytest.mark.parametrize("page", [245, 128, 30])
@pytest.mark.parametrize("shape", ["phased", "full_screen"])
def test_a_page_around_the_picture_falls_outside(screen: Paint, in_memory: Make, shape: str, page: int) -> None:
    """A recorded browser or a slide: the page may touch the sector, and carries text that must not shine in."""
    painted = screen(3, shape, size=(336, 384), overlays=False)
    around = ((70, 60), (90, 110))
    frames = np.pad(painted.frames, ((0, 0), *around), constant_values=page)
    frames[:, 20:40, 30:500] = 255 - page
    frames[:, -30:-20, 90:400] = 0
    sector = find_sector(in_memory(frames))
    truth = np.pad(painted.truth, around)
    assert iou(sector, truth) > 0.95
    inside = sector.mask(*truth.shape)
    assert not inside[:70].any()
    assert not inside[-60:].any()
    assert not inside[:, :90].any()
    assert not inside[:, -110:].any()


@pytest.mark.parametrize("ground", [40, 70, 140])
@pytest.mark.parametrize("around", [0, 30])
def test_a_fan_whose_ground_is_the_page(screen: Paint, in_memory: Make, around: int, ground: int) -> None:
    """Scanners with a grey screen: the box around the fan holds more of the page than of darkness."""
    painted = screen(1, "phased", size=(400, 400), overlays=False)
    frames = np.where(painted.truth, painted.frames, np.uint8(ground))
    frames = np.pad(frames, ((0, 0), (around, around), (around, around)), constant_values=ground)
    sector = find_sector(in_memory(frames))
    assert sector.kind is SectorKind.PHASED
    assert iou(sector, np.pad(painted.truth, around)) > 0.95


@pytest.mark.parametrize("live_first", [True, False])
def test_a_frozen_panel_that_touches_the_live_one_falls_outside(
    screen: Paint, in_memory: Make, live_first: bool
) -> None:
    painted = screen(3, "full_screen", size=(336, 384), overlays=False)
    frozen = np.repeat(painted.frames[:1], 8, axis=0)
    nothing = np.zeros_like(painted.truth)
    panels, truths = [painted.frames, frozen], [painted.truth, nothing]
    if not live_first:
        panels, truths = panels[::-1], truths[::-1]
    sector = find_sector(in_memory(np.concatenate(panels, axis=2)))
    assert iou(sector, np.concatenate(truths, axis=1)) > 0.95


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("seeds", [(3, 5), (5, 3)])
def test_of_two_live_panels_that_touch_one_is_taken(
    screen: Paint, in_memory: Make, seeds: tuple[int, int], axis: int
) -> None:
    panels = [screen(seed, "full_screen", size=(336, 384), overlays=False) for seed in seeds]
    frames = np.concatenate([panel.frames for panel in panels], axis=axis)
    located = locate(frames, in_memory(frames))
    nothing = np.zeros_like(panels[0].truth)
    truths = [(panels[0].truth, nothing), (nothing, panels[1].truth)]
    assert max(iou(located.sector, np.concatenate(truth, axis=axis - 1)) for truth in truths) > 0.9
    assert any("more than one live panel" in note for note in located.notes)


@pytest.mark.parametrize("live_first", [True, False])
def test_a_frozen_panel_above_or_below_falls_outside(screen: Paint, in_memory: Make, live_first: bool) -> None:
    painted = screen(4, "full_screen", size=(336, 384), overlays=False)
    nothing = np.zeros_like(painted.truth)
    frozen = np.repeat(painted.frames[:1], 8, axis=0)
    order = slice(None, None, 1 if live_first else -1)
    frames = np.concatenate((painted.frames, frozen)[order], axis=1)
    located = locate(frames, in_memory(frames))
    assert iou(located.sector, np.concatenate((painted.truth, nothing)[order])) > 0.9
    assert not located.notes


def test_a_picture_that_fills_the_frame_is_not_turned_around(in_memory: Make) -> None:
    """Zoomed in on, shadows in the lower corners must not pass for the sides of a fan upside down."""
    y, x = np.mgrid[:240, :240]
    shadow = np.minimum(x, 239 - x) < y - 190
    frames = np.where(shadow, 0, np.random.default_rng(0).integers(60, 200, (8, 240, 240))).astype(np.uint8)
    assert not find_sector(in_memory(frames)).upside_down


def test_letters_on_a_filmed_screen_fall_outside(screen: Paint, in_memory: Make) -> None:
    """Held in the hand, a camera stands askew and trembles, so that letters move; black is grey with noise on it."""
    rng = np.random.default_rng(6)
    painted = screen(6, "phased", size=(360, 360), overlays=False)
    around = ((60, 40), (150, 130))
    truth = np.pad(painted.truth, around)
    height, width = truth.shape
    fading = np.clip((np.arange(width) - 150) / 350, 0, 1)
    askew = cv2.getRotationMatrix2D((width / 2, height / 2), 2, 0.85)
    filmed = []
    for frame in (np.pad(painted.frames, ((0, 0), *around)) * fading).astype(np.uint8):
        for line in range(9):
            at = (8, 120 + 22 * line)
            cv2.putText(frame, "TIS0.8 MI 1.3", at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 220, 1, cv2.LINE_AA)
        banner = "GENERAL HOSPITAL  ECHO LAB  12/04/2021 10:31"
        cv2.putText(frame, banner, (20, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 220, 1, cv2.LINE_AA)
        trembling = askew.copy()
        trembling[:, 2] += rng.uniform(-1.5, 1.5, 2)
        seen = cv2.warpAffine(18 + 0.85 * frame, trembling, (width, height), borderValue=35)
        seen = cv2.GaussianBlur(seen + rng.normal(0, 5, frame.shape), (0, 0), 1.2)
        filmed.append(seen.clip(0, 255).astype(np.uint8))
    truth = cv2.warpAffine(truth.view(np.uint8), askew, (width, height), flags=cv2.INTER_NEAREST).view(np.bool_)
    assert iou(find_sector(in_memory(np.stack(filmed))), truth) > 0.9


# The header's regions


def dual_screen(screen: Paint, frozen: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two panels side by side; truth is the left one, which moves more."""
    left = screen(1, "phased", size=(400, 400), overlays=False)
    right = screen(8, "phased", size=(400, 400), overlays=False).frames
    small = np.zeros_like(right)
    small[:, 60:260, 100:300] = right[:, ::2, ::2]
    right = np.repeat(right[:1], 8, axis=0) if frozen else small
    truth = np.concatenate([left.truth, np.zeros_like(left.truth)], axis=1)
    return np.concatenate([left.frames, right], axis=2), truth


@pytest.mark.parametrize("frozen", [True, False])
def test_second_panel_falls_outside(screen: Paint, in_memory: Make, frozen: bool) -> None:
    frames, truth = dual_screen(screen, frozen)
    cine = in_memory(frames)
    located = locate(frames, cine)
    assert iou(located.sector, truth) > 0.95
    assert any("panel" in note for note in located.notes) != frozen


def test_two_regions_of_the_header(screen: Paint, in_memory: Make) -> None:
    frames, truth = dual_screen(screen, frozen=False)
    regions = (Region(400, 0, 800, 400, 1, 1), Region(0, 0, 400, 400, 1, 1), Region(0, 0, 800, 50, 4, 10))
    located = locate(frames, in_memory(frames, regions=regions))
    assert located.sector.origin == "dicom"
    assert iou(located.sector, truth) > 0.95
    assert "2 B-mode panels" in located.notes[0]


def test_region_shuts_out_what_moves_beside_it(screen: Paint, in_memory: Make) -> None:
    painted = screen(1, "phased", size=(400, 400), overlays=False)
    beside = np.random.default_rng(0).integers(0, 256, (8, 400, 300), dtype=np.uint8)
    frames = np.concatenate([painted.frames, beside], axis=2)
    truth = np.concatenate([painted.truth, np.zeros((400, 300), bool)], axis=1)
    # The noise moves more than half of all that moves: a region that holds less would not be believed.
    beside[:, 100:] = 0
    frames[:, 100:, 400:] = 0
    sector = find_sector(in_memory(frames, regions=(Region(0, 0, 400, 400, 1, 1),)))
    assert sector.origin == "dicom"
    assert iou(sector, truth) > 0.95


@pytest.mark.parametrize(
    "region",
    [
        Region(500, 300, 640, 480, 1, 1),  # beside the picture
        Region(0, 0, 640, 480, 1, 1),  # says nothing
        Region(10, 10, 20, 20, 1, 1),  # absurdly small
        Region(900, 900, 1200, 1200, 1, 1),  # outside the frame
        Region(-50, -50, -10, -10, 1, 1),
        Region(100, 100, 400, 400, 3, 3),  # a spectrum
    ],
)
def test_regions_not_worth_believing_are_left(screen: Paint, in_memory: Make, region: Region) -> None:
    painted = screen(1, "phased", size=(480, 640))
    sector = find_sector(in_memory(painted.frames, regions=(region,)))
    assert sector.origin == "pixels"
    assert iou(sector, painted.truth) > 0.97


# What is decoded


def test_a_handful_of_reduced_frames_is_decoded(screen: Paint, in_memory: Make) -> None:
    painted = screen(1, "phased", frames=30, size=(600, 800), overlays=False)
    cine = in_memory(painted.frames)
    find_sector(cine)
    [(numbers, color, reduce)] = cine.reader.asked  # type: ignore[attr-defined]
    assert numbers == (0, 4, 8, 12, 17, 21, 25, 29)
    assert not color
    assert reduce == 2
    cine.reader.asked.clear()  # type: ignore[attr-defined]
    find_sector(cine, [3, 9, 3])
    assert cine.reader.asked[0][0] == (3, 9)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("side", "expected"), [(112, 1), (511, 1), (512, 2), (800, 2), (1024, 4), (4096, 8)])
def test_probe_reduction(side: int, expected: int) -> None:
    assert probe_reduction(side // 2, side) == expected
    assert probe_reduction(side, side // 2) == expected


def test_spread() -> None:
    assert spread(1) == [0]
    assert spread(3) == [0, 1, 2]
    assert spread(100, 3) == [0, 50, 99]


@pytest.mark.parametrize(
    "size", [(448, 512), (600, 800), (720, 1280), (708, 1016), (1079, 1919), (300, 200), (90, 2000)]
)
def test_frames_are_shrunk_to_what_their_areas_hold(size: tuple[int, int]) -> None:
    """Within three grey levels of Pillow's means of areas, for a smooth picture, whichever way is the fast one."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    frame = (127 + 60 * np.sin(20 * x) + 60 * np.cos(17 * y)).astype(np.uint8)
    small = _shrink(np.stack([frame, frame[::-1]]))
    assert max(small.shape[1:]) == min(max(size), SIDE)
    expected = Image.fromarray(frame).resize(small.shape[:0:-1], Image.Resampling.BOX)
    assert np.abs(small[0].astype(int) - np.asarray(expected)).max() <= 3
    # Noise is averaged away from twice the size on.
    noise = np.random.default_rng(0).integers(0, 255, (1, *size), np.uint8)
    ratio = max(size) / SIDE
    if ratio >= 2:
        assert _shrink(noise).std() < 1.3 * noise.std() / ratio
