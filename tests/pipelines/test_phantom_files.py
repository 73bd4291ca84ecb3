"""Phantom clips, studies and training sets on disk."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from echoplane.apps.cli.main import build_app
from echoplane.errors import DataError, UsageError
from echoplane.phantom.clip import PhantomCine, render_clip
from echoplane.phantom.dataset import DatasetPlan, render_planned
from echoplane.phantom.dicom import Place, write_dicom
from echoplane.phantom.recording import DRAWING
from echoplane.phantom.study import StudyClip, render_study, study_patient
from echoplane.pipelines.phantom import TRUTH, write_clip, write_dataset, write_studies
from echoplane.pipelines.phantom_sheet import FIGURES, Sample, compare, phantom_samples, sheet, statistics
from echoplane.store import StoreReader
from echoplane.views import MAIN_VIEWS

QUICK = DatasetPlan(18, seed=5, frames=2, view_weights={"A4C": 1.0, "PSAX-PM": 1.0, "NOISE": 1.0})


def _hashes(path: Path) -> list[tuple[str, str]]:
    return [(row.cine, row.sha256) for row in StoreReader(path).rows]


def test_any_number_of_workers_gives_the_same_data(tmp_path: Path) -> None:
    write_dataset(tmp_path / "one", QUICK, jobs=1)
    write_dataset(tmp_path / "two", QUICK, jobs=2)
    assert _hashes(tmp_path / "one") == _hashes(tmp_path / "two")
    assert len(_hashes(tmp_path / "one")) == 18


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise StopError

    with pytest.raises(StopError):
        write_dataset(tmp_path / "set", QUICK, progress=stop)
    assert write_dataset(tmp_path / "set", QUICK) == 13
    assert write_dataset(tmp_path / "set", QUICK) == 0
    write_dataset(tmp_path / "whole", QUICK)
    assert _hashes(tmp_path / "set") == _hashes(tmp_path / "whole")


def test_rows_carry_the_truth(tmp_path: Path) -> None:
    write_dataset(tmp_path, QUICK)
    rows = StoreReader(tmp_path).rows
    assert StoreReader(tmp_path).views[:6] == MAIN_VIEWS
    assert all(set(row.shares) <= set(StoreReader(tmp_path).views) for row in rows)
    assert {row.label for row in rows} <= {"A4C", "PSAX-PM", "NOISE"}
    assert [row.group for row in rows[:7]] == ["phantom-5-000000"] * 6 + ["phantom-5-000001"]
    for row in rows:
        assert sum(row.shares.values()) == pytest.approx(1)
        assert row.sector is not None
        assert row.extra["seed"] >= 0
        assert row.fps == QUICK.fps


def test_the_recipe_is_chosen_on_the_command_line(tmp_path: Path) -> None:
    words = ["phantom", "dataset", str(tmp_path / "set"), "--clips", "2", "--frames", "1", "--recipe"]
    done = CliRunner().invoke(build_app(), [*words, "default"])
    assert done.exit_code == 0, done.output
    assert StoreReader(tmp_path / "set").info.recipe["name"] == "default"
    assert StoreReader(tmp_path / "set").frames(0).shape == (1, 112, 112)
    for name, message in (("reference", "Recipes that fit: default, store"), ("defualt", "known: default")):
        done = CliRunner().invoke(build_app(), [*words[:2], str(tmp_path / name), *words[3:], name])
        assert done.exit_code != 0
        assert message in " ".join(f"{done.output} {done.exception}".split())
        assert not (tmp_path / name).exists()


def test_clips_of_a_patient_share_the_heart_and_not_the_look() -> None:
    plan = DatasetPlan(6, frames=1, view_weights={"A4C": 1.0})
    facts = [render_planned(plan, n).facts for n in range(2)]
    assert facts[0]["ejection_fraction"] == facts[1]["ejection_fraction"]
    assert facts[0]["depth_cm"] != facts[1]["depth_cm"]


def test_plans_refuse_nonsense() -> None:
    for wrong in (
        {"clips": 1, "fps": float("inf")},
        {"clips": 0},
        {"clips": 1, "frames": 0},
        {"clips": 1, "fps": 0.0},
        {"clips": 1, "view_weights": {}},
    ):
        with pytest.raises(UsageError):
            DatasetPlan(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [".mp4", ".gif", ".dcm", ".png", ".npz"])
def test_clips_as_files(tmp_path: Path, ending: str) -> None:
    clip = render_clip("A4C", 3, frames=4, fps=25, size=(63, 81))
    path = tmp_path / f"clip{ending}"
    write_clip(clip, path)
    if ending == ".mp4":
        with av.open(str(path)) as film:
            assert len(list(film.decode(video=0))) == 4
    elif ending == ".png":
        assert cv2.imread(str(path)).shape == (63, 4 * 81, 3)
    elif ending == ".npz":
        with np.load(path) as data:
            assert data["labels"].shape == data["frames"].shape[:3] == (4, 63, 81)
    assert path.stat().st_size > 500
    with pytest.raises(UsageError, match="written as"):
        write_clip(clip, tmp_path / "clip.bmp")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_studies(tmp_path: Path) -> None:
    files = write_studies(tmp_path, seed=1)
    with (tmp_path / "truth.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == TRUTH
    assert len(rows) == files >= 10
    assert {row["file"] for row in rows} == {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.dcm")}
    # The same seed gives the same file again.
    clip, cine = next(render_study(1, 0))
    name = rows[0]["patient"]
    sex = "M" if study_patient(1, 0).body.male else "F"
    write_dicom(cine, tmp_path / "again.dcm", Place(name, name, clip.number, sex))
    assert (tmp_path / "again.dcm").read_bytes() == (tmp_path / rows[0]["file"]).read_bytes()


def test_truth_is_kept_when_studies_stop_or_others_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_clip(seed: int, number: int, disease: str | None) -> Iterator[tuple[StudyClip, PhantomCine]]:
        if number == 2:
            raise KeyboardInterrupt
        clip = StudyClip(1, "A4C", seed + number, 1, 1)
        yield clip, render_clip("A4C", clip.seed, frames=1, size=(64, 64), disease=disease)

    def truth() -> dict[str, str]:
        with (tmp_path / "truth.csv").open(newline="") as stream:
            return {row["file"]: row["disease"] for row in csv.DictReader(stream)}

    monkeypatch.setattr("echoplane.pipelines.phantom.render_study", one_clip)
    with pytest.raises(KeyboardInterrupt):
        write_studies(tmp_path, patients=3, seed=1, disease="dilated")
    files = ["PHANTOM-1-0000/001.dcm", "PHANTOM-1-0001/001.dcm"]
    assert truth() == dict.fromkeys(files, "dilated")
    assert write_studies(tmp_path, patients=1, seed=2, disease="none") == 1
    assert write_studies(tmp_path, patients=1, seed=1, disease="none") == 1
    assert truth() == {files[0]: "none", files[1]: "dilated", "PHANTOM-2-0000/001.dcm": "none"}
    (tmp_path / "truth.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="another folder"):
        write_studies(tmp_path)


def test_patients_who_are_there_are_not_rendered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []
    stops: list[None] = []

    def two_clips(seed: int, number: int) -> list[StudyClip]:
        return [StudyClip(n, view, 10 * number + n, 1, 1) for n, view in enumerate(("A4C", "NOISE"), 1)]

    def render(seed: int, number: int, disease: str | None) -> Iterator[tuple[StudyClip, PhantomCine]]:
        rendered.append(number)
        for clip in two_clips(seed, number):
            if stops and clip.number == 2:
                raise KeyboardInterrupt
            patient = study_patient(seed, number, disease)
            yield clip, render_clip(clip.view, clip.seed, frames=1, size=(64, 64), patient=patient)

    def again(**options: object) -> list[int]:
        rendered.clear()
        write_studies(tmp_path, seed=1, **options)  # type: ignore[arg-type]
        return list(rendered)

    monkeypatch.setattr("echoplane.pipelines.phantom.render_study", render)
    monkeypatch.setattr("echoplane.pipelines.phantom.plan_study", two_clips)
    assert again(patients=2) == [0, 1]
    truth = (tmp_path / "truth.csv").read_bytes()
    assert again(patients=3) == [2]
    # A table of the first drawing has no such column.
    now = (tmp_path / "truth.csv").read_text()
    (tmp_path / "truth.csv").write_text("".join(line.rsplit(",", 1)[0] + "\n" for line in now.splitlines()))
    assert again(patients=3) == [0, 1, 2]
    assert (tmp_path / "truth.csv").read_text() == now
    (tmp_path / "PHANTOM-1-0001" / "002.dcm").unlink()
    (tmp_path / "PHANTOM-1-0002" / "001.dcm").write_bytes(b"")
    assert again(patients=3) == [1, 2]
    assert (tmp_path / "truth.csv").read_bytes().startswith(truth)
    assert again(patients=1, view_codes=True) == [0]
    assert again(patients=1, view_codes=True) == []
    assert again(patients=1, view_codes=True, disease="dilated") == [0]
    # Stopped where its first file was of another disease already, and its second was not.
    stops.append(None)
    with pytest.raises(KeyboardInterrupt):
        again(patients=1, view_codes=True)
    stops.clear()
    assert again(patients=1, view_codes=True, disease="dilated") == [0]


def test_sheet_and_statistics() -> None:
    samples = phantom_samples(["A4C", "PSAX-PM"], 0, 2)
    picture = sheet(samples[:2], samples, columns=3, side=32)
    assert picture.shape == (3 * 46, 96)
    figures = statistics(samples[0].frames)
    assert figures.shape == (len(FIGURES),)
    assert np.isfinite(figures).all()
    table = compare(samples, samples)
    assert "grain" in table
    assert table.count("\n") == 2 * len(FIGURES)
    assert np.isnan(statistics(np.zeros((2, 128, 128), np.uint8))).all()
    assert isinstance(samples[0], Sample)


def test_a_sheet_of_another_ending_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echoplane.pipelines.phantom_sheet.phantom_samples", lambda *_: pytest.fail("was rendered"))
    done = CliRunner().invoke(build_app(), ["phantom", "sheet", str(tmp_path / "s.pdf")])
    assert isinstance(done.exception, UsageError)
    assert "ends in .png or .jpg" in str(done.exception)


def test_command_line(tmp_path: Path) -> None:
    run = CliRunner().invoke
    app = build_app()
    done = run(
        app, ["phantom", "clip", "--view", "a4c", "--frames", "2", "--size", "80x64", "-o", str(tmp_path / "c.gif")]
    )
    assert done.exit_code == 0, done.output
    assert "A4C, 2 frames of 80x64" in done.output
    done = run(
        app, ["phantom", "dataset", str(tmp_path / "set"), "--clips", "2", "--frames", "2", "--without", "screen"]
    )
    assert done.exit_code == 0, done.output
    assert len(StoreReader(tmp_path / "set")) == 2
    fewer = ["phantom", "dataset", str(tmp_path / "set"), "--clips", "1", "--frames", "2", "--without", "screen"]
    assert "0 clips rendered, 2 there." in run(app, fewer).output
    # The ending is looked at before anything is rendered: this view would be refused otherwise.
    wrong = run(app, ["phantom", "clip", "--view", "none such", "-o", str(tmp_path / "c.bmp")])
    assert "can be written as" in str(wrong.exception)
    wrong = run(app, ["phantom", "clip", "--size", "80", "-o", str(tmp_path / "c.gif")])
    assert isinstance(wrong.exception, UsageError)
    assert "640x480" in str(wrong.exception)
    wrong = run(app, ["phantom", "clip", "--without", "scren", "-o", str(tmp_path / "c.gif")])
    assert "screen" in str(wrong.exception)


def test_six_main_views_have_equal_weight() -> None:
    weights = DatasetPlan(1).view_weights
    assert len({weights[view] for view in MAIN_VIEWS}) == 1


@pytest.mark.parametrize("change", [{"fps": 30.0}, {"frames": 3}, {"nuisances": ("pose",)}, {"clips_per_patient": 2}])
def test_clips_rendered_otherwise_are_not_added(tmp_path: Path, change: dict[str, object]) -> None:
    write_dataset(tmp_path / "s", replace(QUICK, clips=2))
    with pytest.raises(UsageError, match=f"rendered with {next(iter(change))}"):
        write_dataset(tmp_path / "s", replace(QUICK, clips=4, **change))
    assert write_dataset(tmp_path / "s", replace(QUICK, clips=3)) == 1
    assert write_dataset(tmp_path / "s", replace(QUICK, clips=1, seed=6)) == 1


def test_clips_of_another_drawing_are_not_mixed(tmp_path: Path) -> None:
    write_dataset(tmp_path / "s", replace(QUICK, clips=1))
    plan = tmp_path / "s" / "phantom.json"
    plan.write_text(plan.read_text().replace(f'"drawing": {DRAWING}', '"drawing": 1'))
    with pytest.raises(UsageError, match=rf"drawing 1, now {DRAWING}\)\. Use another folder"):
        write_dataset(tmp_path / "s", replace(QUICK, clips=2))
    plan.unlink()
    with pytest.raises(UsageError, match="drawn by another version"):
        write_dataset(tmp_path / "s", replace(QUICK, clips=2))


def test_a_store_without_clips_may_take_others(tmp_path: Path) -> None:
    write_dataset(tmp_path / "s", replace(QUICK, clips=1))
    (tmp_path / "s" / "phantom.json").replace(tmp_path / "kept.json")
    for part in (tmp_path / "s").glob("part-*"):
        part.unlink()  # as after a stop before the first clip
    (tmp_path / "kept.json").replace(tmp_path / "s" / "phantom.json")
    assert write_dataset(tmp_path / "s", replace(QUICK, clips=1, frames=3)) == 1
