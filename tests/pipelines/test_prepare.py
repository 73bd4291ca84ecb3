from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom import examples
from pydicom.data import get_testdata_file

from echoplane.data.labels import LabelTable, UnknownLabelsError
from echoplane.data.manifest import Failure
from echoplane.errors import DataError, StoreError, UsageError
from echoplane.phantom.clip import render_clip
from echoplane.pipelines import prepare as module
from echoplane.pipelines.prepare import PrepareSettings, prepare_dataset, read_failures, write_failures
from echoplane.prepare import PrepareRecipe
from echoplane.store import StoreReader

SMALL = PrepareRecipe(name="small", mask=False, crop="none", size=(24, 28))


def avi(path: Path, frames: int = 6, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for frame in np.random.default_rng(seed).integers(0, 255, (frames, 48, 64, 1), np.uint8):
        writer.write(np.repeat(frame, 3, axis=2))  # grey
    writer.release()


@pytest.fixture
def clips(tmp_path):
    """Six cines of three patients, and everything that can go wrong."""
    root = tmp_path / "clips"
    for n in range(6):
        avi(root / ("A4C", "2ch")[n % 2] / f"p{n // 2}_{n}.avi", 5 + n, n)
    cv2.imwrite(str(root / "A4C" / "still.png"), np.full((48, 64), 99, np.uint8))
    (root / "A4C" / "cut.avi").write_bytes((root / "A4C" / "p0_0.avi").read_bytes()[:300])
    (root / "A4C" / "report.txt").write_text("no picture")
    (root / "notes.csv").write_text("x")
    black = cv2.VideoWriter(str(root / "A4C" / "black.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(5):
        black.write(np.zeros((48, 64, 3), np.uint8))
    black.release()
    return root


def content(path: Path) -> dict[str, object]:
    reader = StoreReader(path)
    assert reader.verify() == []
    return {"info": reader.info, "rows": reader.rows}


def test_what_is_upside_down_is_stored_upright(tmp_path):
    clip = render_clip("A4C", seed=3, frames=12, size=(192, 256), nuisances=())
    for name, frames in (("upright", clip.frames), ("turned", clip.frames[:, ::-1])):
        (tmp_path / "clips" / "A4C").mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "clips" / "A4C" / f"{name}.npy", frames)
    prepare_dataset(tmp_path / "clips", tmp_path / "store")
    store = StoreReader(tmp_path / "store")
    turned, upright = (store.frames(i).astype(float) for i in (0, 1))
    row = store.rows[0]
    assert row.source.endswith("turned.npy")
    assert any("upside down" in note for note in row.notes)
    assert np.corrcoef(turned.ravel(), upright.ravel())[0, 1] > 0.95
    assert not row.sector.upside_down
    assert row.sector.apex[1] < row.crop[3] / 2


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_every_file_is_stored_or_named(clips, tmp_path, jobs):
    steps: list[int] = []
    run = prepare_dataset(
        clips,
        tmp_path / "s",
        PrepareSettings(recipe=SMALL, jobs=jobs),
        on_start=lambda total: steps.append(total),
        on_cine=lambda: steps.append(1),
    )
    assert steps == [10, *[1] * 10]
    assert (run.stored, run.skipped, run.interrupted) == (6, 0, False)
    assert run.views == {"A4C": 3, "A2C": 3}
    found = {failure.file: failure.status for failure in run.failures}
    assert found == {
        "A4C/black.avi": "not_b_mode",
        "A4C/cut.avi": "unreadable",
        "A4C/report.txt": "not_image",
        "A4C/still.png": "still",
        "notes.csv": "no_label",
    }
    assert tuple(read_failures(tmp_path / "s" / "failures.csv")) == run.failures
    store = StoreReader(tmp_path / "s")
    assert store.views == ("A2C", "A4C")
    row = store.rows[store.find("2ch/p0_1.avi")]
    assert (row.label, row.given_label, row.fps, row.n_frames) == ("A2C", "2ch", 25.0, 6)
    assert (row.source, row.crop) == ("2ch/p0_1.avi", (0.0, 0.0, 64.0, 48.0))
    with (tmp_path / "s" / "labels.csv").open() as stream:
        assert [(line["given"], line["label"]) for line in csv.DictReader(stream)] == [("2ch", "A2C"), ("A4C", "A4C")]


def test_another_modality_is_not_stored(clips, tmp_path):
    data = examples.ybr_color
    data.Modality = "IVUS"
    data.save_as(clips / "A4C" / "catheter.dcm")
    run = prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    (found,) = [failure for failure in run.failures if failure.file.endswith("catheter.dcm")]
    assert (found.status, found.reason) == ("not_b_mode", "Is of another modality (IVUS), no echocardiogram.")


def test_going_on_changes_nothing(clips, tmp_path):
    prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    before = content(tmp_path / "s")
    run = prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    assert (run.stored, run.skipped, len(run.failures)) == (0, 6, 5)
    assert content(tmp_path / "s") == before


def test_another_recipe_or_label_is_refused(clips, tmp_path):
    prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    with pytest.raises(StoreError, match="made with recipe"):
        prepare_dataset(clips, tmp_path / "s")
    table = LabelTable({"a4c": "A5C"})
    with pytest.raises(DataError, match="of 3 stored cines something else is said now"):
        prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL, labels=table))


