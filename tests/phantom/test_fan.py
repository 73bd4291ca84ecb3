"""Geometry: the sector record, the lookup maps and the masks describe one and the same fan."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoplane.phantom.clip import render_frames
from echoplane.phantom.convert import ScanConverter
from echoplane.phantom.fan import FINE, Fan, Framing, PolarGrid, coverage, extent
from echoplane.phantom.looks import Shape
from echoplane.phantom.plan import plan_recording
from echoplane.phantom.screen import LAYOUTS, Screen, frame_fan
from echoplane.records import SectorKind

FAN = Fan(SectorKind.CURVED, 2.0, 14.0, -0.6, 0.5)


def _framing(mirrored: bool = False) -> Framing:
    return Framing(240, 320, 13.0, (150.0, -20.0), (0, 0, 320, 240), mirrored)


@pytest.mark.parametrize("mirrored", [False, True])
def test_maps_read_back_polar_coordinates(mirrored: bool) -> None:
    framing = _framing(mirrored)
    grid = PolarGrid.of(FAN, 100, 150)
    fine = grid.refined(FINE)
    whole = (0.0, 0.0, 320.0, 240.0)
    picture_of_angle = np.broadcast_to(fine.angles[:, None], fine.shape).astype(np.float32)
    picture_of_radius = np.broadcast_to(fine.radii, fine.shape).astype(np.float32)
    maps = framing.maps(fine, whole, (240, 320))
    angle, radius = (
        cv2.remap(np.ascontiguousarray(p), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for p in (picture_of_angle, picture_of_radius)
    )
    inside = framing.sector(FAN).mask(240, 320)
    assert inside.sum() > 20000
    y, x = np.nonzero(inside)
    side = -1 if mirrored else 1
    expected_radius = np.hypot(x - 150.0, y + 20.0) / 13.0
    expected_angle = side * np.arctan2(x - 150.0, y + 20.0)
    np.testing.assert_allclose(radius[inside], expected_radius, atol=0.03)
    np.testing.assert_allclose(angle[inside], expected_angle, atol=0.01)


def test_coverage_is_the_averaged_mask() -> None:
    sector = _framing().sector(FAN)
    fine = sector.mask(240, 320).astype(np.float32)
    same = coverage(sector, 240, 320, (0, 0, 320, 240), (240, 320)) / 255
    assert np.abs(same - fine).mean() < 0.01
    half = coverage(sector, 240, 320, (0, 0, 320, 240), (120, 160)) / 255
    averaged = cv2.resize(fine, (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(half - averaged).mean() < 0.01


@given(
    face=st.floats(0, 6),
    depth=st.floats(5, 25),
    left=st.floats(-0.9, -0.1),
    right=st.floats(0.1, 0.9),
)
@settings(max_examples=40, deadline=None)
def test_extent_is_that_of_many_points(face: float, depth: float, left: float, right: float) -> None:
    angles, radii = np.meshgrid(np.linspace(left, right, 401), [face, face + depth])
    x, y = radii * np.sin(angles), radii * np.cos(angles)
    expected = x.min(), y.min(), x.max(), y.max()
    np.testing.assert_allclose(extent(face, face + depth, left, right), expected, atol=1e-3 * (face + depth))


def test_refined_grid_is_what_resize_makes() -> None:
    grid = PolarGrid.of(FAN, 10, 40)
    radii = np.broadcast_to(grid.radii, grid.shape).astype(np.float32)
    resized = cv2.resize(np.ascontiguousarray(radii), (40 * FINE, 10), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(grid.refined(FINE).radii[1:-1], resized[0, 1:-1], atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_shows_its_fan(layout) -> None:  # type: ignore[no-untyped-def]
    for size in layout.sizes:
        for fill in layout.cut:
            fan, framing = frame_fan(Screen(layout=layout.name, size=size, fill=fill), Shape(width=math.radians(85)))
            sector = framing.sector(fan)
            x0, y0, x1, y1 = sector.box
            assert 0 <= x0 < x1 <= size[1]
            assert 0 <= y0 < y1 <= size[0]
            assert sector.mask(*size).mean() > 0.1
            # The apex end is never cut away.
            assert framing.apex[1] + sector.r0 >= -0.06 * size[0]


def test_a_split_screen_shows_a_frozen_picture_beside_the_moving_one() -> None:
    recording = plan_recording("A4C", 2, nuisances=frozenset())
    screen = Screen(layout="split-left", size=(200, 320), fill=0.95)
    fan, framing = frame_fan(screen, recording.shape)
    clip = dataclasses.replace(recording, screen=screen, fan=fan, framing=framing)
    frames = render_frames(clip, [0.0, 0.3])
    left, right = frames[:, :, :160], frames[:, :, 160:]
    assert (left[0] != left[1]).any()
    np.testing.assert_array_equal(right[0], right[1])
    np.testing.assert_array_equal(right[0], left[0])


def test_shrinking_averages_along_the_beam() -> None:
    grid = PolarGrid.of(FAN, 60, 200)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (60, 200 * FINE)).astype(np.uint8)
    framing = _framing()
    full = ScanConverter.of(framing, grid, (0, 0, 320, 240), (240, 320))
    small = ScanConverter.of(framing, grid, (0, 0, 320, 240), (60, 80))
    assert full.average < small.average
    inside = framing.sector(FAN).mask(60, 80, 0.25)
    assert small.grey(noise)[inside].std() < 0.6 * full.grey(noise)[framing.sector(FAN).mask(240, 320)].std()
