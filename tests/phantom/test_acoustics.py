"""Echo fields of made-up bodies whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from echoplane.phantom.acoustics import Body, make_body
from echoplane.phantom.fan import FINE, Fan, PolarGrid
from echoplane.phantom.labels import Slice, Tissue
from echoplane.phantom.looks import Acoustics, Dropout
from echoplane.phantom.organs import organ_pose
from echoplane.phantom.tissue import TABLE
from echoplane.records import SectorKind

FAN = Fan(SectorKind.PHASED, 0.0, 14.0, -0.6, 0.6)
#: A window without clutter: what comes back is tissue alone.
CLEAR = Acoustics(
    texture_db=0, edge_loss_db=0, patch_db=0, wall_cm=0.01, near_db=-120, reverberation_db=-120, side_lobe_db=-200,
    haze_db=-120, noise_db=-120, elevation_cm=0.0, loss_scale=0.0,
)  # fmt: skip


def _body(acoustics: Acoustics = CLEAR) -> Body:
    return make_body(PolarGrid.of(FAN, 96, 180), acoustics, organ_pose(), np.random.default_rng(1))


def _uniform(body: Body, tissue: Tissue = Tissue.MYO_LV, shift: tuple[float, float, float] = (0, 0, 0)) -> Slice:
    points = body.points(body.pose) - np.array(shift, np.float32)
    shape = points.shape[:2]
    return Slice(np.full(shape, tissue, np.uint8), points.astype(np.float32), np.ones(shape, np.float32))


def _envelope(body: Body, cut: Slice) -> np.ndarray:
    return np.abs(body.echoes(cut, 0.0, np.random.default_rng(0)))


def test_every_tissue_has_acoustic_properties() -> None:
    assert set(TABLE) == set(Tissue)


def test_uniform_muscle_comes_back_at_unit_power_at_every_depth() -> None:
    body = _body()
    power = (_envelope(body, _uniform(body)) ** 2)[6:-6].mean(0)
    strips = power[40:320].reshape(-1, 40).mean(1)
    np.testing.assert_allclose(strips, 1, atol=0.35)


def test_tissues_differ_by_their_strengths() -> None:
    body = _body()
    muscle = _envelope(body, _uniform(body))
    blood = _envelope(body, _uniform(body, Tissue.BLOOD_LV))
    difference = 20 * np.log10(muscle.mean() / blood.mean())
    assert difference == pytest.approx(TABLE[Tissue.MYO_LV].strength_db - TABLE[Tissue.BLOOD_LV].strength_db, abs=1.5)


@pytest.mark.parametrize("shift_cm", [0.08, 0.16, 0.31])
def test_speckle_goes_with_the_tissue_along_the_beam(shift_cm: float) -> None:
    body = _body()
    before, after = _envelope(body, _uniform(body)), _envelope(body, _uniform(body, shift=(0, shift_cm, 0)))
    middle = slice(40, 56)  # beams that look straight down the motion
    a, step = before[middle, 100:300], body.fine.sample_step
    scores = {k: np.corrcoef(a.ravel(), after[middle, 100 + k : 300 + k].ravel())[0, 1] for k in range(-4, 15)}
    best = max(scores, key=lambda k: scores[k])
    assert abs(best * step - shift_cm) <= step
    assert scores[best] > 0.85
    assert scores[0] < scores[best] - 0.2


def test_speckle_goes_with_the_tissue_across_the_beams() -> None:
    body = _body()
    depth_row = 200
    depth = float(body.fine.depths[depth_row])
    shift = 2 * body.fine.beam_step * depth
    before, after = _envelope(body, _uniform(body)), _envelope(body, _uniform(body, shift=(shift, 0, 0)))
    rows = slice(depth_row - 8, depth_row + 8)
    # Only beams near the axis: elsewhere a step sideways is also one along the beam.
    scores = [np.corrcoef(before[38:56, rows].ravel(), after[38 + k : 56 + k, rows].ravel())[0, 1] for k in range(7)]
    assert int(np.argmax(scores)) == 2
    assert scores[2] > 0.8


def test_speckle_changes_when_tissue_leaves_the_slice() -> None:
    body = _body()
    before, after = _envelope(body, _uniform(body)), _envelope(body, _uniform(body, shift=(0, 0, 0.8)))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] < 0.25


def _wall(body: Body, tilt_deg: float) -> np.ndarray:
    """Brightest echo along the middle beams of a tilted step from blood to muscle."""
    cut = _uniform(body, Tissue.BLOOD_LV)
    points = body.points(body.pose)
    below = points[..., 1] - 8 > np.tan(np.radians(tilt_deg)) * points[..., 0]
    label = np.where(below, np.uint8(Tissue.MYO_LV), np.uint8(Tissue.BLOOD_LV))
    envelope = _envelope(body, replace(cut, label=label))
    return np.median(envelope[40:56].max(1))


def test_walls_shine_where_the_beam_hits_them_square() -> None:
    body = _body(replace(CLEAR, specular_db=24.0, specular_power=4.0))
    flat, tilted, steep = (_wall(body, angle) for angle in (0, 30, 65))
    assert flat > 1.4 * tilted > 1.4 * steep


def test_bone_casts_a_shadow_and_blood_enhances() -> None:
    body = _body(replace(CLEAR, loss_scale=1.0))
    cut = _uniform(body)
    points = body.points(body.pose)
    for tissue, brighter in ((Tissue.RIB, False), (Tissue.BLOOD_LV, True)):
        label = cut.label.copy()
        label[(np.abs(points[..., 1] - 5) < 1) & (points[..., 0] > 0)] = tissue
        envelope = _envelope(body, replace(cut, label=label))
        deep = slice(220, 340)
        behind, beside = envelope[60:90, deep].mean(), envelope[6:36, deep].mean()
        assert (behind > 1.1 * beside) if brighter else (behind < 0.15 * beside)


def test_dropout_takes_the_beams_it_names() -> None:
    wedge = Dropout(centre=0.5, width=0.2, from_cm=3.0, loss_db=20.0)
    clear, weak = _body(), _body(replace(CLEAR, dropouts=(wedge,)))
    ratio = _envelope(weak, _uniform(weak)) / _envelope(clear, _uniform(clear))
    at = round((0.5 + 1) / 2 * 95)
    assert np.median(20 * np.log10(ratio[at, 200:])) == pytest.approx(-20, abs=3)
    assert np.median(20 * np.log10(ratio[10, 200:])) == pytest.approx(0, abs=0.5)


def test_noise_grows_with_depth() -> None:
    body = _body(replace(CLEAR, noise_db=-60.0, noise_rise_db=30.0))
    envelope = _envelope(body, _uniform(body, Tissue.EFFUSION))
    noise = 20 * np.log10(envelope.mean(0))
    assert noise[-20:].mean() - noise[170:190].mean() == pytest.approx(15, abs=6)
    assert envelope.shape == (96, 180 * FINE)
