from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.data.augment import AUGMENTS, Draw, apply
from echoplane.data.augment_fan import Fan
from echoplane.data.augment_style import STEEPEST, Style, StyleDraw, grey_curve, restyle
from echoplane.errors import UsageError

H, W = 64, 56
FAN = Fan.usual(H, W)


def speckle(seed, low, high, sigma=0.0, n=4):
    """Even grey values between two bounds, a clip (n, H, W)."""
    clip = np.random.default_rng(seed).uniform(low, high, (n, H, W)).astype(np.float32)
    if sigma:
        clip = np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in clip])
    return np.rint(clip).astype(np.uint8)


def only(**shares):
    return StyleDraw((0.0, 0.0, 0.0), **{"curve": 0.0, "depth": 0.0, "grain": 0.0, **shares})


def test_grey_values_become_those_of_the_example():
    clip, example = speckle(0, 60, 130), speckle(1, 90, 200)[0]
    out = restyle(clip, only(curve=1.0), FAN, example, FAN)
    for share in (0.1, 0.5, 0.9):
        assert np.quantile(out[2], share) == pytest.approx(np.quantile(example, share), abs=4)
    half = restyle(clip, only(curve=0.5), FAN, example, FAN)
    assert np.median(half[2]) == pytest.approx((np.median(clip) + np.median(example)) / 2, abs=4)


def test_brightness_by_depth_becomes_that_of_the_example():
    depth, _ = FAN.grid(H, W)
    clip = speckle(0, 90, 110)
    example = np.clip(200 * (1 - depth) + 20, 0, 255).astype(np.uint8)
    out = restyle(clip, only(depth=1.0), FAN, example, FAN).astype(float)
    shallow, deep = (depth > 0.2) & (depth < 0.3), (depth > 0.7) & (depth < 0.8)
    for shell in (shallow, deep):
        assert out[:, shell].mean() == pytest.approx(example[shell].mean(), rel=0.15)


@pytest.mark.parametrize(("mine", "theirs"), [(0.0, 0.5), (0.5, 0.0)], ids=["calmer", "rougher"])
def test_grain_becomes_more_like_that_of_the_example(mine, theirs):
    clip, example = speckle(0, 60, 180, mine), speckle(1, 60, 180, theirs)[0]
    out = restyle(clip, only(grain=1.0), FAN, example, FAN)

    def fine(frame):
        frame = frame.astype(np.float32)
        return float((frame - cv2.GaussianBlur(frame, (0, 0), 0.8))[4:-4, 4:-4].std())

    before, after, wanted = np.log([fine(clip[1]), fine(out[1]), fine(example)])
    assert abs(after - wanted) < 0.6 * abs(before - wanted)
    assert out.mean() == pytest.approx(clip.mean(), abs=2)


def test_black_stays_black_and_the_own_clip_is_not_touched():
    clip = speckle(0, 40, 200)
    clip[:, :, :20] = 0
    before = clip.copy()
    out = restyle(clip, StyleDraw((0, 0, 0)), FAN, speckle(1, 100, 250)[0], FAN)
    assert not out[:, :, :20].any()
    assert out[:, :, 24:].any()
    np.testing.assert_array_equal(clip, before)


def test_every_frame_gets_the_same_curve():
    clip = speckle(0, 40, 200)
    clip[3] = clip[0]
    out = restyle(clip, StyleDraw((0, 0, 0)), FAN, speckle(1, 100, 250)[0], FAN)
    np.testing.assert_array_equal(out[3], out[0])


def test_its_own_looks_change_nothing_much():
    clip = speckle(0, 40, 200)
    out = restyle(clip, StyleDraw((0, 0, 0)), FAN, clip[2], FAN)
    assert np.abs(out.astype(int) - clip)[:, 3:-3, 3:-3].mean() < 4


@pytest.mark.parametrize("which", ["clip", "example"])
def test_too_little_to_go_by_changes_nothing(which):
    clip, example = speckle(0, 40, 200), speckle(1, 40, 200)[0]
    dark = clip if which == "clip" else example
    dark[...] = 0
    assert restyle(clip, StyleDraw((0, 0, 0)), FAN, example, FAN) is clip


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_curve_never_falls_nor_jumps(seed, share):
    rng = np.random.default_rng(seed)
    mine, theirs = (rng.integers(0, rng.integers(2, 257), 400).astype(np.uint8) for _ in range(2))
    steps = np.diff(grey_curve(mine, theirs, share).astype(int))
    assert (steps >= 0).all()
    assert steps.max() <= STEEPEST + 1  # and rounding
    assert grey_curve(mine, theirs, share)[0] == 0


def test_it_is_off_unless_asked_for_and_takes_no_random_number_then():
    rng, other = np.random.default_rng(0), np.random.default_rng(0)
    assert all(recipe.style.draw(rng) is None for recipe in AUGMENTS.values())
    assert rng.random() == other.random()
    assert Style(p=1.0).draw(rng) is not None
    clip = speckle(0, 40, 200)
    assert apply(clip, Draw(style=StyleDraw((0, 0, 0)))) is clip  # nobody to take it from


@pytest.mark.parametrize("wrong", [{"p": 1.5}, {"curve": (0.0, 2.0)}, {"grain": (0.5, 1.1)}])
def test_shares_lie_between_none_and_all(wrong):
    with pytest.raises(UsageError, match="style"):
        Style(**wrong)
