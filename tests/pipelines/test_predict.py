"""The predict pipeline: rows and manifest on disk, whatever stops it, and gone on with."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import echoplane
from echoplane._locks import held
from echoplane.errors import BundleError, UsageError
from echoplane.inference.report import journal_path, rows_done
from echoplane.models.bundle_facts import Thresholds
from echoplane.pipelines.predict import FAILED, PredictSettings, predict
from echoplane.records import Status
from echoplane.sources.item import SourceItem


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Six cines as numbered frames (bright ones and dark ones), a text and an empty file."""
    folder = tmp_path_factory.mktemp("study")
    for i in range(6):
        frame = np.full((24, 32), 220 if i % 2 else 30, np.uint8)
        frame[::3] += 10
        for n in range(8):
            cv2.imwrite(str(folder / f"clip{i}_{n:02}.png"), frame)
    (folder / "notes.txt").write_text("nothing to see")
    (folder / "zero.dcm").touch()
    return folder


@pytest.fixture
def bundle_file(toy_bundle, tmp_path):
    return str(toy_bundle(slope=(0.0, 8.0, 0.0), shift=(3.0, 0.0, -2.0)).save(tmp_path / "toy.echoplane"))


@pytest.fixture
def settings(bundle_file):
    return PredictSettings(bundle=bundle_file, threads=1, jobs=2)


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def manifest(path):
    return json.loads((path.parent / f"{path.name}.manifest.json").read_text())


def test_every_file_is_one_row_and_the_manifest_says_how(study, settings, tmp_path):
    output = tmp_path / "out" / "views.csv"
    seen, totals = [], []
    run = predict([study], settings, output=output, on_result=seen.append, on_start=totals.append)
    found = rows(output)
    assert totals == [8]
    assert [r["file"] for r in found] == [r.file for r in seen]
    assert len(found) == run.files == 8
    assert run.counts == {"ok": 6, "not_image": 1, "unreadable": 1}
    assert run.failed == 1
    views = {r["file"]: r["view"] for r in found if r["status"] == "ok"}
    assert sorted(views.values()) == ["A2C"] * 3 + ["A4C"] * 3
    sheet = manifest(output)
    assert (sheet["state"], sheet["files"], sheet["counts"]) == ("finished", 8, run.counts)
    assert sheet["versions"]["echoplane"] == echoplane.__version__
    assert {"python", "numpy", "openvino"} <= set(sheet["versions"])
    assert sheet["engine"]["name"] == "openvino"
    assert (sheet["engine"]["precision"], len(sheet["bundle"]["sha256"])) == ("f32", 64)
    assert sheet["settings"]["include_stills"] is False
    assert sheet["ended"] >= sheet["started"]
    assert sheet["seconds"] >= 0


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_by_itself_is_one_path(study, settings, kind):
    assert predict(kind(study), settings).files == 8


