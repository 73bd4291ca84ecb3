import os
import sys
import tracemalloc

import pytest

from echoplane.errors import RefusedError, UnreadableError, UsageError
from echoplane.sources import discover as module
from echoplane.sources.discover import discover, natural_key
from echoplane.sources.open import open_cine

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and permissions as POSIX has them")


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def listed(root, **how):
    return [os.path.relpath(item.source, root) for item in discover(root, **how)]


def test_files_first_then_folders_in_natural_order(tmp_path):
    tree(tmp_path, "b10/x", "b2/y.dcm", "clip10.avi", "clip2.avi", "Clip1.avi", "b2/deep/er/z", "IM_0001")
    assert listed(tmp_path) == [
        "Clip1.avi", "clip2.avi", "clip10.avi", "IM_0001", "b2/y.dcm", "b2/deep/er/z", "b10/x",
    ]  # fmt: skip


@pytest.mark.parametrize("paths", ["", [""], ["a.dcm", ""]])
def test_an_empty_path_is_not_the_present_folder(tmp_path, monkeypatch, paths):
    monkeypatch.chdir(tree(tmp_path, "a.dcm"))
    with pytest.raises(UsageError, match="a path is empty"):
        list(discover(paths))
    with pytest.raises(UsageError, match="a path is empty"):
        open_cine("")
    assert len(list(discover("."))) == 1


def test_nothing_is_lost_hidden_and_system_files_included(tmp_path):
    names = [
        "a.dcm", ".hidden/b.dcm", ".DS_Store", "Thumbs.db", "no extension", "心臓/Übung.mp4", "عينة.dcm",
        *(f"c_{i}.jpg" for i in range(5)), "c_x.jpg", "lonely_3.png", "d_1.png", "d_2.png", "v.mhd", "v.raw", "w.raw",
        "h.hdr", "h.img", "i.img",
    ]  # fmt: skip
    tree(tmp_path, *names)
    items = list(discover(tmp_path))
    files = []
    for item in items:
        folder = item.path if item.format == "frames" else item.path.parent
        files += [folder / name for name in item.files] if item.files else [item.path]
    assert sorted(files) == sorted(tmp_path / name for name in names)
    assert len({item.source for item in items}) == len(items)
    by_source = {os.path.relpath(item.source, tmp_path): item for item in items}
    assert by_source["c"].files == tuple(f"c_{i}.jpg" for i in range(5))
    assert by_source["v.mhd"].files == ("v.mhd", "v.raw")
    assert by_source["h.hdr"].files == ("h.hdr", "h.img")
    assert {"d_1.png", "d_2.png", "lonely_3.png", "w.raw", "i.img", ".DS_Store"} <= set(by_source)


def test_series_of_one_name_are_told_apart(tmp_path):
    tree(
        tmp_path,
        *(f"a_{i}.jpg" for i in range(3)),
        *(f"a-{i}.jpg" for i in range(3)),
        *(f"a_{i}.png" for i in range(3)),
    )
    tree(tmp_path, *(f"b_{i}.jpg" for i in range(3)), "b")
    assert listed(tmp_path) == ["a-*.jpg", "a_*.jpg", "a_*.png", "b", "b_*.jpg"]


def test_a_folder_is_listed_once_for_many_names_that_are_not_there(tmp_path, monkeypatch):
    tree(tmp_path, *(f"a_{i}.jpg" for i in range(4)))
    listing, calls = module._listing, []
    monkeypatch.setattr(module, "_listing", lambda folder: calls.append(folder) or listing(folder))
    items = list(discover([tmp_path / name for name in ("gone", "a", "b_*.jpg", "a_*.jpg", "lost")]))
    assert [item.error is None for item in items] == [False, True, False, True, False]
    assert calls == [tmp_path]


@pytest.mark.parametrize("loose", [False, True])
def test_a_series_beside_a_folder_of_its_name_is_told_apart(tmp_path, loose):
    tree(tmp_path, *(f"patA/{i}.png" for i in range(4)), *(f"patA_{i}.png" for i in range(3)))
    given = [*sorted(tmp_path.glob("*.png")), tmp_path / "patA"] if loose else tmp_path
    items = list(discover(given))
    assert [os.path.relpath(item.source, tmp_path) for item in items] == ["patA_*.png", "patA"]
    assert [len(item.files) for item in items] == [3, 4]
    assert [len(next(discover(item.source)).files) for item in items] == [3, 4]


@posix
def test_a_byte_that_is_no_text_and_a_name_that_spells_it_are_told_apart(tmp_path):
    for name in (rb"\xe9.dcm", b"\xe9.dcm", *(b"s\xff_%d.png" % i for i in range(3))):
        try:
            (tmp_path / os.fsdecode(name)).write_bytes(b"x")
        except OSError:
            pytest.skip("this disk takes text alone")
    assert sorted(listed(tmp_path)) == [r"\x5cxe9.dcm", r"\xe9.dcm", r"s\xff"]
    (again,) = discover(tmp_path / r"s\xff")  # as results have it
    assert len(again.files) == 3


