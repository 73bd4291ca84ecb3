from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echoplane._files import file_cell
from echoplane.data import organize as module
from echoplane.data.adapters import read_manifest
from echoplane.data.labels import LabelTable, UnknownLabelsError
from echoplane.errors import DataError
from echoplane.pipelines.organize import organize, undo
from echoplane.sources.item import shown

DICOM = b"\0" * 128 + b"DICM" + b"\0" * 40
VIDEO = b"RIFF\0\0\0\0AVI LIST" + b"\0" * 40


@pytest.fixture
def exams(tmp_path):
    root = tmp_path / "exams"
    for name, content in (
        ("s1/1.2.840.1", DICOM + b"a"),
        ("s1/b.dcm", DICOM + b"b"),
        ("s2/b.dcm", DICOM + b"c"),
        ("s2/c.avi", VIDEO),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "labels.txt").write_text("s1 1.2.840.1 4CH\ns1 b A2C\ns2 b PSAX mitral\ns2 c.avi other\ns3 gone A4C\n")
    return root


def tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files if path.name != module.UNDO_FILE}


EXPECTED = {"A4C/s1/1.2.840.1.dcm", "A2C/s1/b.dcm", "PSAX-MV/s2/b.dcm", "other/s2/c.avi"}


@pytest.mark.parametrize("how", ["copy", "link", "move"])
def test_sorted_repeated_and_taken_back(exams, tmp_path, how):
    before = tree(exams)
    out = tmp_path / "sorted"
    dry = organize(exams, out, how=how, dry_run=True)
    assert not out.exists()
    assert (len(dry.steps), dry.done) == (4, 0)
    run = organize(exams, out, how=how)
    assert set(tree(out)) == EXPECTED
    assert run.views == {"A4C": 1, "A2C": 1, "PSAX-MV": 1, "other": 1}
    assert [(f.file, f.status) for f in run.failures] == [("s3/gone", "missing")]
    assert tree(out)["A4C/s1/1.2.840.1.dcm"] == DICOM + b"a"
    assert (out / "A2C/s1/b.dcm").is_symlink() == (how == "link")
    assert set(tree(exams)) == ({"labels.txt"} if how == "move" else set(before))
    again = organize(exams, out, how=how)
    assert (again.done, again.before) == (0, 4)
    assert again.failures == run.failures
    taken_back = undo(run.undo)
    assert (taken_back.done, taken_back.failures) == (4, ())
    assert tree(exams) == before
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("study", [".", ""])
def test_files_beside_the_sheet_are_moved_once(tmp_path, study):
    (tmp_path / "exams").mkdir()
    (tmp_path / "exams" / "a.avi").write_bytes(VIDEO + b"a")
    (tmp_path / "exams" / "sheet.csv").write_text(f"study,file,view\n{study},a.avi,A4C\n")
    assert organize(tmp_path / "exams", tmp_path / "sorted", how="move").done == 1
    again = organize(tmp_path / "exams", tmp_path / "sorted", how="move")
    assert (again.done, again.before, again.failures) == (0, 1, ())


def test_links_on_windows(exams, tmp_path, monkeypatch):
    def refuse(self, *_):
        error = OSError(22, "A required privilege is not held by the client")
        error.winerror = 1314
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", refuse)
        run = organize(exams, tmp_path / "out", how="link")
        assert run.done == 0
        assert "use --how copy" in run.failures[-1].reason
    assert organize(exams, tmp_path / "out", how="link").done == 4
    read = os.readlink
    monkeypatch.setattr(os, "readlink", lambda path: "\\\\?\\" + read(path))
    again = organize(exams, tmp_path / "out", how="link")
    assert (again.done, [f.status for f in again.failures]) == (0, ["missing"])


