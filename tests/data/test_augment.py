from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoplane.config import from_mapping, to_mapping
from echoplane.data.augment import AUGMENTS, AugmentRecipe, Draw, apply, augment_named, draw, retime
from echoplane.data.augment_fan import Fan
from echoplane.data.augment_geometry import Geometry, GeometryDraw, matrix, move
from echoplane.data.augment_grey import Grey, GreyDraw, regrade, table
from echoplane.data.augment_mix import Box, Mark, MixDraw
from echoplane.data.augment_shadow import ShadowDraw, Wedge, gain_field, shade
from echoplane.data.augment_texture import TextureDraw, compress, roughen
from echoplane.data.augment_time import TimeDraw
from echoplane.errors import ConfigError, UsageError
from echoplane.records import Sector, SectorKind
from echoplane.store import StoreRow

H, W = 60, 64
SECTOR = Sector(SectorKind.PHASED, (100, 50, 500, 400), (300.0, 60.0), 10.0, 330.0, -0.7, 0.7, 0.9, "given")
ROW = StoreRow("a", sector=SECTOR, crop=(90.0, 40.0, 510.0, 420.0))


def picture(seed: int = 0) -> np.ndarray:
    fan = Fan.of(ROW, H, W)
    values = np.random.default_rng(seed).integers(30, 200, (5, H, W), np.uint8)
    return values & fan.inside(H, W)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(sorted(AUGMENTS)))
def test_a_draw_is_plain_data_and_replays(seed, name):
    drawn = draw(np.random.default_rng(seed), AUGMENTS[name])
    again = from_mapping(Draw, to_mapping(drawn), "draw")
    assert again == drawn
    clip, partner = picture(), picture(1)[0]
    before = clip.copy()
    one = apply(clip, drawn, fan=Fan.of(ROW, H, W), partner=partner)
    two = apply(clip, again, fan=Fan.of(ROW, H, W), partner=partner)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(clip, before)
    assert one.shape == clip.shape
    assert one.dtype == np.uint8


def test_none_changes_nothing():
    rng = np.random.default_rng(0)
    clip = picture()
    for _ in range(20):
        drawn = draw(rng, AUGMENTS["none"])
        assert drawn == Draw()
        assert apply(clip, drawn) is clip


def test_every_part_is_drawn_about_as_often_as_asked():
    rng = np.random.default_rng(0)
    recipe = AugmentRecipe()
    drawn = [draw(rng, recipe) for _ in range(3000)]
    assert np.mean([d.grey is not None for d in drawn]) == pytest.approx(recipe.grey.p, abs=0.03)
    affine = [d.geometry is not None and d.geometry.rotate != 0 for d in drawn]
    assert np.mean(affine) == pytest.approx(recipe.geometry.affine_p, abs=0.03)
    mixed = [d.mix is not None and d.mix.partner is not None for d in drawn]
    assert np.mean(mixed) == pytest.approx(recipe.mix.outside_p + recipe.mix.shape_p, abs=0.03)
    assert not any(d.geometry is not None and d.geometry.flip for d in drawn)


def test_recipes_come_from_yaml_and_say_what_is_wrong():
    recipe = from_mapping(AugmentRecipe, {"geometry": {"rotate": 3.0, "flip_p": 0.5}}, "recipe.yaml")
    assert recipe.geometry == Geometry(rotate=3.0, flip_p=0.5)
    with pytest.raises(ConfigError, match=r"geometry\.rotat"):
        from_mapping(AugmentRecipe, {"geometry": {"rotat": 3.0}}, "recipe.yaml")
    with pytest.raises(ConfigError, match=r"grey\.p 1\.5"):
        from_mapping(AugmentRecipe, {"grey": {"p": 1.5}}, "recipe.yaml")
    with pytest.raises(UsageError, match="known: none, light"):
        augment_named("heavy")


def test_all_frames_of_a_still_stay_equal():
    """One draw for the whole clip: only noise may differ from frame to frame."""
    recipe = dataclasses.replace(
        AUGMENTS["strong"],
        texture=dataclasses.replace(AUGMENTS["strong"].texture, speckle_p=0.0, noise_p=0.0, jpeg_p=0.0),
    )
    still = np.repeat(picture()[:1], 5, axis=0)
    for seed in range(40):
        out = apply(still, draw(np.random.default_rng(seed), recipe), fan=Fan.of(ROW, H, W), partner=picture(1)[0])
        assert (out == out[:1]).all()


# Fan ----------------------------------------------------------------------------------------------------------