def test_without_an_output_nothing_is_written(study, settings, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert predict([study], settings).files == 8
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_an_interrupt_keeps_what_was_done_and_resume_does_the_rest(study, settings, tmp_path, suffix):
    output = tmp_path / f"o{suffix}"
    seen = []

    def stop_after_three(result):
        seen.append(result)
        if len(seen) == 3:
            raise KeyboardInterrupt

    first = predict([study], settings, output=output, on_result=stop_after_three)
    assert (first.interrupted, first.files) == (True, 3)
    assert manifest(output)["state"] == "interrupted"
    assert manifest(output)["files"] == 3
    second = predict([study], settings, output=output, resume=True, on_result=seen.append)
    assert (second.interrupted, second.skipped, second.files) == (False, 3, 5)
    assert len({r.file for r in seen}) == 8
    sheet = manifest(output)
    assert (sheet["state"], sheet["files"], sum(sheet["counts"].values())) == ("finished", 8, 8)
    third = predict([study], settings, output=output, resume=True)
    assert (third.skipped, third.files) == (8, 0)
    whole = tmp_path / f"whole{suffix}"
    predict([study], settings, output=whole)
    if suffix == ".csv":
        assert [drop_time(r) for r in rows(output)] == [drop_time(r) for r in rows(whole)]


def drop_time(row):
    return {name: value for name, value in row.items() if name != "seconds"}


def test_a_killed_run_leaves_a_manifest_that_says_running_and_can_be_gone_on_with(study, settings, tmp_path):
    output = tmp_path / "o.csv"
    predict([study], settings, output=output)
    sheet = manifest(output)
    sheet.update(state="running", ended="", files=0, counts={})
    (tmp_path / "o.csv.manifest.json").write_text(json.dumps(sheet))
    whole = output.read_bytes()
    output.write_bytes(whole[: len(whole) // 2])
    run = predict([study], settings, output=output, resume=True)
    assert run.skipped + run.files == 8
    assert 0 < run.skipped < 8
    assert len(rows(output)) == 8
    assert manifest(output)["counts"] == {"ok": 6, "not_image": 1, "unreadable": 1}


_KILLED = """
import os, sys
from echoplane.pipelines.predict import PredictSettings, predict
seen = []
def die_after_three(result):
    seen.append(result)
    if len(seen) == 3:
        os._exit(9)  # no clean-up of any kind, as after kill -9
settings = PredictSettings(bundle=sys.argv[2], threads=1, jobs=1)
predict([sys.argv[1]], settings, output=sys.argv[3], on_result=die_after_three)
"""


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_process_that_is_killed_loses_no_row(study, settings, tmp_path, suffix):
    output = tmp_path / f"o{suffix}"
    command = [sys.executable, "-c", _KILLED, str(study), settings.bundle, str(output)]
    assert subprocess.run(command, check=False).returncode == 9
    assert manifest(output)["state"] == "running"
    run = predict([study], settings, output=output, resume=True)
    assert (run.skipped, run.files) == (3, 5)
    assert manifest(output)["files"] == len(rows_done(output)) == 8


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_retry_answers_what_failed_or_has_changed(settings, tmp_path, suffix):
    """Files that were being copied, or on a disk that was away, when the run before met them."""
    folder, output = tmp_path / "in", tmp_path / f"views{suffix}"
    folder.mkdir()
    for name in ("gone.npy", "whole.npy", "a\nb.npy", "half.npy"):
        np.save(folder / name, np.full((60, 24, 32), 220, np.uint8))
    whole = (folder / "gone.npy").read_bytes()
    (folder / "gone.npy").write_bytes(whole[:300])
    np.save(folder / "half.npy", np.full((12, 24, 32), 220, np.uint8))  # half a cine has an answer, and no failure
    for n in range(8):
        cv2.imwrite(str(folder / f"clip_{n}.png"), np.full((24, 32), 220, np.uint8))
    first = predict(folder, settings, output=output)
    assert (first.files, first.failed) == (5, 1)
    before = rows_done(output)
    assert predict(folder, settings, output=output, resume=True).files == 0
    assert predict(folder, settings, output=output, retry=True).files == 1  # still no good
    (folder / "gone.npy").write_bytes(whole)
    (folder / "half.npy").write_bytes(whole)
    os.utime(folder / "half.npy", (1e9, 1e9))  # as a copy that keeps the time of its original
    np.save(folder / "new.npy", np.full((60, 24, 32), 220, np.uint8))
    assert predict(folder, settings, output=output, resume=True).files == 1  # and half.npy is not forgotten
    (folder / "clip_7.png").unlink()
    again = predict(folder, settings, output=output, retry=True)
    assert again.failed == 0
    assert again.files >= 3  # new.npy came after the first run began: it may be asked once more
    after = rows_done(output)
    assert after.keys() == before.keys() | {next(name for name in after if name.endswith("new.npy"))}
    assert not FAILED & set(after.values())
    assert manifest(output)["files"] == 6
    assert predict(folder, settings, output=output, retry=True).files == 0
    if suffix == ".csv":
        frames = {Path(row["file"]).name: row["frames"] for row in rows(output)}
        assert frames["half.npy"] == frames["whole.npy"] == "60"
        assert frames["clip"] == "7"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_retry_of_every_row(settings, tmp_path, suffix):
    folder, output = tmp_path / "in", tmp_path / f"views{suffix}"
    folder.mkdir()
    (folder / "a.dcm").touch()
    assert predict(folder, settings, output=output).failed == 1
    if suffix == ".csv":
        output.write_bytes(output.read_bytes() + b"\r\n")  # an empty line, as editors leave it
    np.save(folder / "b.npy", np.full((60, 24, 32), 220, np.uint8))
    run = predict(folder, settings, output=output, retry=True)
    assert (run.files, run.failed) == (2, 1)
    assert len(rows_done(output)) == 2


def test_retry_keeps_the_answer_of_what_is_out_of_reach(settings, tmp_path):
    """A disk that is away takes no answers with it."""
    disk, links, output = tmp_path / "disk", tmp_path / "links", tmp_path / "views.csv"
    disk.mkdir()
    links.mkdir()
    np.save(disk / "a.npy", np.full((60, 24, 32), 220, np.uint8))
    (links / "a.npy").symlink_to(disk / "a.npy")
    predict(links, settings, output=output)
    before = output.read_bytes()
    disk.rename(tmp_path / "away")
    assert predict(links, settings, output=output, retry=True).files == 0
    assert output.read_bytes() == before


def test_retry_alone_begins_like_resume_and_needs_a_file(study, settings, tmp_path):
    assert predict(study, settings, output=tmp_path / "v.csv", retry=True).files == 8
    with pytest.raises(UsageError, match="name it with --output"):
        predict(study, settings, retry=True)


def test_resume_without_a_file_begins(study, settings, tmp_path):
    run = predict([study], settings, output=tmp_path / "o.csv", resume=True)
    assert (run.skipped, run.files) == (0, 8)


def test_resume_refuses_to_mix(study, settings, tmp_path, toy_bundle, monkeypatch):
    output = tmp_path / "o.csv"
    predict([study], settings, output=output)
    before = output.read_bytes()
    with pytest.raises(UsageError, match="made with include_stills False, and this run has True"):
        predict([study], replace(settings, include_stills=True), output=output, resume=True)
    other = str(toy_bundle(notes=("another",)).save(tmp_path / "other.echoplane"))
    with pytest.raises(UsageError, match="made with bundle"):
        predict([study], replace(settings, bundle=other), output=output, resume=True)
    # Threads and jobs change no answer.
    predict([study], replace(settings, jobs=1), output=output, resume=True)
    (tmp_path / "o.csv.manifest.json").unlink()
    with pytest.raises(UsageError, match=r"there is no o\.csv\.manifest\.json beside it"):
        predict([study], settings, output=output, resume=True)
    assert output.read_bytes() == before


def test_a_file_that_is_there_is_not_lost(study, settings, tmp_path):
    output = tmp_path / "o.csv"
    output.write_text("precious")
    with pytest.raises(UsageError, match=r"is there already\. Use --resume to go on with it, or --overwrite"):
        predict([study], settings, output=output)
    assert output.read_text() == "precious"
    with pytest.raises(UsageError, match="give one of them"):
        predict([study], settings, output=output, resume=True, overwrite=True)
    predict([study], settings, output=output, overwrite=True)
    assert len(rows(output)) == 8
    parquet = tmp_path / "o.parquet"
    journal_path(parquet).write_text("")
    with pytest.raises(UsageError, match="is there already"):
        predict([study], settings, output=parquet)


def test_the_output_is_no_input_however_a_disk_spells_it(settings, tmp_path):
    # As on a disk that takes both names for one file.
    folder = tmp_path / "study"
    folder.mkdir()
    output, spelled = folder / "Views.csv", folder / "views.csv"
    output.write_text("old")
    if not spelled.exists():
        spelled.hardlink_to(output)
    (folder / "VIEWS.txt").write_text("another file")
    predict([folder], settings, output=output, overwrite=True)
    assert [Path(row["file"]).name for row in rows(output)] == ["VIEWS.txt"]


def test_trouble_before_the_first_file_writes_nothing(study, settings, tmp_path):
    output = tmp_path / "o.csv"
    with pytest.raises(BundleError, match="no such bundle"):
        predict([study], replace(settings, bundle=str(tmp_path / "none")), output=output)
    with pytest.raises(UsageError, match="precision int8"):
        predict([study], replace(settings, precision="int8"), output=output)
    (tmp_path / "hollow").mkdir()
    with pytest.raises(UsageError, match="nothing to read in"):
        predict([tmp_path / "hollow"], settings, output=output)
    with pytest.raises(UsageError, match="name it with --output"):
        predict([study], settings, resume=True)
    with pytest.raises(UsageError, match="the ending says the format"):
        predict([study], settings, output=tmp_path / "o.txt")
    assert not output.exists()


def test_a_failure_of_the_caller_is_written_down_as_an_interruption(study, settings, tmp_path):
    def fail(result):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        predict([study], settings, output=tmp_path / "o.csv", on_result=fail)
    assert manifest(tmp_path / "o.csv")["state"] == "interrupted"
    assert len(rows(tmp_path / "o.csv")) == 1


def test_the_pixel_limit_reaches_the_reader(study, settings):
    run = predict([study], replace(settings, max_pixels=100))
    assert run.counts["refused"] == 6


def test_all_clips_are_looked_at_where_that_is_asked_for(toy_bundle, tmp_path):
    bright = np.full((48, 24, 32), 220, np.uint8) + np.random.default_rng(0).integers(0, 20, (48, 24, 32), np.uint8)
    np.save(tmp_path / "bright.npy", bright)
    bundle = toy_bundle(slope=(0.0, 20.0, 0.0), shift=(3.0, 0.0, -2.0), thresholds=Thresholds(enough=0.95))
    path = str(bundle.save(tmp_path / "two.echoplane"))
    votes = {}
    for all_clips in (False, True):
        results = []
        settings = PredictSettings(bundle=path, threads=1, all_clips=all_clips)
        predict([tmp_path / "bright.npy"], settings, on_result=results.append)
        votes[all_clips] = results[0].clip_votes
    assert votes == {False: {"A4C": 2}, True: {"A4C": 6}}


def test_numbered_pictures_can_be_stills_and_links_followed(study, settings, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for n in range(4):
        cv2.imwrite(str(pictures / f"p_{n}.png"), np.full((24, 24), 90, np.uint8))
    assert predict([pictures], settings).files == 1
    apart = replace(settings, group_frames=False)
    assert predict([pictures], apart).counts == {"still": 4}
    around = tmp_path / "around"
    around.mkdir()
    (around / "link").symlink_to(study, target_is_directory=True)
    assert predict([around], settings).counts == {"refused": 1}
    assert predict([around], replace(settings, follow_links=True)).files == 8


def test_failed_are_the_statuses_that_need_a_look():
    assert {Status.UNREADABLE, Status.UNSUPPORTED, Status.REFUSED, Status.TOO_SHORT} == FAILED


FOREIGN = {
    "a table": b"patient,visit\n1,2\n2,3",
    "one line": b"clip1.dcm A4C",
    "a header": b"a,b,c\n",
}


def test_resume_begins_where_a_file_is_empty(study, settings, tmp_path):
    (tmp_path / "o.csv").touch()
    assert predict([study], settings, output=tmp_path / "o.csv", resume=True).files == 8


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_resume_leaves_a_file_alone_that_is_not_its_own(study, settings, tmp_path, content, suffix):
    output = tmp_path / f"labels{suffix}"
    output.write_bytes(content)
    with pytest.raises(UsageError, match=rf"there is no labels{suffix}\.manifest\.json beside it"):
        predict([study], settings, output=output, resume=True)
    assert output.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == [output.name, "toy.echoplane"]


@pytest.mark.parametrize(
    "change", [lambda t: "\ufeff" + t, lambda t: t.replace(",", ";"), lambda t: t.replace("clip", "cl\xefp")],
    ids=["byte-order mark", "semicolons", "another encoding"],
)  # fmt: skip
def test_a_table_that_a_spreadsheet_has_saved_anew_is_refused(study, settings, tmp_path, change):
    output = tmp_path / "o.csv"
    predict([study], settings, output=output)
    output.write_bytes(change(output.read_text()).encode("cp1252" if "cl\xefp" in change("clip") else "utf-8"))
    with pytest.raises(UsageError, match="saved it anew, write to another file"):
        predict([study], settings, output=output, resume=True)


def test_a_foreign_parquet_file_beside_a_manifest_is_refused(study, settings, tmp_path):
    output = tmp_path / "o.parquet"
    predict([study], settings, output=output)
    output.write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match="saved it anew, write to another file"):
        predict([study], settings, output=output, resume=True)


def test_a_file_is_one_row_however_it_is_spelled(study, settings, tmp_path, monkeypatch):
    output = tmp_path / "o.csv"
    monkeypatch.chdir(study.parent)
    run = predict([study.name, f"{study.name}/notes.txt", study / "zero.dcm"], settings, output=output)
    assert run.files == len(rows(output)) == 8
    for spelled in (f"./{study.name}", study, f"{study.name}/../{study.name}"):
        again = predict([spelled], settings, output=output, resume=True)
        assert (again.files, again.skipped) == (0, 8)
    assert len(rows(output)) == 8


def test_two_cines_of_one_name_are_two_rows(study, settings, tmp_path, monkeypatch):
    items = [SourceItem("a", study / name) for name in ("zero.dcm", "notes.txt", "zero.dcm")]
    monkeypatch.setattr("echoplane.pipelines.predict.discover", lambda *_, **__: iter(items))
    predict("x", settings, output=tmp_path / "o.csv")
    first, second = rows(tmp_path / "o.csv")
    assert (first["file"], second["file"], second["status"]) == ("a", "a", "refused")
    assert "name of another cine" in second["reason"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_relative_names_are_gone_on_with_from_their_own_folder_alone(study, settings, tmp_path, monkeypatch, suffix):
    for site in ("all/a", "b"):
        (tmp_path / site).mkdir(parents=True)
        shutil.copy(study / "notes.txt", tmp_path / site / "clip.mp4")
    output = tmp_path / "all" / "out" / f"o{suffix}"
    monkeypatch.chdir(tmp_path / "all" / "a")
    predict(["."], settings, output=f"../out/o{suffix}")
    assert manifest(output)["folder"] == "../a"
    monkeypatch.chdir(tmp_path / "b")
    for spelled in (".", tmp_path / "b"):
        with pytest.raises(UsageError, match=r"its rows name files as seen from .*a\. Go there"):
            predict([spelled], settings, output=output, resume=True)
    # A tree that is moved as a whole is the same tree.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved" / "a")
    run = predict([".", tmp_path / "b"], settings, output=f"../out/o{suffix}", resume=True)
    assert (run.skipped, run.files) == (1, 1)


def test_whole_names_are_gone_on_with_from_anywhere(study, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predict([study], settings, output="o.csv")
    monkeypatch.chdir(study)
    assert predict(["."], settings, output=tmp_path / "o.csv", resume=True).skipped == 8


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_two_runs_do_not_write_the_same_file(study, settings, tmp_path, suffix):
    output = tmp_path / f"o{suffix}"
    refused = []

    def begin_another(result):
        for how in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(UsageError, match="another run is writing this file"):
                predict([study], settings, output=output, **how)
            refused.append(how)

    predict([study / "notes.txt"], settings, output=output, on_result=begin_another)
    assert len(refused) == 3
    assert list(rows_done(output).values()) == ["not_image"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"o{suffix}", f"o{suffix}.manifest.json", "toy.echoplane"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_an_output_behind_a_link_is_held_and_gone_on_with(study, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("echoplane._locks._DYING", 0.0)
    shutil.copytree(study, tmp_path / "in")
    real, link = tmp_path / "there" / "real.csv", tmp_path / "in" / "link.csv"
    link.symlink_to(real)
    with held(real), pytest.raises(UsageError, match=r"real\.csv: another run is writing"):
        predict(study, settings, output=link)
    predict(tmp_path / "in", settings, output=link)
    before = rows(real)
    (tmp_path / "in" / "zero.dcm").write_bytes(b"x")
    again = predict(tmp_path / "in", settings, output=link, retry=True)
    assert (len(before), again.files, link.is_symlink()) == (8, 1, True)
    assert len(rows(real)) == 8
    assert {path.name for path in real.parent.iterdir()} == {"real.csv", "real.csv.manifest.json"}


def test_a_folder_of_nothing_but_the_own_output_holds_nothing_to_read(settings, tmp_path):
    (tmp_path / "hollow").mkdir()
    with pytest.raises(UsageError, match="nothing to read in"):
        predict([tmp_path / "hollow"], settings, output=tmp_path / "hollow" / "o.csv")
    with pytest.raises(UsageError, match="nothing to read in"):
        predict([tmp_path / "hollow"], settings, output=tmp_path / "new" / "o.csv")
    assert list((tmp_path / "hollow").iterdir()) == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_a_run_writes_is_not_its_input(study, settings, tmp_path, suffix):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    output = folder / f"views{suffix}"
    assert predict([folder], settings, output=output).files == 8
    again = predict([folder], settings, output=output, resume=True)
    assert (again.files, again.skipped) == (0, 8)


def test_what_failed_before_still_counts_when_there_is_nothing_left_to_do(study, settings, tmp_path):
    output = tmp_path / "o.csv"
    assert predict([study], settings, output=output).failed == 1
    again = predict([study], settings, output=output, resume=True)
    assert (again.files, again.failed) == (0, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_with_a_carriage_return_is_one_row(study, settings, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    (folder / "Icon\r").write_bytes(b"\0")  # macOS puts such files into folders
    output = tmp_path / "o.csv"
    assert predict([folder], settings, output=output).files == 9
    assert {row["file"] for row in rows(output)} >= {str(folder / "Icon\r")}
    again = predict([folder], settings, output=output, resume=True)
    assert (again.files, again.skipped) == (0, 9)


def test_processes_give_the_rows_that_threads_give(tmp_path, monkeypatch):
    from pydicom import examples

    good = Path(examples.get_path("ybr_color")).read_bytes()
    for i in range(3):
        (tmp_path / f"{i}.dcm").write_bytes(good)
    (tmp_path / "torn.dcm").write_bytes(good[:4000])
    monkeypatch.setattr("echoplane.pipelines.predict.MANY", 2)

    def rows(processes):
        found = []
        predict([tmp_path], PredictSettings(jobs=2), processes=processes, on_result=found.append)
        return [(r.file, r.status, r.view, r.probabilities, r.reasons) for r in found]

    assert rows(True) == rows(False)
    assert len(rows(True)) == 4


_TERMINATED = """
import multiprocessing, sys
from echoplane.pipelines import predict as module
from echoplane.pipelines.predict import PredictSettings, predict

if __name__ == "__main__":
    module.MANY = 1
    def show(result):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        sys.stdin.readline()
    predict([sys.argv[1]], PredictSettings(bundle=sys.argv[2], threads=1, jobs=2), processes=True, on_result=show)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for processes")
def test_processes_end_with_a_terminated_run(study, bundle_file, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(_TERMINATED)
    run = subprocess.Popen(
        [sys.executable, str(script), str(study), bundle_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    workers = [int(pid) for pid in run.stdout.readline().split()]
    assert len(workers) == 2
    run.terminate()
    run.wait()
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        os.sched_yield()
    run.stdin.close()
    run.stdout.close()


def _alive(pid):
    """Tell whether a process runs; one that ended and that nobody has asked about yet (a zombie) does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