def test_disks_that_refuse_rights_are_copied_to(exams, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    assert organize(exams, tmp_path / "out", how="copy").done == 4
    assert set(tree(tmp_path / "out")) == EXPECTED


def test_labels_are_mapped_or_left_out(exams, tmp_path):
    (exams / "labels.txt").write_text("s1,1.2.840.1,mystery\ns1,b,A2C\n")
    with pytest.raises(UnknownLabelsError, match="'mystery'"):
        organize(exams, tmp_path / "sorted")
    assert not (tmp_path / "sorted").exists()
    run = organize(exams, tmp_path / "sorted", labels=LabelTable({"mystery": "skip"}))
    assert set(tree(tmp_path / "sorted")) == {"A2C/s1/b.dcm"}
    assert [f.status for f in run.failures] == ["left_out"]
    assert run.failed == 0


def test_a_file_that_is_there_is_never_overwritten(exams, tmp_path):
    (tmp_path / "sorted/A2C/s1").mkdir(parents=True)
    (tmp_path / "sorted/A2C/s1/b.dcm").write_bytes(b"mine")
    run = organize(exams, tmp_path / "sorted")
    assert run.done == 3
    assert "another file is there already" in next(f.reason for f in run.failures if f.file.endswith("b.dcm"))
    undo(run.undo)
    assert tree(tmp_path / "sorted") == {"A2C/s1/b.dcm": b"mine"}


def test_two_files_of_one_name_are_named(exams, tmp_path):
    shutil.copy(exams / "s1/1.2.840.1", exams / "s1/b")
    (exams / "labels.txt").write_text("s1,b,A2C\ns1,b.dcm,A2C\n")
    run = organize(exams, tmp_path / "sorted")
    assert [f.status for f in run.failures] == ["name_conflict"]


def test_what_changed_since_is_left(exams, tmp_path):
    run = organize(exams, tmp_path / "sorted")
    (tmp_path / "sorted/A2C/s1/b.dcm").write_bytes(b"edited")
    taken_back = undo(run.undo)
    assert taken_back.done == 3
    assert "differs from the file it was copied from" in taken_back.failures[0].reason
    assert tree(tmp_path / "sorted") == {"A2C/s1/b.dcm": b"edited"}
    assert run.undo.exists()


def test_a_link_that_leads_elsewhere_since_is_left(exams, tmp_path):
    run = organize(exams, tmp_path / "sorted", how="link")
    link = tmp_path / "sorted/A2C/s1/b.dcm"
    link.unlink()
    link.symlink_to(exams / "s2/b.dcm")
    taken_back = undo(run.undo)
    assert taken_back.done == 3
    assert [f.reason for f in taken_back.failures] == ["Was left as it is: it is a link to another file now."]
    assert link.samefile(exams / "s2/b.dcm")
    assert run.undo.exists()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stop=st.integers(0, 30), how=st.sampled_from(["copy", "move"]))
def test_stopped_anywhere_it_can_be_repeated_or_taken_back(exams, tmp_path_factory, stop, how):
    base = tmp_path_factory.mktemp("stop")
    root, out = base / "exams", base / "sorted"
    shutil.copytree(exams, root)
    before, calls = tree(root), [0]

    def counted(original):
        def call(*arguments, **options):
            calls[0] += 1
            if calls[0] > stop:
                raise KeyboardInterrupt
            return original(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "unlink", "mkdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(os, "fsync", counted(os.fsync))
        with contextlib.suppress(KeyboardInterrupt):
            organize(root, out, how=how)
    again = organize(root, out, how=how)
    assert [failure.file for failure in again.failures] == ["s3/gone"]
    assert set(tree(out)) == EXPECTED
    if (out / module.UNDO_FILE).exists():
        undo(out / module.UNDO_FILE)
    assert tree(root) == before
    assert not out.exists() or tree(out) == {}


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_copied(source, target):
    Path(target).write_bytes(Path(source).read_bytes()[:9])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source), None, str(target))


