from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydicom import examples

from echoplane.errors import UsageError
from echoplane.sources.dicom import open_dicom
from echoplane.sources.dicom.colorbox import has_color_box

TINTS = {"grey": (1, 1, 1), "sepia": (1.0, 0.8, 0.45), "blue": (0.5, 0.7, 1.0)}


@pytest.fixture
def b_mode():
    """Speckle that moves, in a fan, through a tint: four frames (4, 300, 400, 3)."""

    def make(tint="grey"):
        draw = np.random.default_rng(3)
        y, x = np.mgrid[:300, :400]
        fan = (np.hypot(x - 200, y) < 290) & (np.abs(np.arctan2(x - 200, y + 1)) < 0.7)
        frames = []
        for _ in range(4):
            speckle = cv2.GaussianBlur(draw.random((300, 400)).astype(np.float32), (0, 0), 2)
            grey = np.clip((speckle - 0.35) * 800, 0, 255) * fan
            frames.append(np.clip(grey[..., None] * TINTS[tint], 0, 255).astype(np.uint8))
        return np.stack(frames)

    return make


def flow(frames, size):
    """Red and blue patches that change from frame to frame."""
    out = frames.copy()
    for i, frame in enumerate(out):
        red, blue = (30 + 40 * i, 30, 20), (30, 60, 200 - 30 * i)
        cv2.ellipse(frame, (180, 150), (size, size), 0, 0, 360, (180 + 20 * i, *red[1:]), -1)
        cv2.ellipse(frame, (180 + 2 * size, 150), (size, size), 0, 0, 360, blue, -1)
    return out


@pytest.mark.parametrize("tint", TINTS)
def test_tinted_b_mode_has_none(b_mode, tint):
    assert not has_color_box(b_mode(tint))


@pytest.mark.parametrize("tint", TINTS)
@pytest.mark.parametrize("size", [12, 40])
def test_flow_is_found_in_every_tint(b_mode, tint, size):
    assert has_color_box(flow(b_mode(tint), size))


def test_ecg_text_and_ticks_do_not_count(b_mode):
    frames = b_mode()
    for i, frame in enumerate(frames):
        x = np.arange(400)
        y = 280 + 15 * np.sin((x + 40 * i) / 9)
        cv2.polylines(frame, [np.stack([x, y], -1).astype(np.int32)], False, (40, 230, 60), 2)
        cv2.putText(frame, f"HR {60 + i} bpm 3:2{i}", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (250, 220, 40), 2)
        for tick in range(20, 280, 20):
            cv2.line(frame, (390, tick), (399, tick), (60, 120, 255), 2)
    assert not has_color_box(frames)


def blurred_chroma(frames):
    """As small films keep it: colour at half resolution, brightness in full."""
    out = []
    for frame in frames:
        luma, *chroma = cv2.split(cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb))
        small = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in chroma]
        chroma = [cv2.resize(plane, luma.shape[::-1], interpolation=cv2.INTER_LINEAR) for plane in small]
        out.append(cv2.cvtColor(cv2.merge([luma, *chroma]), cv2.COLOR_YCrCb2RGB))
    return np.stack(out)


def test_a_players_bar_that_fills_does_not_count(b_mode):
    frames = b_mode()[:, :, 100:300].copy()
    for i, frame in enumerate(frames):
        frame[280:285, 10 : 40 + 45 * i] = (255, 0, 0)
    assert not has_color_box(blurred_chroma(frames))


def test_a_running_trace_in_a_small_film_does_not_count(b_mode):
    frames = b_mode()[:, :, 100:284].copy()
    x = np.arange(184)
    for i, frame in enumerate(frames):
        phase = ((x + 11 * i) / 184 * 3) % 1
        y = 290 - 26 * np.exp(-(((phase - 0.3) / 0.02) ** 2))
        cv2.polylines(frame, [np.stack([x, y], -1).astype(np.int32)], False, (0, 255, 0), 2)
    assert not has_color_box(blurred_chroma(frames))


def test_narrow_flow_of_two_directions_and_wide_flow_of_one_count(b_mode):
    assert has_color_box(blurred_chroma(flow(b_mode(), 5)[:, 60:240, 100:300]))
    frames = b_mode()
    for i, frame in enumerate(frames):
        cv2.circle(frame, (180, 150), 20, (120 + 40 * i, 10, 0), -1)
    assert has_color_box(blurred_chroma(frames))


def test_a_logo_and_a_colour_bar_stand_still(b_mode):
    frames = b_mode()
    frames[:, 10:50, 10:60] = (20, 60, 180)
    frames[:, 60:160, 380:392] = np.linspace([255, 40, 0], [0, 80, 255], 100)[:, None, :].astype(np.uint8)
    assert not has_color_box(frames)


def test_real_pictures():
    a4c = open_dicom(examples.get_path("ybr_color"))
    assert not has_color_box(a4c.reader.read([0, 10, 20], color=True))
    power_doppler = open_dicom(examples.get_path("rgb_color"))
    assert has_color_box(power_doppler.reader.read([0], color=True))


def test_what_is_no_stack_of_colour_frames_is_refused():
    assert not has_color_box(np.zeros((0, 10, 10, 3), np.uint8))
    assert not has_color_box(np.zeros((3, 1, 1, 3), np.uint8))
    for bad in (np.zeros((3, 10, 10), np.uint8), np.zeros((3, 10, 10, 3), np.float32)):
        with pytest.raises(UsageError, match="uint8 frames"):
            has_color_box(bad)
