"""Text that is safe and short enough to print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.apps.cli._common import printable, short_names


def test_the_shared_folder_is_left_out():
    assert short_names(["/data/s1/a.dcm", "/data/s2/b.dcm"], 40) == ["s1/a.dcm", "s2/b.dcm"]
    assert short_names(["/data/s1/a.dcm"], 40) == ["a.dcm"]
    assert short_names(["a.dcm", "sub/b.dcm"], 40) == ["a.dcm", "sub/b.dcm"]
    assert short_names([], 40) == []


def test_a_backslash_parts_folders_on_windows_only(monkeypatch):
    names = [r"C:\x\a.dcm", r"C:\x\b.dcm"]
    monkeypatch.setattr("os.sep", "\\")
    assert short_names(names, 40) == ["a.dcm", "b.dcm"]
    monkeypatch.setattr("os.sep", "/")
    assert short_names(names, 40) == names
    assert short_names(["x/n\\xe9.dcm", "x/a.dcm"], 40) == ["n\\xe9.dcm", "a.dcm"]  # a byte that is no UTF-8


def test_long_names_lose_their_middle():
    (short,) = short_names(["1.2.840.113619.2.239.1794.1258530032.0.4.1.dcm"], 20)
    assert len(short) == 20
    assert short.startswith("1.2.84")
    assert short.endswith("0.4.1.dcm")


@given(st.lists(st.text(min_size=1), max_size=6), st.integers(8, 60))
def test_no_short_name_is_too_long(names, width):
    short = short_names(names, width)
    assert len(short) == len(names)
    assert all(len(s) <= width for s in short)


@pytest.mark.parametrize("text", ["\x1b[31mred", "bell\a", "nul\x00", "right\u202eleft"])
def test_what_could_steer_a_terminal_is_replaced(text):
    assert "\N{REPLACEMENT CHARACTER}" in printable(text)
    assert all(c.isprintable() for c in printable(text))


def test_other_text_stays():
    assert printable("Ж心é — a.dcm") == "Ж心é — a.dcm"
    assert printable(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf?"
