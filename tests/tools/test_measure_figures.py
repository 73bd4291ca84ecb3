import csv
import json
from pathlib import Path

import numpy as np
import pytest
from measure import card, cost, development, leftout, novelty
from measure.convnext import convnext_base
from measure.development import Clip
from measure.failures import spread
from measure.reader import from_probabilities
from measure.results import Ledger, identity, load, of_today, percent, plain, points, save, share
from measure.robustness import Factor, factors, summary
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from echoplane.errors import DataError
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import CARD_NAME, Bundle
from echoplane.models.bundle_facts import Thresholds

LABELS = ("A2C", "A4C", "PLAX")


def write_csv(path, rows, header=("cine", "group", "truth", *LABELS)):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def predictions(cines=("a", "b"), seed=0):
    rng = np.random.default_rng(seed)
    count = len(cines)
    return Predictions(
        LABELS, tuple(cines), tuple(f"g{c}" for c in cines), np.zeros(count, np.int64), np.repeat(np.arange(count), 2),
        rng.normal(size=(2 * count, 3)).astype(np.float32), np.zeros(count, np.int64), ("",) * count,
    )  # fmt: skip


def test_csv_columns_in_any_order_and_scaled_to_one(tmp_path):
    path = write_csv(tmp_path / "p.csv", [["0.501", "x", "g", "0.2", "A4C", "0.3"]],
                     ("A4C", "cine", "group", "A2C", "truth", "PLAX"))  # fmt: skip
    found = leftout.load([path])
    assert found.labels == ("A4C", "A2C", "PLAX")
    assert found.p[0].sum() == pytest.approx(1, abs=1e-12)
    assert (found.cines, found.groups, found.truths, found.answers) == (("x",), ("g",), ("A4C",), None)


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([["x", "A4C", "1", "0", "0"]], ("cine", "truth", *LABELS), "needs cine, group, truth"),
        ([["x", "g", "A4C", "0.7", "0.7", "0"]], ("cine", "group", "truth", *LABELS), "line 2: the probabilities sum"),
        ([["x", "g", "A4C", "1", "much", "0"]], ("cine", "group", "truth", *LABELS), "line 2: a probability is no"),
        ([["x", "g", "A4C", "1", "0", "0"]] * 2, ("cine", "group", "truth", *LABELS), "'x' is there twice"),
    ],
)
def test_bad_csv_is_refused_with_the_reason(tmp_path, rows, header, words):
    with pytest.raises(DataError, match=words):
        leftout.load([write_csv(tmp_path / "p.csv", rows, header)])


def test_runs_are_joined_and_other_cines_passed_over(tmp_path):
    for name, cines in (("one", ("a", "phantom/1")), ("two", ("b", "phantom/1"))):
        (tmp_path / name).mkdir()
        predictions(cines, seed=len(name)).save(tmp_path / name / "validation.npz")
    found = leftout.load([tmp_path / "one", tmp_path / "two"], {"a", "b"})
    assert found.cines == ("a", "b")
    assert found.answers is not None
    assert np.allclose(found.answers.cine_probabilities(), found.p)


def clips(tmp_path):
    views = (("a", "A2C"), ("b", "A4C"), ("c", "SUBCOSTAL"), ("d", "PSAX"))
    return [Clip(tmp_path / name, name, view, f"g{name}", "MIT", False) for name, view in views]


def test_left_out_rows_take_their_truth_from_the_list_and_decide_by_the_threshold(tmp_path, toy_bundle):
    bundle = toy_bundle(thresholds=Thresholds(min_probability=0.6))
    path = write_csv(tmp_path / "p.csv", [
        ["a", "?", "A2C", 0.9, 0.1, 0.0], ["b", "?", "A4C", 0.5, 0.4, 0.1], ["c", "?", "PLAX", 0.1, 0.1, 0.8],
        ["d", "?", "A2C", 0.2, 0.2, 0.6], ["elsewhere", "?", "A2C", 1, 0, 0],
    ])  # fmt: skip
    rows = development.from_table(leftout.load([path]), bundle, clips(tmp_path))
    assert [r["cine"] for r in rows] == ["a", "b", "c", "d"]
    assert [r["truth"] for r in rows] == ["A2C", "A4C", "SUBCOSTAL", "PSAX"]
    assert [development.given(r) for r in rows] == ["A2C", "unsure", "other", "other"]
    assert [r["best"] for r in rows] == ["A2C", "A2C", "other", "other"]
    found = development.figures(rows)
    # The short axis of unknown level counts for the family alone.
    assert found["accuracy"]["value"] == pytest.approx(2 / 3)
    assert found["family"]["value"] == pytest.approx(2 / 3)
    assert found["confusion"]["counts"][found["confusion"]["rows"].index("A4C")][-1] == 1
    assert found["answered"]["value"] == pytest.approx(2 / 3)
    assert found["right_of_answered"]["value"] == 1


