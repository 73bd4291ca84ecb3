from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

from echoplane.errors import RefusedError, UsageError
from echoplane.prepare import RECIPES, PrepareRecipe, prepare
from echoplane.prepare import frames as room
from echoplane.records import Cine, Sector, SectorKind

Make = Callable[..., Cine]
WEIGHTS = (9798, 19235, 3735)  # 0.299, 0.587, 0.114 in fifteen bits


def by_pillow(rgb_HW3: np.ndarray, weights: Sequence[int], crop: int = 300, size: int = 100) -> np.ndarray:
    """The thesis project's chain, written with Pillow and whole numbers only."""
    grey = (rgb_HW3.astype(np.int64) @ np.array(weights) + (1 << 14)) >> 15
    picture = Image.fromarray(grey.astype(np.uint8))
    left, top = round((picture.width - crop) / 2), round((picture.height - crop) / 2)
    return np.asarray(picture.crop((left, top, left + crop, top + crop)).resize((size, size), Image.Resampling.LANCZOS))


def colour_frames(height: int, width: int, count: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = rng.integers(0, 256, (count, height // 7 + 1, width // 7 + 1, 3), dtype=np.uint8)
    return np.repeat(np.repeat(smooth, 7, axis=1), 7, axis=2)[:, :height, :width]


@pytest.mark.parametrize(("height", "width"), [(600, 800), (434, 636), (303, 301), (300, 300)])
@pytest.mark.parametrize(("name", "weights"), [("reference", WEIGHTS), ("reference-swapped", WEIGHTS[::-1])])
def test_reference_bit_for_bit(in_memory: Make, name: str, weights: Sequence[int], height: int, width: int) -> None:
    frames = colour_frames(height, width)
    recipe = RECIPES[name]
    got = prepare(in_memory(frames), recipe)
    expected = np.stack([by_pillow(frame, weights) for frame in frames])
    np.testing.assert_array_equal(got.frames, expected)
    normalised = (expected.astype(np.float64) / 255 - 0.213303) / 0.21379
    np.testing.assert_allclose(recipe.normalise(got.frames), normalised, rtol=0, atol=3e-7)


@pytest.mark.parametrize("shape", [(4, 30_000), (30_000, 4)])
def test_a_strip_is_refused_before_a_square_around_it_is_filled(in_memory: Make, shape: tuple[int, int]) -> None:
    strip = np.full((2, *shape, 3), 90, np.uint8)
    with pytest.raises(RefusedError, match=r"30000.*: a strip, and no picture"):
        prepare(in_memory(strip), RECIPES["default"])
    assert prepare(in_memory(strip), RECIPES["reference"]).frames.shape == (2, 100, 100)  # a crop of its own size


def test_swapped_differs_in_colour_only(in_memory: Make) -> None:
    colour = in_memory(colour_frames(400, 400))
    grey = in_memory(np.repeat(colour_frames(400, 400)[..., :1], 3, axis=3))
    right, swapped = RECIPES["reference"], RECIPES["reference-swapped"]
    assert not np.array_equal(prepare(colour, right).frames, prepare(colour, swapped).frames)
    np.testing.assert_array_equal(prepare(grey, right).frames, prepare(grey, swapped).frames)


def test_reference_pads_small_frames_with_black(in_memory: Make) -> None:
    frames = np.full((1, 200, 260, 3), 200, np.uint8)
    got = prepare(in_memory(frames), RECIPES["reference"])
    assert got.crop == (-20.0, -50.0, 280.0, 250.0)
    picture = np.zeros((300, 300), np.uint8)
    picture[50:250, 20:280] = 200
    expected = np.asarray(Image.fromarray(picture).resize((100, 100), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(got.frames[0], expected)


def test_rows_are_sorted_and_once_each(in_memory: Make) -> None:
    frames = np.stack([np.full((40, 40), 10 * t, np.uint8) for t in range(10)])
    got = prepare(in_memory(frames), PrepareRecipe(mask=False, crop="none", size=(8, 8)), [7, 2, 2, 5])
    assert got.indices == (2, 5, 7)
    assert [int(frame.mean()) for frame in got.frames] == [20, 50, 70]


@pytest.mark.parametrize("indices", [[], [-1], [10], [0, 99]])
def test_frames_that_are_not_there_are_refused(in_memory: Make, indices: list[int]) -> None:
    with pytest.raises(UsageError, match="painted"):
        prepare(in_memory(np.zeros((10, 8, 8), np.uint8)), PrepareRecipe(), indices)


def test_outside_the_sector_is_black(in_memory: Make) -> None:
    frames = np.full((2, 300, 400), 255, np.uint8)
    sector = Sector(SectorKind.PHASED, (50, 10, 350, 290), (200.0, 10.0), 0.0, 280.0, -0.6, 0.6, 1.0, "given")
    recipe = PrepareRecipe(margin=0.0, interpolation="nearest", size=(280, 300), decode="exact")
    got = prepare(in_memory(frames), recipe, sector=sector)
    assert got.sector is sector
    expected = sector.mask(300, 400)[10:290, 50:350]
    np.testing.assert_array_equal(got.frames[0] > 0, expected)


def test_overlays_outside_a_given_sector_change_nothing(in_memory: Make) -> None:
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 200, (3, 300, 400), dtype=np.uint8)
    sector = Sector(SectorKind.CURVED, (60, 20, 340, 280), (200.0, -40.0), 60.0, 320.0, -0.5, 0.55, 1.0, "given")
    outside = ~sector.mask(300, 400)
    drawn = np.where(outside, rng.integers(0, 256, frames.shape, dtype=np.uint8), frames)
    for recipe in (RECIPES["default"], RECIPES["store"], PrepareRecipe(interpolation="lanczos", decode="exact")):
        plain = prepare(in_memory(frames), recipe, sector=sector).frames
        np.testing.assert_array_equal(prepare(in_memory(drawn), recipe, sector=sector).frames, plain)


def test_chunks_do_not_show(in_memory: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    cine = in_memory(colour_frames(120, 160, count=9))
    for recipe in (PrepareRecipe(decode="exact", size=(32, 32)), PrepareRecipe(size=(32, 32))):
        whole = prepare(cine, recipe)
        monkeypatch.setattr(room, "CHUNK_BYTES", 1)
        one_by_one = prepare(cine, recipe)
        monkeypatch.undo()
        np.testing.assert_array_equal(whole.frames, one_by_one.frames)
        assert whole.sector == one_by_one.sector


def test_frames_are_decoded_once(screen: Callable[..., object]) -> None:
    cine = screen(0, size=(600, 800)).cine  # type: ignore[attr-defined]
    prepare(cine, RECIPES["default"])
    asked = cine.reader.asked
    assert len(asked) == 1, asked


def test_reduced_decoding_shows_the_same_picture(screen: Callable[..., object]) -> None:
    painted = screen(9, size=(768, 1024))
    cine = painted.cine  # type: ignore[attr-defined]
    fast = prepare(cine, RECIPES["default"])
    full = prepare(cine, PrepareRecipe(decode="exact"), sector=fast.sector)
    assert cine.reader.asked[0][2] > 1
    difference = fast.frames.astype(int) - full.frames
    assert abs(difference.mean()) < 1
    assert np.abs(difference).mean() < 4
    for a, b in zip(fast.crop, full.crop, strict=True):
        assert abs(a - b) <= 4


def test_a_reader_that_cannot_reduce_is_fine(screen: Callable[..., object]) -> None:
    cine = screen(9, size=(768, 1024)).cine  # type: ignore[attr-defined]
    cine.reader.can_reduce = False
    got = prepare(cine, RECIPES["default"])
    full = prepare(cine, PrepareRecipe(decode="exact"), sector=got.sector)
    np.testing.assert_array_equal(got.frames, full.frames)


def test_a_guess_is_noted(in_memory: Make) -> None:
    got = prepare(in_memory(np.zeros((3, 60, 80), np.uint8)), RECIPES["default"])
    assert got.sector.kind is SectorKind.FULL
    assert any("guess" in note for note in got.notes)
    assert not got.frames.any()


def test_more_frames_are_as_if_all_had_been_asked_for_at_once(in_memory: Make) -> None:
    frames = np.random.default_rng(4).integers(0, 256, (12, 60, 80), np.uint8)
    recipe = RECIPES["default"]
    cine = in_memory(frames)
    first = prepare(cine, recipe, [2, 7])
    both = room.with_frames(first, cine, recipe, [1, 7, 9])
    assert (both.indices, both.sector, both.crop, both.notes) == ((1, 2, 7, 9), first.sector, first.crop, first.notes)
    at_once = prepare(cine, recipe, [1, 2, 7, 9], sector=first.sector)
    np.testing.assert_array_equal(both.frames, at_once.frames)
    assert room.with_frames(both, cine, recipe, [2, 9]) is both
