import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from echoplane.errors import EchoplaneError, NoFramesError, RefusedError, UnreadableError, UnsupportedError, UsageError
from echoplane.records import CineKind
from echoplane.sources.limits import Limits
from echoplane.sources.open import open_cine

RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 256, (9, 20, 30), dtype=np.uint8)
RGB = RNG.integers(0, 256, (9, 20, 30, 3), dtype=np.uint8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(5, 8)).flatmap(lambda s: hnp.arrays(np.uint8, s)),
    st.booleans(),
)
@example(np.array([[[40, 40, 240, 240, 240]], [[240] * 5]], np.uint8), False)  # no white ground: it is all edge
def test_round_trip(tmp_path, frames, fortran):
    np.save(tmp_path / "a.npy", np.asfortranarray(frames) if fortran else frames)
    cine = open_cine(tmp_path / "a.npy")
    assert np.array_equal(cine.reader.read(range(len(frames))), frames)
    assert (cine.kind is CineKind.STILL) == (len(frames) == 1)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY, GREY),
        (GREY[0], GREY[:1]),
        (GREY[..., None], GREY),
        (GREY[:, None], GREY),
        (GREY[None], GREY),
        (RGB, RGB),
        (RGB[0], RGB[:1]),
        (np.concatenate([RGB, RGB[..., :1]], -1), RGB),
    ],
    ids=lambda a: str(a.shape),
)
def test_the_table_of_shapes(tmp_path, array, expected):
    np.save(tmp_path / "a.npy", array)
    cine = open_cine(tmp_path / "a.npy")
    color = expected.ndim == 4
    assert np.array_equal(cine.reader.read(range(len(expected)), color=color), expected)
    assert (cine.n_frames, cine.height, cine.width) == expected.shape[:3]
    assert cine.reader.read([], color=True).shape == (0, *expected.shape[1:3], 3)


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5), (2, 2, 2, 2, 3)])
def test_other_shapes_are_refused_with_what_is_accepted(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(UnsupportedError, match=r"a cine is \(T, H, W\)"):
        open_cine(tmp_path / "a.npy")


def test_other_samples_are_scaled_and_said(tmp_path):
    np.save(tmp_path / "a.npy", GREY.astype(np.float32) / 255)
    cine = open_cine(tmp_path / "a.npy")
    assert np.array_equal(cine.reader.read(range(9)), GREY)
    assert "1 is white" in cine.notes[0]


def test_npz(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", frames=GREY, fps=50.0, other=np.zeros((40, 50)))
    cine = open_cine(tmp_path / "a.npz")
    assert (cine.fps, cine.fps_source) == (50.0, "fps in the file")
    assert np.array_equal(cine.reader.read([8, 1]), GREY[[8, 1]])
    np.savez(tmp_path / "b.npz", whatever=RGB, label=np.array(3))
    assert open_cine(tmp_path / "b.npz").n_frames == 9
    np.savez(tmp_path / "c.npz", one=GREY, two=GREY)
    with pytest.raises(UnsupportedError, match="not clear which"):
        open_cine(tmp_path / "c.npz")


class Boom:
    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def test_nothing_is_ever_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([Boom(), Boom()], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", frames=np.array([Boom()] * 500, object))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(UnsupportedError, match="Python objects"):
            open_cine(tmp_path / name)


def test_a_bomb_in_an_npz_is_refused_by_its_size(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", frames=np.zeros((50, 1000, 1000), np.uint8))
    assert (tmp_path / "a.npz").stat().st_size < 200_000
    with pytest.raises(RefusedError, match="max_bytes"):
        open_cine(tmp_path / "a.npz", limits=Limits(max_bytes=10**7))
    assert open_cine(tmp_path / "a.npz").n_frames == 50


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_damage(tmp_path, name):
    (np.save if name.endswith("y") else np.savez)(tmp_path / name, GREY)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableError, match="damaged"):
        open_cine(tmp_path / name)
    rng = np.random.default_rng(0)
    for _ in range(60):
        mutant = bytearray(content)
        for at in rng.integers(0, 128, 2):
            mutant[at] = rng.integers(256)
        (tmp_path / name).write_bytes(mutant)
        with contextlib.suppress(EchoplaneError):
            open_cine(tmp_path / name, limits=Limits(max_bytes=10**7)).reader.read([0])


def test_a_lying_header(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 4000, 4000), }"
    header = header.ljust(118 - 1) + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(1000))
    with pytest.raises(UnreadableError, match="shorter than its header says"):
        open_cine(tmp_path / "a.npy")


def test_empty_and_text_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((0, 4, 4), np.uint8))
    with pytest.raises((NoFramesError, UnreadableError)):
        open_cine(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([["a", "b"]]))
    with pytest.raises(UnsupportedError, match="samples of type"):
        open_cine(tmp_path / "b.npy")


def test_frames_that_are_not_there(tmp_path):
    np.save(tmp_path / "a.npy", GREY)
    with pytest.raises(UsageError):
        open_cine(tmp_path / "a.npy").reader.read([9])
