"""Rows and JSON of results."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.errors import UsageError
from echoplane.inference.rows import columns, from_json, to_json, to_row, votes_text
from echoplane.records import CineKind, Sector, SectorKind, Status, ViewResult

RESULT = ViewResult(
    file="study/a.dcm",
    status=Status.OK,
    view="A4C",
    best_view="A4C",
    probability=0.91234567,
    probabilities={"A2C": 0.08765433, "A4C": 0.91234567},
    clip_votes={"A4C": 3, "A2C": 1},
    vote="A4C",
    clip_probabilities=((0.1, 0.9), (0.2, 0.8)),
    reasons=("First sentence.", "Second\nsentence."),
    kind=CineKind.B_MODE,
    n_frames=60,
    frames_used=40,
    fps=33.3333333,
    sector=Sector(SectorKind.PHASED, (1, 2, 3, 4), apex=(1.5, 2.5), confidence=0.9, origin="pixels"),
    seconds={"open": 0.001, "prepare": 0.02, "network": 0.01},
)


def test_the_columns_are_those_that_are_documented():
    assert columns(("A2C", "A4C")) == (
        "file", "status", "view", "best_view", "probability", "p_A2C", "p_A4C",
        "votes", "frames", "fps", "seconds", "reason",
    )  # fmt: skip


def test_a_row_has_the_columns_in_order():
    row = to_row(RESULT, ("A2C", "A4C"))
    assert tuple(row) == columns(("A2C", "A4C"))
    assert row == {
        "file": "study/a.dcm", "status": "ok", "view": "A4C", "best_view": "A4C", "probability": 0.912346,
        "p_A2C": 0.087654, "p_A4C": 0.912346, "votes": "A4C:3 A2C:1", "frames": 60, "fps": 33.333, "seconds": 0.031,
        "reason": "First sentence. Second sentence.",
    }  # fmt: skip


def test_a_row_without_an_answer_has_empty_cells():
    row = to_row(ViewResult("x", Status.UNREADABLE, reasons=("Is empty.",)), ("A2C",))
    assert (row["probability"], row["p_A2C"], row["frames"], row["fps"], row["seconds"]) == (None,) * 5
    assert (row["view"], row["best_view"], row["votes"]) == ("", "", "")


def test_tied_votes_stand_together():
    tied = ViewResult("x", Status.OK, clip_votes={"A2C": 2, "A4C": 2, "A3C": 1}, vote="A4C=A2C")
    assert votes_text(tied) == "A4C=A2C:2 A3C:1"


def test_json_gives_the_same_result_back():
    assert from_json(to_json(RESULT)) == RESULT
    assert "\n" not in to_json(RESULT)


@given(
    file=st.text(),
    status=st.sampled_from(Status),
    probability=st.none() | st.floats(0, 1),
    probabilities=st.dictionaries(st.text(), st.floats(0, 1), max_size=4),
    reasons=st.lists(st.text(), max_size=3),
    fps=st.none() | st.floats(0.1, 1000),
)
def test_json_gives_any_result_back(file, status, probability, probabilities, reasons, fps):
    result = ViewResult(
        file, status, probability=probability, probabilities=probabilities, reasons=tuple(reasons), fps=fps
    )
    back = from_json(to_json(result).encode())
    assert back == result
    assert back.probability is None or math.isclose(back.probability, probability)


@pytest.mark.parametrize("text", ["", "[]", '{"file": 3}', '{"file": "a", "status": "fine"}', "[" * 100_000])
def test_other_json_is_refused(text):
    with pytest.raises(UsageError, match="is not a result of echoplane"):
        from_json(text)