def test_left_out_decision_leaves_the_bundles_own_calibration_out(toy_bundle):
    facts = toy_bundle(thresholds=Thresholds(0.6, novelty="energy", novelty_limit=-100.0)).facts
    found = from_probabilities(np.array([0.7, 0.2, 0.1]), LABELS, facts)
    assert (found.status, found.best, found.energy) == ("ok", "A2C", None)
    assert found.probability == pytest.approx(0.7)


def test_weights_that_saw_the_clips_report_nothing_without_left_out_answers(tmp_path, toy_bundle):
    facts = development.measure(toy_bundle(), tmp_path, clips(tmp_path), seen=True)
    assert facts["rows"] == []
    assert "accuracy" not in facts
    assert "not reported" in (tmp_path / "development.md").read_text()


def row(truth, best, p=0.9, group="g", status="ok"):
    return {"cine": f"{truth}{best}{p}", "group": group, "truth": truth, "best": best, "label": best, "probability": p,
            "main": p, "most": p, "status": status}  # fmt: skip


def test_balanced_recall_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    rows = [
        row(str(t), str(b), group=str(i % 7)) for i, (t, b) in enumerate(rng.choice(["A2C", "A3C", "A4C"], (60, 2)))
    ]
    expected = balanced_accuracy_score([r["truth"] for r in rows], [r["best"] for r in rows])
    found = development.figures(rows)["apical_balanced"]
    assert found["value"] == pytest.approx(expected)
    assert found["low"] < expected < found["high"]


def test_risk_falls_when_only_the_sure_are_answered():
    rows = [row("A2C", "A2C", 0.9 - 0.01 * i) for i in range(8)] + [row("A2C", "A4C", 0.3), row("A4C", "A2C", 0.2)]
    found = development.risk_table(rows)["points"]
    by = {p["wanted"]: p for p in found}
    assert by[1.0]["wrong"] == pytest.approx(0.2)
    assert by[0.8]["wrong"] == 0
    assert by[0.8]["from_probability"] == pytest.approx(0.83)


def test_novelty_auroc_is_that_of_scikit_learn():
    rng = np.random.default_rng(4)

    def some(kind, low, high, seen):
        values = rng.uniform(low, high, 30).round(1)
        return [{"kind": kind, "seen": seen, "status": "ok", "main": v, "most": v, "energy": -v, "answers_energy": v}
                for v in values]  # fmt: skip

    rows = [
        *some("phantom hearts", 0.4, 1.0, True),
        *some("noise", 0.0, 0.7, False),
        *some("phantom air", 0.2, 0.8, True),
    ]
    found = novelty.figures(rows)
    stranger = [r["kind"] != "phantom hearts" for r in rows]
    assert found["all"]["phantoms"]["not a main view"] == pytest.approx(
        roc_auc_score(stranger, [1 - r["main"] for r in rows])
    )
    assert found["all"]["phantoms"]["energy"] == pytest.approx(roc_auc_score(stranger, [r["energy"] for r in rows]))
    assert found["never_seen"]["cines"] == 30
    assert found["clips"]["as_main_view"] is None


def test_robustness_compares_the_same_cines():
    rows = [Factor("reference", "as it is", ""), Factor("gain", "more", "as it is")]
    found = []
    for number in range(12):
        cine = f"{number:04d}"
        found.append({"cine": cine, "factor": "reference", "level": "as it is", **row("A2C", "A2C")} | {"cine": cine})
        if number < 8:  # of the others there is no such row
            answer = "A2C" if number < 6 else "A4C"
            found.append({"factor": "gain", "level": "more", **row("A2C", answer)} | {"cine": cine})
    base, gain = summary(found, rows)
    assert base["change"] is None
    assert gain["accuracy"]["value"] == pytest.approx(0.75)
    assert gain["change"]["value"] == pytest.approx(-0.25)


def test_every_row_of_the_robustness_table_is_compared_with_one_that_is_there():
    rows = list(factors())
    references = {f.level for f in rows if not f.against}
    assert {f.against for f in rows if f.against} <= references
    assert len({(f.name, f.level) for f in rows}) == len(rows)


