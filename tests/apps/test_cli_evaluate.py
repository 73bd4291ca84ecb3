import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from echoplane import config
from echoplane.apps.cli.main import build_app
from echoplane.data.split import Split, SplitRow
from echoplane.metrics.predictions import Predictions
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import SamplingRule
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter

VIEWS = ("A2C", "A4C", "PSAX-MV")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    torch.manual_seed(0)
    recipe, rule = PrepareRecipe(size=(32, 32)), SamplingRule(frames=6, seconds=0.5, max_clips=2)
    facts = BundleFacts("b", VIEWS, NetworkSpec("compact3d-s"), recipe, rule)
    export_bundle(build("compact3d-s", 3), facts).save(folder / "b.echoplane")
    rng = np.random.default_rng(0)
    with StoreWriter(folder / "store", recipe=config.to_mapping(recipe), views=VIEWS, height=32, width=32) as writer:
        for i in range(12):
            row = StoreRow(f"c{i}", label=[*VIEWS, "PLAX"][i % 4], group=f"p{i // 2}", fps=20.0, n_frames=20)
            writer.append(rng.integers(0, 255, (20, 32, 32), dtype=np.uint8), row)
    y = np.arange(90) % 3
    logits = rng.normal(size=(90, 3)) + 2 * np.eye(3)[y]
    for name, noise in (("ours", 0.0), ("theirs", 3.0)):
        noisy = (logits + noise * rng.normal(size=(90, 3))).astype(np.float32)
        Predictions(VIEWS, tuple(f"c{i}" for i in range(90)), tuple(f"p{i // 3}" for i in range(90)), y, np.arange(90),
                    noisy, np.zeros(90, dtype=int), ("",) * 90).save(folder / f"{name}.npz")  # fmt: skip
    return folder


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(), [str(w) for w in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        return 99, f"{type(done.exception).__name__}: {done.exception}"
    return done.exit_code, done.output


def test_evaluate_predictions_against_others(parts: Path, tmp_path: Path) -> None:
    code, text = run("evaluate", parts / "ours.npz", "--against", parts / "theirs.npz", "-o", tmp_path, "--repeats", 50)
    assert code == 0, text
    assert "ours reads more cines right than theirs" in text
    assert {p.name for p in tmp_path.iterdir()} == {"report.html", "evaluation.json", "misread.csv"}


def test_models_whose_files_have_the_usual_name_are_told_apart_by_their_folders(parts: Path, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "predictions.npz").write_bytes((parts / f"{name}.npz").read_bytes())
    files = [tmp_path / name / "predictions.npz" for name in ("ours", "theirs")]
    code, text = run("evaluate", files[0], "--against", files[1], "-o", tmp_path, "--repeats", 50)
    assert code == 0, text
    assert "ours reads more cines right than theirs" in text
    other = tmp_path / "more" / "ours"
    other.mkdir(parents=True)
    (other / "predictions.npz").write_bytes(files[0].read_bytes())
    code, text = run("evaluate", files[0], "--against", other / "predictions.npz", "-o", tmp_path, "--repeats", 50)
    assert code == 0, text
    assert "more/ours/predictions.npz" in (tmp_path / "report.html").read_text(encoding="utf-8").replace("\\", "/")


def test_a_calibration_that_nothing_holds_is_not_applied_in_silence(parts: Path, tmp_path: Path) -> None:
    code, text = run("evaluate", parts / "ours.npz", "--calibrated", "-o", tmp_path)
    assert (code, "name the --bundle whose it is" in text) == (99, True)


def test_evaluate_a_store_says_what_it_left_out_and_shows_pictures(parts: Path, tmp_path: Path) -> None:
    code, text = run("evaluate", parts / "store", "--bundle", parts / "b.echoplane", "-o", tmp_path, "--repeats", 10)
    assert code == 0, text
    assert "left out 3 cines: label 'PLAX' is not in the vocabulary" in text
    assert "data:image/webp" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "views it answers: " in text
    # The answers are kept, and can be looked at again, with pictures.
    again = tmp_path / "again"
    words = ["evaluate", tmp_path / "predictions.npz", "--pictures", parts / "store", "-o", again, "--repeats", 10]
    code, text = run(*words)
    assert code == 0, text
    assert "data:image/webp" in (again / "report.html").read_text(encoding="utf-8")


def test_two_bundles_on_one_store_end_in_a_sentence(parts: Path, tmp_path: Path) -> None:
    store, one = parts / "store", parts / "b.echoplane"
    words = ["evaluate", store, "--bundle", one, "-o", tmp_path, "--repeats", 10, "--against"]
    code, text = run(*words, one)
    assert code == 0, text
    assert "No difference between b and b can be told" in text
    code, text = run("evaluate", parts / "ours.npz", "-o", tmp_path, "--against", one)
    assert code != 0
    assert "a bundle needs stores to answer" in text


def test_the_calibration_is_the_bundles_unless_left_out(parts: Path, tmp_path: Path) -> None:
    made = tmp_path / "new.echoplane"
    run("calibrate", parts / "b.echoplane", parts / "ours.npz", "-o", made)
    found = {}
    for flag in ("--calibrated", "--uncalibrated"):
        words = ["evaluate", parts / "ours.npz", "--bundle", made, "-o", tmp_path / flag, "--repeats", 10, flag]
        code, text = run(*words)
        assert code == 0, text
        assert "sets for 95% coverage: hold the true view" in text
        found[flag] = json.loads((tmp_path / flag / "evaluation.json").read_text())["summary"]["figures"]["ece"][
            "value"
        ]
    assert found["--calibrated"] < found["--uncalibrated"]


def test_calibrate_from_stores_learns_when_a_cine_is_mirrored(parts: Path, tmp_path: Path) -> None:
    words = ["calibrate", parts / "b.echoplane", parts / "store", "-o"]
    for name, more, looks in (("a", [], True), ("b", ["--mirrored", 0], False)):
        code, text = run(*words, tmp_path / f"{name}.echoplane", *more)
        assert code == 0, text
        margin = Bundle.load(tmp_path / f"{name}.echoplane").facts.thresholds.mirror_margin
        assert (margin is not None and margin >= 0) is looks


def test_calibrate_writes_a_bundle_that_carries_it(parts: Path, tmp_path: Path) -> None:
    made = tmp_path / "new.echoplane"
    words = ["calibrate", parts / "b.echoplane", parts / "ours.npz", "-o", made, "--on", "made-up cines"]
    code, text = run(*words, "--coverage", 0.95, "--coverage", 0.8, "--familiar", 0)
    assert code == 0, text
    assert [sets.level for sets in Bundle.load(made).facts.conformal] == [0.8, 0.95]
    assert Bundle.load(made).facts.thresholds.novelty == "none"
    assert "expected calibration error" in text
    facts = Bundle.load(made).facts
    assert facts.calibrated_on == "made-up cines"
    assert facts.calibration.scale != (1.0,)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "{}/ours.npz", "{}/theirs.npz", "-o", "x"], "one file of predictions"),
        (["evaluate", "{}/no.npz", "-o", "x"], "no.npz"),
        (["evaluate", "{}/store", "--pictures", "{}/store", "-o", "x"], "Leave --pictures out"),
        (["calibrate", "{}/b.echoplane", "{}/ours.npz", "-o", "x", "--method", "magic"], "magic"),
    ],
)
def test_wrong_usage(parts: Path, words: list[str], message: str) -> None:
    code, text = run(*(w.format(parts) for w in words))
    assert code != 0
    assert message in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "{}/store", "--bundle", "{}/b.echoplane", "-o", "{}/b.echoplane"], "b.echoplane"),
        (["evaluate", "{}/store", "--bundle", "{}/b.echoplane", "-o", "{}/x", "--against", "{}/no.npz"], "no.npz"),
        (["evaluate", "{}/store", "--bundle", "{}/b.echoplane", "-o", "{}/x", "--against", "{}/no"], "no"),
        (["calibrate", "{}/b.echoplane", "{}/store", "-o", "{}/x", "--method", "magic"], "magic"),
    ],
)
def test_what_is_wrong_with_the_words_is_told_before_hours_of_answering(
    parts: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    def answer(*_: object, **__: object) -> None:
        raise AssertionError("the store was answered")

    monkeypatch.setattr("echoplane.pipelines.evaluate.predictions_from", answer)
    code, text = run(*(w.format(parts) for w in words))
    assert code != 0
    assert "the store was answered" not in text
    assert message in text


def test_answers_are_kept_where_the_report_cannot_be_written(parts: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    code, _ = run("evaluate", parts / "store", "--bundle", parts / "b.echoplane", "-o", tmp_path, "--repeats", 10)
    assert code != 0
    assert len(Predictions.load(tmp_path / "predictions.npz").cines) == 9


def test_a_split_is_for_stores(parts: Path, tmp_path: Path) -> None:
    code, text = run("evaluate", parts / "ours.npz", "-o", tmp_path / "r", "--split", "nosuch.csv:test")
    assert (code, "a split (nosuch.csv:test) is for stores" in text) == (99, True)
    words = ("calibrate", parts / "b.echoplane", parts / "ours.npz", "--split", "test", "-o", tmp_path / "c.echoplane")
    assert "a split (test) is for stores" in run(*words)[1]
    assert not list(tmp_path.iterdir())


def test_calibrate_does_not_write_over_a_bundle(parts: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "b.echoplane"
    bundle.write_bytes((parts / "b.echoplane").read_bytes())
    words = ("calibrate", bundle, parts / "ours.npz", "-o", bundle)
    code, text = run(*words)
    assert (code, "is there already; use --force" in text) == (99, True)
    assert bundle.read_bytes() == (parts / "b.echoplane").read_bytes()
    assert run(*words, "--force")[0] == 0
    assert Bundle.load(bundle).facts.calibration != Bundle.load(parts / "b.echoplane").facts.calibration


def test_an_empty_file_of_predictions_is_named(tmp_path: Path) -> None:
    (tmp_path / "e.npz").touch()
    code, text = run("evaluate", tmp_path / "e.npz", "-o", tmp_path / "r")
    assert (code, "e.npz: is not a file of predictions" in text) == (99, True)
    code, text = run("evaluate", tmp_path / "none.npz", "-o", tmp_path)
    assert (code, "none.npz: there is no such file" in text) == (99, True)


def test_cines_of_one_study_are_one_patient_where_no_patient_is_known(parts: Path, tmp_path: Path) -> None:
    recipe = PrepareRecipe(size=(32, 32))
    rng = np.random.default_rng(1)
    with StoreWriter(tmp_path / "s", recipe=config.to_mapping(recipe), views=VIEWS, height=32, width=32) as writer:
        for i in range(12):
            row = StoreRow(f"c{i}", label=VIEWS[i % 3], study=f"s{i // 4}", fps=20.0)
            writer.append(rng.integers(0, 255, (20, 32, 32), dtype=np.uint8), row)
    code, text = run(
        "evaluate", tmp_path / "s", "--bundle", parts / "b.echoplane", "-o", tmp_path / "r", "--repeats", 10
    )
    assert code == 0, text
    page = (tmp_path / "r" / "report.html").read_text()
    assert "12 cines (24 clips) of 3 studies (no patient known)" in page
    for said in (page, " ".join(text.split())):
        assert "No patient is known for 12 of 12 cines" in said


def test_one_patient_gives_no_winner(parts: Path, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        one = dataclasses.replace(Predictions.load(parts / f"{name}.npz"), groups=("p",) * 90)
        one.save(tmp_path / f"{name}.npz")
    words = (
        "evaluate",
        tmp_path / "ours.npz",
        "--against",
        tmp_path / "theirs.npz",
        "-o",
        tmp_path / "r",
        "--repeats",
        10,
    )
    code, text = run(*words)
    assert code == 0, text
    assert "No difference between ours and theirs can be told" in text
    assert "no interval: too few patients" in text
    assert "nan" not in (tmp_path / "r" / "report.html").read_text().lower()


def test_labels_count_as_the_network_was_taught_them(parts: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(parts / "b.echoplane")
    facts = dataclasses.replace(bundle.facts, labels={"PLAX": "A4C"})
    Bundle.create(facts, {name: bundle.read(name) for name in bundle.facts.members}).save(tmp_path / "b.echoplane")
    words = ("--bundle", tmp_path / "b.echoplane", "-o", tmp_path / "r", "--repeats", 10)
    code, text = run("evaluate", parts / "store", *words)
    assert code == 0, text
    assert "left out" not in text
    assert "12 cines" in (tmp_path / "r" / "report.html").read_text()


def test_a_store_of_other_size_is_refused_even_where_it_does_not_say_how_it_was_prepared(
    parts: Path, tmp_path: Path
) -> None:
    with StoreWriter(tmp_path / "s", recipe={"name": "legacy"}, views=VIEWS, height=40, width=40) as writer:
        writer.append(np.zeros((20, 40, 40), np.uint8), StoreRow("c", label="A4C", fps=20.0))
    code, text = run("evaluate", tmp_path / "s", "--bundle", parts / "b.echoplane", "-o", tmp_path / "r")
    assert (code, "size (40, 40), expected (32, 32)" in text) == (99, True), text


@pytest.fixture
def trained(parts: Path, tmp_path: Path) -> Path:
    """What a run leaves that was trained on c0 to c7, and validated on the other four."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "best.safetensors").touch()
    Split(tuple(SplitRow(f"c{i}", "train" if i < 8 else "validation") for i in range(12))).save(run / "split.csv")
    (run / "recipe.yaml").write_text(json.dumps({"data": {"stores": [{"path": str(parts / "store")}]}}))
    Bundle.load(parts / "b.echoplane").save(run / "bundle")
    return run


def test_cines_that_a_network_was_trained_on_are_no_measure_and_it_says_so(
    parts: Path, trained: Path, tmp_path: Path
) -> None:
    said = f"8 of 12 cines were trained on by {trained / 'bundle'}"
    words = ("evaluate", parts / "store", "-o", tmp_path / "r", "--repeats", 10, "--bundle")
    code, text = run(*words, trained / "bundle")
    assert code == 0, text
    assert said in " ".join(text.split())
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert said in page
    assert "split.csv" in page
    assert json.loads((tmp_path / "r" / "evaluation.json").read_text())["warnings"][0].startswith(said)
    text = run(*words, parts / "b.echoplane", "--against", trained / "bundle")[1]
    assert said in " ".join(text.split())
    assert "trained on" not in run(*words, trained / "bundle", "--split", trained / "split.csv")[1]
    text = run(*words, trained / "bundle", "--split", f"{trained / 'split.csv'}:train")[1]
    text = " ".join(text.split())
    assert "8 of 8 cines" in text
    assert "Take cines that neither its run" in text
    (trained / "split.csv").write_text("nothing\n")
    text = run(*words, trained / "bundle")[1]
    assert "is not known, for run/split.csv cannot be read" in " ".join(text.split())


def test_a_calibration_on_cines_of_the_training_says_so(parts: Path, trained: Path, tmp_path: Path) -> None:
    code, text = run("calibrate", trained / "bundle", parts / "store", "-o", tmp_path / "c", "--mirrored", 0)
    assert code == 0, text
    assert "8 of 12 cines were trained on" in text
    said = "store, of which the network may have learned"
    assert Bundle.load(tmp_path / "c").facts.calibrated_on == said


def test_two_stores_are_compared_with_answers_that_training_kept(parts: Path, tmp_path: Path) -> None:
    recipe = config.to_mapping(PrepareRecipe(size=(32, 32)))
    with StoreWriter(tmp_path / "more", recipe=recipe, views=VIEWS, height=32, width=32) as writer:
        row = StoreRow("d", label="A4C", group="q", fps=20.0)
        writer.append(np.random.default_rng(3).integers(0, 255, (20, 32, 32), dtype=np.uint8), row)
    stores = (parts / "store", tmp_path / "more")
    theirs = Predictions.load(parts / "theirs.npz")
    kept = theirs.take(range(12))
    views = ("A2C", "A4C", "PSAX-MV", "PLAX")
    kept = dataclasses.replace(
        kept, views=views, y_true=np.arange(12) % 4, logits=np.pad(kept.logits, ((0, 0), (0, 1)), constant_values=-9)
    )
    kept.save(tmp_path / "kept.npz")
    words = ("--bundle", parts / "b.echoplane", "-o", tmp_path / "r", "--repeats", 10, "--against")
    code, text = run("evaluate", *stores, *words, tmp_path / "kept.npz")
    assert code == 0, text
    assert "on the 9 cines that both answered" in " ".join(text.split())
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "data:image/webp" in page
    assert "10 cines" in page


def test_answers_to_other_cines_are_refused_before_hours_of_answering(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object, **__: object) -> None:
        raise AssertionError("the store was answered")

    monkeypatch.setattr("echoplane.pipelines.evaluate.predictions_from", answer)
    theirs = Predictions.load(parts / "theirs.npz")
    dataclasses.replace(theirs, cines=tuple(f"0/{c}" for c in theirs.cines)).save(tmp_path / "old.npz")
    words = ("--bundle", parts / "b.echoplane", "-o", tmp_path / "r", "--against", tmp_path / "old.npz")
    code, text = run("evaluate", parts / "store", *words)
    assert code == 99
    assert "old.npz: answers none of the 12 cines" in text
    assert "'0/c0'" in text
