from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from echoplane.phantom.disease import DISEASES
from echoplane.phantom.heart.anatomy import Anatomy
from echoplane.phantom.heart.shapes import round_cone, smooth_union
from echoplane.phantom.heart.valves import Cusps, across
from echoplane.phantom.population import draw_patient
from echoplane.phantom.poses import Pose, draw_pose
from echoplane.phantom.scene import BLOOD, Scene, Slice, Tissue


def fan_points(pose: Pose, beams: int = 64, samples: int = 120, depth: float = 15.0) -> np.ndarray:
    angles = np.radians(np.linspace(-40, 40, beams))
    depths = np.linspace(0.1, depth, samples)
    right, down = np.sin(angles)[:, None] * depths, np.cos(angles)[:, None] * depths
    points = pose.origin + down[..., None] * pose.axis + right[..., None] * pose.lateral
    return points.astype(np.float32)


def scene_and_points(view: str, seed: int = 3, disease: str = "none") -> tuple[Scene, np.ndarray]:
    patient = draw_patient(seed, disease)
    pose = draw_pose(patient, view, np.random.default_rng(seed), 0.0)
    return Scene(patient, 1, pose), fan_points(pose)


def test_a_slice_has_the_promised_types() -> None:
    scene, points = scene_and_points("A4C")
    seen = scene.slice(points, 0.3)
    assert isinstance(seen, Slice)
    assert seen.label.shape == seen.distance.shape == points.shape[:2]
    assert seen.label.dtype == np.uint8
    assert seen.material.dtype == seen.distance.dtype == np.float32
    assert float(seen.distance.min()) >= 0
    assert np.isfinite(seen.material).all()
    assert set(np.unique(seen.label)) <= {int(t) for t in Tissue}


def test_same_seed_same_bytes() -> None:
    def content() -> bytes:
        scene, points = scene_and_points("A3C", disease="calcified")
        seen = scene.slice(points, 0.41)
        return seen.label.tobytes() + seen.material.tobytes() + seen.distance.tobytes()

    assert content() == content()


@pytest.mark.parametrize("view", ["A4C", "A2C", "A3C", "PSAX-MV", "PSAX-PM", "PLAX", "PSAX-AV"])
def test_the_coarse_grid_hardly_changes_the_labels(view: str) -> None:
    scene, points = scene_and_points(view)
    for time_s in (0.0, 0.35, 0.6):
        fast, exact = scene.slice(points, time_s), scene.slice(points, time_s, step=(1, 1))
        assert (fast.label == exact.label).mean() > 0.955
        inside = (fast.label == exact.label) & (exact.distance > 0.1)
        assert np.abs(fast.distance - exact.distance)[inside].mean() < 0.06


def test_at_end_diastole_every_point_is_where_it_belongs() -> None:
    scene, points = scene_and_points("A4C")
    seen = scene.slice_at(points, scene.clock.at_phase(0.0), (1, 1))
    still = ~np.isin(seen.label, [int(t) for t in BLOOD])
    assert np.abs(seen.material - points)[still].max() < 1e-3


def _place_now(anatomy: Anatomy, target: np.ndarray, now: object, start: np.ndarray) -> np.ndarray:
    """Where the tissue is that was at `target` at end-diastole: fixed-point iteration on the inverse motion."""
    place = start.copy()
    for _ in range(60):
        p = tuple(np.ascontiguousarray(place[:, i : i + 1], dtype=np.float32) for i in range(3))
        found = np.concatenate(anatomy.motion.pull_back(p, now), axis=1)  # type: ignore[arg-type]
        place += 0.7 * (target - found)
    return place