def test_the_fan_is_the_sectors_mask_seen_through_the_crop():
    fan = Fan.of(ROW, H, W)
    full = SECTOR.mask(480, 640).astype(np.float32)
    x0, y0, x1, y1 = (int(v) for v in ROW.crop)
    resized = cv2.resize(full[y0:y1, x0:x1], (W, H), interpolation=cv2.INTER_AREA)
    sure = (resized < 0.01) | (resized > 0.99)
    np.testing.assert_array_equal(fan.inside(H, W)[sure] > 0, resized[sure] > 0.5)
    ax, ay = fan.apex(H, W)
    assert ax == pytest.approx((300.5 - 90) / 420 * W - 0.5)
    assert ay == pytest.approx((60.5 - 40) / 380 * H - 0.5)


def test_an_unknown_sector_gives_the_usual_fan_and_masks_nothing():
    for row in (StoreRow("a"), StoreRow("a", sector=Sector(SectorKind.FULL, (0, 0, 9, 9)), crop=(0, 0, 9, 9))):
        fan = Fan.of(row, H, W)
        assert fan.guessed
        assert (fan.inside(H, W) == 255).all()


# Geometry -----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    drawn=st.builds(
        GeometryDraw,
        rotate=st.floats(-20, 20),
        scale=st.floats(0.8, 1.2),
        shift=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
        shear=st.floats(-8, 8),
        depth=st.floats(0.8, 1.2),
        crop=st.tuples(*[st.floats(-0.06, 0.06)] * 4),
        flip=st.booleans(),
    )
)
def test_a_dot_goes_where_the_matrix_says(drawn):
    fan = Fan.of(ROW, H, W)
    m = matrix(drawn, fan, H, W)
    dot = np.array([35.0, 28.0, 1.0])
    rows, columns = np.mgrid[:H, :W]
    blob = 250 * np.exp(-((columns - dot[0]) ** 2 + (rows - dot[1]) ** 2) / 8)
    moved = move(blob[None].astype(np.uint8), drawn, fan)[0].astype(float)
    x, y, _ = m @ dot
    if not (9 < x < W - 10 and 9 < y < H - 10):
        return
    assert (moved * columns).sum() / moved.sum() == pytest.approx(x, abs=0.15)
    assert (moved * rows).sum() / moved.sum() == pytest.approx(y, abs=0.15)


def test_single_maps():
    fan = Fan.of(ROW, H, W)
    apex = np.array([*fan.apex(H, W), 1.0])
    np.testing.assert_allclose(matrix(GeometryDraw(rotate=10, depth=1.2), fan, H, W) @ apex, apex)
    below = apex + np.array([0, 10, 0])
    turned = matrix(GeometryDraw(rotate=10), fan, H, W) @ below - apex
    assert turned[0] == pytest.approx(-10 * math.sin(math.radians(10)))  # clockwise: what is below goes left
    clip = picture()
    np.testing.assert_array_equal(move(clip, GeometryDraw(flip=True), fan), clip[:, :, ::-1])
    # The left edge moved out by a quarter: the old left edge now lies at a fifth of the width.
    m = matrix(GeometryDraw(crop=(0.25, 0, 0, 0)), fan, H, W)
    assert (m @ [-0.5, 0, 1])[0] == pytest.approx(W / 5 - 0.5)
    assert (m @ [W - 0.5, 0, 1])[0] == pytest.approx(W - 0.5)
    # Twice as large: the middle half around (0.4, 0.6) fills the frame, edge to edge.
    m = matrix(GeometryDraw(zoom=(2.0, 0.4, 0.6)), fan, H, W)
    np.testing.assert_allclose(m @ [0.15 * W - 0.5, 0.35 * H - 0.5, 1], [-0.5, -0.5, 1], atol=1e-9)
    np.testing.assert_allclose(m @ [0.65 * W - 0.5, 0.85 * H - 0.5, 1], [W - 0.5, H - 0.5, 1], atol=1e-9)


@given(seed=st.integers(0, 1000), times=st.floats(1, 3))
def test_a_zoomed_window_lies_in_the_frame(seed, times):
    drawn = Geometry(affine_p=0, depth_p=0, stretch_p=0, crop_p=0, zoom_p=1, zoom=(times, times)).draw(
        np.random.default_rng(seed)
    )
    assert drawn is not None
    found, x, y = drawn.zoom
    assert found == pytest.approx(times)
    for middle in (x, y):
        assert middle - 0.5 / times >= -0.05 - 1e-9  # at most a twentieth beyond an edge
        assert middle + 0.5 / times <= 1.05 + 1e-9


