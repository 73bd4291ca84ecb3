"""Frames decoded on several threads come in order, a few ahead, and fail where they fail."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import examples

from echoplane.errors import UnreadableError
from echoplane.inference.classifier import ViewClassifier
from echoplane.sources.open import open_cine
from echoplane.sources.side_by_side import WORTH_IT, decoding_threads, mapped


def many(work: Callable[[int], object], count: int = 100) -> list[object]:
    return list(mapped(work, iter(range(count)), count))


def test_one_thread_where_nobody_allowed_more() -> None:
    assert set(many(lambda _: threading.get_ident())) == {threading.get_ident()}
    with decoding_threads(3):
        assert threading.get_ident() not in many(lambda _: threading.get_ident())
        few = list(mapped(lambda _: threading.get_ident(), range(WORTH_IT - 1), WORTH_IT - 1))
        assert set(few) == {threading.get_ident()}
    assert set(many(lambda _: threading.get_ident())) == {threading.get_ident()}


def test_threads_work_at_the_same_time_and_results_keep_their_order() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def work(number: int) -> int:
        meeting.wait()  # passes only when another one is under way, too
        return number * number

    with decoding_threads(2):
        assert many(work) == [n * n for n in range(100)]


def test_no_more_than_a_few_are_taken_ahead() -> None:
    taken = []

    def items() -> object:
        for number in range(100):
            taken.append(number)
            yield number

    with decoding_threads(3):
        for got, number in enumerate(mapped(lambda n: n, items(), 100)):
            assert number == got
            assert len(taken) <= got + 6


def test_what_fails_is_raised_in_its_turn() -> None:
    def work(number: int) -> int:
        if number >= 40:
            raise UnreadableError("x", f"Frame {number} is damaged.")
        return number

    got = []
    with decoding_threads(2), pytest.raises(UnreadableError, match="Frame 40"):
        for number in mapped(work, range(100), 100):
            got.append(number)
    assert got == list(range(40))


def test_a_real_cine_is_the_same_on_two_threads(tmp_path: Path) -> None:
    cine = open_cine(examples.get_path("ybr_color"))
    assert cine.n_frames >= WORTH_IT
    frames = range(cine.n_frames)
    once = cine.reader.read(frames, color=True)
    with decoding_threads(2):
        np.testing.assert_array_equal(cine.reader.read(frames, color=True), once)
    path = examples.get_path("ybr_color")
    one, two = (ViewClassifier.load(threads=n, all_clips=True).predict(path) for n in (1, 2))
    assert one.probability == pytest.approx(two.probability, abs=1e-5)