@pytest.mark.parametrize("disease", ["none", "infarct"])
def test_muscle_keeps_its_label_while_it_moves(disease: str) -> None:
    patient = draw_patient(12, disease)
    scene = Scene(patient)
    anatomy = Anatomy(patient)
    rng = np.random.default_rng(0)
    angle, height = rng.uniform(0, 2 * np.pi, 400), rng.uniform(1.5, 0.75 * patient.lv.length, 400)
    radius = rng.uniform(1.0, 4.0, 400)
    target = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    rest = scene.slice_at(target[:, None].astype(np.float32), scene.clock.at_phase(0.0), (1, 1))
    muscle = (rest.label[:, 0] == Tissue.MYO_LV) & (rest.distance[:, 0] > 0.1)
    assert muscle.sum() > 40
    now = scene.clock.at_phase(0.35)
    place = _place_now(anatomy, target[muscle], now, target[muscle])
    moved = scene.slice_at(place[:, None].astype(np.float32), now, (1, 1))
    assert np.abs(moved.material[:, 0] - target[muscle]).max() < 0.02
    assert (moved.label[:, 0] == Tissue.MYO_LV).mean() > 0.97
    # Healthy muscle moves inwards and to the apex.
    assert (place[:, 2] - target[muscle][:, 2]).min() > 0
    if disease == "none":
        assert np.mean(np.hypot(*place[:, :2].T) < np.hypot(*target[muscle][:, :2].T)) > 0.95


def test_the_wall_thickens_and_the_apex_turns_against_the_base() -> None:
    patient = draw_patient(2, "none")
    patient = replace(patient, lv=replace(patient.lv, bend=(0.0, 0.0), oval=(0.0, 0.0), twist_deg=16.0))
    scene = Scene(patient)
    now = scene.clock.at_phase(0.36)
    line = np.zeros((1, 600, 3), np.float32)
    line[0, :, 0] = np.linspace(0, 5, 600)
    line[0, :, 2] = 0.45 * patient.lv.length

    def thickness(state: object) -> float:
        seen = scene.slice_at(line, state, (1, 1))  # type: ignore[arg-type]
        return float((seen.label == Tissue.MYO_LV).sum()) * 5 / 600

    gain = thickness(now) / thickness(scene.clock.at_phase(0.0)) - 1
    assert 0.25 < gain < 0.75  # radial strain of a healthy ventricle, about 40 to 50 %

    def turn(height: float) -> float:
        """Degrees by which tissue at this height has turned from x to y, the way a viewer at the apex sees it."""
        point = np.array([[[2.4, 0.0, height]]], np.float32)
        was = scene.slice_at(point, now, (1, 1)).material[0, 0]
        return -float(np.degrees(np.arctan2(was[1], was[0])))

    assert turn(0.85 * patient.lv.length) > 4
    assert turn(1.6) < turn(0.85 * patient.lv.length) - 5


def test_tissue_moves_smoothly() -> None:
    scene, points = scene_and_points("A4C")
    solid = None
    step = 0.005
    for k in range(40):
        a, b = scene.slice(points, k * 0.02), scene.slice(points, k * 0.02 + step)
        solid = (a.label == Tissue.MYO_LV) & (b.label == Tissue.MYO_LV)
        speed = np.linalg.norm(b.material - a.material, axis=-1)[solid] / step
        assert float(np.percentile(speed, 99)) < 25  # cm/s; septal and annular peak velocities are below 15
    assert solid is not None
    assert solid.any()


def test_valves_open_and_shut() -> None:
    scene, points = scene_and_points("A3C", seed=5)
    patient = scene.patient
    length = 60 / patient.rhythm.rate
    closing = scene.clock.end_systole(length)
    ejecting = scene.slice_at(points, scene.clock.at_phase(0.6 * closing / length), (1, 1)).label
    filling = scene.slice_at(points, scene.clock.at_phase((closing + 0.15) / length), (1, 1)).label
    deep = np.broadcast_to(np.arange(points.shape[1]), filling.shape)
    # Open leaflets reach deeper into the ventricle (nearer to the probe) than shut ones.
    assert deep[filling == Tissue.LEAFLET_MITRAL].min() < deep[ejecting == Tissue.LEAFLET_MITRAL].min() - 3


def test_a_semilunar_valve_is_a_star_when_shut_and_a_ring_when_open() -> None:
    axis = np.array([0.0, 0.0, 1.0])
    cusps = Cusps(np.zeros(3), axis, *across(axis), 1.5, 1.2, 0.0, 0.12, 0.0)
    x, y = np.meshgrid(np.linspace(-1.4, 1.4, 141), np.linspace(-1.4, 1.4, 141), indexing="ij")
    edge = tuple(np.asarray(v, np.float32) for v in (x, y, np.full_like(x, 1.1)))
    r = np.hypot(x, y)
    shut, wide = cusps.distance(edge, 0.0) < 0, cusps.distance(edge, 1.0) < 0
    assert shut[r < 0.2].mean() > 0.4
    assert not wide[r < 0.9].any()
    circle = shut[(r > 0.6) & (r < 0.7)]
    assert 0.02 < circle.mean() < 0.5


