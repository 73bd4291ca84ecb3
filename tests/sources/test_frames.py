import cv2
import numpy as np
import pytest
from PIL import Image

from echoplane.errors import (
    NoFramesError,
    NotImageError,
    RefusedError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)
from echoplane.records import CineKind
from echoplane.sources.discover import discover
from echoplane.sources.frames import open_frames
from echoplane.sources.limits import Limits
from echoplane.sources.open import open_cine

JPEG_TOLERANCE = 2


def write(folder, names, size=(24, 32), step=10, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        picture = Image.fromarray(np.full(size, step * i, np.uint8)).convert(mode)
        picture.save(folder / name, quality=95) if name.lower().endswith(("jpg", "jpeg")) else picture.save(
            folder / name
        )
    return tuple(names)


def test_frames_come_by_number_of_the_list(tmp_path):
    files = write(tmp_path, [f"a_{i}.jpg" for i in range(12)])
    cine = open_frames(tmp_path, files, source="study/a")
    assert (cine.source, cine.n_frames, cine.height, cine.width, cine.fps) == ("study/a", 12, 24, 32, None)
    assert cine.kind is CineKind.B_MODE
    got = cine.reader.read([11, 2, 2, 0])
    assert np.abs(got[:, 5, 5].astype(int) - [110, 20, 20, 0]).max() <= JPEG_TOLERANCE
    assert cine.reader.read([3, 4], color=True).shape == (2, 24, 32, 3)
    assert cine.reader.read([3], reduce=4).shape == (1, 6, 8)
    assert cine.reader.read([]).shape == (0, 24, 32)


def test_many_cines_in_one_folder_are_told_apart_and_sorted_by_number(tmp_path):
    write(tmp_path / "A4C", [f"p1_{i}.png" for i in range(11)])
    write(tmp_path / "A4C", [f"p2_{i}.png" for i in (1, 2, 3, 8, 10)])
    items = list(discover(tmp_path))
    assert [item.source for item in items] == [str(tmp_path / "A4C" / name) for name in ("p1", "p2")]
    first, second = map(open_cine, items)
    assert first.reader.read(range(11))[:, 0, 0].tolist() == [10 * i for i in range(11)]
    assert second.reader.read(range(5))[:, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert second.notes == ("5 frame numbers are missing (between 3 to 8, 8 to 10).",)


def test_a_folder_of_frames_opens_as_it_is(tmp_path):
    write(tmp_path / "video7", [f"frame_{i:06d}.jpg" for i in range(1, 6)])
    (tmp_path / "video7" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    cine = open_cine(tmp_path / "video7")
    assert cine.n_frames == 5
    assert cine.source == str(tmp_path / "video7")


def test_the_twins_that_a_mac_adds_are_no_damaged_cine(tmp_path):
    files = write(tmp_path / "clip", [f"f_{i}.png" for i in range(4)])
    for file in files:
        (tmp_path / "clip" / f"._{file}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    twins, frames = discover([tmp_path])
    assert (twins.files[0], frames.files) == ("._f_0.png", files)
    with pytest.raises(NotImageError, match="operating system left behind"):
        open_cine(twins)
    assert open_cine(frames).n_frames == open_cine(tmp_path / "clip").n_frames == 4


def test_a_cine_beside_its_twin_is_the_only_one_of_its_folder(tmp_path):
    np.save(tmp_path / "clip.npy", np.zeros((5, 20, 30), np.uint8))
    (tmp_path / "._clip.npy").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert open_cine(tmp_path).n_frames == 5
    (tmp_path / "cut.npy").write_bytes(b"")
    with pytest.raises(UnsupportedError, match="more than one"):
        open_cine(tmp_path)


def test_a_frame_of_another_size_is_named(tmp_path):
    files = write(tmp_path, ["a_1.png", "a_2.png", "a_3.png"])
    Image.new("L", (33, 24)).save(tmp_path / "a_3.png")
    with pytest.raises(UnreadableError, match=r"a_3\.png is 33 x 24 pixels, a_1\.png is 32 x 24"):
        open_frames(tmp_path, files)


def test_a_damaged_frame_is_named(tmp_path):
    files = write(tmp_path, ["a_1.png", "a_2.png", "a_3.png"])
    (tmp_path / "a_2.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    with pytest.raises(UnreadableError, match=r"Frame a_2\.png"):
        open_frames(tmp_path, files)
    (tmp_path / "a_1.png").write_bytes(b"text")
    with pytest.raises(UnreadableError, match=r"a_1\.png is no picture"):
        open_frames(tmp_path, files)


def test_a_frame_that_goes_after_opening(tmp_path):
    files = write(tmp_path, ["a_1.png", "a_2.png", "a_3.png"])
    cine = open_frames(tmp_path, files)
    (tmp_path / "a_2.png").unlink()
    assert cine.reader.read([0, 2]).shape[0] == 2
    with pytest.raises(UnreadableError, match="no such file"):
        cine.reader.read([1])


def test_sixteen_bit_frames_share_one_scale(tmp_path):
    for i in range(4):
        Image.fromarray(np.full((8, 8), 1000 * i, np.uint16)).save(tmp_path / f"a_{i}.png")
    cine = open_frames(tmp_path, [f"a_{i}.png" for i in range(4)])
    assert np.abs(cine.reader.read(range(4))[:, 0, 0] - np.arange(4) * 1000 / 4095 * 255).max() <= 0.51
    assert any("16-bit" in note for note in cine.notes)


def test_names_that_lie_about_the_format(tmp_path):
    write(tmp_path, ["x_1.png", "x_2.png", "x_3.png"])
    for i in (1, 2, 3):
        (tmp_path / f"x_{i}.png").rename(tmp_path / f"x_{i}.jpg")
    cine = open_frames(tmp_path, ["x_1.jpg", "x_2.jpg", "x_3.jpg"])
    assert cine.facts["format"] == "numbered png pictures"


def test_limits_and_mistakes(tmp_path):
    files = write(tmp_path, ["a_1.png", "a_2.png", "a_3.png"])
    with pytest.raises(RefusedError, match="max_frames"):
        open_frames(tmp_path, files, limits=Limits(max_frames=2))
    with pytest.raises(RefusedError, match="max_pixels"):
        open_frames(tmp_path, files, limits=Limits(max_pixels=700))
    with pytest.raises(NoFramesError):
        open_frames(tmp_path, ())
    with pytest.raises(UsageError):
        open_frames(tmp_path, files).reader.read([3])


@pytest.mark.parametrize("odd", [0, 2, 4])
def test_frames_of_mixed_depth_have_no_common_white(tmp_path, odd):
    for i in range(5):
        grey = np.full((24, 32), 10 * i, np.uint8 if i == odd else np.uint16)
        Image.fromarray(grey).save(tmp_path / f"a_{i}.png")
    with pytest.raises(UnreadableError, match=r"holds (8|16)-bit samples, a_0\.png (8|16)-bit samples"):
        open_frames(tmp_path, [f"a_{i}.png" for i in range(5)])


def test_frames_of_8_bits_may_be_stored_in_many_ways(tmp_path):
    for i, mode in enumerate(["L", "RGB", "P", "1", "LA"]):
        Image.fromarray(np.full((24, 32), 255, np.uint8)).convert(mode).save(tmp_path / f"a_{i}.png")
    cine = open_frames(tmp_path, [f"a_{i}.png" for i in range(5)])
    assert (cine.reader.read(range(5)) == 255).all()


def write_stack(path, grey, pages=5, size=(24, 32), **how):
    """Write a cine of many pages, `grey` at first and darker by one a page."""
    first, *others = [Image.fromarray(np.full((*size, 3), grey - i, np.uint8)) for i in range(pages)]
    how |= {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, **how)


@pytest.mark.parametrize("ending", [".tif", ".TIFF", ".webp", ".png"])
def test_numbered_cines_of_many_pages_are_cines_and_no_frames(tmp_path, ending):
    for number in (1, 2, 3):
        write_stack(tmp_path / f"clip_{number}{ending}", 50 * number)
    write(tmp_path, [f"frame_{i}.png" for i in range(4)])
    *stacks, frames = discover(tmp_path)
    assert [item.path.name for item in stacks] == [f"clip_{number}{ending}" for number in (1, 2, 3)]
    cines = [open_cine(item) for item in stacks]
    assert [cine.n_frames for cine in cines] == [5, 5, 5]
    assert [cine.reader.read([4])[0, 0, 0] for cine in cines] == [46, 96, 146]
    assert open_cine(frames).n_frames == 4
    with pytest.raises(UnsupportedError, match="more than one"):
        open_cine(tmp_path)
    with pytest.raises(UnreadableError, match="no such file"):
        open_cine(tmp_path / "clip")


@pytest.mark.parametrize("ending", [".tif", ".webp", ".png"])
@pytest.mark.parametrize("odd", [1, 2])
def test_a_cine_among_single_frames_is_named(tmp_path, ending, odd):
    how = {"lossless": True} if ending == ".webp" else {}
    for number in range(4):
        Image.new("RGB", (32, 24)).save(tmp_path / f"a_{number}{ending}", **how)
    write_stack(tmp_path / f"a_{odd}{ending}", 90)
    (item,) = discover(tmp_path)
    with pytest.raises(UnreadableError, match=rf"Frame a_{odd}{ending}: It holds several pictures.*--stills"):
        open_cine(item)
    assert [open_cine(one).n_frames for one in discover(tmp_path, group_frames=False)].count(5) == 1


@pytest.mark.parametrize("what", [1, 4])
def test_previews_and_masks_beside_a_frame_are_no_pages(tmp_path, what):
    small = Image.new("L", (8, 6))
    small.encoderinfo = {"tiffinfo": {254: what}}
    for number in range(4):
        frame = Image.fromarray(np.full((24, 32), 10 * number, np.uint8))
        frame.save(tmp_path / f"a_{number}.tif", save_all=True, append_images=[small, small])
    (item,) = discover(tmp_path)
    assert open_cine(item).reader.read(range(4))[:, 0, 0].tolist() == [0, 10, 20, 30]


def test_a_frame_whose_next_page_is_torn_is_a_frame(tmp_path):
    for number in range(3):
        write_stack(tmp_path / f"a_{number}.tif", 90, pages=2)
        content = (tmp_path / f"a_{number}.tif").read_bytes()
        with Image.open(tmp_path / f"a_{number}.tif") as image:
            following = image.tag_v2.next
        (tmp_path / f"a_{number}.tif").write_bytes(content[: following + 1])
    (item,) = discover(tmp_path)
    assert open_cine(item).n_frames == 3


def test_colours_of_sixteen_bits_share_one_scale(tmp_path):
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"a_{i}.png"), np.full((8, 8, 3), (0, 500 * i, 1000 * i), np.uint16))
    cine = open_frames(tmp_path, [f"a_{i}.png" for i in range(4)])
    got = cine.reader.read(range(4), color=True)[:, 0, 0]
    assert np.abs(got - np.outer(np.arange(4), (1000, 500, 0)) / 4095 * 255).max() <= 0.51
    cv2.imwrite(str(tmp_path / "a_2.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UnreadableError, match=r"a_2\.png holds 8-bit samples, a_0\.png 16-bit samples"):
        open_frames(tmp_path, [f"a_{i}.png" for i in range(4)])