@pytest.mark.parametrize("how", ["copy", "move"])
def test_a_full_disk_stops_the_run_which_can_be_repeated_or_taken_back(exams, tmp_path, monkeypatch, how):
    before, out, copyfile, calls = tree(exams), tmp_path / "sorted", shutil.copyfile, []

    def second_is_too_much(source, target):
        calls.append(target)
        return copyfile(source, target) if len(calls) == 1 else half_copied(source, target)

    def other_disk(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", second_is_too_much)
        patch.setattr(Path, "rename", other_disk)
        with pytest.raises(OSError, match="No space left") as caught:
            organize(exams, out, how=how)
        assert (caught.value.filename, caught.value.filename2) == (str(out / "A2C/s1/b.dcm"), None)
        assert len(calls) == 2  # at once
    assert set(tree(out)) == {"A4C/s1/1.2.840.1.dcm"}  # no half one
    if how == "move":
        assert "s1/b.dcm" in tree(exams)
    assert organize(exams, out, how=how).done == 3
    assert undo(out / module.UNDO_FILE).failures == ()
    assert tree(exams) == before


def test_a_full_disk_stops_taking_back_too(exams, tmp_path, monkeypatch):
    before, out = tree(exams), tmp_path / "sorted"
    run = organize(exams, out, how="move")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        patch.setattr(shutil, "copyfile", half_copied)
        with pytest.raises(OSError, match="No space left") as caught:
            undo(run.undo)
        assert caught.value.filename == str(exams / "s2/c.avi")
    assert set(tree(exams)) == {"labels.txt"}
    assert (undo(run.undo).done, tree(exams)) == (4, before)


@pytest.mark.parametrize("name", ["put_whole", "fsync"])
def test_what_has_no_record_is_not_moved(exams, tmp_path, monkeypatch, name):
    before, out, put, sync, calls = tree(exams), tmp_path / "sorted", module.put_whole, os.fsync, []

    def torn(stream, text, path):
        calls.append(path)
        if len(calls) > 1:
            put(stream, text[:30], path)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        put(stream, text, path)

    def unsynced(handle):
        calls.append(handle)
        return sync(handle) if len(calls) == 1 else full()

    with monkeypatch.context() as patch:
        patch.setattr(module, name, torn) if name == "put_whole" else patch.setattr(os, name, unsynced)
        with pytest.raises(OSError, match="No space left") as caught:
            organize(exams, out, how="move")
        assert caught.value.filename == str(out / module.UNDO_FILE)
    assert set(tree(out)) == {"A4C/s1/1.2.840.1.dcm"}
    assert len((out / module.UNDO_FILE).read_text().splitlines()) == 1
    assert organize(exams, out, how="move").done == 3
    assert (undo(out / module.UNDO_FILE).failures, tree(exams)) == ((), before)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400))
def test_a_torn_undo_file_is_cut_back_before_more_is_written(exams, tmp_path_factory, cut):
    base = tmp_path_factory.mktemp("torn")
    root, out = base / "exams", base / "sorted"
    shutil.copytree(exams, root)
    before = tree(root)
    log = organize(root, out, how="move").undo
    lines = log.read_bytes().splitlines(keepends=True)
    step = json.loads(lines[-1])
    shutil.move(step["target"], step["source"])  # a record that is torn: its step was not begun
    log.write_bytes(b"".join(lines[:-1]) + lines[-1][: min(cut, len(lines[-1]) - 1)])
    again = organize(root, out, how="move")
    assert (again.done, again.before) == (1, 3)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert {json.dumps(record) for record in records} == {line.decode().strip() for line in lines}
    taken_back = undo(log)
    assert (taken_back.done, taken_back.failures, tree(root)) == (4, (), before)


@pytest.mark.parametrize("torn", [1, 9, 10, 40, -1])
def test_records_glued_to_a_torn_one_are_taken_back(exams, tmp_path, torn):
    before, out = tree(exams), tmp_path / "sorted"
    log = organize(exams, out, how="move").undo
    one, two, *rest = log.read_text().splitlines()
    log.write_text("\n".join([one, two[:torn] + two, *rest, ""]))
    assert organize(exams, out, how="move").before == 4
    taken_back = undo(log)
    assert (taken_back.done, taken_back.failures, tree(exams)) == (4, (), before)