def test_diseases_are_seen() -> None:
    def area(view: str, disease: str, tissue: Tissue, phase: float = 0.0) -> float:
        scene, points = scene_and_points(view, 4, disease)
        label = scene.slice_at(points, scene.clock.at_phase(phase), (1, 1)).label
        return float((label == tissue).mean())

    assert area("PLAX", "effusion", Tissue.EFFUSION) > 0.01
    assert area("PLAX", "none", Tissue.EFFUSION) == 0
    assert area("A4C", "calcified", Tissue.CALCIUM) > 0
    assert area("A4C", "dilated", Tissue.BLOOD_LV) > area("A4C", "none", Tissue.BLOOD_LV)
    assert area("PSAX-PM", "hypertrophic", Tissue.MYO_LV) > area("PSAX-PM", "none", Tissue.MYO_LV)
    ratio = area("A4C", "right-overload", Tissue.BLOOD_RV) / area("A4C", "right-overload", Tissue.BLOOD_LV)
    assert ratio > area("A4C", "none", Tissue.BLOOD_RV) / area("A4C", "none", Tissue.BLOOD_LV)


@pytest.mark.parametrize("disease", ["none", *DISEASES])
def test_every_disease_gives_finite_slices_at_every_time(disease: str) -> None:
    for view in ("A4C", "PSAX-PM"):
        scene, points = scene_and_points(view, 17, disease)
        for time_s in np.linspace(0, 1.2, 9):
            seen = scene.slice(points, float(time_s))
            assert np.isfinite(seen.material).all()
            assert np.isfinite(seen.distance).all()
            assert (seen.label == Tissue.BLOOD_LV).any()


def test_an_overloaded_right_ventricle_flattens_the_septum() -> None:
    patient = draw_patient(4, "right-overload")
    patient = replace(patient, lv=replace(patient.lv, flat_septum=1.0, oval=(0.0, 0.0), bend=(0.0, 0.0)))
    anatomy = Anatomy(patient)
    angles = np.radians(np.array([[10.0, 190.0]], np.float32))
    inner, _ = anatomy.motion._shape.radii(  # the one place that knows
        np.full((1, 2), 0.4 * patient.lv.length, np.float32), np.cos(angles), np.sin(angles)
    )
    assert inner[0, 1] < 0.7 * inner[0, 0]


def test_ribs_leave_the_middle_beam_free() -> None:
    scene, points = scene_and_points("A2C")
    label = scene.slice(points, 0.0).label
    middle = label[label.shape[0] // 2 - 3 : label.shape[0] // 2 + 3]
    assert not (middle == Tissue.RIB).any()
    # Across the intercostal space there are ribs somewhere near the face of the probe.
    patient = scene.patient
    pose = draw_pose(patient, "A2C", np.random.default_rng(3), 0.0)
    out = np.cross(pose.axis, pose.lateral)
    grid = np.linspace(-3, 3, 61, dtype=np.float32)
    a, b = np.meshgrid(grid, grid, indexing="ij")
    points = pose.origin + 0.9 * pose.axis + a[..., None] * pose.lateral + b[..., None] * out
    beside = Scene(patient, 1, pose).slice(points.astype(np.float32), 0.0, (1, 1)).label
    assert (beside == Tissue.RIB).any()


def test_round_cone_and_fillet() -> None:
    a, b = np.zeros(3), np.array([4.0, 0.0, 0.0])
    p = tuple(np.array([[v]], np.float32) for v in (2.0, 3.0, 0.0))
    assert float(round_cone(p, a, b, 1.0, 1.0)[0, 0]) == pytest.approx(2.0, abs=1e-5)
    one, two = np.array([0.1], np.float32), np.array([0.2], np.float32)
    assert float(smooth_union(one, two, 1.0)[0]) < 0.1
    assert float(smooth_union(one, two + 5, 1.0)[0]) == pytest.approx(0.1)