def test_ledger_goes_on_after_a_cut_line_and_starts_afresh_for_other_weights(tmp_path):
    path = tmp_path / "rows.jsonl"
    ledger = Ledger(path, {"bundle": "1"})
    ledger.add("a", [{"x": np.float32(1.5)}])
    ledger.add("b", [{"x": 2}])
    path.write_text(path.read_text()[:-6])
    again = Ledger(path, {"bundle": "1"})
    assert "a" in again
    assert "b" not in again
    again.add("b", [{"x": 3}])
    assert Ledger(path, {"bundle": "1"}).rows() == [{"cine": "a", "x": 1.5}, {"cine": "b", "x": 3}]
    assert Ledger(path, {"bundle": "2"}).rows() == []


def test_what_was_measured_with_phantoms_drawn_otherwise_is_no_result_of_today(tmp_path, monkeypatch):
    Ledger(tmp_path / "rows.jsonl", {"bundle": "1"}).add("a", [{"x": 1}])
    save(tmp_path, "text", {"x": 1}, "")
    assert of_today(load(tmp_path, "text"))
    assert not of_today({"x": 1})  # the first drawing did not say so
    monkeypatch.setattr("measure.results.DRAWING", 1_000)
    assert not of_today(load(tmp_path, "text"))
    assert Ledger(tmp_path / "rows.jsonl", {"bundle": "1"}).rows() == []


def test_identity_passes_over_what_decides_nothing(toy_bundle):
    bundle = toy_bundle()
    members = {name: bundle.read(name) for name in bundle.facts.members}
    from dataclasses import replace

    told = Bundle.create(replace(bundle.facts, notes=("new",)), {**members, CARD_NAME: b"card"})
    stricter = Bundle.create(replace(bundle.facts, thresholds=Thresholds(0.7)), members)
    assert identity(told) == identity(bundle) != identity(stricter)


def test_figures_in_words():
    assert plain({"a": [np.float64("nan"), np.int64(3)]}) == {"a": [None, 3]}
    assert (percent(0.125), percent(None), points(-0.004), points(0.0)) == ("12.5 %", "-", "-0.4", "+0.0")
    assert share([], [])["value"] is None


def test_surest_mistakes_of_each_kind_come_first():
    rows = [row("A2C", "A4C", 0.9), row("A2C", "A4C", 0.8), row("A4C", "A2C", 0.5)]
    assert [r["probability"] for r in spread(rows, 2)] == [0.9, 0.5]


def test_convnext_base_has_the_size_of_the_published_one():
    # 88.6 million parameters with the 1000 classes of ImageNet (Liu et al. 2022, table 1: 89 M).
    assert sum(p.numel() for p in convnext_base(1000).parameters()) == 88_591_464


def test_running_statistics_are_no_parameters():
    from safetensors.numpy import load as tensors

    bundle = Bundle.load()
    sizes = {name: tensor.size for name, tensor in tensors(bundle.read("weights.safetensors")).items()}
    counted = ("running_mean", "running_var", "num_batches_tracked")
    assert any(name.endswith(counted) for name in sizes)
    learned = sum(size for name, size in sizes.items() if not name.endswith(counted))
    assert cost.parameters(bundle) == learned
    for name in ("about", "cost"):  # what the next card is written from
        assert load(Path(cost.__file__).parents[1] / "log" / "measures", name)["parameters"] == learned


def test_card_is_built_from_what_is_there(tmp_path):
    about = {
        "name": "w", "network": "n", "parameters": 5, "licence": "Apache-2.0", "clip_shape": [8, 112, 112],
        "vocabulary": ["A2C", "A4C", "PLAX"], "answers": ["A2C", "A4C"], "min_probability": 0.5, "data": [],
        "stages": [], "calibration": None,
    }  # fmt: skip
    save(tmp_path, "about", about, "")
    assert json.loads((tmp_path / "about.json").read_text()) == load(tmp_path, "about")
    made = card.build(tmp_path, tmp_path)
    assert "Not to be used for diagnosis" in made
    assert "## Robustness" not in made
    assert "apical two-chamber" in made


def test_the_misread_phantoms_are_said_to_be_of_the_robustness_table(tmp_path):
    """The card has another table of phantoms, with other mistakes."""
    save(tmp_path, "failures", {"real": None, "phantom": {"file": "p.jpg", "shown": 8, "of": 8}}, "")
    text = card.failures(tmp_path, tmp_path)
    assert "8 of 8 misread phantom cines, of the whole screens as drawn in the robustness table" in text
