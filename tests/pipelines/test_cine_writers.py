import numpy as np
import pytest
from PIL import Image

from echoplane.errors import UsageError
from echoplane.pipelines._cine_writers import FORMATS, VIDEO_FORMATS, only_frames, write_pictures, write_video
from echoplane.pipelines._movie import write_movie
from echoplane.sources.open import open_cine

H, W, T = 61, 83, 24
y, x = np.mgrid[:H, :W]
GREY = np.stack([127 + 120 * np.sin((x + 2 * i) / 12) * np.cos(y / 9) for i in range(T)]).astype(np.uint8)
RGB = np.stack([GREY, GREY // 2, 255 - GREY], -1)

#: Mean difference in grey levels that smooth pictures may come back with: (grey, colour). Colour of MP4 is stored at
#: half the resolution, and these colours are as loud as can be.
MEAN_LOSS = {"mp4": (1.0, 4.0), "avi": (1.0, 2.5), "gif": (0.0, 4.0)}


@pytest.mark.parametrize("kind", VIDEO_FORMATS)
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("fps", [46.2, 12.5])
def test_what_is_written_reads_back(tmp_path, kind, color, fps):
    frames = RGB if color else GREY
    path = tmp_path / f"film.{kind}"
    write_video(path, [frames[:7], frames[7:]], kind=kind, fps=fps, height=H, width=W, color=color)
    cine = open_cine(path)
    assert cine.n_frames == T
    assert cine.fps == pytest.approx(fps, rel=0.01)
    assert not cine.notes
    assert (cine.height, cine.width) == ((H + 1, W + 1) if kind == "mp4" else (H, W))
    got = cine.reader.read(range(T), color=color)
    assert np.abs(got[:, :H, :W].astype(int) - frames).mean() <= MEAN_LOSS[kind][color]
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("color", [False, True])
def test_pictures(tmp_path, kind, color):
    frames = RGB if color else GREY
    write_pictures(tmp_path / "f", [frames[:2], frames[2:3]], kind=kind)
    names = sorted(p.name for p in (tmp_path / "f").iterdir())
    assert names == [f"frame_00000{i}.{kind}" for i in (1, 2, 3)]
    for name, frame in zip(names, frames, strict=False):
        with Image.open(tmp_path / "f" / name) as image:
            got = np.asarray(image)
        if kind == "png":
            assert (got == frame).all()
        else:
            assert np.abs(got.astype(int) - frame).mean() < 4
    assert only_frames(tmp_path / "f")


def test_pictures_replace_pictures_and_nothing_else(tmp_path):
    folder = tmp_path / "f"
    write_pictures(folder, [GREY[:3]], kind="png")
    write_pictures(folder, [GREY[:1]], kind="jpg")
    assert [p.name for p in folder.iterdir()] == ["frame_000001.jpg"]
    (folder / "thesis.docx").touch()
    assert not only_frames(folder)
    with pytest.raises(UsageError, match="holds other files"):
        write_pictures(folder, [GREY[:1]], kind="png")
    assert (folder / "thesis.docx").exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_failure_on_the_way_leaves_nothing(tmp_path, kind):
    def parts():
        yield GREY[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        if kind in VIDEO_FORMATS:
            write_video(tmp_path / f"a.{kind}", parts(), kind=kind, fps=25, height=H, width=W, color=False)
        else:
            write_pictures(tmp_path / "a", parts(), kind=kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("fps", "every"), [(50, 1), (60, 2), (120, 3), (1000, 20)])
def test_a_gif_of_a_fast_cine_keeps_its_time_and_drops_frames(tmp_path, fps, every):
    write_video(tmp_path / "a.gif", [GREY], kind="gif", fps=fps, height=H, width=W, color=False)
    cine = open_cine(tmp_path / "a.gif")
    kept = GREY[::every]
    assert cine.n_frames == len(kept)
    assert cine.fps == pytest.approx(fps / every, rel=0.05)
    np.testing.assert_array_equal(cine.reader.read(range(len(kept))), kept)


def test_one_frame(tmp_path):
    for kind in VIDEO_FORMATS:
        write_video(tmp_path / f"a.{kind}", [GREY[:1]], kind=kind, fps=25, height=H, width=W, color=False)
        assert open_cine(tmp_path / f"a.{kind}").n_frames == 1


@pytest.mark.parametrize("ending", ["mp4", "gif", "webp"])
def test_a_full_disk_is_told_with_the_film_that_was_to_be_written(tmp_path, nearly_full, ending):
    frames = np.random.default_rng(0).integers(0, 255, (20, 32, 32, 3), dtype=np.uint8)
    target = tmp_path / f"a.{ending}"
    with nearly_full(500), pytest.raises(OSError, match="File too large") as full:
        write_movie(target, frames, 30.0)
    assert (full.value.filename, full.value.filename2) == (str(target), None)
    if ending != "webp":
        with nearly_full(500), pytest.raises(OSError, match="File too large") as full:
            write_video(target, [frames], kind=ending, fps=30.0, height=32, width=32, color=True)
        assert (full.value.filename, full.value.filename2) == (str(target), None)
    with nearly_full(500), pytest.raises(OSError, match="File too large") as full:
        write_pictures(tmp_path / "pictures", [frames], kind="png")
    assert full.value.filename == str(tmp_path / "pictures")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_to_is_told_with_the_film(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(tmp_path), "mkdir", refuse)
    with pytest.raises(PermissionError) as refused:
        write_video(tmp_path / "a.mp4", [], kind="mp4", fps=30.0, height=32, width=32, color=False)
    assert refused.value.filename == str(tmp_path / "a.mp4")
