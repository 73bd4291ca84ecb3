"""Furniture of the screen, compression, and the contents that are no heart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from echoplane.phantom.codec import through_jpeg, through_video
from echoplane.phantom.colour import PALETTE, paint
from echoplane.phantom.labels import Tissue
from echoplane.phantom.organs import ORGANS, OrganScene, organ_pose
from echoplane.phantom.overlays import FURNITURE, Ecg, draw_furniture
from echoplane.phantom.plan import plan_recording
from echoplane.phantom.screen import BY_NAME, LAYOUTS, Screen, draw_screen, frame_fan


@pytest.mark.parametrize("name", sorted(FURNITURE))
def test_every_piece_is_drawn_and_replayed(name: str) -> None:
    recording = plan_recording("A4C", 1, nuisances=frozenset())
    drawn = 0
    for seed in range(6):
        screen = Screen(size=(300, 400), furniture=(name,), furniture_seed=seed)
        fan, framing = frame_fan(screen, recording.shape)
        one, two = (draw_furniture(screen, fan, framing) for _ in range(2))
        np.testing.assert_array_equal(one.colour, two.colour)
        assert one.colour.max(-1)[one.alpha == 0].max() == 0
        drawn += int((one.alpha > 0).sum())
    assert drawn > 30


def test_layouts_name_furniture_that_exists() -> None:
    for layout in LAYOUTS:
        assert set(layout.furniture) <= {*FURNITURE, "ecg"}


def test_all_layouts_are_drawn() -> None:
    rng = np.random.default_rng(0)
    assert {draw_screen(rng).layout for _ in range(400)} == set(BY_NAME)
    assert draw_screen(rng, (77, 99)).size == (77, 99)


def test_ecg_is_written_from_left_to_right_and_peaks_at_the_r_wave() -> None:
    ecg = dataclasses.replace(
        Ecg.of(Screen(size=(200, 300))), box=(0, 100, 300, 200), sweep_s=3.0, lead=(0.1, 0.9, 0.2, 0.2)
    )
    phases = np.linspace(0, 1, 400, endpoint=False).astype(np.float32)
    assert abs(phases[np.argmax(ecg.voltage(phases))]) < 0.01

    def frame(time_s: float) -> np.ndarray:
        picture = np.zeros((200, 300), np.uint8)
        ecg.draw(picture, lambda t: (t * 1.1) % 1.0, time_s)
        return picture

    early, late = frame(3.6), frame(4.5)
    # Between the two the pen has passed columns 60 to 150, and nothing else has changed.
    changed = np.flatnonzero((early != late).any(0))
    assert changed.min() > 45
    assert changed.max() < 165
    assert (early[:95] == 0).all()


@pytest.mark.parametrize("shape", [(50, 71), (50, 71, 3)])
def test_jpeg_harms_less_at_higher_quality(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    low, high = (np.abs(through_jpeg(picture, q).astype(int) - picture).mean() for q in (20, 95))
    assert through_jpeg(picture, 50).shape == shape
    assert high < low


def test_video_keeps_the_shape_and_roughly_the_picture() -> None:
    ramp = np.tile(np.arange(100, dtype=np.uint8) * 2, (5, 61, 1))
    out = through_video(ramp, 25.0, 2000)
    assert out.shape == ramp.shape
    assert np.abs(out.astype(int) - ramp).mean() < 8
    np.testing.assert_array_equal(out, through_video(ramp, 25.0, 2000))


def test_colours_are_blue_away_and_red_towards() -> None:
    assert len(PALETTE) == 255
    picture = np.full((1, 3, 3), 50, np.uint8)
    painted = paint(picture, np.array([[-0.9, 0.0, 0.9]], np.float32))[0]
    assert painted[0, 2] > painted[0, 0]
    assert painted[2, 0] > painted[2, 2]
    np.testing.assert_array_equal(painted[1], [50, 50, 50])


@pytest.mark.parametrize("kind", sorted(ORGANS))
def test_organs_are_made_of_known_tissues_and_move(kind: str) -> None:
    scene, pose = OrganScene(kind, 4), organ_pose()
    across, along = np.meshgrid(np.linspace(-5, 5, 40), np.linspace(0.1, 14, 60), indexing="ij")
    points = (across[..., None] * pose.lateral + along[..., None] * pose.axis + pose.origin).astype(np.float32)
    cut = scene.slice(points, 0.0)
    assert set(np.unique(cut.label)) <= {int(t) for t in Tissue}
    assert cut.material.dtype == np.float32
    assert np.abs(scene.slice(points, 0.7).material - cut.material).max() > 1e-3
    np.testing.assert_array_equal(OrganScene(kind, 4).slice(points, 0.3).label, scene.slice(points, 0.3).label)
    assert 0 <= scene.phase(3.21) < 1
