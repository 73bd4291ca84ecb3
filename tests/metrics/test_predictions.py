from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoplane.errors import DataError, UsageError
from echoplane.metrics.calibration import Scaling, softmax
from echoplane.metrics.predictions import Predictions


def some(first: int = 0, n: int = 4, fold: int = 0) -> Predictions:
    rng = np.random.default_rng(first)
    return Predictions(("A4C", "A2C"), tuple(f"c{first + i}" for i in range(n)), tuple(f"p{i // 2}" for i in range(n)),
                       np.arange(n) % 2, np.repeat(np.arange(n), 3), rng.normal(size=(3 * n, 2)).astype(np.float32),
                       np.full(n, fold), ("",) * n)  # fmt: skip


def test_round_trip(tmp_path: Path) -> None:
    some().save(tmp_path / "x.npz")
    back = Predictions.load(tmp_path / "x.npz")
    for name in ("views", "cines", "groups", "sources"):
        assert getattr(back, name) == getattr(some(), name)
    for name in ("y_true", "cine_of_clip", "logits", "folds"):
        np.testing.assert_array_equal(getattr(back, name), getattr(some(), name))


def test_cine_probabilities_are_means_of_calibrated_clips() -> None:
    p, scaling = some(), Scaling((2.0,))
    expected = [softmax(2.0 * p.logits[3 * i : 3 * i + 3]).mean(axis=0) for i in range(4)]
    np.testing.assert_allclose(p.cine_probabilities(scaling), expected)


def test_joining_folds_keeps_clips_with_their_cines() -> None:
    both = Predictions.concatenate([some(0, fold=1), some(10, n=2, fold=2)])
    assert both.cines == ("c0", "c1", "c2", "c3", "c10", "c11")
    np.testing.assert_array_equal(both.folds, [1, 1, 1, 1, 2, 2])
    np.testing.assert_allclose(both.cine_probabilities()[4:], some(10, n=2).cine_probabilities())
    with pytest.raises(UsageError, match="same name"):
        Predictions.concatenate([some(), some()])
    with pytest.raises(UsageError, match="same views"):
        Predictions.concatenate([])


def test_what_stands_for_patients_is_not_called_so(tmp_path: Path) -> None:
    p = some()
    assert (p.people(), p.no_patient()) == ("2 groups (patients where known)", "")
    mixed = replace(p, groups=("p", "p", "s", "c3"), known_by=("patient", "patient", "study", "cine"))
    mixed.save(tmp_path / "x.npz")
    back = Predictions.load(tmp_path / "x.npz")
    assert back.people() == "1 patient and 1 study and 1 lone cine"
    assert back.no_patient().startswith("No patient is known for 2 of 4 cines")
    assert back.take([1, 0]).people() == "1 patient"
    assert back.take([3, 2]).people() == "1 study and 1 lone cine (no patient known)"
    assert Predictions.concatenate([back.take([0]), back.take([3])]).known_by == ("patient", "cine")
    assert Predictions.concatenate([back.take([0]), p.take([3])]).known_by == ()
    with pytest.raises(UsageError, match="arrays of"):
        replace(p, known_by=("patient",))


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "pickle.npz", header=np.array([{"a": 1}], dtype=object))
    np.savez(tmp_path / "other.npz", header=np.array('{"format": "x"}'))
    with (tmp_path / "array.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    np.savez(tmp_path / "list.npz", header=np.array("[]"))
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 no more")
    for name in ("text", "pickle", "other", "missing", "array", "list", "damaged"):
        with pytest.raises(DataError, match=name):
            Predictions.load(tmp_path / f"{name}.npz")
    with pytest.raises(DataError, match=r"missing\.npz: there is no such file.*RUN/validation\.npz"):
        Predictions.load(tmp_path / "missing.npz")


def test_answers_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    p = some()
    p.logits[7, 1] = np.nan
    p.save(tmp_path / "x.npz")
    with pytest.raises(DataError, match=r"x\.npz: the logits of 1 cines are no finite numbers, the first being 'c2'"):
        Predictions.load(tmp_path / "x.npz")
    some(n=0).save(tmp_path / "empty.npz")
    with pytest.raises(DataError, match=r"empty\.npz: holds no cine"):
        Predictions.load(tmp_path / "empty.npz")


def test_rows_must_fit_together() -> None:
    p = some()
    with pytest.raises(UsageError, match="every cine needs at least one clip"):
        Predictions(p.views, p.cines, p.groups, p.y_true, np.zeros(12, dtype=int), p.logits, p.folds, p.sources)
    with pytest.raises(UsageError, match="expected 0 to 1"):
        Predictions(p.views, p.cines, p.groups, p.y_true + 1, p.cine_of_clip, p.logits, p.folds, p.sources)


def test_take_keeps_clips_with_their_cines_and_follows_the_order() -> None:
    p = some()
    part = p.take([3, 1])
    assert part.cines == ("c3", "c1")
    np.testing.assert_allclose(part.cine_probabilities(), p.cine_probabilities()[[3, 1]])