# Grey ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    drawn=st.builds(
        GreyDraw,
        gain=st.floats(0.5, 1.6),
        gamma=st.floats(0.5, 2),
        reject=st.floats(0, 0.3),
        bends=st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=3).map(tuple),
    )
)
def test_a_grey_curve_never_falls_and_keeps_black(drawn):
    curve = table(drawn)
    assert curve[0] == 0
    assert (np.diff(curve.astype(int)) >= 0).all()
    clip = picture()
    np.testing.assert_array_equal(regrade(clip, drawn), curve[clip])


def test_the_plain_curve_is_the_identity():
    np.testing.assert_array_equal(table(GreyDraw()), np.arange(256))
    assert Grey(p=1.0, gain=(1.0, 1.0), gamma=(1.0, 1.0), reject=0.0, bend=0.0).draw(
        np.random.default_rng(0)
    ) == GreyDraw(bends=(0.0, 0.0, 0.0))


# Shadows ------------------------------------------------------------------------------------------------------


def test_a_shadow_falls_behind_its_start_and_nowhere_else():
    fan = Fan.of(ROW, H, W)
    depth, across = fan.grid(H, W)
    gain = gain_field(ShadowDraw((Wedge(angle=0.3, width=0.2, start=0.4, strength=0.8),)), fan, H, W)
    assert gain[(depth < 0.4) & (depth > 0)].min() == 1
    assert gain[(abs(across - 0.3) < 0.02) & (depth > 0.5)].max() < 0.25
    assert gain[abs(across - 0.3) > 0.2].min() > 0.99


def test_a_narrower_fan_and_haze():
    fan = Fan.of(ROW, H, W)
    depth, across = fan.grid(H, W)
    clip = picture()
    out = shade(clip, ShadowDraw(narrow=(0.2, 0.1, 0.3)), fan)
    keep = (across >= 0.2) & (across <= 0.9) & (depth <= 0.7)
    np.testing.assert_array_equal(out, clip * keep)
    hazy = shade(clip, ShadowDraw(haze=(40.0, 0.3)), fan)
    inside = fan.inside(H, W) > 0
    assert (hazy[:, ~inside] == 0).all()
    near = inside & (depth < 0.05)
    assert (hazy[:, near].astype(int) - clip[:, near]).mean() == pytest.approx(40, abs=3)


# Texture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speckle", [0.05, 0.2])
def test_speckle_has_the_strength_asked_for(speckle):
    flat = np.full((10, H, W), 100, np.uint8)
    out = roughen(flat, TextureDraw(speckle=speckle, grain=0.5, seed=3), Fan.usual(H, W)).astype(float)
    assert out.mean() == pytest.approx(100, abs=1.5)
    assert out.std() == pytest.approx(100 * speckle, rel=0.15)
    assert not np.array_equal(out[0], out[1])


def test_noise_stays_inside_the_fan():
    fan = Fan.of(ROW, H, W)
    out = roughen(np.full((10, H, W), 0, np.uint8), TextureDraw(noise=10.0, grain=0.5, seed=1), fan)
    inside = fan.inside(H, W) > 0
    assert (out[:, ~inside] == 0).all()
    assert out[:, inside].std() > 4
    grey = roughen(np.full((10, H, W), 128, np.uint8), TextureDraw(noise=10.0, grain=0.5, seed=1), fan)
    assert grey[:, inside].std() == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize("size", [(1024, 40), (40, 2048), (1030, 2048)])
def test_pictures_larger_than_the_bank_of_noise_get_noise_all_over(size):
    flat = np.full((2, *size), 100, np.uint8)
    out = roughen(flat, TextureDraw(speckle=0.2, noise=5.0, grain=0.5, seed=3), Fan.usual(*size)).astype(float)
    assert out.shape == flat.shape
    parts = [part for row in np.array_split(out[0], 4) for part in np.array_split(row, 4, axis=1)]
    assert min(part.std() for part in parts) > 5
    assert not np.array_equal(out[0], out[1])


def test_frames_that_no_single_jpeg_could_hold_are_compressed_all_the_same():
    ramp = np.linspace(40, 200, 24).astype(np.uint8)
    clip = np.tile((np.arange(70)[:, None, None] + ramp).astype(np.uint8), (1, 960, 1))  # 67,200 lines
    out = compress(clip, 90)
    assert out.shape == clip.shape
    assert np.abs(out.astype(int) - clip).max() <= 12
    np.testing.assert_array_equal(out[:68], compress(clip[:68], 90))
    np.testing.assert_array_equal(out[68:], compress(clip[68:], 90))