def test_unknown_labels_stop_it_before_anything_is_read(clips, tmp_path):
    avi(clips / "apikal4" / "x.avi")
    with pytest.raises(UnknownLabelsError, match="'apikal4' \\(1 cines\\)"):
        prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    assert not (tmp_path / "s").exists()
    run = prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL, labels=LabelTable({"apikal4": "skip"})))
    left_out = [failure for failure in run.failures if failure.status == "left_out"]
    assert [failure.file for failure in left_out] == ["apikal4/x.avi"]
    assert run.failed == len(run.failures) - 1


def test_patients_by_a_pattern(clips, tmp_path):
    for name in ("black.avi", "cut.avi", "report.txt", "still.png"):
        (clips / "A4C" / name).unlink()
    settings = PrepareSettings(recipe=SMALL, patients=r"/(?P<patient>p\d)_")
    prepare_dataset(clips, tmp_path / "s", settings)
    assert {row.cine: row.group for row in StoreReader(tmp_path / "s")}["2ch/p1_3.avi"] == "p1"
    for pattern, says in (
        ("(", "nor a regular"),
        ("x", "needs a group"),
        (r"(?P<patient>q\d)", "finds no patient in 6"),
    ):
        with pytest.raises((UsageError, DataError), match=says):
            prepare_dataset(clips, tmp_path / "t", PrepareSettings(recipe=SMALL, patients=pattern))


def dicoms(folder, *patients):
    """Write a DICOM cine for each patient."""
    source = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    (folder / "A4C").mkdir(parents=True, exist_ok=True)
    for n, patient in enumerate(patients):
        source.PatientID = patient
        source.save_as(folder / "A4C" / f"{n}.dcm")
    return folder


SECRET = b"a secret of 24 letters.."


def test_patients_by_the_header(tmp_path):
    clips = dicoms(tmp_path / "clips", "IDENT-1", "IDENT-1", "IDENT-2")
    settings = PrepareSettings(recipe=SMALL, patient_key=SECRET)
    prepare_dataset(clips, tmp_path / "s", settings)
    rows = StoreReader(tmp_path / "s").rows
    assert rows[0].group == rows[1].group != rows[2].group
    assert not any(b"IDENT" in file.read_bytes() for file in (tmp_path / "s").iterdir())
    assert len(rows[0].group) == 16
    assert rows[0].study == rows[2].study != ""
    prepare_dataset(clips, tmp_path / "t", PrepareSettings(recipe=SMALL))
    assert StoreReader(tmp_path / "t").rows[0].group != rows[0].group
    assert (tmp_path / "t" / ".patient-key").stat().st_mode & 0o077 == 0
    prepare_dataset(clips, tmp_path / "u", PrepareSettings(recipe=SMALL, patients="none"))
    assert StoreReader(tmp_path / "u").rows[0].group == ""


