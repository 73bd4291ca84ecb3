"""Every adapter against a small data set made here in the layout that the data set's page describes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from echoplane.apps.cli._layouts import LAYOUT_HELP
from echoplane.data.adapters import LAYOUTS, Options, layout_named, read_manifest
from echoplane.data.adapters.sheet import read_sheet
from echoplane.data.labels import LabelTable
from echoplane.data.manifest import Manifest
from echoplane.errors import DataError, UsageError
from echoplane.sources.open import open_cine


def avi(path: Path, frames: int = 4, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (48, 40))
    for frame in np.random.default_rng(seed).integers(0, 255, (frames, 40, 48, 1), np.uint8):
        writer.write(np.repeat(frame, 3, axis=2))  # grey
    writer.release()
    return path


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (40, 48), np.uint8))
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def labels(manifest: Manifest) -> dict[str, str]:
    return {row.cine: row.given_label for row in manifest.rows}


def failures(manifest: Manifest) -> dict[str, str]:
    return {failure.file: failure.status for failure in manifest.failures}


def opens(manifest: Manifest) -> list[int]:
    return [open_cine(row.item).n_frames for row in manifest.rows]


def test_folders(tmp_path):
    avi(tmp_path / "A4C" / "one.avi")
    avi(tmp_path / "A4C" / "p7" / "two.avi")
    for n in range(5):
        picture(tmp_path / "PLAX" / f"clip_{n}.png")
    avi(tmp_path / "lost.avi")
    text(tmp_path / "A4C" / ".DS_Store", "")
    manifest = read_manifest("folders", tmp_path)
    assert labels(manifest) == {"A4C/one.avi": "A4C", "A4C/p7/two.avi": "A4C", "PLAX/clip": "PLAX"}
    assert failures(manifest) == {"lost.avi": "no_label"}
    assert opens(manifest) == [4, 4, 5]
    with pytest.raises(DataError, match="holds no folders"):
        read_manifest("folders", tmp_path / "A4C" / "p7")
    with pytest.raises(DataError, match="is no folder"):
        read_manifest("folders", tmp_path / "nothing")


def test_frames(tmp_path):
    for n in (0, 1, 2, 10):
        picture(tmp_path / "A4C" / f"p_3_{n}.jpg")
    picture(tmp_path / "A4C" / "p_4_0.jpg")
    picture(tmp_path / "A2C" / "sub" / "x_0.png")
    picture(tmp_path / "A2C" / "odd.jpg")
    manifest = read_manifest("frames", tmp_path)
    assert labels(manifest) == {"A2C/sub/x": "A2C", "A4C/p_3": "A4C", "A4C/p_4": "A4C"}
    assert manifest.rows[1].item.files == ("p_3_0.jpg", "p_3_1.jpg", "p_3_2.jpg", "p_3_10.jpg")
    assert failures(manifest) == {"A2C/odd.jpg": "no_label"}
    assert opens(manifest) == [1, 4, 1]


SHEETS = {
    "spaces": "s1 a A4C\ns1 b.dcm parasternal long axis\n\n# a remark\ns2 c A2C\n",
    "commas": "s1,a,A4C\ns1,b.dcm,parasternal long axis\ns2,c,A2C\n",
    "header and spaces": "study file patient view\ns1 a p1 A4C\ns1 b.dcm p1 parasternal long axis\n  s2 c p2 A2C\n",
    "header": "view;patient;file;study\nA4C;p1;a;s1\nparasternal long axis;p1;b.dcm;s1\nA2C;p2;c;s2\n",
}


@pytest.mark.parametrize("kind", SHEETS)
def test_sheet(tmp_path, kind):
    for name in ("s1/a.dcm", "s1/b", "s2/c"):
        avi(tmp_path / "x.avi").rename(text(tmp_path / name, ""))
    sheet = text(tmp_path / "labels.txt", SHEETS[kind])
    manifest = read_manifest("sheet", tmp_path)
    assert labels(manifest) == {"s1/a.dcm": "A4C", "s1/b": "parasternal long axis", "s2/c": "A2C"}
    assert [row.study for row in manifest.rows] == ["s1", "s1", "s2"]
    assert [row.patient for row in manifest.rows] == (["p1", "p1", "p2"] if "header" in kind else ["", "", ""])
    assert labels(read_manifest("sheet", tmp_path, Options(sheet))) == labels(manifest)


@pytest.mark.parametrize(
    "header", ["Study ID,File Name,View,Patient ID,Split,Frame Rate", "study-id;FILE_NAME;view;patient id;split;fps"]
)
def test_a_sheet_as_spreadsheets_write_it(tmp_path, header):
    mark = ";" if ";" in header else ","
    rate = "52,5" if mark == ";" else '"52,5"'
    for name in ("a", "b"):
        text(tmp_path / "s1" / name, "")
    lines = [header, mark.join(("s1", "a", "A4C", "7", "train", rate)), mark.join(("s1", "b", "A4C", "7", "", "50"))]
    sheet = text(tmp_path / "labels.csv", "\n".join(lines))
    one, two = read_manifest("sheet", tmp_path, Options(sheet)).rows
    assert (one.patient, one.study, one.split, one.fps) == ("7", "s1", "train", 52.5)
    assert (two.patient, two.fps) == ("7", 50.0)
    sheet.write_text("\n".join([lines[0], lines[1].replace(rate, "fast")]))
    with pytest.raises(DataError, match=r"labels.csv:2: the frame rate 'fast' is no number"):
        read_manifest("sheet", tmp_path, Options(sheet))
    sheet.write_text(f"sep={mark}\n{sheet.read_text()}")
    with pytest.raises(DataError, match=r"labels.csv:3: the frame rate 'fast' is no number"):
        read_manifest("sheet", tmp_path, Options(sheet))


def test_lines_of_one_file_that_say_different_things(tmp_path):
    for name in "abcd":
        text(tmp_path / "s1" / name, "")
    sheet = text(
        tmp_path / "labels.csv",
        "study,file,view,patient,split\ns1,a,A4C,1,train\ns1,a,A4C,2,train\ns1,b,A4C,1,train\ns1,b,A4C,1,test\n"
        "s1,c,A4C,,\ns1,c,a4c,1,\ns1,c,A4C,,train\ns1,d,A4C,1,\n",
    )
    manifest = read_manifest("sheet", tmp_path, Options(sheet))
    assert [(row.cine, row.patient, row.split) for row in manifest.rows] == [("s1/c", "1", "train"), ("s1/d", "1", "")]
    assert {failure.file: failure.reason for failure in manifest.failures} == {
        "s1/a": "Is said to be of different patients. Correct that; it is not used.",
        "s1/b": "Is for 'test' and 'train'. Correct that; it is not used.",
    }


def test_two_spellings_of_one_view_do_not_contradict_each_other(tmp_path):
    for name in "abcd":
        text(tmp_path / "s1" / name, "")
    sheet = text(
        tmp_path / "labels.csv",
        "s1,a,A4C\ns1,a,apical 4 chamber\ns1,b,A4C\ns1,b,vier\ns1,c,A4C\ns1,c,A2C\ns1,d,odd\ns1,d,Odd\n",
    )
    manifest = read_manifest("sheet", tmp_path, Options(sheet))
    assert labels(manifest) == {"s1/a": "A4C", "s1/d": "odd"}
    assert failures(manifest) == {"s1/b": "label_conflict", "s1/c": "label_conflict"}
    known = read_manifest("sheet", tmp_path, Options(sheet, LabelTable({"vier": "A4C", "a2c": "A2C"})))
    assert labels(known) == {"s1/a": "A4C", "s1/b": "A4C", "s1/d": "odd"}


@pytest.mark.parametrize(
    "lines",
    [
        "s1\ta\tPSAX, mitral\ns1\tb\tA4C\n",
        "s1\ta\tPSAX, mitral\ns1\tb\tA4C, zoomed\n",
        "study;file;view;remarks, if any\ns1;a;PSAX, mitral;\ns1;b;A4C;poor\n",
        "s1,a,PSAX; mitral\ns1,b,A4C\n",
    ],
)
def test_what_separates_columns_is_what_all_lines_have_as_often(tmp_path, lines):
    for name in "ab":
        text(tmp_path / "s1" / name, "")
    found = labels(read_manifest("sheet", tmp_path, Options(text(tmp_path / "labels.txt", lines))))
    assert found.keys() == {"s1/a", "s1/b"}
    assert found["s1/a"].replace(";", ",") == "PSAX, mitral"
    assert found["s1/b"].startswith("A4C")


@pytest.mark.parametrize("header", ["", "#study,file,view\n", "# all of them\nstudy,file,view\n", "#\n"])
def test_a_study_that_begins_with_a_hash_is_no_remark(tmp_path, header):
    for name in ("#12/a", "s1/b"):
        text(tmp_path / name, "")
    sheet = text(tmp_path / "labels.csv", header + "#12,a,A4C\n# a remark\ns1,b,A2C\n")
    manifest = read_manifest("sheet", tmp_path, Options(sheet))
    assert (labels(manifest), manifest.failures) == ({"#12/a": "A4C", "s1/b": "A2C"}, ())


def test_of_two_columns_for_one_thing_the_first_counts(tmp_path):
    text(tmp_path / "s1" / "a", "")
    lines = "Study,Exam ID,File,View,patient,Patient-ID\ns1,E77,a,A4C,P1,\n"
    (row,) = read_manifest("sheet", tmp_path, Options(text(tmp_path / "labels.csv", lines))).rows
    assert (row.cine, row.study, row.patient) == ("s1/a", "s1", "P1")


def test_a_sheet_of_files_and_views_alone(tmp_path):
    for name in ("a.dcm", "late/b.dcm"):
        text(tmp_path / name, "")
    sheet = tmp_path / "labels.csv"
    sheet.write_bytes(b"\xef\xbb\xbfFile;View\r\na.dcm;A4C\r\n\r\nlate/b;PSAX mitral\r\ngone;A2C\r\n;;\r\n")
    manifest = read_manifest("sheet", tmp_path)
    assert labels(manifest) == {"a.dcm": "A4C", "late/b.dcm": "PSAX mitral"}
    assert failures(manifest) == {"gone": "missing"}
    assert {row.study for row in manifest.rows} == {""}
    sheet.write_text("file,view\na.dcm\n")
    with pytest.raises(DataError, match=r"labels\.csv:2: has 1 columns; expected file, view\."):
        read_manifest("sheet", tmp_path)


def test_empty_rows_of_a_spreadsheet_do_not_count(tmp_path):
    text(tmp_path / "s1" / "a", "")
    sheet = text(tmp_path / "labels.csv", "study,file,view,,\ns1,a,A4C,,\n,,,,\n , ,,,\n")
    manifest = read_manifest("sheet", tmp_path, Options(sheet))
    assert (labels(manifest), manifest.failures) == ({"s1/a": "A4C"}, ())


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_quoted_cell_may_have_lines_in_it(tmp_path, mark):
    for name in "abc":
        text(tmp_path / "s1" / name, "")
    rows = [
        ["study", "file", "view", '"what the reader\nsaid, at first"'],
        ["s1", "a", '"Apical\r\n4"', '"one\n\n# two"'],
    ]
    rows += [["s1", "b", "A4C", ""], ["s1", "c", "A2C", ""]]
    lines = [mark.join(row) for row in rows]
    sheet = text(tmp_path / "labels.csv", "\n".join(lines[:3]) + "\n# a remark\n" + lines[3])
    manifest = read_manifest("sheet", tmp_path, Options(sheet))
    assert labels(manifest) == {"s1/a": "Apical 4", "s1/b": "A4C", "s1/c": "A2C"}
    assert [line.number for line in read_sheet(sheet)] == [3, 7, 9]
    assert manifest.notes == (
        "labels.csv: columns not used: what the reader said, at first. "
        "Understood are study, file, view, patient, split, fps.",
    )


def test_a_quote_that_nothing_closes_is_named(tmp_path):
    sheet = text(tmp_path / "labels.csv", 'study,file,view\ns1,a,A4C\ns1,b,"A4C\ns1,c,A2C\n')
    with pytest.raises(DataError, match=r"labels\.csv:3: opens a quote"):
        read_manifest("sheet", tmp_path, Options(sheet))


@pytest.mark.parametrize("column", ["pid", "Patient-Nr.", "pat_id", "MRN", "Patient No."])
def test_patients_have_many_names(tmp_path, column):
    text(tmp_path / "s1" / "a", "")
    sheet = text(tmp_path / "labels.csv", f"study,file,view,{column},reader\ns1,a,A4C,7,x\n")
    manifest = read_manifest("sheet", tmp_path, Options(sheet))
    assert [row.patient for row in manifest.rows] == ["7"]
    assert "columns not used: reader." in manifest.notes[0]


def test_words_without_a_column_are_not_guessed(tmp_path):
    sheet = text(tmp_path / "labels.txt", "study file view patient\ns1 a PSAX mitral p1\n")
    with pytest.raises(DataError, match=r"labels\.txt:2: has more words than columns"):
        read_manifest("sheet", tmp_path, Options(sheet))


def test_a_sheet_with_faults(tmp_path):
    for name in ("s1/a", "s1/b", "s1/c"):
        avi(tmp_path / "x.avi").rename(text(tmp_path / name, ""))
    sheet = tmp_path / "labels.csv"
    sheet.write_text("s1,a,A4C\ns1,b,A4C\ns1,b,A2C\ns1,c,PLAX\ns1,c,PLAX\ns1,gone,A4C\n../..,etc/passwd,A4C\n")
    manifest = read_manifest("sheet", tmp_path)
    assert labels(manifest) == {"s1/a": "A4C", "s1/c": "PLAX"}
    assert failures(manifest) == {"s1/b": "label_conflict", "s1/gone": "missing", "../../etc/passwd": "missing"}
    assert "'A2C' and 'A4C'" in next(f.reason for f in manifest.failures if f.file == "s1/b")
    assert "labels.csv:6" in next(f.reason for f in manifest.failures if f.file == "s1/gone")
    sheet.write_text("s1,a\n")
    with pytest.raises(DataError, match=r"labels\.csv:1: has 2 columns"):
        read_manifest("sheet", tmp_path)
    sheet.write_text("study,file\ns1,a\n")
    with pytest.raises(DataError, match=r"labels\.csv: the header has no column 'view'"):
        read_manifest("sheet", tmp_path)
    text(tmp_path / "other.csv", "")
    with pytest.raises(DataError, match=r"--sheet FILE; .* labels\.csv, other\.csv"):
        read_manifest("sheet", tmp_path)


def test_ev9v(tmp_path):
    for video, n in (("v1", 3), ("v2", 2), ("v3", 1)):
        for k in range(1, n + 1):
            picture(tmp_path / "Images" / video / f"frame_{k:06d}.jpg")
    text(tmp_path / "labels.csv", "names,labels\nv1,PMVLSA\nv2,A4C\nv3,PASA\nv4,A5C\n")
    text(tmp_path / "train.txt", "v1\n")
    text(tmp_path / "validation.txt", "v2\n")
    text(tmp_path / "test.txt", "v3\nv4\n")
    manifest = read_manifest("ev9v", tmp_path)
    assert labels(manifest) == {"Images/v1": "PMVLSA", "Images/v2": "A4C", "Images/v3": "PASA"}
    assert [row.split for row in manifest.rows] == ["train", "validation", "test"]
    assert failures(manifest) == {"Images/v4": "missing"}
    assert opens(manifest) == [3, 2, 1]
    text(tmp_path / "test.txt", "v1\n")
    with pytest.raises(DataError, match=r"test\.txt: video 'v1' is in train and in test"):
        read_manifest("ev9v", tmp_path)
    text(tmp_path / "test.txt", "v3\n")
    (tmp_path / "Images" / "v3").rename(tmp_path / "Images" / "video 3")
    text(tmp_path / "labels.csv", f"names,labels\nvideo 3,PASA\n{tmp_path},A4C\n../Images/v1,A4C\n")
    (tmp_path / "test.txt").write_text("video 3\n", encoding="utf-16")
    for file in ("train.txt", "validation.txt"):
        (tmp_path / file).unlink()
    manifest = read_manifest("ev9v", tmp_path)
    assert [(row.cine, row.split) for row in manifest.rows] == [("Images/video 3", "test")]
    assert failures(manifest) == {str(tmp_path): "missing", "../Images/v1": "missing"}
    (tmp_path / "test.txt").write_bytes(b"vid\xe9o\n")
    with pytest.raises(DataError, match=r"test\.txt: cannot be read as a list of videos"):
        read_manifest("ev9v", tmp_path)
    text(tmp_path / "test.txt", "v3\n")
    text(tmp_path / "labels.csv", "name,labels\nv1,A4C\n")
    with pytest.raises(DataError, match=r"labels\.csv: has no column 'names'; did you mean 'name'\? Its columns are"):
        read_manifest("ev9v", tmp_path)


def test_camus(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    clip = np.random.default_rng(0).integers(0, 255, (5, 40, 48), np.uint8)
    for name in ("patient0001_2CH_half_sequence.nii.gz", "patient0001_4CH_half_sequence.nii.gz"):
        (tmp_path / "patient0001").mkdir(exist_ok=True)
        sitk.WriteImage(sitk.GetImageFromArray(clip), str(tmp_path / "patient0001" / name))
    sitk.WriteImage(sitk.GetImageFromArray(clip[0]), str(tmp_path / "patient0001" / "patient0001_2CH_ED.nii.gz"))
    (tmp_path / "old" / "patient0002").mkdir(parents=True)
    sitk.WriteImage(
        sitk.GetImageFromArray(clip), str(tmp_path / "old" / "patient0002" / "patient0002_4CH_sequence.mhd")
    )
    manifest = read_manifest("camus", tmp_path)
    assert list(labels(manifest).values()) == ["4CH", "2CH", "4CH"]
    assert [row.patient for row in manifest.rows] == ["patient0002", "patient0001", "patient0001"]
    assert opens(manifest) == [5, 5, 5]
    with pytest.raises(DataError, match="is this the folder of CAMUS"):
        read_manifest("camus", text(tmp_path / "e" / "x", "").parent)


def test_echonet_dynamic(tmp_path):
    avi(tmp_path / "Videos" / "0X1.avi")
    avi(tmp_path / "Videos" / "0X2.avi")
    table = text(tmp_path / "FileList.csv", "FileName,EF,FPS,Split\n0X1,60,50,TRAIN\n0X2.avi,50,,VAL\n0X3,40,50,TEST\n")
    manifest = read_manifest("echonet-dynamic", tmp_path)
    assert labels(manifest) == {"Videos/0X1.avi": "A4C", "Videos/0X2.avi": "A4C"}
    assert [(row.split, row.fps) for row in manifest.rows] == [("train", 50.0), ("validation", None)]
    assert failures(manifest) == {"0X3": "missing"}
    table.write_text("FileName,EF,Split\n0X1,60,LATER\n")
    with pytest.raises(DataError, match=r"FileList\.csv: column 'Split' holds 'LATER'"):
        read_manifest("echonet-dynamic", tmp_path)
    table.write_text("File,EF\n0X1,60\n")
    with pytest.raises(DataError, match=r"no column 'FileName' or 'HashedFileName'"):
        read_manifest("echonet-dynamic", tmp_path)
    with pytest.raises(DataError, match=r"holds no FileList\.csv"):
        read_manifest("echonet-dynamic", tmp_path / "Videos")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_tables_that_a_spreadsheet_saved_again(tmp_path, mark):
    avi(tmp_path / "Videos" / "0X1.avi")
    rows = [("FileName", "EF", "Split", ""), ("0X1", "60,5", "TRAIN", ""), ("", "", "", ""), ("", "", "", "")]
    text(tmp_path / "FileList.csv", "\ufeff" + "\n".join(mark.join(row) for row in rows))
    manifest = read_manifest("echonet-dynamic", tmp_path)
    assert (labels(manifest), manifest.failures) == ({"Videos/0X1.avi": "A4C"}, ())


def test_echonet_pediatric(tmp_path):
    for view in ("A4C", "PSAX"):
        avi(tmp_path / view / "Videos" / "c1.avi")
        text(tmp_path / view / "FileList.csv", "FileName,EF,Split\nc1.avi,60,3\n")
    manifest = read_manifest("echonet-pediatric", tmp_path)
    assert labels(manifest) == {"A4C/Videos/c1.avi": "A4C", "PSAX/Videos/c1.avi": "PSAX"}
    assert [row.extra for row in manifest.rows] == [{"given_fold": 3}] * 2
    with pytest.raises(DataError, match="is this EchoNet-Pediatric"):
        read_manifest("echonet-pediatric", text(tmp_path / "e" / "x", "").parent)


def test_echonet_lvh(tmp_path):
    avi(tmp_path / "Batch1" / "0Xa.avi")
    avi(tmp_path / "Batch4" / "0Xb.avi")
    text(
        tmp_path / "MeasurementsList.csv",
        "HashedFileName,Calc,CalcValue,FPS,split\n0Xa,IVSd,1.0,50,train\n0Xa,LVIDd,4.5,50,train\n0Xb,IVSd,1,50,test\n",
    )
    manifest = read_manifest("echonet-lvh", tmp_path)
    assert labels(manifest) == {"Batch1/0Xa.avi": "PLAX", "Batch4/0Xb.avi": "PLAX"}
    assert [row.split for row in manifest.rows] == ["train", "test"]


def test_tmed2(tmp_path):
    picture(tmp_path / "view_and_diagnosis" / "27s1_0.png")
    picture(tmp_path / "view_and_diagnosis" / "28s2_11.png")
    text(tmp_path / "diagnoses.csv", "a,b\n1,2\n")
    text(tmp_path / "labels.csv", "query_key,view_label\n27s1_0.png,PLAX\n28s2_11,A4C\n29s1_0.png,PSAX\n")
    manifest = read_manifest("tmed2", tmp_path)
    assert labels(manifest) == {"view_and_diagnosis/27s1_0.png": "PLAX", "view_and_diagnosis/28s2_11.png": "A4C"}
    assert [(row.patient, row.study, row.still) for row in manifest.rows] == [
        ("27", "27s1", True),
        ("28", "28s2", True),
    ]
    assert failures(manifest) == {"29s1_0.png": "missing"}
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(DataError, match=r"'query_key' and 'view_label'; tables found: diagnoses\.csv"):
        read_manifest("tmed2", tmp_path)


def test_mimic(tmp_path):
    for name in ("s9/a_0001.dcm", "s9/a_0002.dcm"):
        text(tmp_path / "files" / "p10" / "p100" / name, "")
    text(
        tmp_path / "echo-record-list.csv",
        "subject_id,study_id,acquisition_datetime,dicom_filepath\n"
        "100,9,2180-01-01,files/p10/p100/s9/a_0001.dcm\n100,9,2180-01-01,files/p10/p100/s9/a_0002.dcm\n"
        "101,8,2180-01-01,files/p10/p101/s8/b_0001.dcm\n",
    )
    bare = read_manifest("mimic-iv-echo", tmp_path)
    assert [(row.patient, row.study, row.given_label) for row in bare.rows] == [("100", "9", "")] * 2
    assert failures(bare) == {"files/p10/p101/s8/b_0001.dcm": "missing"}
    sheet = text(tmp_path / "echoview.csv", "dicom_filepath,A4C,A2C,PLAX\nx/a_0001.dcm,0.7,0.3,0\n")
    soft = read_manifest("mimic-iv-echo", tmp_path, Options(sheet))
    assert [dict(row.given_shares) for row in soft.rows] == [{"A4C": pytest.approx(0.7), "A2C": pytest.approx(0.3)}]
    assert soft.given_labels() == {"A2C": 1, "A4C": 1}
    assert failures(soft)["files/p10/p100/s9/a_0002.dcm"] == "no_label"
    sheet.write_text("dicom_filepath,A4C,A2C\nx/a_0001.dcm,0.7,0.7\n")
    with pytest.raises(DataError, match=r"echoview\.csv:2: the probabilities of 'x/a_0001\.dcm' sum to 1\.400"):
        read_manifest("mimic-iv-echo", tmp_path, Options(sheet))


def test_hmc_qu(tmp_path):
    for name in ("ES0001_4CH_1.avi", "ES0001_2CH_1.avi", "odd.avi", "unclear.avi"):
        avi(tmp_path / "HMC-QU Echos" / name)
    avi(tmp_path / "A2C" / "ES0002.avi")
    avi(tmp_path / "HMC-QU Echos" / "stranger.avi")
    text(tmp_path / "A4C.csv", "ECHO,Reference\nodd,1\n")
    text(tmp_path / "A4C again.csv", "ECHO;Reference\nstranger;1\n")
    manifest = read_manifest("hmc-qu", tmp_path)
    assert labels(manifest) == {
        "A2C/ES0002.avi": "A2C",
        "HMC-QU Echos/ES0001_2CH_1.avi": "A2C",
        "HMC-QU Echos/ES0001_4CH_1.avi": "A4C",
        "HMC-QU Echos/odd.avi": "A4C",
        "HMC-QU Echos/stranger.avi": "A4C",
    }
    assert [row.patient for row in manifest.rows] == ["ES0002", "ES0001", "ES0001", "", ""]
    assert failures(manifest) == {"HMC-QU Echos/unclear.avi": "no_label"}


def test_phantom(tmp_path):
    for name in ("P1/001.dcm", "P1/002.dcm"):
        text(tmp_path / name, "")
    table = text(
        tmp_path / "truth.csv",
        "file,patient,study,view,shares,seed\nP1/001.dcm,P1,P1,A4C,A4C:0.700 A5C:0.300 A2C:0.000,1\n"
        "P1/002.dcm,P1,P1,DOPPLER,DOPPLER:1.000,2\nP1/003.dcm,P1,P1,A2C,A2C:1.000,3\n",
    )
    manifest = read_manifest("phantom", tmp_path)
    assert labels(manifest) == {"P1/001.dcm": "A4C", "P1/002.dcm": "DOPPLER"}
    assert dict(manifest.rows[0].given_shares) == {"A4C": 0.7, "A5C": 0.3}
    assert failures(manifest) == {"P1/003.dcm": "missing"}
    table.write_text("file,patient,study,view,shares\nP1/001.dcm,P1,P1,A4C,A4C\n")
    with pytest.raises(DataError, match=r"truth\.csv:2: column 'shares' holds 'A4C'"):
        read_manifest("phantom", tmp_path)


def test_layouts_by_name():
    assert [name for name, _ in LAYOUT_HELP] == list(LAYOUTS)
    with pytest.raises(UsageError, match="did you mean 'echonet-lvh'"):
        layout_named("echonet_lvhh")


@pytest.mark.parametrize("name", ["ev9v", "camus", "echonet", "tmed2", "mimic", "hmc_qu"])
def test_adapters_say_that_they_have_not_met_the_real_set(name):
    import importlib

    assert "not run on the real one" in (importlib.import_module(f"echoplane.data.adapters.{name}").__doc__ or "")