@posix
def test_what_lies_above_the_target_of_a_link_is_another_file(tmp_path):
    tree(tmp_path, "a.dcm", "there/a.dcm", "there/below/b.dcm")
    (tmp_path / "link").symlink_to("there/below")
    given = [tmp_path / name for name in ("a.dcm", "link/../a.dcm", "there/below/../a.dcm", "link/x/../b.dcm")]
    found = [item.source.removeprefix(f"{tmp_path}/") for item in discover(map(str, given))]
    assert found == ["a.dcm", "link/../a.dcm", "link/x/../b.dcm"]


def test_bare_numbers_are_named_by_their_folder(tmp_path):
    tree(tmp_path, *(f"video/{i}.jpg" for i in range(3)))
    assert listed(tmp_path) == ["video"]


def test_the_name_that_a_series_has_in_results_can_be_given_again(tmp_path):
    tree(
        tmp_path,
        *(f"a_{i}.jpg" for i in range(4)),
        *(f"b-{i}.png" for i in range(4)),
        *(f"b_{i}.png" for i in range(3)),
    )
    for item in list(discover(tmp_path)):
        (again,) = discover(item.source)
        assert (again.source, again.path, again.files) == (item.source, item.path, item.files)
        assert again.error is None
    (left_alone,) = discover(tmp_path / "a", group_frames=False)
    assert isinstance(left_alone.error, UnreadableError)
    (missing,) = discover(tmp_path / "c")
    assert isinstance(missing.error, UnreadableError)


def test_frames_can_be_left_alone(tmp_path):
    tree(tmp_path, "a_1.jpg", "a_2.jpg", "a_10.jpg", "a_3.jpg")
    assert listed(tmp_path, group_frames=False) == ["a_1.jpg", "a_2.jpg", "a_3.jpg", "a_10.jpg"]


def test_files_given_one_by_one_are_grouped_as_in_a_folder_and_once(tmp_path):
    tree(tmp_path, *(f"a_{i}.jpg" for i in range(4)), "b.dcm", "sub/c.dcm")
    given = [tmp_path / n for n in ("b.dcm", "a_3.jpg", "a_1.jpg", "a_0.jpg", "a_2.jpg", "b.dcm", "sub/../a_1.jpg")]
    items = list(discover([*given, str(tmp_path / "sub")]))
    assert [os.path.relpath(i.source, tmp_path) for i in items] == ["b.dcm", "a", "sub/c.dcm"]
    assert items[1].files == ("a_0.jpg", "a_1.jpg", "a_2.jpg", "a_3.jpg")
    one = list(discover(tmp_path / "a_1.jpg"))
    assert [i.format for i in one] == [""]


def test_a_folder_given_with_its_own_subfolder_is_walked_once(tmp_path):
    tree(tmp_path, "sub/a.dcm", "b.dcm")
    for given in ([tmp_path, tmp_path / "sub"], [tmp_path / "sub", tmp_path]):
        assert sorted(i.path.name for i in discover(given)) == ["a.dcm", "b.dcm"]


def test_patterns_that_the_shell_left_alone(tmp_path):
    tree(tmp_path, "a10.dcm", "a2.dcm", "b.avi", "[x].dcm")
    assert [i.path.name for i in discover(str(tmp_path / "a*.dcm"))] == ["a2.dcm", "a10.dcm"]
    assert [i.path.name for i in discover(str(tmp_path / "[x].dcm"))] == ["[x].dcm"]
    (missing,) = discover(str(tmp_path / "z*.dcm"))
    assert missing.error


@pytest.mark.parametrize("name", ["gone.dcm", "nul\0byte", "x" * 5000])
def test_what_is_not_there_is_an_item(tmp_path, name):
    (item,) = discover([str(tmp_path / name)])
    with pytest.raises(UnreadableError, match="no such file or folder"):
        open_cine(item)
    with pytest.raises(UnreadableError):  # and again, as a fresh exception
        open_cine(item)


def test_an_empty_folder_holds_nothing(tmp_path):
    assert list(discover(tmp_path)) == []