def test_one_patient_is_never_hashed_with_two_secrets(tmp_path):
    clips = dicoms(tmp_path / "clips", "P1", "P2")
    given = PrepareSettings(recipe=SMALL, patient_key=SECRET)
    own = PrepareSettings(recipe=SMALL)
    prepare_dataset(clips, tmp_path / "given", given)
    prepare_dataset(clips, tmp_path / "own", own)
    dicoms(clips, "P1", "P2", "P1")
    for store, settings in (("given", own), ("own", given), ("given", replace(given, patient_key=SECRET[::-1]))):
        before = content(tmp_path / store)
        with pytest.raises(StoreError, match=r"hashed with .* secret.*new folder"):
            prepare_dataset(clips, tmp_path / store, settings)
        assert content(tmp_path / store) == before
    for store, settings in (("given", given), ("own", own)):
        assert prepare_dataset(clips, tmp_path / store, settings).stored == 1
        rows = StoreReader(tmp_path / store).rows
        assert rows[0].group == rows[2].group != rows[1].group
    (tmp_path / "own" / ".patient-key").unlink()
    with pytest.raises(StoreError, match="secret that is not here"):
        prepare_dataset(clips, tmp_path / "own", own)
    with pytest.raises(UsageError, match="holds 0 bytes; a secret needs 16"):
        prepare_dataset(clips, tmp_path / "new", replace(given, patient_key=b""))
    assert not (tmp_path / "new").exists()


def test_another_secret_is_noticed_in_stores_of_before_fingerprints(tmp_path):
    clips = dicoms(tmp_path / "clips", "P1", "P2")
    given = PrepareSettings(recipe=SMALL, patient_key=SECRET)
    prepare_dataset(clips, tmp_path / "s", given)
    info = tmp_path / "s" / "store.json"
    plain = json.loads(info.read_text())
    del plain["secret"]
    info.write_text(json.dumps(plain))
    dicoms(clips, "P1", "P2", "P1")
    with pytest.raises(StoreError, match=r"the patient of 'A4C/0.dcm' was hashed with another secret"):
        prepare_dataset(clips, tmp_path / "s", replace(given, patient_key=SECRET[::-1]))
    assert "secret" not in json.loads(info.read_text())
    assert prepare_dataset(clips, tmp_path / "s", given).stored == 1
    rows = StoreReader(tmp_path / "s").rows
    assert rows[0].group == rows[2].group


def test_nobody_is_known_by_a_name_here_and_a_hash_there(tmp_path):
    clips = dicoms(tmp_path / "clips", "P1", "P1")
    table = tmp_path / "sheet.csv"
    table.write_text("file,view,patient\nA4C/0.dcm,A4C,anna\nA4C/1.dcm,A4C,\n")
    settings = PrepareSettings(recipe=SMALL, layout="sheet", sheet=table)
    with pytest.raises(DataError, match=r"1 of 2 cines come without a patient, for example 'A4C/1.dcm'"):
        prepare_dataset(clips, tmp_path / "s", settings)
    assert not (tmp_path / "s").exists()
    assert prepare_dataset(clips, tmp_path / "s", replace(settings, patients="none")).stored == 2
    for name in ("0.avi", "1.avi"):  # nothing but names can tell whose these are
        avi(clips / name)
    table.write_text("file,view,patient\n0.avi,A4C,anna\n1.avi,A4C,\n")
    assert prepare_dataset(clips, tmp_path / "t", settings).stored == 2


def test_a_run_that_is_refused_changes_nothing(clips, tmp_path):
    prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    before = {file.name: file.read_bytes() for file in (tmp_path / "s").iterdir()}
    with pytest.raises(DataError, match="something else is said now"):
        prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL, labels=LabelTable({"2ch": "A3C"})))
    avi(clips / "PLAX" / "new.avi")
    with pytest.raises(UsageError, match="holds 1 bytes"):
        prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL, patient_key=b"1"))
    assert {file.name: file.read_bytes() for file in (tmp_path / "s").iterdir()} == before


def test_a_store_in_a_view_folder_is_no_cine_of_it(clips, tmp_path):
    first = prepare_dataset(clips, clips / "A4C" / "store", PrepareSettings(recipe=SMALL))
    again = prepare_dataset(clips, clips / "A4C" / "store", PrepareSettings(recipe=SMALL))
    assert (again.stored, again.skipped) == (0, first.stored)
    assert again.failures == first.failures
    (tmp_path / "link").symlink_to(clips / "A4C" / "store")
    assert prepare_dataset(clips, tmp_path / "link", PrepareSettings(recipe=SMALL)).failures == first.failures


def test_a_source_inside_of_the_store_is_a_source(clips, tmp_path):
    """Raw files may be kept with what is made of them."""
    run = prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    clips.rename(tmp_path / "s" / "raw")
    avi(tmp_path / "s" / "raw" / "A4C" / "new.avi")
    again = prepare_dataset(tmp_path / "s" / "raw", tmp_path / "s", PrepareSettings(recipe=SMALL))
    assert (again.stored, again.skipped) == (1, run.stored)


