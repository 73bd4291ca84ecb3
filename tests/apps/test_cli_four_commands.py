"""From a folder of labelled films to a bundle that says how sure it is: the four commands of the pages, in a row."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from echoplane.apps.cli.main import build_app
from echoplane.models.bundle import CARD_NAME, Bundle

PATIENTS, VIEWS = 12, ("A2C", "A4C", "PSAX-MV")


def film(path: Path, view: int, rng: np.random.Generator) -> None:
    """Write a second of noise that is brightest in a place of the view's own: easy to learn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 64))
    for _ in range(20):
        frame = rng.integers(0, 60, (64, 64), dtype=np.uint8)
        frame[20 * view : 20 * view + 20] += 150
        writer.write(np.repeat(frame[..., None], 3, axis=2))
    writer.release()


def run(*words: object) -> str:
    done = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert done.exit_code == 0, f"{done.output}\n{done.exception}"
    return done.output


@pytest.mark.slow
def test_folder_to_validated_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for patient in range(PATIENTS):
        for number, view in enumerate(VIEWS):
            film(tmp_path / "clips" / view / f"p{patient:02}.avi", number, rng)
    (tmp_path / "small.yaml").write_text("name: small\nmask: false\ncrop: none\nsize: [32, 32]\n")
    monkeypatch.chdir(tmp_path)
    words = ["--recipe", "small.yaml", "--patients", r"/(?P<patient>p\d+)", "-j", 1]
    assert "36 cines stored" in run("prepare", "clips", "-o", "store", *words)
    settings = ["fit.epochs=8", "data.validation=0.4", "fit.batch=8", "augment=none"]
    run("train", "quick", "data.stores=store", *settings, "-o", "run", "--accelerator", "cpu")
    text = run("calibrate", "run/bundle", "run/validation.npz", "-o", "mine.echoplane", "--on", "our own patients")
    assert "of 5 patients; measured on those left out of the fit" in text
    text = run("evaluate", "store", "--split", "run/split.csv", "--bundle", "mine.echoplane", "-o", "report")
    assert "views it answers: " in text
    assert (tmp_path / "report" / "report.html").is_file()
    bundle = Bundle.load("mine.echoplane")
    assert bundle.facts.vocabulary == VIEWS
    assert len(bundle.facts.conformal) == 3
    card = bundle.read(CARD_NAME).decode()
    assert "Calibrated on: our own patients" in card
    accuracy = next(m for m in bundle.facts.metrics if m.name == "accuracy")
    assert accuracy.value > 0.8
    # The bundle answers the very files it was prepared from as it answered the store.
    answered = run("predict", "clips", "--bundle", "mine.echoplane", "-o", "views.csv")
    assert answered
    rows = (tmp_path / "views.csv").read_text().splitlines()
    assert len(rows) == 1 + PATIENTS * len(VIEWS)