@posix
class TestLinks:
    def test_loops_end_and_say_so(self, tmp_path):
        tree(tmp_path, "a/x.dcm", "a/b/y.dcm")
        (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
        (tmp_path / "a/self").symlink_to(tmp_path / "a")
        for follow in (False, True):
            items = list(discover(tmp_path, follow_links=follow))
            assert [i.path.name for i in items if i.error is None] == ["x.dcm", "y.dcm"]
            assert sorted(i.path.name for i in items if isinstance(i.error, RefusedError)) == ["self", "up"]

    def test_links_to_folders_are_followed_when_asked(self, tmp_path):
        tree(tmp_path, "far/x.dcm", "near/y.dcm")
        (tmp_path / "near/link").symlink_to(tmp_path / "far")
        plain = list(discover(tmp_path / "near"))
        assert [i.error is None for i in plain] == [True, False]
        assert "not followed" in plain[1].error.reason
        followed = list(discover(tmp_path / "near", follow_links=True))
        assert [i.source for i in followed] == [str(tmp_path / "near/y.dcm"), str(tmp_path / "near/link/x.dcm")]

    def test_links_to_files_are_files_and_broken_ones_say_so(self, tmp_path):
        tree(tmp_path, "in/x.dcm")
        (tmp_path / "in/good.dcm").symlink_to(tmp_path / "in/x.dcm")
        (tmp_path / "in/broken.dcm").symlink_to(tmp_path / "nowhere")
        (tmp_path / "in/knot.dcm").symlink_to(tmp_path / "in/knot.dcm")
        items = {i.path.name: i for i in discover(tmp_path / "in")}
        assert items["good.dcm"].error is None
        for name in ("broken.dcm", "knot.dcm"):
            assert "target is not there" in items[name].error.reason

    def test_a_folder_named_like_a_file(self, tmp_path):
        tree(tmp_path, "study.dcm/inner.dcm")
        assert listed(tmp_path) == ["study.dcm/inner.dcm"]

    def test_names_that_are_no_utf8(self, tmp_path):
        try:
            with open(os.fsencode(tmp_path) + b"/caf\xe9.dcm", "wb") as stream:  # noqa: PTH123 -- a name in bytes
                stream.write(b"x")
        except OSError:
            pytest.skip("the file system wants UTF-8")
        (item,) = discover(tmp_path)
        assert item.source.endswith("caf\\xe9.dcm")
        assert item.path.exists()

    @pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
    def test_a_folder_that_may_not_be_listed(self, tmp_path):
        tree(tmp_path, "a/x.dcm", "b.dcm")
        (tmp_path / "a").chmod(0)
        try:
            items = list(discover(tmp_path))
        finally:
            (tmp_path / "a").chmod(0o700)
        assert [i.path.name for i in items] == ["b.dcm", "a"]
        assert "permission denied" in items[1].error.reason


def test_a_folder_that_may_not_be_listed_for_any_reason(tmp_path, monkeypatch):
    tree(tmp_path, "a/x.dcm", "b.dcm")
    real = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("a"):
            raise PermissionError(13, "denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    items = list(discover(tmp_path))
    assert [i.path.name for i in items] == ["b.dcm", "a"]
    assert items[1].error.reason == "The folder cannot be listed: permission denied."


def test_one_picture_of_a_series_is_looked_at(tmp_path, monkeypatch):
    tree(tmp_path, *(f"a_{i}.png" for i in range(50)), *(f"b_{i}.tif" for i in range(50)))
    tree(tmp_path, *(f"c_{i}.jpg" for i in range(50)), "d.png", "e_1.tif")
    looked = []
    monkeypatch.setattr("echoplane.sources.picture.is_stack", lambda path: looked.append(path.name))
    assert listed(tmp_path) == ["a", "b", "c", "d.png", "e_1.tif"]
    assert looked == ["a_0.png", "b_0.tif"]
    listed(tmp_path, group_frames=False)
    assert len(looked) == 2


def test_what_cannot_be_looked_at_has_one_page(tmp_path):
    tree(tmp_path, *(f"a_{i}.png" for i in range(3)), *(f"c_{i}.webp" for i in range(3)))
    (tmp_path / "a_0.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (tmp_path / "c_0.webp").unlink()
    (tmp_path / "c_0.webp").mkdir()
    (tmp_path / "c_3.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8X")
    assert listed(tmp_path) == ["a", "c"]


def test_a_hundred_folders_deep(tmp_path):
    deep = tmp_path
    for _ in range(100):
        deep = deep / "d"
    tree(deep, "x.dcm")
    assert len(list(discover(tmp_path))) == 1


def test_memory_stays_small_over_many_files(tmp_path):
    """Two thousand names must cost kilobytes each thousand, not megabytes; 100,000 then take tens of megabytes."""
    for i in range(2000):
        (tmp_path / f"IM_{i}").touch()
    tracemalloc.start()
    count = sum(1 for _ in discover(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2000
    assert peak < 4_000_000


def test_natural_order():
    names = ["a10", "a2", "A3", "a02", "b", "心10", "心9", "1", "01", ""]
    assert sorted(names, key=natural_key) == ["", "01", "1", "a02", "a2", "A3", "a10", "b", "心9", "心10"]


@pytest.mark.parametrize(("header", "data"), [("a.mhd", "a.raw"), ("b.MHD", "b.zraw"), ("c.hdr", "c.img.gz")])
def test_a_header_given_alone_brings_its_data_half(tmp_path, header, data):
    for name in (header, data):
        (tmp_path / name).write_text("x")
    (item,) = discover(tmp_path / header)
    assert item.files == (header, data)
    assert item.all_files == [tmp_path / header, tmp_path / data]
    (tmp_path / data).unlink()
    (item,) = discover(tmp_path / header)
    assert item.all_files == [tmp_path / header]