def test_a_failure_that_a_spreadsheet_would_run_is_disarmed(tmp_path):
    write_failures([Failure("=cmd|calc.dcm", "error", "@x")], tmp_path / "failures.csv")
    assert (tmp_path / "failures.csv").read_text() == "file,status,reason\n./=cmd|calc.dcm,error,'@x\n"


def test_failures_as_a_spreadsheet_saves_them(tmp_path):
    (tmp_path / "failures.csv").write_text(
        "\ufefffile;status;reason\na.avi;missing;Is gone, or was.\n", encoding="utf-8"
    )
    (failure,) = read_failures(tmp_path / "failures.csv")
    assert (failure.file, failure.status, failure.reason) == ("a.avi", "missing", "Is gone, or was.")
    (tmp_path / "failures.csv").write_text("file;why\na;b\n")
    with pytest.raises(DataError, match="has no column 'status'"):
        list(read_failures(tmp_path / "failures.csv"))


def test_ctrl_c_keeps_what_is_done(clips, tmp_path):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt

    run = prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL), on_cine=stop)
    assert run.interrupted
    assert len(StoreReader(tmp_path / "s")) == run.stored > 0
    prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    prepare_dataset(clips, tmp_path / "t", PrepareSettings(recipe=SMALL))
    assert content(tmp_path / "s") == content(tmp_path / "t")


def test_a_fault_of_ours_is_one_row(clips, tmp_path, monkeypatch):
    def broken(cine, recipe):
        raise ZeroDivisionError("patient name in a message")

    monkeypatch.setattr(module, "prepare", broken)
    run = prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    reasons = {failure.reason for failure in run.failures if failure.status == "error"}
    assert reasons == {"ZeroDivisionError while it was prepared; please report it."}


# Kills --------------------------------------------------------------------------------------------------------

_CHILD = """
import sys
from echoplane.pipelines import prepare as module
from echoplane.store import StoreWriter
import functools
# Parts of one cine: many moments at which a kill can hit.
module.StoreWriter = functools.partial(StoreWriter, part_bytes=1)
recipe = module.PrepareRecipe(name="small", mask=False, crop="none", size=(24, 28))
if __name__ == "__main__":
    settings = module.PrepareSettings(recipe=recipe, jobs=int(sys.argv[3]))
    module.prepare_dataset(sys.argv[1], sys.argv[2], settings, on_start=lambda n: print(n, flush=True))
"""


def _kill_and_resume(tmp_path: Path, rounds: int, jobs: int, seed: int) -> None:
    dice = random.Random(seed)
    clips = tmp_path / "clips"
    for n in range(40):
        avi(clips / ("A4C", "A2C", "PLAX")[n % 3] / f"{n:03}.avi", 30 + n, n)
    (clips / "A4C" / "cut.avi").write_bytes((clips / "A4C" / "000.avi").read_bytes()[:300])
    script = tmp_path / "child.py"
    script.write_text(_CHILD)
    whole = [sys.executable, str(script), str(clips), str(tmp_path / "whole"), str(jobs)]
    started = time.monotonic()
    subprocess.run(whole, check=True, capture_output=True)
    duration = time.monotonic() - started
    expected, failures = content(tmp_path / "whole"), list(read_failures(tmp_path / "whole" / "failures.csv"))
    for number in range(rounds):
        out = tmp_path / f"killed{number}"
        command = [*whole[:3], str(out), str(jobs)]
        kills = 0
        while kills < 3:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                child.wait(timeout=dice.uniform(0.3, 1.0) * duration)
            except subprocess.TimeoutExpired:
                child.kill()
                kills += 1
            child.communicate()
            if child.returncode != -signal.SIGKILL:
                break
            if (out / "store.json").exists():
                assert StoreReader(out).verify() == []
        subprocess.run(command, check=True, capture_output=True)
        assert content(out) == expected
        assert list(read_failures(out / "failures.csv")) == failures


