import pytest
from measure import examinations
from measure.results import Ledger, load

from echoplane.models.bundle import Bundle
from echoplane.phantom.clip import render_clip
from echoplane.phantom.recording import DRAWING
from echoplane.phantom.study import StudyClip


def row(truth: str, best: str, status: str, patient: str = "0000") -> dict[str, object]:
    return {"cine": patient, "truth": truth, "best": best, "status": status, "still": False}


def test_a_header_that_says_doppler_counts_as_answered_and_a_doubt_does_not():
    facts = examinations.figures([
        row("A4C", "A4C", "ok"),
        row("A2C", "A3C", "ok", "0001"),
        row("PLAX", "other", "unsure", "0001"),
        row("DOPPLER", "other", "color_doppler", "0001"),
    ])  # fmt: skip
    assert (facts["files"], facts["patients"]) == (4, 2)
    assert facts["accuracy"]["value"] == pytest.approx(3 / 4)
    assert facts["accuracy_main"]["value"] == pytest.approx(1 / 2)
    assert facts["offered"]["value"] == pytest.approx(3 / 4)
    assert facts["right_of_offered"]["value"] == pytest.approx(2 / 3)
    assert facts["status"] == {"color_doppler": 1, "ok": 2, "unsure": 1}
    assert "| A2C | 0 | 1 |" in examinations.markdown(facts)


def test_files_are_written_read_and_asked_one_patient_a_unit(tmp_path, monkeypatch):
    asked = []

    def one(seed, number):
        asked.append(number)
        yield StudyClip(1, "A4C", 5, 1, 8), render_clip("A4C", 5, frames=8, size=(120, 120))
        yield StudyClip(2, "PLAX", 6, 1, 1), render_clip("PLAX", 6, frames=1, size=(120, 120))

    monkeypatch.setattr(examinations, "render_study", one)
    facts = examinations.measure(Bundle.load(None), tmp_path, patients=2)
    assert (facts["files"], facts["patients"], facts["stills"], asked) == (4, 2, 2, [0, 1])
    assert load(tmp_path, "examinations") == {"drawing": DRAWING, **facts}
    examinations.measure(Bundle.load(None), tmp_path, patients=2)
    assert asked == [0, 1]  # what is in the ledger is not rendered again
    rows = Ledger(tmp_path / "examinations.rows.jsonl", {"bundle": facts["bundle"]}).rows()
    assert [(r["truth"], r["still"]) for r in rows] == [("A4C", False), ("PLAX", True)] * 2