def test_blur_sharpen_jpeg():
    clip, fan = picture(), Fan.usual(H, W)
    edges = lambda c: np.abs(np.diff(c.astype(float))).mean()  # noqa: E731
    assert edges(roughen(clip, TextureDraw(blur=1.0), fan)) < 0.5 * edges(clip)
    assert edges(roughen(clip, TextureDraw(blur=-0.8), fan)) > 1.1 * edges(clip)
    fine, coarse = (roughen(clip, TextureDraw(jpeg=q), fan).astype(int) for q in (98, 20))
    assert abs(fine - clip).mean() < 4 < abs(coarse - clip).mean()


# Mixing, marks, holes -----------------------------------------------------------------------------------------


def test_borders_of_another_cine():
    fan = Fan.of(ROW, H, W)
    inside = fan.inside(H, W) > 0
    partner = np.full((H, W), 77, np.uint8)
    narrow = dataclasses.replace(SECTOR, left=-0.2, right=0.2)
    other = Fan.of(dataclasses.replace(ROW, sector=narrow), H, W)
    clip = picture()
    out = apply(clip, Draw(mix=MixDraw(0.5, "outside")), fan=fan, partner=partner, partner_fan=other)
    np.testing.assert_array_equal(out[:, inside], clip[:, inside])
    assert (out[:, ~inside] == 77).all()
    shape = Draw(mix=MixDraw(0.5, "shape"))
    assert apply(clip, shape, fan=fan, partner=partner, partner_fan=other) is clip  # too little would be left
    wider = Fan.of(dataclasses.replace(ROW, sector=dataclasses.replace(SECTOR, left=-0.5, r1=300.0)), H, W)
    out = apply(clip, shape, fan=fan, partner=partner, partner_fan=wider)
    np.testing.assert_array_equal(out, clip & wider.inside(H, W))
    assert (out != clip).any()
    assert apply(clip, Draw(mix=MixDraw(0.5, "outside")), fan=fan) is clip


@pytest.mark.parametrize("kind", ["text", "ticks", "trace"])
def test_marks_are_static(kind):
    clip = picture()
    out = apply(clip, Draw(mix=MixDraw(marks=(Mark(kind, 0.1, 0.6, 250, 5),))))
    printed = (out != clip).any(axis=0)
    assert 3 < printed.sum() < H * W / 3
    assert (out[:, printed] == out[:1, printed]).all()


def test_holes():
    clip = np.full((5, H, W), 9, np.uint8)
    out = apply(clip, Draw(mix=MixDraw(holes=(Box(0.5, 0.25, 0.1, 0.2), Box(0.99, 0.99, 0.3, 0.3)))))
    assert (out[:, 15:27, 32:38] == 0).all()
    assert out[:, :14].min() == 9


# Time ---------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    n_frames=st.integers(1, 90),
    n=st.integers(1, 16),
    step=st.integers(1, 5),
    drawn=st.builds(
        TimeDraw,
        speed=st.floats(0.5, 2),
        reverse=st.booleans(),
        dropped=st.lists(st.floats(0, 1, exclude_max=True), max_size=3).map(tuple),
    ),
    data=st.data(),
)
def test_frame_numbers_stay_in_the_cine(n_frames, n, step, drawn, data):
    start = data.draw(st.integers(0, n_frames - 1))
    indices = (start + step * np.arange(n)) % n_frames
    before = indices.copy()
    out = retime(indices, n_frames, drawn)
    assert out.shape == indices.shape
    assert 0 <= out.min() <= out.max() < n_frames
    np.testing.assert_array_equal(indices, before)


def test_speed_reverse_and_dropped_frames():
    clip = np.array([10, 12, 14, 16])
    assert retime(clip, 40, TimeDraw(speed=1.5)).tolist() == [10, 13, 16, 19]
    assert retime(clip, 18, TimeDraw(speed=1.5)).tolist() == [8, 11, 14, 17]
    assert retime(clip, 40, TimeDraw(reverse=True)).tolist() == [16, 14, 12, 10]
    assert retime(clip, 40, TimeDraw(dropped=(0.5,))).tolist() == [10, 12, 12, 16]
    assert retime(clip, 40, TimeDraw(frozen=True)).tolist() == [10, 10, 10, 10]
    assert retime(clip, 40, None) is clip
