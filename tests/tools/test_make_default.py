import json

import make_default
import numpy as np
import pytest
from measure.leftout import LeftOut

from echoplane.data.split import TRAIN, VALIDATION, Split, SplitRow
from echoplane.metrics.predictions import Predictions
from echoplane.prepare.recipe import RECIPES
from echoplane.store.reader import StoreReader
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter

VIEWS = ("A2C", "A4C", "PLAX")


def answers(name, count, groups, sure, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    logits = rng.normal(size=(count, 3))
    logits[np.arange(count), truth] += sure
    return Predictions(
        VIEWS, tuple(f"{name}/{i}" for i in range(count)), tuple(f"{name}-{i % groups}" for i in range(count)),
        truth.astype(np.int64), np.arange(count), logits.astype(np.float32), np.zeros(count, np.int64), ("",) * count,
    )  # fmt: skip


def test_thinned_keeps_as_many_as_asked_of_all_patients():
    found = make_default.thinned(answers("phantom", 300, 30, 3, 0), 60)
    assert len(found.cines) == 60
    assert len(set(found.groups)) == 30
    assert len(make_default.thinned(found, 500).cines) == 60


def test_calibration_counts_real_clips_as_much_as_phantoms(toy_bundle):
    phantoms, real = answers("phantom", 300, 30, 4, 1), answers("real", 60, 12, 1.5, 2)
    alone, told = make_default.calibrated(toy_bundle(VIEWS), phantoms, None)
    assert told["on"] == make_default.ON_PHANTOM
    left_out = LeftOut(VIEWS, real.cines, real.groups, ("A2C",) * 60, real.cine_probabilities(), real)
    both, told = make_default.calibrated(toy_bundle(VIEWS), phantoms, left_out)
    assert told["cines"] == 120
    assert [part["on"] for part in told["parts"]] == [make_default.ON_PHANTOM, make_default.ON_REAL]
    # Harder clips: less sure, and never offered below even odds.
    assert both.facts.calibration.scale[0] < alone.facts.calibration.scale[0]
    assert both.facts.thresholds.min_probability >= make_default.LEAST
    assert both.facts.thresholds.novelty_limit is not None


def test_answers_of_another_vocabulary_are_not_mixed_in(toy_bundle):
    phantoms, real = answers("phantom", 100, 20, 4, 1), answers("real", 60, 12, 1.5, 2)
    other = LeftOut(VIEWS[::-1], real.cines, real.groups, ("A2C",) * 60, real.cine_probabilities()[:, ::-1], None)
    _, told = make_default.calibrated(toy_bundle(VIEWS), phantoms, other)
    assert told["on"] == make_default.ON_PHANTOM


@pytest.fixture
def stores(tmp_path):
    frames = np.zeros((4, 8, 8), np.uint8)
    with StoreWriter(
        tmp_path / "p", recipe={"name": RECIPES["default"].name}, views=VIEWS, height=8, width=8
    ) as writer:
        for i in range(6):
            writer.append(frames, StoreRow(f"phantom/{i}", label="A2C", group=f"p{i // 2}", fps=8.0, n_frames=4))
    with StoreWriter(
        tmp_path / "r", recipe={"name": RECIPES["default"].name}, views=VIEWS, height=8, width=8
    ) as writer:
        for i, (licence, origin) in enumerate(
            (("MIT", "one/clips"), ("MIT", "one/clips"), ("Apache-2.0", "two/clips"))
        ):
            row = StoreRow(
                f"r/{i}", label="A4C", group="g", fps=8.0, n_frames=4, extra={"licence": licence, "origin": origin}
            )
            writer.append(frames, row)
    return [StoreReader(tmp_path / "p"), StoreReader(tmp_path / "r")]


def test_data_is_counted_by_source_and_licence(stores):
    parts = {f"phantom/{i}": TRAIN if i < 4 else VALIDATION for i in range(6)}
    parts |= {f"r/{i}": TRAIN for i in range(3)}
    split = Split(tuple(SplitRow(cine, part, None, "", "") for cine, part in sorted(parts.items())))
    uses = {(u.name, u.use): (u.licence, u.cines, u.groups) for u in make_default.data_uses(stores, split, True)}
    assert uses == {
        ("echoplane phantom", "training"): ("Apache-2.0", 4, 2),
        ("echoplane phantom", "validation, calibration"): ("Apache-2.0", 2, 1),
        ("one/clips", "training; calibration by left-out models"): ("MIT", 2, 1),
        ("two/clips", "training; calibration by left-out models"): ("Apache-2.0", 1, 1),
    }


def test_the_threshold_holds_for_the_real_clips_by_themselves(toy_bundle):
    facts = toy_bundle(VIEWS).facts
    assert make_default.threshold(None, facts) == 0
    real = answers("real", 400, 40, 2.0, 3)
    least = make_default.threshold(real, facts)
    p = real.cine_probabilities(facts.calibration)
    offered = np.array([label in facts.answers for label in VIEWS])
    side = np.concatenate([p[:, offered], p[:, ~offered].sum(axis=1, keepdims=True)], axis=1)
    truth = np.where(offered[real.y_true], np.cumsum(offered)[real.y_true] - 1, offered.sum())
    kept = side.max(axis=1) >= least
    assert 0.2 < kept.mean() < 1
    assert (side.argmax(axis=1) == truth)[kept].mean() >= 0.95
    assert (side.argmax(axis=1) == truth).mean() < 0.9


def a_run(folder, bundle, name, weights=""):
    folder.mkdir()
    network = f"network: {{name: compact3d, weights: '{weights}'}}\n" if weights else ""
    (folder / "recipe.yaml").write_text(f"name: {name}\n{network}fit: {{epochs: 2, batch: 8}}\n", encoding="utf-8")
    (folder / "run.json").write_text(json.dumps({"seed": 5}), encoding="utf-8")
    Split((SplitRow("a", TRAIN, None, "g", "A2C"), SplitRow("b", VALIDATION, None, "h", "A2C"))).save(
        folder / "split.csv"
    )
    bundle.save(folder / "bundle")
    return folder


def test_stages_go_back_to_the_first_run(toy_bundle, tmp_path):
    first = a_run(tmp_path / "first", toy_bundle(VIEWS), "one")
    second = a_run(tmp_path / "second", toy_bundle(VIEWS), "two", first)
    assert [row["name"] for row in make_default.stages(second)] == ["one", "two"]


def test_weights_that_travel_without_their_runs_tell_their_stages_in_a_file_beside_them(toy_bundle, tmp_path):
    weights = tmp_path / "start.safetensors"
    weights.write_bytes(b"")
    weights.with_suffix(".json").write_text(json.dumps([{"name": "one"}, {"name": "two"}]), encoding="utf-8")
    run = a_run(tmp_path / "run", toy_bundle(VIEWS), "three", weights)
    assert [row["name"] for row in make_default.stages(run)] == ["one", "two", "three"]
    assert list(make_default.stages(run))[-1]["cines"] == 1
