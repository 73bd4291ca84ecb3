import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.sources.series import find_series, gap_notes, is_series, split_name

heads = st.text(string.ascii_letters + "é心_- ", min_size=0, max_size=6).filter(lambda t: not t.startswith("."))
names = st.lists(
    st.one_of(
        st.builds(lambda h, n, e: f"{h}{n}{e}", heads, st.integers(0, 60), st.sampled_from([".jpg", ".png", ".JPG"])),
        st.builds(lambda h, n: f"{h}{n:06d}.jpg", heads, st.integers(0, 60)),
        st.sampled_from(["a.dcm", "IM_0001", "notes.txt", "1.avi", ".jpg", "_.jpg", "x.tif"]),
    ),
    max_size=60,
    unique=True,
)


@given(names)
def test_every_name_ends_in_exactly_one_place(given_names):
    series, rest = find_series(given_names)
    placed = [file for one in series for file in one.files] + rest
    assert sorted(placed) == sorted(given_names)
    assert rest == [name for name in given_names if name in set(rest)]
    for one in series:
        assert list(one.numbers) == sorted(one.numbers)
        assert [split_name(file)[1] for file in one.files] == list(one.numbers)
        assert is_series(one.numbers)
    patterns = [one.pattern for one in series]
    assert len(set(patterns)) == len(patterns)


@given(st.integers(3, 200), st.integers(0, 500), st.booleans(), st.randoms())
def test_a_cine_is_found_whole_and_in_order_whatever_the_padding(n, first, padded, random):
    files = [f"apex_{i:05d}.jpg" if padded else f"apex_{i}.jpg" for i in range(first, first + n)]
    shuffled = random.sample(files, n)
    series, rest = find_series(shuffled)
    assert rest == []
    assert series[0].files == tuple(files)
    assert series[0].name == "apex"
    assert gap_notes(series[0].numbers) == ()


def test_many_cines_in_one_folder():
    files = [f"{clip}_{i}.jpg" for clip in ("p1_a4c", "p1_a2c", "p2_a4c") for i in range(12)]
    series, rest = find_series(sorted(files))
    assert {one.name: one.files[-1] for one in series} == {
        "p1_a4c": "p1_a4c_11.jpg",
        "p1_a2c": "p1_a2c_11.jpg",
        "p2_a4c": "p2_a4c_11.jpg",
    }
    assert not rest


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("clip_7.jpg", ("clip_", 7, ".jpg")),
        ("clip7_012.JPG", ("clip7_", 12, ".JPG")),
        ("frame_000001.png", ("frame_", 1, ".png")),
        ("12.tiff", ("", 12, ".tiff")),
        ("a (3).png", ("a (", 3, ".png")),
        ("心臓_٣.jpg", ("心臓_", 3, ".jpg")),
        ("1.2.840.10.png", ("1.2.840.", 10, ".png")),
        ("apex.png", None),
        ("IM_0001", None),
        ("a_3.avi", None),
        ("a_3.dcm", None),
        (".jpg", None),
    ],
)
def test_names(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize(
    ("numbers", "cine"),
    [
        ([1, 2], False),
        ([1, 2, 3], True),
        ([0, 5, 10, 15], True),
        ([1, 2, 3, 7, 8, 9], True),
        ([1, 50, 51], False),
        ([3, 17, 110, 260], False),
        ([4, 4, 4], True),
    ],
)
def test_stills_that_happen_to_be_numbered_are_no_cine(numbers, cine):
    assert is_series(numbers) is cine


def test_what_is_odd_about_the_numbers_is_said():
    assert gap_notes([1, 2, 3]) == ()
    assert gap_notes([7]) == ()
    assert gap_notes([1, 2, 4, 5, 9]) == ("4 frame numbers are missing (between 2 to 4, 5 to 9).",)
    assert gap_notes([0, 5, 10]) == ("Frame numbers rise by 5; the frames are taken as they follow each other.",)
    assert gap_notes([1, 1, 2]) == ("1 frame number occurs more than once.",)
    assert "1 frame number is missing" in gap_notes([0, 2, 4, 8])[1]
