from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from echoplane.data.checks import Level, check, count_views
from echoplane.data.duplicates import Pair, find_duplicates, fingerprint, likeness
from echoplane.data.split import Split, SplitRow
from echoplane.store import StoreReader, StoreRow, StoreWriter

SIDE = 112


def beating(seed: int, take: int = 0, frames: int = 16) -> np.ndarray:
    """A patient's anatomy (smooth, from `seed`) that moves, under speckle that is of one take alone."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((9, 9)).astype(np.float32)
    anatomy = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    speckle = cv2.GaussianBlur(
        np.random.default_rng([seed, take, 1]).random((SIDE, SIDE)).astype(np.float32) - 0.5, (0, 0), 1.2
    )
    out = []
    for t in range(frames):
        zoom = 1 + 0.04 * np.sin(2 * np.pi * t / 11 + take)
        m = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 0, zoom)
        out.append(cv2.warpAffine(anatomy + 1.2 * speckle, m, (SIDE, SIDE)))
    return np.clip(np.stack(out) * 160 + 20, 0, 255).astype(np.uint8)


def recoded(frames: np.ndarray, scale: float = 0.7, quality: int = 50, shift: float = 1.0) -> np.ndarray:
    """Smaller, JPEG, a little brighter, cropped a pixel differently, without the first frames."""
    out = []
    for frame in frames[2:]:
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        back = cv2.resize(cv2.imdecode(data, 0), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        out.append(cv2.warpAffine(back, np.array([[1.01, 0, shift], [0, 1.0, -shift]]), (SIDE, SIDE)))
    return np.clip(np.stack(out) * 1.1, 0, 255).astype(np.uint8)


def store(path, cines):
    with StoreWriter(path, recipe={"name": "x"}, views=["A2C", "A4C"], height=SIDE, width=SIDE) as writer:
        for row, frames in cines:
            writer.append(frames, row)
    return StoreReader(path)


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_is_told_from_another_take(seed):
    cine = beating(seed)
    copy, take = recoded(cine), beating(seed, take=1)
    assert np.mean(fingerprint(cine) != fingerprint(copy)) < 0.12
    assert likeness(cine, copy) > 0.94
    assert likeness(copy, cine) > 0.94
    assert likeness(cine, take) < 0.8
    assert np.mean(fingerprint(cine) != fingerprint(beating(seed + 100))) > 0.25


def test_nothing_in_common_does_not_raise():
    noise = np.random.default_rng(0).integers(0, 255, (4, SIDE, SIDE), np.uint8)
    black = np.zeros((4, SIDE, SIDE), np.uint8)
    assert abs(likeness(noise, black)) < 0.5
    assert abs(likeness(black, black)) < 0.5


def test_pairs_are_found_across_stores_and_sorted(tmp_path):
    one = store(
        tmp_path / "s",
        [
            (StoreRow("a", label="A4C", group="p1"), beating(1)),
            (StoreRow("b", label="A4C", group="p1"), recoded(beating(1))),
            (StoreRow("c", label="A4C", group="p2"), beating(2)),
            (StoreRow("d", label="A4C", group="p4"), beating(1, take=3)),
        ],
    )
    two = store(
        tmp_path / "t",
        [(StoreRow("e", label="A2C", group="p1"), recoded(beating(1))), (StoreRow("f", label="A4C"), beating(2))],
    )
    calls: list[int] = []
    pairs = find_duplicates([one, two], on_cine=lambda: calls.append(1))
    assert len(calls) == 6
    found = [(pair.one.cine, pair.two.cine, pair.same) for pair in pairs]
    # "a" and "b" are of one patient and one view: no harm. "b" and "e" are equal bit for bit.
    assert found == [("b", "e", True), ("a", "e", False), ("c", "f", True)]
    assert [pair.across_views for pair in pairs] == [True, True, False]
    assert find_duplicates([]) == []


def test_clips_of_one_study_are_of_one_patient_where_none_is_named(tmp_path):
    reader = store(
        tmp_path / "s",
        [
            (StoreRow("a", label="A4C", study="s1"), beating(1)),
            (StoreRow("b", label="A4C", study="s1"), recoded(beating(1))),
            (StoreRow("c", label="A4C", study="s1"), beating(1)),
            (StoreRow("d", label="A4C", study="s2"), beating(1)),
        ],
    )
    pairs = find_duplicates([reader])
    found = {(pair.one.cine, pair.two.cine): pair.across_patients for pair in pairs}
    assert found == {("a", "c"): False, ("a", "d"): True, ("c", "d"): True, ("b", "d"): True}
    a, b = reader.rows[:2]
    assert Pair(a, replace(b, group="p"), same=False, likeness=1.0).across_patients
    assert Pair(replace(a, study=""), replace(b, study=""), same=False, likeness=1.0).across_patients


def test_what_is_to_be_looked_at(tmp_path):
    reader = store(
        tmp_path / "s",
        [
            (StoreRow("a", label="A4C", group="p1", split="train", fps=30.0), beating(1)),
            (StoreRow("b", label="A2C", group="p1", split="test", fps=30.0), beating(1, frames=4)),
            (StoreRow("c", group="p2"), beating(3, frames=1)),
            (StoreRow("d", label="A4C"), beating(4)),
        ],
    )
    rows = reader.rows
    pairs = [Pair(rows[0], rows[1], same=False, likeness=0.97), Pair(rows[2], rows[3], same=True, likeness=1.0)]
    found = check([reader], pairs)
    texts = [(finding.level, finding.text, finding.cines) for finding in found]
    assert (Level.ERROR, "Two copies of one recording (likeness 0.97), labelled A4C and A2C.", ("a", "b")) in texts
    assert any("Two cines that are the same" in text and "no label and A4C" in text for _, text, _ in texts)
    leak = next(text for level, text, _ in texts if level is Level.ERROR and "parts cines" in text)
    assert leak.startswith("The split that the data came with parts cines")
    assert (Level.WARNING, "1 cine without a label.", ("c",)) in texts
    assert (Level.WARNING, "1 cine of fewer than 10 frames.", ("b",)) in texts
    assert (Level.NOTE, "2 cines that do not say their frame rate.", ("c", "d")) in texts
    assert any("neither patient nor study" in text for _, text, _ in texts)
    assert any("Views from fewer than 5 patients: A2C (1), A4C (2)" in text for _, text, _ in texts)
    assert [finding.level for finding in found] == sorted((f.level for f in found), key=list(Level).index)
    good = Split((SplitRow("a", "train"), SplitRow("b", "train")))
    assert not any("parts cines" in finding.text for finding in check([reader], [], split=good))


def test_damage_is_an_error(tmp_path):
    reader = store(tmp_path / "s", [(StoreRow("a", label="A4C", group="p1"), beating(1))])
    (part,) = (tmp_path / "s").glob("part-*")
    data = part.read_bytes()
    part.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    finding = check([StoreReader(tmp_path / "s")], [])[0]
    assert (finding.level, finding.cines) == (Level.ERROR, ("a",))
    assert [(line.view, line.cines, line.groups, line.frames) for line in count_views(reader.rows)] == [
        ("A4C", 1, 1, (16, 16, 16))
    ]


def test_parts_that_are_gone_are_an_error(tmp_path):
    rows = [(StoreRow(key, label="A4C", group=key), beating(seed)) for seed, key in enumerate("ab")]
    for row in rows:
        store(tmp_path / "s", [row])
    first, last = sorted((tmp_path / "s").glob("part-*"))
    first.unlink()
    (error,) = (f.text for f in check([StoreReader(tmp_path / "s")], []) if f.level is Level.ERROR)
    assert "1 cine is gone with the part file, for example 'a'" in error
    last.unlink()
    empty, gone = check([StoreReader(tmp_path / "s")], [])[:2]
    assert (empty.level, empty.text) == (Level.ERROR, f"{tmp_path / 's'}: holds no cine.")
    assert "2 cines are gone" in gone.text
