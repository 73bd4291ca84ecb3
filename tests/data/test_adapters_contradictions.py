"""Data sets that contradict themselves, or name what is not there: nothing is chosen for the user without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from echoplane.data.adapters import Options, read_manifest
from echoplane.data.adapters._tables import read_numbered, safe_below
from echoplane.data.labels import LabelTable
from echoplane.data.manifest import Manifest, ManifestRow, settle
from echoplane.errors import DataError
from echoplane.pipelines.organize import organize
from echoplane.sources.item import SourceItem
from echoplane.store.schema import INFO_FILE


def text(path: Path, content: str = "", encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding=encoding)
    return path


def labels(manifest: Manifest) -> dict[str, str]:
    return {row.cine: row.given_label for row in manifest.rows}


def splits(manifest: Manifest) -> dict[str, str]:
    return {row.cine: row.split for row in manifest.rows}


def why(manifest: Manifest) -> dict[str, tuple[str, str]]:
    assert len({failure.file for failure in manifest.failures}) == len(manifest.failures)
    return {failure.file: (failure.status, failure.reason) for failure in manifest.failures}


@pytest.fixture
def ev9v(tmp_path):
    for video in ("v0", "v1", "v2"):
        text(tmp_path / "Images" / video / "frame_000001.jpg")
    text(tmp_path / "labels.csv", "names,labels\nv0,A4C\nv1,A2C\nv2,A4C\n")
    return tmp_path


def test_lists_that_spell_every_video_in_another_way(ev9v):
    text(ev9v / "train.txt", "v0.mp4\nv1.mp4\n")
    text(ev9v / "test.txt", "v2.mp4\n")
    expected = (
        r"labels\.csv: names none of the 3 videos of test\.txt, train\.txt\. It has 'v0', train\.txt has 'v0\.mp4'"
    )
    with pytest.raises(DataError, match=expected):
        read_manifest("ev9v", ev9v)


def test_listed_videos_without_label_are_named_and_unlisted_ones_have_no_part(ev9v):
    text(ev9v / "train.txt", "v0\nlost\n../x\n")
    text(ev9v / "test.txt", "v1\n")
    manifest = read_manifest("ev9v", ev9v)
    assert splits(manifest) == {"Images/v0": "train", "Images/v1": "test", "Images/v2": ""}
    reason = ("missing", "Is named in train.txt and not in labels.csv.")
    assert why(manifest) == {"Images/lost": reason, "../x": reason}


def test_an_ev9v_video_with_an_impossible_name(ev9v):
    text(ev9v / "labels.csv", f"names,labels\nv0,A4C\n{'v' * 300},A4C\n")
    manifest = read_manifest("ev9v", ev9v)
    assert (labels(manifest), len(manifest.failures)) == ({"Images/v0": "A4C"}, 1)


def test_hmc_qu_views_that_contradict_each_other(tmp_path):
    for name in ("both", "ES1_4CH", "ES2_4CH", "ES3_2CH_4CH", "one"):
        text(tmp_path / "A4C and A2C" / f"{name}.avi")
    text(tmp_path / "A2C" / "ES4_4CH.avi")
    text(tmp_path / "A4C.csv", "ECHO,x\nboth,1\nES2_4CH,1\n")
    text(tmp_path / "a2c.CSV", "ECHO;x\nboth;1\nES1_4CH;1\none;1\n", encoding="utf-16")
    manifest = read_manifest("hmc-qu", tmp_path)
    assert labels(manifest) == {"A4C and A2C/ES2_4CH.avi": "A4C", "A4C and A2C/one.avi": "A2C"}
    conflict = ("label_conflict", "Is labelled 'A2C' and 'A4C'. Correct that; it is not used.")
    assert why(manifest) == {
        "A2C/ES4_4CH.avi": conflict,
        "A4C and A2C/ES1_4CH.avi": conflict,
        "A4C and A2C/ES3_2CH_4CH.avi": conflict,
        "A4C and A2C/both.avi": conflict,
    }
    (tmp_path / "A4C.csv").write_bytes(b"ECHO\nb\xe9\n")
    with pytest.raises(DataError, match=r"A4C\.csv: cannot be read as a CSV table: it is not UTF-8"):
        read_manifest("hmc-qu", tmp_path)
    text(tmp_path / "A4C.csv", f"ECHO\n{'x' * 200_000}\n")
    with pytest.raises(DataError, match=r"A4C\.csv: cannot be read as a CSV table \(field larger"):
        read_manifest("hmc-qu", tmp_path)


def test_echonet_lines_of_one_video_that_contradict_each_other(tmp_path):
    for name in "abc":
        text(tmp_path / "Batch1" / f"0X{name}.avi")
    lines = "0Xa,train\n0Xa,TRAIN\n0Xa,\n0Xb,train\n0Xb,test\n0Xc,val\n0Xc.avi,val\n0Xd,test\n0Xd,test\n"
    text(tmp_path / "MeasurementsList.csv", "HashedFileName,split\n" + lines)
    manifest = read_manifest("echonet-lvh", tmp_path)
    assert splits(manifest) == {"Batch1/0Xa.avi": "train", "Batch1/0Xc.avi": "validation"}
    assert why(manifest) == {
        "0Xd": ("missing", "Is named in MeasurementsList.csv and is not in Batch1/ or Batch2/ or Batch3/ or Batch4/."),
        "Batch1/0Xb.avi": ("label_conflict", "Is for 'test' and 'train'. Correct that; it is not used."),
    }


def test_echonet_folds_that_contradict_each_other(tmp_path):
    for name in "abcd":
        text(tmp_path / "PSAX" / "Videos" / f"{name}.avi")
    text(tmp_path / "PSAX" / "FileList.csv", "FileName,Split\na,3\na,03\nb,3\nb,4\nc,3\nc,TEST\nd,VAL\nd,TEST\n")
    manifest = read_manifest("echonet-pediatric", tmp_path)
    assert [(row.cine, row.extra) for row in manifest.rows] == [("PSAX/Videos/a.avi", {"given_fold": 3})]
    assert why(manifest) == {
        "PSAX/Videos/b.avi": ("label_conflict", "Is for 'fold 3' and 'fold 4'. Correct that; it is not used."),
        "PSAX/Videos/c.avi": ("label_conflict", "Is for 'fold 3' and 'test'. Correct that; it is not used."),
        "PSAX/Videos/d.avi": ("label_conflict", "Is for 'test' and 'validation'. Correct that; it is not used."),
    }


def test_mimic_lines_of_one_dicom_that_contradict_each_other(tmp_path):
    names = [f"files/a_{i}.dcm" for i in range(3)]
    for name in names:
        text(tmp_path / name)
    text(
        tmp_path / "echo-record-list.csv", "subject_id,study_id,dicom_filepath\n" + "".join(f"1,2,{n}\n" for n in names)
    )
    lines = "\na_0,0.7,0.3\n\na_1,1,0\na_0.dcm,0.70,0.30\na_1,0,1\na_2,0.5,0.5\n"
    sheet = text(tmp_path / "views.csv", f"file,A4C,A2C{lines}")
    manifest = read_manifest("mimic-iv-echo", tmp_path, Options(sheet))
    assert [dict(row.given_shares) for row in manifest.rows] == [{"A4C": 0.7, "A2C": 0.3}, {"A4C": 0.5, "A2C": 0.5}]
    reason = "Has different probabilities in views.csv:4 and views.csv:6. Correct that; it is not used."
    assert why(manifest) == {"files/a_1.dcm": ("label_conflict", reason)}


def test_lines_of_tables_are_numbered_as_in_the_file(tmp_path):
    table = text(tmp_path / "t.csv", 'sep=;\na;b\n1;2\n\n;\n"3\n";4\n5;6\n')
    assert [(n, line["a"]) for n, line in read_numbered(table, ["a"])] == [(3, "1"), (7, "3"), (8, "5")]


def test_tmed2_pictures_of_one_name(tmp_path):
    for name in ("x/7s1_1.png", "y/7s1_1.png", "x/7s1_2.png", "y/7s1_2.png", "x/7s1_3.png", "y/7s1_4.PNG"):
        text(tmp_path / name)
    lines = "7s1_1.png,A4C\n7s1_1,A4C\nx/7s1_1.png,A4C\ny/7s1_2.png,A2C\n7s1_3.PNG,PLAX\n7s1_4.png,A4C\n,A4C\n"
    text(tmp_path / "other.csv", "a\n1\n")
    text(tmp_path / "labels.CSV", f"query_key,view_label\n{lines}", encoding="utf-16")
    (tmp_path / "latin.csv").write_bytes(b"caf\xe9\n")
    manifest = read_manifest("tmed2", tmp_path)
    assert labels(manifest) == {"x/7s1_3.png": "PLAX", "y/7s1_2.png": "A2C", "y/7s1_4.PNG": "A4C"}
    reason = (
        "Several pictures have this name: x/7s1_1.png and y/7s1_1.png. Name the folder in labels.CSV; it is not used."
    )
    assert why(manifest) == {
        "": ("missing", "Is named in labels.CSV and is not there."),
        "x/7s1_1.png": ("label_conflict", reason),
        "y/7s1_1.png": ("label_conflict", reason),
    }
    (tmp_path / "labels.CSV").unlink()
    with pytest.raises(DataError, match=r"tables found: latin\.csv, other\.csv\. .*latin\.csv: .* it is not UTF-8"):
        read_manifest("tmed2", tmp_path)


#: What a line of a sheet says, and what is said of it: file and reason.
NO_FILE = {
    "p1,,A2C": ("labels.csv:3", "Names no file."),
    "p1,.,A2C": ("labels.csv:3", "Names no file."),
    ",,A2C": ("labels.csv:3", "Names no file."),
    ".,./,A2C": ("labels.csv:3", "Names no file."),
    f"p1,{'x' * 300},A2C": (f"p1/{'x' * 300}", "Is named in labels.csv:3 and is not there."),
}


@pytest.fixture
def exams(tmp_path):
    for name in ("exams/p1/a.dcm", "exams/p1.dcm", "exams.dcm", "out.dcm"):
        text(tmp_path / name, "pixels")
    return tmp_path / "exams"


@pytest.mark.parametrize("line", NO_FILE)
def test_lines_of_a_sheet_that_name_no_file(exams, tmp_path, line):
    text(exams / "labels.csv", f"study,file,view\np1,a,A4C\n{line}\n")
    manifest = read_manifest("sheet", exams)
    file, reason = NO_FILE[line]
    assert (labels(manifest), why(manifest)) == ({"p1/a.dcm": "A4C"}, {file: ("missing", reason)})
    assert organize(exams, tmp_path / "sorted", how="move", dry_run=True).failures == manifest.failures
    text(exams / "labels.csv", f"study,file,view\n\n{line}\n")
    with pytest.raises(DataError, match="The first of 1 problems"):
        read_manifest("sheet", exams)


@pytest.mark.parametrize("cell", ["{outside}", "../out.dcm", "p1/../../out.dcm", "..", "C:\\out.dcm"])
def test_paths_in_a_sheet_that_lead_out_of_the_folder(exams, tmp_path, cell):
    file = cell.format(outside=tmp_path / "out.dcm")
    text(exams / "labels.csv", f"file,view\np1/a,A4C\n{file},A2C\n")
    manifest = read_manifest("sheet", exams)
    reason = (
        "Is named in labels.csv:3 by a path that is absolute or has '..' in it, and so may lead out of "
        f"{exams}; write it as a path below that folder."
    )
    assert (labels(manifest), why(manifest)) == ({"p1/a.dcm": "A4C"}, {file: ("missing", reason)})
    assert organize(exams, tmp_path / "sorted", how="move", dry_run=True).failures == manifest.failures


def test_a_time_is_no_drive():
    assert safe_below(Path("exams"), "12:30", "a") == Path("exams") / "12:30" / "a"
    assert safe_below(Path("exams"), "c:", "a") is None


@pytest.mark.parametrize("layout", ["folders", "frames"])
def test_a_store_among_the_view_folders_is_no_view(tmp_path, layout):
    text(tmp_path / "A4C" / "clip_0.png")
    before = read_manifest(layout, tmp_path)
    text(tmp_path / "store" / INFO_FILE, "{}")
    text(tmp_path / "store" / "failures.csv")
    assert read_manifest(layout, tmp_path) == before


def test_two_cines_of_one_name_are_named_and_neither_is_used():
    rows = [ManifestRow("A4C/a", SourceItem("A4C/a", Path(path)), "A4C") for path in ("x/a", "y/a")]
    settled = settle(Manifest((*rows, rows[0])), LabelTable())
    assert (settled.rows, why(settled)["A4C/a"][0]) == ((), "name_conflict")
    assert len(settle(Manifest((rows[0], rows[0])), LabelTable()).rows) == 1