@pytest.mark.slow
def test_killed_at_random_moments_it_gives_the_same_store(tmp_path):
    _kill_and_resume(tmp_path, rounds=2, jobs=1, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_ten_times_it_gives_the_same_store(tmp_path, jobs):
    _kill_and_resume(tmp_path, rounds=10, jobs=jobs, seed=2)


def sheet(tmp_path, *lines, header="study;file;view;patient;split;fps"):
    for n in range(4):
        avi(tmp_path / "data" / "s" / f"{n}.avi", seed=n)
    path = tmp_path / "sheet.csv"
    path.write_text("\n".join([header, *lines]))
    return PrepareSettings(recipe=SMALL, layout="sheet", sheet=path, patients="none")


FOUR = ("s;0.avi;A4C;a;train;", "s;1.avi;A2C;a;train;", "s;2.avi;A4C;b;test;", "s;3.avi;A2C;b;test;")


def prepared(tmp_path, *lines, **options):
    return prepare_dataset(tmp_path / "data", tmp_path / "store", sheet(tmp_path, *lines, **options))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("s;0.avi;A3C;a;train;", "label 'A4C', now 'A3C'"),
        ("s;0.avi;A4C;c;train;", "another patient, or none"),
        ("s;0.avi;A4C;a;test;", "part 'train', now 'test'"),
        ("s;0.avi;A4C;a;train;\ns;0.avi;A2C;a;train;", "Is labelled 'A2C' and 'A4C'"),
    ],
)
def test_a_store_is_not_gone_on_with_when_something_else_is_said_of_its_cines(tmp_path, line, said):
    assert prepared(tmp_path, *FOUR).stored == 4
    with pytest.raises(DataError, match="use a new folder") as caught:
        prepared(tmp_path, line, *FOUR[1:])
    assert said in str(caught.value)
    assert prepared(tmp_path, *FOUR).skipped == 4


def test_a_label_left_out_later_is_not_gone_on_with(tmp_path):
    prepared(tmp_path, *FOUR)
    settings = replace(sheet(tmp_path, *FOUR), labels=LabelTable({"a2c": "skip"}))
    with pytest.raises(DataError, match="of 2 stored cines something else is said now"):
        prepare_dataset(tmp_path / "data", tmp_path / "store", settings)


def test_patients_named_later_are_noticed(tmp_path):
    prepared(tmp_path, *(line.replace(";a;", ";;").replace(";b;", ";;") for line in FOUR))
    with pytest.raises(DataError, match="a patient, where there was none"):
        prepared(tmp_path, *FOUR)


def test_patients_taken_in_another_way_are_noticed(tmp_path):
    for n in range(2):
        avi(tmp_path / "data" / "A4C" / f"P7_{n}.avi", seed=n)
    by_name = PrepareSettings(recipe=SMALL, patients=r"(?P<patient>P\d+)_")
    assert prepare_dataset(tmp_path / "data", tmp_path / "store", by_name).stored == 2
    for other in ("header", "none"):
        with pytest.raises(DataError, match="another patient, or none") as caught:
            prepare_dataset(tmp_path / "data", tmp_path / "store", replace(by_name, patients=other))
        assert "'P7'" not in str(caught.value)
    assert prepare_dataset(tmp_path / "data", tmp_path / "store", by_name).skipped == 2


def test_cines_that_the_source_does_not_have_any_more_are_counted(clips, tmp_path):
    prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    (clips / "A4C" / "p0_0.avi").rename(clips / "2ch" / "p0_0.avi")
    again = prepare_dataset(clips, tmp_path / "s", PrepareSettings(recipe=SMALL))
    assert (again.stored, again.skipped, again.gone) == (1, 5, 1)


def test_a_frame_rate_that_the_file_contradicts_is_said(tmp_path):
    for name in "abc":
        avi(tmp_path / "exams" / "s" / f"{name}.avi")
    lines = "study,file,view,fps,reader\ns,a.avi,A4C,50,x\ns,b.avi,A4C,25.2,x\ns,c.avi,A4C,,x\n"
    (tmp_path / "labels.csv").write_text(lines)
    settings = PrepareSettings(layout="sheet", sheet=tmp_path / "labels.csv", recipe=SMALL)
    run = prepare_dataset(tmp_path / "exams", tmp_path / "s", settings)
    rows = StoreReader(tmp_path / "s").rows
    assert [row.fps for row in rows] == [25.0, 25.0, 25.0]
    said = "Plays at 25 frames a second by its file, which counts, and at 50 by its table."
    assert [said in row.notes for row in rows] == [True, False, False]
    assert "columns not used: reader" in run.notes[0]
    assert run.notes[1].startswith("The frame rate of 1 cines")
