"""Files that are cut short or vanish after they were opened; a map of one would end the whole process here."""

import os

import numpy as np
import pytest

from echoplane.errors import RefusedError, UnreadableError
from echoplane.sources.limits import Limits
from echoplane.sources.mapped import copied, laid_out
from echoplane.sources.open import open_cine

FRAMES = np.random.default_rng(8).integers(0, 256, (40, 60, 80), dtype=np.uint8)
MHD = "ObjectType = Image\nNDims = 3\nDimSize = 80 60 40\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"


def written(path):
    if path.suffix == ".npy":
        np.save(path, FRAMES)
    elif path.suffix == ".mha":
        path.write_bytes(MHD.encode() + FRAMES.tobytes())
    else:
        sitk = pytest.importorskip("SimpleITK", reason="writes the NIfTI file")
        sitk.WriteImage(sitk.GetImageFromArray(FRAMES), str(path))
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.mha", "a.nii"])
def test_a_file_cut_short_after_it_was_opened_is_an_error_and_no_crash(tmp_path, name):
    path = written(tmp_path / name)
    cine = open_cine(path)
    os.truncate(path, 50_000)
    assert np.array_equal(cine.reader.read([3]), FRAMES[[3]])
    with pytest.raises(UnreadableError, match=r"became shorter while it was being read") as caught:
        cine.reader.read([0, 30])
    assert caught.value.path == str(path)


@pytest.mark.parametrize("name", ["a.npy", "a.mha", "a.nii"])
def test_a_file_that_vanishes_after_it_was_opened_is_an_error(tmp_path, name):
    path = written(tmp_path / name)
    cine = open_cine(path)
    path.unlink()
    with pytest.raises(UnreadableError, match="no such file"):
        cine.reader.read([0])


def test_views_of_a_map_are_copied_as_numpy_copies_them(tmp_path):
    array = np.random.default_rng(1).integers(0, 256, (6, 1, 7, 5, 4)).astype(">u2")
    np.save(tmp_path / "a.npy", array)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    for view in (
        mapped,
        mapped[:, 0],
        mapped[:, 0, ..., :3],
        mapped.swapaxes(2, 3),
        mapped[:, 0, 2:, ::2],
        mapped[None],
    ):
        wanted = [len(view) - 1, 0, 0]
        assert np.array_equal(copied(view, wanted, "a"), np.array(view)[wanted])


def test_frames_strewn_over_the_file_are_taken_into_memory_within_the_limit(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(FRAMES))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    whole = laid_out(mapped, "a", Limits())
    assert not isinstance(whole, np.memmap)
    assert np.array_equal(whole, FRAMES)
    with pytest.raises(RefusedError, match="max_bytes"):
        laid_out(mapped, "a", Limits(max_bytes=FRAMES.nbytes - 1))
