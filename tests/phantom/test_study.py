"""Studies as DICOM: valid by the standard's own tables, readable, honest about what they withhold."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest

from echoplane.phantom.clip import render_clip
from echoplane.phantom.dicom import MULTI_FRAME, Place, write_dicom
from echoplane.phantom.study import PROTOCOL, plan_study, render_study, study_patient
from echoplane.records import CineKind
from echoplane.sources.open import open_cine
from echoplane.views import MAIN_VIEWS

PLACE = Place("a study", "PHANTOM-1", 1, "F")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    folder = tmp_path_factory.mktemp("dicom")
    clips = {
        "A4C": render_clip("A4C", 7, frames=4, fps=50, size=(240, 320)),
        "still": render_clip("PSAX-MV", 7, frames=1, size=(240, 320)),
        # Seeds whose Doppler content is a colour box and a spectrum.
        "colour": _doppler("colour"),
        "spectral": _doppler("spectral"),
        "M-MODE": render_clip("M-MODE", 1, frames=2, size=(240, 320)),
    }
    for name, clip in clips.items():
        write_dicom(clip, folder / f"{name}.dcm", PLACE)
    return {name: (folder / f"{name}.dcm", clip) for name, clip in clips.items()}


def _doppler(content: str) -> Any:
    for seed in range(20):
        clip = render_clip("DOPPLER", seed, frames=2, size=(240, 320))
        if clip.recording.content == content:
            return clip
    raise AssertionError(content)


def faults(dataset: pydicom.Dataset, standard: Any) -> set[str]:
    """Keywords that dicom-validator finds missing, empty or out of place."""
    from dicom_validator.validator.iod_validator import IODValidator

    validator = IODValidator(dataset, standard, suppress_vr_warnings=True)
    validator.validate()
    found = (tag.tag for errors in validator.result.module_errors.values() for tag in errors)
    return {pydicom.datadict.keyword_for_tag(tag) for tag in found}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["A4C", "still", "colour", "spectral", "M-MODE"])
def test_dicom_validator_finds_no_fault(written: dict[str, tuple[Path, Any]], standard: Any, name: str) -> None:
    assert faults(pydicom.dcmread(written[name][0]), standard) == set()


@pytest.mark.filterwarnings("ignore")
def test_dicom_validator_would_find_faults(written: dict[str, tuple[Path, Any]], standard: Any) -> None:
    dataset = pydicom.dcmread(written["A4C"][0])
    del dataset.PatientID  # type 2
    del dataset.SequenceOfUltrasoundRegions[0].RegionFlags  # type 1, in a sequence
    dataset.Modality = ""  # type 1
    dataset.KVP = 3  # of no module of ultrasound
    assert faults(dataset, standard) == {"PatientID", "RegionFlags", "Modality", "KVP"}


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="needs Debian's dicom3tools")
@pytest.mark.parametrize("name", ["A4C", "still", "colour", "spectral", "M-MODE"])
def test_dciodvfy_finds_no_fault(written: dict[str, tuple[Path, Any]], name: str) -> None:
    """It knows the conditions too, as the tables do not."""
    done = subprocess.run(["dciodvfy", "-new", str(written[name][0])], capture_output=True, text=True, check=False)
    kind, *lines = done.stderr.splitlines()
    assert kind == ("USImage" if name == "still" else "USMultiFrameImage")
    assert lines == []


def test_other_pictures_are_other_instances(tmp_path: Path) -> None:
    uids = []
    for name, view in (("one", "A4C"), ("again", "A4C"), ("two", "A2C")):
        write_dicom(render_clip(view, 7, frames=1, size=(64, 64)), tmp_path / name, PLACE)
        uids.append(pydicom.dcmread(tmp_path / name).SOPInstanceUID)
    assert uids[0] == uids[1] != uids[2]


@pytest.mark.parametrize("name", ["spectral", "M-MODE"])
def test_the_strip_is_calibrated(written: dict[str, tuple[Path, Any]], name: str) -> None:
    path, clip = written[name]
    ds = pydicom.dcmread(path)
    (region,) = ds.SequenceOfUltrasoundRegions
    top, rows = region.RegionLocationMinY0, ds.Rows - region.RegionLocationMinY0
    assert region.PhysicalDeltaX * ds.Columns == pytest.approx(3.0)  # seconds of a sweep
    span = clip.recording.fan.depth_cm if name == "M-MODE" else 200.0
    assert region.PhysicalDeltaY * rows == pytest.approx(span)
    # The pen's gap runs through the strip and nothing above it.
    gap = np.flatnonzero((clip.frames[0][top:].reshape(rows, ds.Columns, -1) == 0).all(axis=(0, 2)))
    assert len(gap) >= ds.Columns // 60


def test_values_follow_the_standard(written: dict[str, tuple[Path, Any]]) -> None:
    path, clip = written["A4C"]
    ds = pydicom.dcmread(path)
    assert ds.SOPClassUID == MULTI_FRAME
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert (ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.Modality) == ("YBR_FULL_422", 3, "US")
    assert ds.NumberOfFrames == 4
    assert float(ds.FrameTime) == 20.0
    assert ds.FrameIncrementPointer == 0x00181063
    region = ds.SequenceOfUltrasoundRegions[0]
    assert (region.RegionSpatialFormat, region.RegionDataType) == (1, 1)
    assert 10 * region.PhysicalDeltaX == pytest.approx(10 / clip.recording.framing.pixels_per_cm)
    x0, y0, x1, y1 = clip.sector.box
    box = region.RegionLocationMinX0, region.RegionLocationMinY0, region.RegionLocationMaxX1, region.RegionLocationMaxY1
    assert box == (x0, y0, x1 - 1, y1 - 1)
    for element in ds.iterall():
        assert len(element.keyword) == 0 or element.VR != "UI" or len(str(element.value)) <= 64


def test_frames_come_back(written: dict[str, tuple[Path, Any]]) -> None:
    path, clip = written["A4C"]
    cine = open_cine(path)
    assert (cine.n_frames, cine.height, cine.width, cine.fps) == (4, 240, 320, 50)
    read = cine.reader.read(range(4)).astype(float)
    frames = clip.frames
    if frames.ndim == 4:
        frames = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames])
    assert np.abs(read - frames).mean() < 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("A4C", CineKind.B_MODE),
        ("still", CineKind.STILL),
        ("colour", CineKind.COLOR_DOPPLER),
        ("spectral", CineKind.SPECTRAL_DOPPLER),
        ("M-MODE", CineKind.M_MODE),
    ],
)
def test_headers_tell_the_kind(written: dict[str, tuple[Path, Any]], name: str, kind: CineKind) -> None:
    assert open_cine(written[name][0]).kind is kind


def test_view_is_withheld_unless_asked_for(written: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    path, clip = written["A4C"]
    plain = pydicom.dcmread(path)
    assert "ViewCodeSequence" not in plain
    text = "".join(str(e.value) for e in plain.iterall() if e.keyword != "PixelData")
    assert "A4C" not in text
    assert "chamber" not in text
    write_dicom(clip, tmp_path / "told.dcm", PLACE, view_codes=True)
    code = pydicom.dcmread(tmp_path / "told.dcm").ViewCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("399214001", "SCT")


def test_a_full_disk_is_told_in_one_line(
    written: dict[str, tuple[Path, Any]], tmp_path: Path, nearly_full: Callable[[int], AbstractContextManager[None]]
) -> None:
    clip = written["still"][1]
    with nearly_full(2000), pytest.raises(OSError, match=r"^\[Errno \d+\] File too large: '.*a\.dcm'$"):
        write_dicom(clip, tmp_path / "a.dcm", PLACE)
    assert list(tmp_path.iterdir()) == []


def test_same_seed_same_file(written: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    path, clip = written["A4C"]
    write_dicom(clip, tmp_path / "again.dcm", PLACE)
    assert (tmp_path / "again.dcm").read_bytes() == path.read_bytes()


def test_identifiers_differ_where_they_should() -> None:
    one, two = Place("s", "p", 1), Place("s", "p", 2)
    assert one.uid("study") == two.uid("study")
    assert one.uid("instance", "1") != two.uid("instance", "2")
    assert Place("t", "p", 1).uid("study") != one.uid("study")


def test_studies_hold_the_main_views_and_more() -> None:
    seen: dict[str, int] = {}
    for number in range(12):
        clips = plan_study(4, number)
        assert [c.number for c in clips] == list(range(1, len(clips) + 1))
        assert len({c.machine for c in clips}) == 1
        assert len({c.seed for c in clips}) == len(clips)
        for clip in clips:
            seen[clip.view] = seen.get(clip.view, 0) + 1
    assert set(MAIN_VIEWS) <= set(seen)
    assert set(seen) == {view for view, _ in PROTOCOL}
    assert plan_study(4, 0) == plan_study(4, 0) != plan_study(5, 0)


def test_a_study_is_one_patient_on_one_machine() -> None:
    clips = []
    for clip, cine in render_study(2, 1):
        clips.append((clip, cine))
        if len(clips) == 2:
            break
    (_, one), (_, two) = clips
    assert one.recording.screen == two.recording.screen
    assert one.recording.patient == two.recording.patient == study_patient(2, 1)
    assert one.recording.acoustics != two.recording.acoustics