def test_a_damaged_undo_file(exams, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        undo(tmp_path / "nothing")
    (tmp_path / "u").write_text('{"how": 1}\nfile,view\n')
    with pytest.raises(DataError, match="u: cannot be read as an undo file"):
        undo(tmp_path / "u")
    before, out = tree(exams), tmp_path / "sorted"
    log = organize(exams, out, how="move").undo
    one, two, *rest = log.read_bytes().splitlines()
    moved = Path(json.loads(two)["target"])
    log.write_bytes(b"\n".join([one, two[:20] + b"\xff\0" + two[22:], *rest, b""]))
    assert [failure.status for failure in organize(exams, out, how="move").failures] == ["missing"] * 2
    taken_back = undo(log)
    assert taken_back.done == 3
    (said,) = taken_back.failures
    assert said.file == f"{log}:2"
    assert said.reason.startswith("Cannot be read, and was passed over")
    assert log.exists()
    assert before.items() - tree(exams).items() == {("s1/b.dcm", moved.read_bytes())}


def test_a_move_across_disks_stopped_between_its_halves_is_taken_back(exams, tmp_path):
    before, out = tree(exams), tmp_path / "sorted"
    log = organize(exams, out, how="move").undo
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    shutil.copy(steps[0]["target"], steps[0]["source"])
    Path(steps[1]["source"]).write_bytes(b"another")
    taken_back = undo(log)
    assert [failure.reason for failure in taken_back.failures] == [
        "Was left as it is: there is a file again where it came from."
    ]
    assert tree(exams) == before | {"s1/b.dcm": b"another"}
    assert set(tree(out)) == {"A2C/s1/b.dcm"}


def test_a_file_that_lies_where_it_belongs_is_left(tmp_path):
    place = tmp_path / "sorted" / "A4C" / "S1"
    place.mkdir(parents=True)
    for name, content in (("a.avi", VIDEO + b"a"), ("b.avi", VIDEO + b"b")):
        (place / name).write_bytes(content)
    (tmp_path / "sheet.csv").write_text("study,file,view\nS1,a.avi,A4C\nS1,b.avi,A2C\n")
    run = organize(tmp_path / "sorted" / "A4C", tmp_path / "sorted", sheet=tmp_path / "sheet.csv", how="move")
    assert (run.done, run.failures) == (1, ())
    assert tree(tmp_path / "sorted") == {"A4C/S1/a.avi": VIDEO + b"a", "A2C/S1/b.avi": VIDEO + b"b"}
    undo(run.undo)
    assert tree(tmp_path / "sorted") == {"A4C/S1/a.avi": VIDEO + b"a", "A4C/S1/b.avi": VIDEO + b"b"}


def test_a_move_after_a_copy_can_be_taken_back(exams, tmp_path):
    before, out = tree(exams), tmp_path / "sorted"
    organize(exams, out, how="copy")
    run = organize(exams, out, how="move")
    assert (run.done, set(tree(exams))) == (4, {"labels.txt"})
    assert set(tree(out)) == EXPECTED
    assert undo(run.undo).failures == ()
    assert tree(exams) == before


def test_an_undo_file_given_by_a_relative_path_leaves_no_empty_folders(exams, tmp_path, monkeypatch):
    organize(exams, tmp_path / "sorted", how="move")
    monkeypatch.chdir(tmp_path)
    undo(Path("sorted") / module.UNDO_FILE)
    assert list((tmp_path / "sorted").iterdir()) == []


def test_without_a_study_the_folders_of_the_files_are_kept(exams, tmp_path):
    (exams / "a.avi").write_bytes(VIDEO + b"a")
    (exams / "s2" / "x y").mkdir()
    (exams / "s2" / "x y" / "b.dcm").write_bytes(DICOM + b"d")
    (exams / "labels.txt").write_text("file,view\ns1/b,A2C\ns2\\b.dcm,A2C\ns2/x y/b,A2C\na.avi,A2C\n")
    run = organize(exams, tmp_path / "sorted")
    assert run.failures == ()
    assert set(tree(tmp_path / "sorted")) == {"A2C/s1/b.dcm", "A2C/s2/b.dcm", "A2C/s2/x_y/b.dcm", "A2C/a.avi"}


@pytest.mark.parametrize("where", ["", "exams", "exams/s1"])
def test_files_named_as_seen_from_outside_of_the_folder(exams, tmp_path, monkeypatch, where):
    # As predict names them, which was run in tmp_path, and wherever organize is.
    (exams / "labels.txt").unlink()
    sheet = tmp_path / "views.csv"
    cells = ("exams/s1/1.2.840.1,A4C", "exams/s1/b.dcm,A2C", "exams/s2/b.dcm,", "exams/s2/c.avi,", "exams/../x,A4C")
    sheet.write_text("\n".join(["file,view", *cells, "exams,A4C", "exams/s1,A4C", "other/s1/b.dcm,A4C"]))
    monkeypatch.chdir(tmp_path / where)
    root = Path(os.path.relpath(exams))
    for done, before in ((2, 0), (0, 2)):
        run = organize(root, tmp_path / "sorted", sheet=sheet, how="move")
        assert (run.done, run.before) == (done, before)
        statuses = {failure.file: failure.status for failure in run.failures}
        left = dict.fromkeys(("s2/b.dcm", "s2/c.avi"), "left_out")
        assert statuses == left | dict.fromkeys(("exams/../x", "exams", "exams/s1", "other/s1/b.dcm"), "missing")
    assert set(tree(tmp_path / "sorted")) == {"A4C/s1/1.2.840.1.dcm", "A2C/s1/b.dcm"}


def test_a_folder_below_that_is_called_as_the_whole_comes_first(tmp_path):
    for name in ("data/exams/exams/a.avi", "data/exams/a.avi", "data/exams/b.avi", "b.avi", "exams/c.avi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(VIDEO + name.encode())
    sheet = tmp_path / "views.csv"
    sheet.write_text("file,view\nexams/a.avi,A4C\ndata/exams/b.avi,A4C\nexams/c.avi,A4C\n")
    run = organize(tmp_path / "data/exams", tmp_path / "sorted", sheet=sheet)
    assert {Path(step.source).relative_to(tmp_path).as_posix() for step in run.steps} == {
        "data/exams/exams/a.avi",
        "data/exams/b.avi",
    }
    assert [failure.file for failure in run.failures] == ["exams/c.avi"]


def test_a_move_repeated_leaves_another_file_of_the_name_alone(tmp_path):
    """`data/data/a.bin` is meant; once it is moved away, `data/a.bin` is not it."""
    root = tmp_path / "data"
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.bin").write_bytes(b"inner")
    (root / "a.bin").write_bytes(b"outer")
    (tmp_path / "views.csv").write_text("file,view\ndata/a.bin,A4C\n")
    for done in (1, 0):
        run = organize(root, tmp_path / "out", sheet=tmp_path / "views.csv", how="move")
        assert (run.done, run.failed) == (done, 0)
    assert (root / "a.bin").read_bytes() == b"outer"


def test_what_has_no_view_need_not_be_there(tmp_path):
    (tmp_path / "exams").mkdir()
    (tmp_path / "exams" / "a.bin").write_bytes(b"a")
    (tmp_path / "views.csv").write_text("file,status,view\na.bin,ok,A4C\nlink.bin,unreadable,\n")
    run = organize(tmp_path / "exams", tmp_path / "out", sheet=tmp_path / "views.csv")
    assert (run.done, run.failed) == (1, 0)
    assert [(failure.file, failure.status) for failure in run.failures] == [("link.bin", "left_out")]


def test_an_output_beside_the_folder_one_is_in(tmp_path, monkeypatch):
    (tmp_path / "w").mkdir()
    (tmp_path / "exams").mkdir()
    (tmp_path / "exams" / "a.bin").write_bytes(b"a")
    (tmp_path / "views.csv").write_text("file,view\na.bin,A4C\n")
    monkeypatch.chdir(tmp_path / "w")
    run = organize("../exams", "../out", sheet=Path("../views.csv"))
    assert (run.done, run.views) == (1, {"A4C": 1})


@pytest.mark.parametrize("how", ["copy", "link", "move"])
def test_a_file_gets_no_second_view_while_it_has_one(exams, tmp_path, how):
    """After a correction of the sheet it lay in two view folders; or, moved, stayed in the wrong one without a word."""
    out = tmp_path / "sorted"
    organize(exams, out, how=how)
    before = tree(out)
    sheet = exams / "labels.txt"
    sheet.write_text(sheet.read_text().replace("s1 b A2C", "s1 b A3C"))
    again = organize(exams, out, how=how)
    (told,) = (f for f in again.failures if f.status != "missing")
    assert (told.status, again.done, again.before, again.failed) == ("elsewhere", 0, 3, 2)
    assert told.file == ("s1/b" if how == "move" else "s1/b.dcm")
    assert str(out / "A2C" / "s1" / "b.dcm") in told.reason
    assert f"--undo {out / module.UNDO_FILE}" in told.reason
    assert tree(out) == before
    undo(out / module.UNDO_FILE)
    assert organize(exams, out, how=how).done == 4
    assert set(tree(out)) == EXPECTED - {"A2C/s1/b.dcm"} | {"A3C/s1/b.dcm"}


def test_what_organize_made_is_a_data_set_without_complaints(exams, tmp_path):
    organize(exams, tmp_path / "sorted")
    assert "organize-undo.jsonl" in {path.name for path in (tmp_path / "sorted").iterdir()}
    assert read_manifest("folders", tmp_path / "sorted").failures == ()


def test_lines_without_a_view_are_not_why_no_cine_is_found(exams):
    (exams / "labels.txt").write_text("file,view\nnotes.txt,\n/abs/b.dcm,A4C\n")
    with pytest.raises(DataError, match=r"The first of 1 problems: /abs/b\.dcm: .*absolute"):
        organize(exams, exams.parent / "sorted")


@pytest.mark.parametrize("study", ["", "s1"])
def test_absolute_paths_that_lie_in_the_folder_are_found_and_moved_once(exams, tmp_path, study):
    """As `predict $PWD/exams` names them, which a timer may run; also through a link to the folder."""
    (tmp_path / "link").symlink_to(exams)
    sheet = tmp_path / "views.csv"
    lines = [f"{exams}/s1/b.dcm,A2C,{study}", f"{tmp_path}/link/s2/c.avi,A4C,{study}", f"{exams}/../x.dcm,A4C,{study}"]
    sheet.write_text("\n".join(["file,view,study", *lines]))
    for done, before in ((2, 0), (0, 2)):
        run = organize(tmp_path / "link", tmp_path / "sorted", sheet=sheet, how="move")
        assert (run.done, run.before, run.failed) == (done, before, 1)
        assert "may lead out of" in run.failures[0].reason
    assert tree(exams).keys() == {"s1/1.2.840.1", "s2/b.dcm", "labels.txt"}


@pytest.mark.skipif(os.path.sep != "/", reason="names are text there")
def test_names_that_are_no_text_are_found_as_results_have_them(tmp_path):
    root = tmp_path / "exams"
    names = (b"d\xff/\xe9\xff.dcm", rb"\xe9.dcm", b"\xe8.avi")
    for name in names:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(name)
        except OSError:
            pytest.skip("this disk takes text alone")
    sheet = tmp_path / "views.csv"
    files = [shown(path.relative_to(tmp_path)) for path in root.rglob("*") if path.is_file()]
    sheet.write_text("\n".join(["file,view", *(f"{file},A4C" for file in files)]))
    for done, before in ((3, 0), (0, 3)):
        run = organize(root, tmp_path / "sorted", sheet=sheet, how="move")
        assert (run.done, run.before, run.failed) == (done, before, 0)
    undo(run.undo)
    assert {os.fsencode(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == set(names)


def test_a_name_that_begins_with_a_hash_is_no_remark(tmp_path):
    root = tmp_path / "exams"
    root.mkdir()
    (root / "# 1.avi").write_bytes(VIDEO)
    (tmp_path / "views.csv").write_text(f"file,view\n{file_cell('# 1.avi', '.csv')},A4C\n")
    assert organize(root, tmp_path / "sorted", sheet=tmp_path / "views.csv").done == 1
