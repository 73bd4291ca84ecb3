import cv2
import numpy as np
import pytest

from echoplane.errors import UnreadableError
from echoplane.phantom.clip import render_clip
from echoplane.records import CineKind
from echoplane.sources.array import cine_from_array
from echoplane.sources.ground import NOTE, with_ground_noticed
from echoplane.sources.open import open_cine


@pytest.fixture(scope="module")
def heart():
    return render_clip("A4C", 3, frames=12, fps=12.0, size=(200, 160)).frames[..., 1].copy()


def saved(path, frames):
    for i, frame in enumerate(frames):
        cv2.imwrite(str(path / f"f_{i:03d}.png"), frame)
    return path


def test_black_and_white_are_changed_back_in_files_and_arrays(tmp_path, heart):
    np.save(tmp_path / "a.npy", 255 - heart)
    (tmp_path / "pictures").mkdir()
    coloured = np.repeat(255 - heart[..., None], 3, axis=3)
    for place in (tmp_path / "a.npy", saved(tmp_path / "pictures", 255 - heart), 255 - heart, coloured):
        cine = open_cine(place)
        assert cine.notes.count(NOTE) == 1
        assert np.array_equal(cine.reader.read([0, 5]), heart[[0, 5]])
        assert np.array_equal(cine.reader.read([3], color=True)[..., 0], heart[[3]])


def test_as_it_should_be_nothing_is_changed(heart):
    cine = open_cine(heart)
    assert NOTE not in cine.notes
    assert np.array_equal(cine.reader.read(range(12)), heart)


@pytest.mark.parametrize("margin", [20, 80, 300])
def test_a_cine_upon_a_white_page_stays(heart, margin):
    page = np.pad(heart, ((0, 0), (margin, margin), (margin, margin)), constant_values=255)
    assert NOTE not in open_cine(page).notes


def test_pages_of_text_that_move_stay():
    pages = np.full((12, 200, 300), 255, np.uint8)
    for i, page in enumerate(pages):
        for line in range(0, 200, 14):
            cv2.putText(
                page, "Apical view of the heart", (5, line + 3 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA
            )
    assert NOTE not in open_cine(pages).notes


def test_what_does_not_move_or_does_not_decode_stays(heart):
    assert NOTE not in open_cine(np.repeat(255 - heart[:1], 12, axis=0)).notes
    still = open_cine(255 - heart[:1])
    assert (still.kind, still.notes) == (CineKind.STILL, ())

    class Broken:
        def read(self, indices, **how):
            raise UnreadableError("a", "Frame 0 is damaged.")

    cine = cine_from_array(heart)
    object.__setattr__(cine, "reader", Broken())
    assert with_ground_noticed(cine) is cine
