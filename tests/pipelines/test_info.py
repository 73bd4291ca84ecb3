import json

import numpy as np
import pytest
from PIL import Image
from pydicom import examples

from echoplane.apps.cli.main import main
from echoplane.errors import BundleError, UsageError
from echoplane.pipelines.info import info
from echoplane.records import CineKind, Status


@pytest.fixture
def bundle(toy_bundle, tmp_path):
    return toy_bundle(licence="CC0-1.0").save(tmp_path / "toy.echoplane")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for i in range(12):
        Image.fromarray(np.full((40, 50), 20 * i, np.uint8)).save(root / f"cine_{i}.png")
    Image.fromarray(np.full((40, 50), 20, np.uint8)).save(root / "one.png")
    (root / "zero.avi").touch()
    (root / "notes.txt").write_text("hello")
    return root


def test_one_result_each_with_how_it_is_treated(folder, bundle):
    found = {one.file.rsplit("/", 1)[-1]: one for one in info([folder], bundle=bundle)}
    assert {name: one.status for name, one in found.items()} == {
        "cine": Status.OK,
        "one.png": Status.STILL,
        "zero.avi": Status.UNREADABLE,
        "notes.txt": Status.NOT_IMAGE,
    }
    cine = found["cine"]
    assert (cine.n_frames, cine.height, cine.width, cine.files, cine.kind) == (12, 40, 50, 12, CineKind.B_MODE)
    assert cine.bytes == sum(p.stat().st_size for p in folder.glob("cine_*"))
    # The toy samples 4 frames, every second one: windows of 8 frames in 12, two phases each.
    assert cine.treatment[0] == "Answered from 2 clips of 4 frames, for which 8 of 12 frames are decoded."
    assert cine.sector is not None
    assert "sector" in cine.treatment[-1]
    assert found["one.png"].treatment[0].startswith("Not answered: A single frame")
    assert found["zero.avi"].treatment == ("Is empty (0 bytes). Was the copy interrupted?",)


def test_a_path_by_itself_and_an_empty_one(folder, bundle):
    assert len(list(info(str(folder / "one.png"), bundle=bundle, sector=False))) == 1
    found = info([folder / "one.png", ""], bundle=bundle, sector=False)
    with pytest.raises(UsageError, match="a path is empty"):  # before the first result
        next(found)


def test_without_a_bundle_or_a_sector(folder):
    found = list(info([folder / "one.png", folder / "gone"], sector=False))
    assert [one.sector for one in found] == [None, None]
    assert found[1].status is Status.UNREADABLE
    assert found[1].bytes == 0
    with pytest.raises(BundleError):
        list(info([folder], bundle="nowhere"))


def test_a_dicom_and_no_word_about_the_patient(capsys):
    path = examples.get_path("ybr_color")
    (one,) = info([path])
    assert (one.n_frames, one.fps_source) == (30, "FrameTime")
    assert (one.fps, one.seconds) == pytest.approx((30, 1), rel=1e-4)
    with pytest.raises(SystemExit) as end:
        main(["info", str(path)])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert "30 of 320 x 240 pixels, 1.00 s" in out
    assert "30 a second (from FrameTime)" in out
    data = examples.ybr_color
    for value in (data.get("PatientName"), data.get("PatientID"), data.get("PatientBirthDate")):
        assert not value or str(value) not in out


@pytest.mark.parametrize("modality", ["MR", "XA", "IVUS"])
def test_a_dicom_of_another_modality_is_named(tmp_path, modality):
    data = examples.ybr_color
    data.Modality, data.ImageType = modality, ["DERIVED", "PRIMARY"]
    if modality != "IVUS":
        data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
        del data.SequenceOfUltrasoundRegions
    data.save_as(tmp_path / "other.dcm")
    (one,) = info([tmp_path / "other.dcm"])
    assert (one.status, one.kind) == (Status.NOT_B_MODE, CineKind.OTHER_MODALITY)
    assert one.treatment == (f"Not answered: Of another modality ({modality}), no echocardiogram.",)
    assert one.sector is None


def test_the_command_line(folder, capsys):
    with pytest.raises(SystemExit) as end:
        main(["info", str(folder)])
    out, err = capsys.readouterr()
    assert end.value.code == 1
    assert all(word in out for word in ("cine", "one.png", "still", "unreadable", "not_image", "50 x 40"))
    assert "4 files; 1 could not be dealt with." in err


def test_json_is_one_list(folder, capsys):
    with pytest.raises(SystemExit) as end:
        main(["info", "--json", "--no-sector", str(folder)])
    rows = json.loads(capsys.readouterr().out)
    assert end.value.code == 1
    assert [row["status"] for row in rows] == ["ok", "not_image", "still", "unreadable"]
    assert rows[0]["n_frames"] == 12
    assert rows[0]["sector"] is None


def test_numbered_pictures_as_stills(folder, capsys):
    with pytest.raises(SystemExit):
        main(["info", "--json", "--no-sector", "--stills", str(folder)])
    assert sum(row["status"] == "still" for row in json.loads(capsys.readouterr().out)) == 13


def test_nothing_found_is_wrong_usage(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for extra in ([], ["--json"]):
        with pytest.raises(SystemExit) as end:
            main(["info", str(tmp_path / "empty"), *extra])
        assert end.value.code == 2
        assert "nothing to read" in capsys.readouterr().err
