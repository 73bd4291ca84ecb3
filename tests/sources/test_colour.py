import dataclasses

import numpy as np
import pytest

from echoplane.errors import UnreadableError
from echoplane.records import CineKind
from echoplane.sources.array import cine_from_array
from echoplane.sources.colour import with_colour_noticed
from echoplane.sources.open import open_cine

rng = np.random.default_rng(8)


def speckle(n=30, size=(120, 160)):
    return np.repeat(rng.integers(20, 180, (n, *size, 1), dtype=np.uint8), 3, axis=-1)


def doppler(n=30):
    """A box of red and blue patches that come and go."""
    frames = speckle(n)
    for i in range(n):
        frames[i, 40:80, 50 : 80 + i] = (200, 40, 20) if i % 16 < 8 else (20, 60, 210)
    return frames


def test_moving_colour_is_noticed():
    cine = open_cine(doppler())
    assert cine.kind is CineKind.COLOR_DOPPLER
    assert cine.facts["kind_from"] == "pixels"


def test_grey_tinted_and_still_colour_are_not():
    tinted = np.clip(speckle() * np.array([1.0, 0.85, 0.6]), 0, 255).astype(np.uint8)
    logo = speckle()
    logo[:, :20, :20] = (250, 120, 0)
    for frames in (speckle(), tinted, logo):
        assert open_cine(frames).kind is CineKind.B_MODE


def test_a_still_stays_a_still_and_grey_frames_are_not_decoded_in_colour():
    assert open_cine(doppler()[:1]).kind is CineKind.STILL

    class Refusing:
        def read(self, indices, *, color=False, reduce=1):
            assert (indices, color) == ([0], False)
            return np.zeros((1, 8, 8), np.uint8)

    grey = cine_from_array(np.zeros((5, 8, 8), np.uint8))
    assert with_colour_noticed(_with_reader(grey, Refusing())) is not None


def test_a_frame_that_does_not_decode_is_left_to_those_who_need_it():
    class Broken:
        def read(self, indices, **how):
            raise UnreadableError("a", "Frame 3 is damaged.")

    cine = _with_reader(cine_from_array(doppler()), Broken())
    assert with_colour_noticed(cine).kind is CineKind.B_MODE


def _with_reader(cine, reader):
    return dataclasses.replace(cine, reader=reader)


def test_the_real_clips_hold_no_colour(real_clips):
    from echoplane.sources.discover import discover

    for item in list(discover(real_clips))[::9]:
        if item.path.suffix == ".mp4":
            assert open_cine(item).kind in (CineKind.B_MODE, CineKind.STILL), item.source


@pytest.mark.parametrize("ending", ["avi", "mp4"])
def test_a_colour_film(tmp_path, ending):
    from echoplane.pipelines._cine_writers import write_video

    path = tmp_path / f"a.{ending}"
    write_video(path, [doppler()], kind=ending, fps=30, height=120, width=160, color=True)
    assert open_cine(path).kind is CineKind.COLOR_DOPPLER
