import csv
import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom import examples
from pydicom.uid import MultiFrameGrayscaleByteSecondaryCaptureImageStorage

from echoplane.apps.cli.main import main
from echoplane.errors import UsageError
from echoplane.pipelines import export as module
from echoplane.pipelines._cine_writers import write_video
from echoplane.pipelines.export import ExportRow, ExportSettings, export, frames_out
from echoplane.records import Sector, SectorKind, Status
from echoplane.sources.array import cine_from_array
from echoplane.sources.open import open_cine

H, W = 120, 160
BOX = Sector(SectorKind.LINEAR, (40, 20, 120, 110), confidence=0.9)
# H.264 smears a few grey levels over the edge of the mask; text would be two hundred.
DARK = 24


@pytest.fixture
def sure(monkeypatch):
    """A sector finder that is always sure of one box."""
    monkeypatch.setattr(module, "find_sector", lambda cine: BOX)


def write_frames(folder, name="Doe_Jane", n=6, ending="png"):
    """Frames with a patient's name burned in above the sector."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        frame = np.full((H, W), 60 + i, np.uint8)
        cv2.putText(frame, "DOE JANE", (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
        cv2.imwrite(str(folder / f"{name}_{i}.{ending}"), frame)
    return folder


def run(*arguments, **settings):
    rows = []
    done = export(*arguments, ExportSettings(**settings), on_row=rows.append)
    return done, rows


@pytest.mark.usefixtures("sure")
class TestMask:
    @pytest.mark.parametrize("kind", ["mp4", "avi", "gif", "png", "jpg"])
    @pytest.mark.parametrize("color", [False, True])
    def test_burned_in_names_do_not_travel(self, tmp_path, kind, color):
        done, (row,) = run([write_frames(tmp_path / "in")], tmp_path / "out", kind=kind, color=color)
        assert (done.written, done.failed, row.status, row.masked) == (1, 0, Status.OK, True)
        cine = open_cine(row.output)
        got = cine.reader.read(range(cine.n_frames))
        outside = np.ones(got.shape[1:], bool)
        outside[18:112, 38:122] = False
        assert got[:, outside].max() <= DARK
        assert np.abs(got[:, 30:100, 50:110].astype(int) - 62).max() <= 8

    def test_no_mask_keeps_everything_and_says_so(self, tmp_path):
        _, (row,) = run([write_frames(tmp_path / "in")], tmp_path / "out", mask=False, kind="png")
        assert not row.masked
        assert "Not masked" in row.reasons[0]
        assert open_cine(row.output).reader.read([0])[0, :18].max() == 255


class TestUnsure:
    @pytest.fixture(autouse=True)
    def guess(self, monkeypatch):
        sector = Sector(SectorKind.LINEAR, (40, 20, 120, 110), confidence=0.3)
        monkeypatch.setattr(module, "find_sector", lambda cine: sector)

    def test_nothing_is_written_unless_the_guess_is_accepted(self, tmp_path):
        done, (row,) = run([write_frames(tmp_path / "in")], tmp_path / "out")
        assert (done.failed, row.status, row.output) == (1, Status.REFUSED, "")
        assert "--accept-guess" in row.reasons[0]
        assert not (tmp_path / "out").exists()
        _, (row,) = run([write_frames(tmp_path / "in")], tmp_path / "out", accept_guess=True, kind="png")
        assert not open_cine(row.output).reader.read([0])[0, :18].any()


@pytest.mark.usefixtures("sure")
class TestNames:
    def test_they_are_the_contents_and_do_not_depend_on_name_or_place(self, tmp_path):
        write_frames(tmp_path / "a", "Doe_Jane")
        write_frames(tmp_path / "b" / "deep", "other")
        _, first = run([tmp_path / "a"], tmp_path / "out1")
        _, second = run([tmp_path / "b"], tmp_path / "out2")
        assert first[0].output.replace("out1", "out2") == second[0].output
        assert "Doe" not in first[0].output.replace(str(tmp_path), "")

    def test_samples_count_whatever_their_file_is_called(self, tmp_path):
        header = "NDims = 3\nDimSize = 8 6 5\nElementType = MET_UCHAR\nElementDataFile = c.bin\n"
        names = []
        for value in (50, 90):
            (tmp_path / str(value)).mkdir()
            (tmp_path / str(value) / "c.mhd").write_text(header)
            (tmp_path / str(value) / "c.bin").write_bytes(bytes([value]) * 240)
            _, rows = run([tmp_path / str(value) / "c.mhd"], tmp_path / "out")
            names.append(rows[0].output)
        assert len(set(names)) == 2
        assert all(Path(name).is_file() for name in names)

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "f.mhd")
        _, rows = run([tmp_path / "f.mhd"], tmp_path / "out")
        assert rows[0].status == "unreadable"

    def test_twins_do_not_overwrite_each_other(self, tmp_path):
        write_frames(tmp_path / "in", "a")
        write_frames(tmp_path / "in", "b")
        _, rows = run([tmp_path / "in"], tmp_path / "out")
        assert len({row.output for row in rows}) == 2
        assert rows[1].output.endswith("_2.mp4")

    @pytest.mark.parametrize(("name", "expected"), [("Doe Jane", "Doe_Jane"), ("CON", "_CON"), ("心臓", "心臓")])
    def test_kept_names_are_safe_everywhere(self, tmp_path, name, expected):
        write_frames(tmp_path / "in", name)
        _, (row,) = run([tmp_path / "in"], tmp_path / "out", keep_names=True, kind="avi")
        assert row.output == str(tmp_path / "out" / f"{expected}.avi")


@pytest.mark.usefixtures("sure")
class TestOutput:
    def test_one_cine_to_one_file(self, tmp_path):
        write_frames(tmp_path / "in")
        _, (row,) = run([tmp_path / "in"], tmp_path / "new" / "film.avi")
        assert row.output == str(tmp_path / "new" / "film.avi")
        assert open_cine(row.output).facts["codec"] == "mjpeg"

    def test_nothing_is_overwritten_unless_asked(self, tmp_path):
        write_frames(tmp_path / "in")
        for kind in ("mp4", "png"):
            assert run([tmp_path / "in"], tmp_path / "out", kind=kind)[0].failed == 0
            done, (row,) = run([tmp_path / "in"], tmp_path / "out", kind=kind)
            assert (done.failed, row.status) == (1, Status.REFUSED)
            assert "--overwrite" in row.reasons[0]
            assert run([tmp_path / "in"], tmp_path / "out", kind=kind, overwrite=True)[0].failed == 0

    def test_a_folder_of_other_things_is_never_replaced(self, tmp_path):
        write_frames(tmp_path / "in")
        _, (row,) = run([tmp_path / "in"], tmp_path / "out", kind="png")
        (tmp_path / "out" / row.output.rsplit("/", 1)[-1] / "notes.txt").touch()
        _, (row,) = run([tmp_path / "in"], tmp_path / "out", kind="png", overwrite=True)
        assert row.status is Status.REFUSED
        assert "other files" in row.reasons[0]

    def test_mistakes(self, tmp_path):
        write_frames(tmp_path / "in", "a")
        write_frames(tmp_path / "in", "b")
        (tmp_path / "file").touch()
        (tmp_path / "empty").mkdir()
        for arguments, settings, message in (
            (([tmp_path / "in"], tmp_path / "x.mp4"), {}, "2 cines for the one file"),
            (([tmp_path / "empty"], tmp_path / "out"), {}, "nothing to read"),
            (([tmp_path / "file"], tmp_path / "x.mp4"), {"kind": "avi"}, "ends in .mp4"),
            (([tmp_path / "in"], tmp_path / "file"), {}, "is a file"),
            (([tmp_path / "in"], tmp_path / "x.mov"), {}, "x.mov: .mov is not written as one file"),
            (([tmp_path / "in"], tmp_path / "x.png"), {"kind": "png"}, "give a folder"),
        ):
            with pytest.raises(UsageError, match=message):
                run(*arguments, **settings)
        with pytest.raises(UsageError, match="format 'mkv'"):
            ExportSettings(kind="mkv")
        with pytest.raises(UsageError, match="fps"):
            ExportSettings(fps=0)

    def test_frame_rates(self, tmp_path):
        write_frames(tmp_path / "in")
        _, (row,) = run([tmp_path / "in"], tmp_path / "out")
        assert row.fps == 25
        assert any("frame rate is not known; 25" in reason for reason in row.reasons)
        _, (row,) = run([tmp_path / "in"], tmp_path / "out2", fps=40)
        assert open_cine(row.output).fps == 40


@pytest.mark.usefixtures("sure")
def test_bad_files_are_rows_and_the_others_are_exported(tmp_path):
    write_frames(tmp_path / "in")
    (tmp_path / "in" / "zero.dcm").touch()
    (tmp_path / "in" / "notes.txt").write_text("hello")
    done, rows = run([tmp_path / "in", tmp_path / "gone"], tmp_path / "out")
    assert done.counts == {"ok": 1, "unreadable": 2, "not_image": 1}
    assert (done.files, done.written, done.failed) == (4, 1, 2)
    assert all(row.reasons for row in rows if row.status is not Status.OK)


@pytest.mark.usefixtures("sure")
@pytest.mark.parametrize("kind", ["mp4", "png"])
def test_a_full_disk_ends_the_run_and_is_no_fault_of_the_cine(tmp_path, monkeypatch, capsys, kind):
    for name in "abc":
        write_frames(tmp_path / "in", name, n=3 + ord(name) % 3)

    def full(path, parts, **how):
        raise OSError(errno.ENOSPC, "No space left on device", "hidden/temporary")

    monkeypatch.setattr(module, "write_video" if kind == "mp4" else "write_pictures", full)
    with pytest.raises(SystemExit, match="2"):
        main(["export", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--to", kind])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: {tmp_path / 'out'}")
    assert line.endswith("No space left on device.")


@pytest.mark.usefixtures("sure")
def test_one_output_that_is_not_to_be_replaced_does_not_end_the_run(tmp_path, monkeypatch):
    for name in "abc":
        write_frames(tmp_path / "in", name, n=3 + ord(name) % 3)
    settings = ExportSettings(kind="png", keep_names=True, overwrite=True)
    write = module.write_pictures

    def owned(folder, parts, **how):
        if folder.name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        write(folder, parts, **how)

    monkeypatch.setattr(module, "write_pictures", owned)
    rows: list[ExportRow] = []
    export([tmp_path / "in"], tmp_path / "out", settings, on_row=rows.append)
    assert [row.status is Status.OK for row in rows] == [True, False, True]
    assert "permission denied" in rows[1].reasons[0]
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    with pytest.raises(OSError, match=r"Permission denied: '.*b'"):
        export([tmp_path / "in"], tmp_path / "out", settings)


@pytest.mark.usefixtures("sure")
@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_by_itself_is_one_path(tmp_path, kind):
    done, _ = run(kind(write_frames(tmp_path / "in")), tmp_path / "out")
    assert done.written == 1


@pytest.mark.usefixtures("sure")
def test_an_interrupt_keeps_what_is_done(tmp_path):
    for name in "abc":
        write_frames(tmp_path / "in", name, n=3 + ord(name) % 3)
    rows = []

    def stop_after_two(row):
        rows.append(row)
        if len(rows) == 2:
            raise KeyboardInterrupt

    done = export([tmp_path / "in"], tmp_path / "out", on_row=stop_after_two)
    assert done.interrupted
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_memory_is_bounded_by_reading_parts(monkeypatch):
    asked = []
    cine = cine_from_array(np.zeros((100, 20, 30), np.uint8))
    read = cine.reader.read
    monkeypatch.setattr(module, "_AT_ONCE", 20 * 30 * 16)
    monkeypatch.setattr(cine.reader, "read", lambda i, **how: asked.append(len(i)) or read(i, **how))
    assert sum(len(part) for part in frames_out(cine, None, color=False)) == 100
    assert max(asked) == 16


def test_a_real_dicom_from_end_to_end(tmp_path):
    """The A4C cine that pydicom ships has settings, depth marks and a tool bar burned in around its sector."""
    path = examples.get_path("ybr_color")
    done, (row,) = run([path], tmp_path / "a.avi")
    assert done.failed == 0
    assert row.masked
    assert row.sector.confidence > 0.5
    cine = open_cine(row.output)
    assert (cine.n_frames, cine.height, cine.width, cine.fps) == (30, 240, 320, 30)
    before, after = (c.reader.read([0, 15])[:, :30, :60] for c in (open_cine(path), cine))
    assert before.max() > 100  # "PLA Gen THI" in the corner
    assert after.max() <= DARK


@pytest.mark.usefixtures("sure")
def test_the_command_line(tmp_path, capsys):
    write_frames(tmp_path / "in")
    (tmp_path / "in" / "zero.dcm").touch()
    table = tmp_path / "table.csv"
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--table", str(table), "--to", "AVI"])
    out, err = capsys.readouterr()
    assert end.value.code == 1
    assert "Is empty" in " ".join(out.split())
    assert "1 cine to" in err
    assert "1 not exported" in err
    with table.open(encoding="utf-8", newline="") as stream:
        rows = {row["status"]: row for row in csv.DictReader(stream)}
    assert rows["ok"]["output"].endswith(".avi")
    assert rows["ok"]["masked"] == "true"
    assert rows["unreadable"]["reason"].startswith("Is empty")
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "in"), "-o", str(tmp_path / "raw"), "--no-mask", "--keep-names", "-q"])
    out, err = capsys.readouterr()
    assert out == ""
    assert "warning: --no-mask: names and dates" in err
    assert "warning: --keep-names" in err
    assert "error:" in err
    assert (tmp_path / "raw" / "Doe_Jane.mp4").exists()


def test_the_table_still_names_what_was_exported_before(tmp_path, sure):
    folder = write_frames(tmp_path / "in")

    def outputs(name, *more):
        table = tmp_path / name
        with pytest.raises(SystemExit) as end:
            main(["export", str(folder), "-o", str(tmp_path / "out"), "--table", str(table), "-q", *more])
        with table.open(newline="") as stream:
            return end.value.code, [(row["status"], row["output"]) for row in csv.DictReader(stream)]

    code, [(status, first)] = outputs("t.csv")
    assert (code, status) == (0, "ok")
    assert outputs("again.csv") == (1, [("refused", first)])
    assert outputs("t.csv", "--overwrite") == (0, [("ok", first)])


@pytest.mark.usefixtures("sure")
@pytest.mark.parametrize("kind", ["mp4", "png"])
@pytest.mark.parametrize("output", ["films", "films/deep"])
def test_what_an_export_wrote_is_not_its_input(tmp_path, monkeypatch, output, kind):
    study = write_frames(tmp_path / "study")
    monkeypatch.chdir(tmp_path)
    _, (first,) = run([study], study / output, kind=kind)
    (study / output / "of_others.avi").write_bytes(b"an original, whose name is not ours")
    for spelled in ("study", "./study/", study):
        done, rows = run([spelled], f"study/{output}", kind=kind, overwrite=True)
        assert [(Path(row.file).name, row.status) for row in rows] == [
            ("Doe_Jane", Status.OK), ("of_others.avi", Status.NOT_IMAGE),
        ]  # fmt: skip
        assert Path(rows[0].output).samefile(first.output)
        assert done.written == 1


@pytest.mark.usefixtures("sure")
def test_films_in_the_output_are_exported_where_they_are_asked_for(tmp_path):
    study = write_frames(tmp_path / "study")
    _, (film,) = run([study], study / "films")
    for asked in (study / "films", film.output, study / "films" / "*.mp4"):
        assert run([asked], study / "films", kind="gif", overwrite=True)[0].written >= 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_is_never_written_over(tmp_path, sure, overwrite):
    _, (made,) = run([write_frames(tmp_path / "in")], tmp_path / "a.mp4")
    before = (tmp_path / "a.mp4").read_bytes()
    assert made.status == Status.OK
    done, (row,) = run([tmp_path / "a.mp4"], tmp_path, keep_names=True, overwrite=overwrite)
    assert (done.written, row.status) == (0, Status.REFUSED)
    assert "is one of the inputs" in row.reasons[0]
    # A disk without capital letters, as macOS and Windows have it: two names of one file.
    (tmp_path / "A.mp4").hardlink_to(tmp_path / "a.mp4")
    done, (row,) = run([tmp_path / "a.mp4"], tmp_path / "A.mp4", overwrite=overwrite)
    assert (done.written, row.status) == (0, Status.REFUSED)
    assert "is one of the inputs" in row.reasons[0]
    assert (tmp_path / "a.mp4").read_bytes() == before


def test_pages_of_text_in_a_secondary_capture_are_not_exported(tmp_path):
    rng = np.random.default_rng(2)
    pages = np.zeros((12, 240, 320), np.uint8)
    for page in pages:
        for y in range(20, 235, 14):
            words = "".join(map(chr, rng.integers(65, 91, 24)))
            cv2.putText(page, words, (10, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
    dataset = examples.ybr_color
    dataset.decompress()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    )
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pages.shape
    del dataset.SequenceOfUltrasoundRegions, dataset.ImageType
    dataset.PixelData = pages.tobytes()
    dataset.save_as(tmp_path / "report.dcm")
    done, (row,) = run([tmp_path / "report.dcm"], tmp_path / "out", kind="png")
    assert (done.written, row.status) == (0, Status.REFUSED)
    assert "secondary capture, which may show pages of text" in row.reasons[0]


@pytest.mark.parametrize("name", ["rgb_color", "jpeg2k"])
def test_a_still_whose_sector_only_pixels_tell_is_not_exported(tmp_path, name):
    """Hospital and patient stand in the pictures themselves, above the sector and touching it."""
    done, (row,) = run([examples.get_path(name)], tmp_path, kind="png")
    assert (done.written, row.status) == (0, Status.REFUSED)
    assert "burned-in text might be left" in row.reasons[0]
    assert not list(tmp_path.iterdir())
    assert run([examples.get_path(name)], tmp_path, kind="png", accept_guess=True)[0].written == 1


def test_a_row_says_how_many_frames_a_gif_holds(tmp_path, sure):
    cine = tmp_path / "fast.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (12, H, W), np.uint8)
    write_video(cine, [frames], kind="mp4", fps=120, height=H, width=W, color=False)
    _, (row,) = run([cine], tmp_path / "a.gif")
    assert (row.n_frames, row.fps) == (4, pytest.approx(40))
    assert "A GIF shows at most 50 pictures a second: one frame in 3 was kept." in row.reasons
    assert open_cine(tmp_path / "a.gif").n_frames == 4


def test_a_film_that_is_read_from_its_start_is_opened_once(tmp_path, monkeypatch, sure):
    frames = np.random.default_rng(0).integers(0, 255, (60, H, W), dtype=np.uint8)
    write_video(tmp_path / "a.gif", [frames], kind="gif", fps=25, height=H, width=W, color=False)
    cine = open_cine(tmp_path / "a.gif")
    monkeypatch.setattr(module, "_AT_ONCE", H * W * 8)
    opened = []
    monkeypatch.setattr(type(cine.reader), "read", lambda *a, **k: opened.append(a))
    assert np.array_equal(np.concatenate(list(frames_out(cine, None, color=False))), frames)
    assert opened == []


def test_what_a_killed_export_left_is_cleared_away_and_nothing_else(tmp_path, sure):
    output = tmp_path / "out"
    left = {name: output / f".echoplane-{name}" for name in ("film", "pictures", "now", "foreign")}
    for name, inside in (("film", "video.mp4"), ("now", "video.mp4"), ("foreign", "letter.txt")):
        left[name].mkdir(parents=True)
        (left[name] / inside).write_bytes(b"half")
    (left["pictures"] / "frames").mkdir(parents=True)
    (left["pictures"] / "frames" / "frame_000001.png").write_bytes(b"half")
    for place in (*output.rglob("*"),):
        if place.parent != left["now"]:
            os.utime(place, (1e9, 1e9))
    done, _ = run([write_frames(tmp_path / "in")], output)
    assert done.written == 1
    assert {place.name for place in output.iterdir() if place.name.startswith(".")} == {
        ".echoplane-now",
        ".echoplane-foreign",
    }
